"""The audit of groups and sources that are written in one statement, which the session does not see."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.services.access.audit import Changes, write_audit
from app.services.access.keys import Caller
from app.store.member_rows import GroupRow, SourceRow, group_rows, source_rows
from app.store.models.projects import Project

MOST_TOLD = 200
"""Groups or sources of a list that are told of one by one; of more, how many."""
UNSAID = ("id", "first_run_count")
Row = GroupRow | SourceRow


class By(Protocol):
    """A call or a visit."""

    now: datetime

    @property
    def caller(self) -> Caller: ...

    @property
    def session(self) -> Session: ...


@contextmanager
def source_audited(by: By, project: Project, key: str, becomes: str | None = None) -> Iterator[None]:
    """Around what makes or changes the source of that key, which `becomes` the key of afterwards."""
    before = source_rows(by.session, project.id, archived=None, keys=[key])
    yield
    by.session.flush()
    after = source_rows(by.session, project.id, archived=None, keys=[becomes or key])
    for row in after:
        changes = difference(before[0] if before else None, row)
        if changes:
            verb = "changed" if before else "made"
            write_audit(by.session, project, by.caller, f"source.{verb}", f"source:{row.key}", {}, by.now, changes)


@contextmanager
def list_audited(by: By, project: Project, kind: type[GroupRow] | type[SourceRow]) -> Iterator[None]:
    """Around what replaces the whole list of groups or of sources: one entry, which names those that it changed."""
    before = by_key(by.session, project, kind)
    yield
    by.session.flush()
    after = by_key(by.session, project, kind)
    changed = {key: changes for key, row in after.items() if (changes := difference(before.get(key), row))}
    made = [key for key in changed if key not in before]
    detail = {"listed": len(after), "changed": len(changed) - len(made), "made": len(made)}
    sides = {
        key: {side: {name: one[side] for name, one in changes.items()} for side in ("from", "to")}
        for key, changes in list(changed.items())[:MOST_TOLD]
    }
    word = "groups" if kind is GroupRow else "sources"
    write_audit(by.session, project, by.caller, f"{word}.replaced", word, detail, by.now, sides)


def by_key(session: Session, project: Project, kind: type[GroupRow] | type[SourceRow]) -> Mapping[str, Row]:
    rows: Sequence[Row] = (group_rows if kind is GroupRow else source_rows)(session, project.id, archived=None)
    return {row.key: row for row in rows}


def difference(before: Row | None, after: Row) -> Changes:
    """What is not equal; of a new row all that is said."""
    changes: Changes = {}
    for name in (one.name for one in fields(after) if one.name not in UNSAID):
        old, new = None if before is None else plain(getattr(before, name)), plain(getattr(after, name))
        if old != new:
            changes[name] = {"from": old, "to": new}
    return changes


def plain(value: Any) -> Any:
    """Shares of a source's groups as what they are; everything else as it is."""
    if isinstance(value, list) and value and hasattr(value[0], "share"):
        return {str(one.group_id): one.share for one in value}
    return value
