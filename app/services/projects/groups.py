"""Groups: whom the model serves, how much each counts, and what is held of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from app.errors import Fault, Frozen, KeyTaken, invalid, refuse
from app.services.projects.changes import (
    Fields,
    archive,
    assign,
    pointer,
    refuse_incomplete,
    refuse_repeats,
    refuse_taken,
    touch,
)
from app.services.projects.open_orders import refuse_open_orders
from app.services.projects.references import refuse_named, rename
from app.services.projects.sources import new_source
from app.store import observations as observation_store
from app.store import projects as store
from app.store.member_rows import AnyGroup, GroupRow, SourceRow, YieldRow, group_rows, source_rows
from app.store.member_writes import NEW, change_rows, insert_rows
from app.store.models.projects import Group, Project, Source

MAX_GROUPS = 20_000


def add_groups(session: Session, project: Project, items: Sequence[Fields], now: datetime, at: str) -> None:
    """Store groups and, where an item has a `unit_cost`, a source of the same key that delivers it.

    Items say every field. `at` is the JSON pointer of the list in the request, '' where the body is one group.
    """
    keys = [item["key"] for item in items]
    refuse_repeats(keys, at)
    refuse_taken(session, project, Group, keys, at)
    rows = [GroupRow(id=NEW, first_run_count=None, archived_at=None, **without_price(item)) for item in items]
    index_of = {key: index for index, key in enumerate(keys)}
    check_targets(project, rows, lambda key: pointer(at, index_of[key], "target"))
    check_bounds(rows, lambda key: pointer(at, index_of[key], "min_count"))
    insert_rows(session, project.id, rows, now)
    set_prices(session, project, rows, prices(items), now)
    check_parents(session, project, rows, lambda key: pointer(at, index_of[key], "parent"))
    check_group_list(session, project, at)


def without_price(item: Fields) -> Fields:
    return {name: value for name, value in item.items() if name != "unit_cost"}


def prices(items: Sequence[Fields]) -> dict[str, Decimal]:
    return {item["key"]: item["unit_cost"] for item in items if item.get("unit_cost") is not None}


def set_prices(
    session: Session, project: Project, groups: Sequence[AnyGroup], unit_costs: dict[str, Decimal], now: datetime
) -> None:
    """The short form of a source: one of the group's key that delivers only that group, at `unit_costs[key]`.

    Raises KeyTaken where a source of that key delivers another group.
    """
    known = {row.key: row for row in source_rows(session, project.id, archived=None, keys=unit_costs)}
    new, changed = [], []
    for group in groups:
        if group.key not in unit_costs:
            continue
        source = known.get(group.key)
        if source is None:
            new.append(own_source(group, unit_costs[group.key]))
        elif [one.group_id for one in source.yields] != [group.id]:
            raise KeyTaken(f"The source '{group.key}' delivers other groups; set its price at the source itself.")
        else:
            source.unit_cost, source.archived_at = unit_costs[group.key], None
            changed.append(source)
    change_rows(session, changed, ("unit_cost", "archived_at"), now)
    insert_rows(session, project.id, new, now)


def own_source(group: AnyGroup, unit_cost: Decimal) -> SourceRow:
    named = {"key": group.key, "name": group.name, "unit_cost": unit_cost}
    return new_source(named, [YieldRow(group.id, 1.0)])


def check_bounds(groups: Sequence[AnyGroup], where: Callable[[str], str]) -> None:
    """Raises Invalid for a min_count above the max_count; `where` as in `check_targets`."""
    faults = [
        Fault(
            where(group.key), f"min_count {group.min_count} of '{group.key}' is above its max_count {group.max_count}"
        )
        for group in groups
        if group.min_count is not None and group.max_count is not None and group.min_count > group.max_count
    ]
    refuse(faults)


def check_targets(project: Project, groups: Sequence[AnyGroup], where: Callable[[str], str]) -> None:
    """Raises Invalid for targets the metric cannot take; `where` points from a group's key into the request."""
    lower = -float("inf") if project.metric_lower is None else project.metric_lower
    upper = float("inf") if project.metric_upper is None else project.metric_upper
    faults = [
        Fault(
            where(group.key),
            f"target {group.target:g} of '{group.key}' is not within {lower:g} and {upper:g}",
        )
        for group in groups
        if group.target is not None and not lower <= group.target <= upper
    ]
    refuse(faults)


def check_parents(session: Session, project: Project, groups: Sequence[AnyGroup], where: Callable[[str], str]) -> None:
    """Raises Invalid for parents that are not other active groups of the project."""
    named = {group.parent for group in groups if group.parent is not None}
    known = store.states_by_key(session, Group, project.id, named)
    faults = []
    for group in groups if named else ():
        parent = known.get(group.parent or "")
        if group.parent is not None and (parent is None or parent.archived_at or parent.id == group.id):
            faults.append(Fault(where(group.key), f"'{group.parent}' is no other group of this project"))
    refuse(faults)


def check_group_list(session: Session, project: Project, at: str) -> None:
    """Raises Invalid for too many groups, or none with a weight."""
    number, largest = store.weights_of(session, project.id)
    if number > MAX_GROUPS:
        raise invalid(Fault(at, f"a project holds at most {MAX_GROUPS:,} groups; this makes {number:,}"))
    if number and largest <= 0:
        raise invalid(Fault(at, "every group has weight 0; give at least one a weight above 0"))


def update_group(session: Session, project: Project, group: Group, changes: Fields, now: datetime) -> None:
    """Raises Frozen for a new key after the first observation, KeyTaken, Invalid."""
    if changes.get("key", group.key) != group.key:
        if observation_store.has_observations(session, project.id):
            raise Frozen(f"The key '{group.key}' is fixed since the first observation. Its name may still change.")
        refuse_taken(session, project, Group, [changes["key"]], "")
        for child in store.children(session, project.id, group.key):
            child.parent = changes["key"]
        rename(project, Group, group.key, changes["key"])
    assign(group, without_price(changes), now)
    check_targets(project, [group], lambda _: "/target")
    check_bounds([group], lambda _: "/min_count")
    session.flush()
    check_parents(session, project, [group], lambda _: "/parent")
    set_prices(session, project, [group], prices([{"key": group.key, **changes}]), now)
    check_group_list(session, project, "/weight")
    touch(project, now)


def archive_groups(session: Session, project: Project, groups: Sequence[Group], now: datetime) -> None:
    """Archive groups and the sources that deliver nothing else. A source of other groups too goes on.

    Raises InUse where the project's limits or objective name any of them, Conflict while orders for them are open.
    """
    leaving = {group.id for group in groups}
    concerned = store.sources_of_groups(session, project.id, leaving)
    others = {one.group_id for source in concerned for one in source.yields} - leaving
    staying = {group.id for group in store.members_by_id(session, Group, others).values() if not group.archived_at}
    idle = [source for source in concerned if not staying & {one.group_id for one in source.yields}]
    refuse_named(project, Group, {group.key for group in groups})
    refuse_named(project, Source, {source.key for source in idle})
    refuse_open_orders(session, project, concerned)
    for source in idle:
        archive(project, source, now)
    for group in groups:
        archive(project, group, now)


def archive_group(session: Session, project: Project, group: Group, now: datetime) -> None:
    """Raises Invalid where only groups of weight 0 would be left."""
    archive_groups(session, project, [group], now)
    session.flush()
    check_group_list(session, project, "")


def replace_groups(
    session: Session, project: Project, items: Sequence[Fields], archive_missing: bool, now: datetime
) -> None:
    """Make the list of groups what `items` says: change those there, add the new, archive the absent.

    Raises MissingKeys naming the absent ones unless `archive_missing`; Archived for archived keys in the list.
    """
    refuse_repeats([item["key"] for item in items], "/")
    known = {group.key: group for group in group_rows(session, project.id, archived=None)}
    absent = {group.id for group in refuse_incomplete(items, known, archive_missing)}
    archive_groups(session, project, list(store.members_by_id(session, Group, absent).values()), now)
    old = [item for item in items if item["key"] in known]
    changed = [replace(known[item["key"]], **without_price(item)) for item in old]
    index_of = {item["key"]: index for index, item in enumerate(items)}
    check_targets(project, changed, lambda key: f"/{index_of[key]}/target")
    check_bounds(changed, lambda key: f"/{index_of[key]}/min_count")
    if old:
        change_rows(session, changed, without_price(old[0]).keys(), now)
    set_prices(session, project, changed, prices(old), now)
    add_groups(session, project, [item for item in items if item["key"] not in known], now, at="")
    check_parents(session, project, changed, lambda key: f"/{index_of[key]}/parent")
    touch(project, now)
