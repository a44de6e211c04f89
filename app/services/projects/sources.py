"""Sources: what samples can be bought from, at what price and in what amounts."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, escape, refuse
from app.money import plain
from app.services.projects.changes import (
    MAX_FAULTS,
    Fields,
    archive,
    assign,
    pointer,
    refuse_incomplete,
    refuse_repeats,
    refuse_taken,
    restore,
    touch,
)
from app.services.projects.open_orders import refuse_open_orders
from app.services.projects.references import refuse_named, rename
from app.store import projects as store
from app.store.models.projects import Group, Project, Source, SourceYield
from app.store.models.vendors import VendorConnection
from app.store.reading import find

SHARE_SLACK = 1e-9
"""Shares such as 0.1 + 0.2 + 0.7 sum to a little more than 1 in floating point."""

DEFAULTS: dict[str, Any] = {
    "kind": "vendor",
    "billed": "delivered",
    "price_tiers": [],
    "tier_scope": "order",
    "fixed_cost": Decimal(0),
    "min_order": 0,
    "lot_size": 1,
    "acceptance_rate": 1.0,
    "quality": 1.0,
}
"""A source of which only its group and its price are given."""
ELSEWHERE = ("group", "yields", "connection")
"""Fields that are no columns."""


def add_sources(session: Session, project: Project, items: Sequence[Fields], now: datetime, at: str) -> list[Source]:
    """Store sources; `at` is the JSON pointer of the list in the request, '' where the body is one source."""
    keys = [item["key"] for item in items]
    refuse_repeats(keys, at)
    refuse_taken(session, project, Source, keys, at)
    rows = [new_source(project, now) for _ in items]
    fill(session, project, rows, items, now, at)
    session.add_all(rows)
    session.flush()
    return rows


def fill(
    session: Session,
    project: Project,
    rows: Sequence[Source],
    items: Sequence[Fields],
    now: datetime,
    at: str,
) -> None:
    """Put `items` into `rows`, the groups' keys becoming their yields. Raises Invalid naming every fault."""
    groups = store.members_by_key(session, Group, project.id, {key for item in items for key in shares(item)})
    faults = []
    for index, (row, item) in enumerate(zip(rows, items, strict=True)):
        assign(row, {name: value for name, value in item.items() if name not in ELSEWHERE}, now)
        wrong = [*yield_faults(item, groups), *connect(session, project, row, item)]
        if not wrong and shares(item):
            set_yields(row, {groups[key].id: share for key, share in shares(item).items()})
        wrong += terms_faults(row)
        faults += [Fault(pointer(at, index, field), detail) for field, detail in wrong]
    refuse(faults[:MAX_FAULTS])


def shares(item: Fields) -> dict[str, float]:
    """What the item says it delivers: group key → share. `group` is the short form for all of one group."""
    if item.get("yields") is not None:
        return dict(item["yields"])
    return {item["group"]: 1.0} if item.get("group") is not None else {}


def yield_faults(item: Fields, groups: Mapping[str, Group]) -> list[tuple[str, str]]:
    """Faults as (field, detail), as of the other checks of one item."""
    short, long = item.get("group") is not None, item.get("yields") is not None
    if short and long:
        return [("yields", "give 'group', or 'yields' for a source of several groups, not both")]
    if "group" in item and not short and not long:
        return [("group", "is required: name the group it delivers, or give 'yields' for several")]
    faults = [
        (f"yields/{escape(key)}" if long else "group", f"there is no group '{key}' in this project")
        for key in shares(item)
        if key not in groups or groups[key].archived_at
    ]
    total = math.fsum(shares(item).values())
    if long and not item["yields"]:
        faults.append(("yields", "name at least one group"))
    if total > 1.0 + SHARE_SLACK:
        faults.append(("yields", f"the shares sum to {total:.6g}; of the delivered samples they are at most 1"))
    return faults


def set_yields(source: Source, share_of: Mapping[int, float]) -> None:
    """Make the source deliver these shares, by the groups' ids."""
    known = {one.group_id: one for one in source.yields}
    source.yields = [known.get(group_id) or SourceYield(group_id=group_id) for group_id in sorted(share_of)]
    for one in source.yields:
        one.share = share_of[one.group_id]


def connect(session: Session, project: Project, source: Source, item: Fields) -> list[tuple[str, str]]:
    """Give the source the vendor connection that `item` names."""
    if "connection" not in item:
        return []
    source.connection_id = named = item["connection"]
    if named is None or find(session, VendorConnection, workspace_id=project.workspace_id, id=named) is not None:
        return []
    return [("connection", "there is no such vendor connection in this workspace")]


def terms_faults(source: Source) -> list[tuple[str, str]]:
    """What is wrong with the prices and amounts of a source, whose first tier is folded into its unit cost."""
    return [*tier_faults(source), *fold_first_tier(source), *order_faults(source)]


def fold_first_tier(source: Source) -> list[tuple[str, str]]:
    """A first tier from 0 is the unit cost said again: it is not kept, and a fault where it says another."""
    first = source.price_tiers[0] if source.price_tiers else None
    if first is None or first["from"] != 0:
        return []
    if Decimal(first["unit_cost"]) != source.unit_cost:
        detail = f"a tier from 0 is the unit_cost, which is {plain(source.unit_cost)}; make them equal or leave one out"
        return [("price_tiers/0/unit_cost", detail)]
    source.price_tiers = source.price_tiers[1:]
    return []


def tier_faults(source: Source) -> list[tuple[str, str]]:
    starts = [tier["from"] for tier in source.price_tiers]
    return [
        (f"price_tiers/{index}/from", f"must be above the tier before it: got {here} after {before}")
        for index, (before, here) in enumerate(pairwise(starts), start=1)
        if here <= before
    ]


def order_faults(source: Source) -> list[tuple[str, str]]:
    """An order must be possible at all: some multiple of the lot within the minimum and each maximum."""
    least = -(-max(source.min_order, 1) // source.lot_size) * source.lot_size
    smallest = f"min_order {source.min_order} in lots of {source.lot_size} is at least {least}"
    return [
        (field, f"no order fits: {smallest}, above {field} {most}; raise {field} or lower the others")
        for field, most in (("max_order", source.max_order), ("max_total", source.max_total))
        if most and least > most
    ]


def update_source(session: Session, project: Project, source: Source, changes: Fields, now: datetime) -> None:
    """Raises KeyTaken for a key in use, Invalid."""
    if changes.get("key", source.key) != source.key:
        refuse_taken(session, project, Source, [changes["key"]], "")
        rename(project, Source, source.key, changes["key"])
    fill(session, project, [source], [changes], now, at="")
    touch(project, now)


def replace_sources(
    session: Session, project: Project, items: Sequence[Fields], archive_missing: bool, now: datetime
) -> None:
    """Make the list of sources what `items` says: change those there, add the new, archive the absent.

    Raises MissingKeys naming the absent ones unless `archive_missing`; Archived for archived keys in the list.
    """
    refuse_repeats([item["key"] for item in items], "/")
    known = {source.key: source for source in store.members(session, Source, project.id, archived=None)}
    absent = refuse_incomplete(items, known, archive_missing)
    refuse_named(project, Source, {source.key for source in absent})
    refuse_open_orders(session, project, absent)
    for source in absent:
        archive(project, source, now)
    rows = [known.get(item["key"]) or new_source(project, now) for item in items]
    fill(session, project, rows, items, now, at="/")
    session.add_all(rows)
    session.flush()
    touch(project, now)


def new_source(project: Project, now: datetime) -> Source:
    return Source(project_id=project.id, created_at=now, updated_at=now, yields=[], **DEFAULTS)


def archive_source(session: Session, project: Project, source: Source, now: datetime) -> None:
    """Raises InUse for one that the project's limits name, Conflict while orders from it are open."""
    refuse_named(project, Source, {source.key})
    refuse_open_orders(session, project, [source])
    archive(project, source, now)


def restore_source(session: Session, project: Project, source: Source, now: datetime) -> None:
    """Raises Conflict while every group that the source delivers is archived."""
    groups = store.members_by_id(session, Group, [one.group_id for one in source.yields])
    if all(group.archived_at for group in groups.values()):
        names = ", ".join(f"'{group.key}'" for group in groups.values())
        raise Conflict(f"What this source delivers is archived ({names}); restore the group first.")
    restore(project, source, now)
