"""Sources: what samples can be bought from, at what price and in what amounts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, invalid
from app.services.changes import (
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
from app.store import projects as store
from app.store.models import Group, Project, Source


def add_sources(session: Session, project: Project, items: Sequence[Fields], now: datetime, at: str) -> list[Source]:
    """Store sources; `at` is the JSON pointer of the list in the request, '' where the body is one source."""
    keys = [item["key"] for item in items]
    refuse_repeats(keys, at)
    refuse_taken(session, project, Source, keys, at)
    rows = [new_source(project, now) for _ in items]
    fill(session, project, rows, items, now, at)
    session.add_all(rows)
    session.flush()
    touch(project, now)
    return rows


def fill(
    session: Session,
    project: Project,
    rows: Sequence[Source],
    items: Sequence[Fields],
    now: datetime,
    at: str,
) -> None:
    """Put `items` into `rows`, a group's key becoming its id. Raises Invalid naming every fault."""
    named = {item["group"] for item in items if "group" in item}
    groups = store.members_by_key(session, Group, project.id, named)
    faults = []
    for index, (row, item) in enumerate(zip(rows, items, strict=True)):
        group = groups.get(item["group"]) if "group" in item else None
        if "group" in item and (group is None or group.archived_at):
            faults.append(Fault(pointer(at, index, "group"), f"there is no group '{item['group']}' in this project"))
            continue
        changes = {name: value for name, value in item.items() if name != "group"}
        assign(row, changes if group is None else {**changes, "group_id": group.id}, now)
        faults.extend(order_faults(row, at, index))
    if faults:
        raise invalid(*faults)


def order_faults(source: Source, at: str, index: int) -> list[Fault]:
    """An order must be possible at all: some multiple of the lot within the minimum and the maximum."""
    least = -(-max(source.min_order, 1) // source.lot_size) * source.lot_size
    if source.max_order is None or source.max_order == 0 or least <= source.max_order:
        return []
    detail = (
        f"no order fits: min_order {source.min_order} in lots of {source.lot_size} is at least {least}, "
        f"above max_order {source.max_order}; raise max_order or lower the others"
    )
    return [Fault(pointer(at, index, "max_order"), detail)]


def update_source(session: Session, project: Project, source: Source, changes: Fields, now: datetime) -> None:
    """Raises KeyTaken for a key in use, Invalid."""
    if changes.get("key", source.key) != source.key:
        refuse_taken(session, project, Source, [changes["key"]], "")
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
    for source in refuse_incomplete(items, known, archive_missing):
        archive(project, source, now)
    rows = [known.get(item["key"]) or new_source(project, now) for item in items]
    fill(session, project, rows, items, now, at="/")
    session.add_all(rows)
    session.flush()
    touch(project, now)


def new_source(project: Project, now: datetime) -> Source:
    return Source(project_id=project.id, created_at=now, archived_at=None)


def restore_source(session: Session, project: Project, source: Source, now: datetime) -> None:
    """Raises Conflict while the source's group is archived."""
    group = store.members_by_id(session, Group, [source.group_id])[source.group_id]
    if group.archived_at:
        raise Conflict(f"The group '{group.key}' that this source delivers is archived; restore the group first.")
    restore(project, source, now)
