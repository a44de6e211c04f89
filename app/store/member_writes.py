"""Groups and sources stored by the thousand: each kind of row goes in, or changes, in one statement.

What waits in the session is stored before. Objects that the session holds do not see what is written here: who needs
one reads it afterwards, or expires it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, insert, update
from sqlalchemy.orm import Session

from app.store.member_rows import GroupRow, SourceRow, YieldRow
from app.store.models.base import Base
from app.store.models.projects import Group, Source, SourceYield
from app.store.projects import states_by_key
from app.store.reading import KEYS_PER_QUERY

NEW = 0
"""The id of a row that is not stored yet."""
KINDS: dict[type[GroupRow] | type[SourceRow], type[Group] | type[Source]] = {GroupRow: Group, SourceRow: Source}


def insert_rows(session: Session, project_id: UUID, rows: Sequence[GroupRow | SourceRow], now: datetime) -> None:
    """Store new rows of keys that the project does not have, in their order, and give them their ids."""
    if not rows:
        return
    session.flush()
    kind = KINDS[type(rows[0])]
    always = {"project_id": project_id, "created_at": now, "updated_at": now}
    columns = [one.name for one in fields(rows[0]) if one.name not in ("id", "yields")]
    session.execute(insert(table_of(kind)).values(always), values_of(rows, columns))
    stored = states_by_key(session, kind, project_id, [row.key for row in rows])
    for row in rows:
        row.id = stored[row.key].id
    insert_yields(session, {row.id: row.yields for row in rows if isinstance(row, SourceRow)})


def change_rows(
    session: Session, rows: Sequence[GroupRow | SourceRow], columns: Collection[str], now: datetime
) -> None:
    """Store what these columns of rows that are stored hold by now; a source's yields go by `change_yields`."""
    if not rows:
        return
    session.flush()
    table = table_of(KINDS[type(rows[0])])
    changes = values_of(rows, columns)
    for row, values in zip(rows, changes, strict=True):
        values["row"] = row.id
    session.execute(update(table).where(table.c.id == bindparam("row")).values(updated_at=now), changes)


def change_yields(session: Session, yields: Mapping[int, Sequence[YieldRow]]) -> None:
    """Make the sources of these ids deliver this and nothing else."""
    session.flush()
    table, ids = table_of(SourceYield), list(yields)
    for start in range(0, len(ids), KEYS_PER_QUERY):
        session.execute(delete(table).where(table.c.source_id.in_(ids[start : start + KEYS_PER_QUERY])))
    insert_yields(session, yields)


def insert_yields(session: Session, yields: Mapping[int, Sequence[YieldRow]]) -> None:
    rows = [
        {"source_id": source_id, "group_id": one.group_id, "share": one.share}
        for source_id, delivered in yields.items()
        for one in delivered
    ]
    if rows:
        session.execute(insert(table_of(SourceYield)), rows)


def values_of(rows: Sequence[GroupRow | SourceRow], columns: Collection[str]) -> list[dict[str, Any]]:
    """What these columns, two or more, of each row hold, by name."""
    values = attrgetter(*columns)
    return [dict(zip(columns, values(row), strict=True)) for row in rows]


def table_of(kind: type[Group] | type[Source] | type[SourceYield]) -> Table:
    return Base.metadata.tables[kind.__tablename__]
