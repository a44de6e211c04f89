"""What every change of a project has in common.

Fields come as dicts of column values, so that a partial change says just what it changes. Shapes and types are
checked where requests come in; services hold the rules that need the project.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.errors import Archived, Fault, KeyTaken, MissingKeys, NotFound, refuse
from app.services.projects.keys import can_be_stored, normal_key
from app.store import projects as store
from app.store.member_rows import GroupRow, SourceRow
from app.store.models.projects import Group, Project, Source
from app.store.projects import Member
from app.store.reading import find

Row = TypeVar("Row", GroupRow, SourceRow)
Fields = dict[str, Any]
MAX_FAULTS = 1_000
"""The most faults that one answer lists."""


def touch(project: Project, now: datetime) -> None:
    """A change that an answer may depend on: the data version rises."""
    project.data_version += 1
    project.data_at = now
    project.updated_at = now


def assign(row: Project | Group | Source, changes: Mapping[str, Any], now: datetime) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_at = now


def archive(project: Project, row: Project | Group | Source, now: datetime) -> None:
    assign(row, {"archived_at": now}, now)
    touch(project, now)


def restore(project: Project, row: Project | Group | Source, now: datetime) -> None:
    assign(row, {"archived_at": None}, now)
    touch(project, now)


def get_member(session: Session, project: Project, kind: type[Member], key: str, *, archived: bool = False) -> Member:
    """The project's group or source of that key. Raises NotFound, for archived ones too (unless `archived`)."""
    key = normal_key(key)
    row = find(session, kind, project_id=project.id, key=key) if can_be_stored(key) else None
    word = kind.__name__.lower()
    if row is None:
        raise NotFound(f"There is no {word} '{key[:100]}' in this project.")
    if row.archived_at and not archived:
        raise NotFound(f"The {word} '{key}' is archived. Read it with ?archived=true, or POST to its /restore.")
    return row


def pointer(at: str, index: int, field: str) -> str:
    """The JSON pointer of a field of an item: of the list `at`, of the body itself where that is the list ('/'),
    or of the one item that the body is ('')."""
    return f"{at.rstrip('/')}/{index}/{field}" if at else f"/{field}"


def refuse_repeats(keys: Sequence[str], at: str) -> None:
    """Raises Invalid for keys named twice."""
    first: dict[str, int] = {}
    faults = [
        Fault(pointer(at, index, "key"), f"'{key}' is named twice; keys are unique in a project")
        for index, key in enumerate(keys)
        if first.setdefault(key, index) != index
    ]
    refuse(faults)


def refuse_taken(session: Session, project: Project, kind: type[Member], keys: Sequence[str], at: str) -> None:
    """Raises KeyTaken for keys in use, by archived rows too."""
    word = kind.__name__.lower()
    taken = store.states_by_key(session, kind, project.id, keys)
    faults = []
    for index, key in enumerate(keys) if taken else ():
        if key in taken:
            hint = "it is archived: restore it instead" if taken[key].archived_at else "PATCH it instead"
            faults.append(Fault(pointer(at, index, "key"), f"the {word} '{key}' exists; {hint}"))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise KeyTaken(f"T{faults[0].detail[1:]}{more}.", tuple(faults))


def refuse_incomplete(items: Sequence[Fields], known: Mapping[str, Row], archive_missing: bool) -> list[Row]:
    """The active members that a whole list leaves out.

    Raises MissingKeys naming them unless `archive_missing`, Archived for archived keys in the list.
    """
    named = {item["key"] for item in items}
    archived = sorted(key for key in named & known.keys() if known[key].archived_at)
    if archived:
        raise Archived(f"These are archived; restore them first: {', '.join(archived[:100])}.")
    absent = [row for key, row in known.items() if key not in named and not row.archived_at]
    if absent and not archive_missing:
        names = ", ".join(row.key for row in absent[:100])
        raise MissingKeys(f"The list leaves out: {names}. Name them too, or archive them with ?archive_missing=true.")
    return absent
