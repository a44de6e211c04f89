"""Rows in every table there is, also in those that will be added: of one workspace, one project, or another's."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import count
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from sqlalchemy import Boolean, Column, Double, Float, LargeBinary, MetaData, Table, Text, func, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON, BigInteger, String, TypeEngine, Uuid

from app.store.models.base import Instant, Money
from app.store.models.metadata import metadata
from tests.api_client import NOW

NUMBERS = count(7)
APART = frozenset({"workers", "recoveries", "erasures"})
"""Tables that hang on no workspace: seats and recoveries of workers, and what is left of those that are gone."""


def fill(
    session: Session, mark: str, known: Mapping[str, Any] = MappingProxyType({}), only: Collection[str] = ()
) -> dict[str, Any]:
    """A row in every table, each pointing at the ones before wherever it can, with `mark` in all text.

    Table → the key that others point at. known: rows that are there already, by their tables. only: in these tables
    alone, where any are named.
    """
    keys: dict[str, Any] = dict(known)
    for one in metadata.sorted_tables:
        if one.name not in APART and one.name not in keys and (not only or one.name in only):
            values = {column.name: value_of(column, keys, mark) for column in one.columns if not is_serial(column)}
            made = session.execute(insert(one).values(values).returning(*one.primary_key)).one()
            keys[one.name] = made[0]
    return keys


def is_serial(column: Column[Any]) -> bool:
    alone = column.primary_key and len(column.table.primary_key) == 1
    return alone and not column.foreign_keys and isinstance(column.type, BigInteger)


def value_of(column: Column[Any], keys: dict[str, Any], mark: str) -> Any:
    for key in column.foreign_keys:
        return keys[key.column.table.name]
    if column.name == "event_id":
        return keys["events"]
    if column.name in ("erased_at", "archived_at", "reduced_at"):
        return None
    if column.table.name == "vendor_connections" and column.name in ("kind", "config"):
        return {"kind": "standard", "config": {}}[column.name]
    return by_type(column.type, mark)


def by_type(kind: TypeEngine[Any], mark: str) -> Any:
    values: list[tuple[Any, Any]] = [
        (Money, Decimal(3)), (Instant, NOW), (Uuid, uuid4()), (JSON, {mark: mark}), (Boolean, True),
        (BigInteger, next(NUMBERS)), (Double | Float, 0.5), (LargeBinary, mark.encode()), (Text, f"{mark} {uuid4()}"),
        (String, f"{mark}{uuid4().hex[:8]}"[: getattr(kind, "length", None) or 100]),
    ]  # fmt: skip
    return next(value for known, value in values if isinstance(kind, known))


def counts(session: Session, *, but: frozenset[str] = frozenset()) -> dict[str, int]:
    """Table → rows, of those that have any."""
    tables = [one for one in metadata.sorted_tables if one.name not in but]
    found = {one.name: session.execute(select(func.count()).select_from(one)).scalar_one() for one in tables}
    return {name: count for name, count in found.items() if count}


def naming(session: Session, *texts: object) -> dict[str, list[str]]:
    """Table → its columns in which one of the texts stands, in whatever way, the job engine's tables too."""
    found: dict[str, list[str]] = {}
    for one in every_table(session):
        for column in one.columns:
            rows = session.execute(select(column).where(column.is_not(None))).scalars()
            if any(str(text) in shown(row) for row in rows for text in texts):
                found.setdefault(one.name, []).append(column.name)
    return found


def every_table(session: Session) -> list[Table]:
    engines = MetaData()
    engines.reflect(session.connection(), schema="dbos" if session.get_bind().dialect.name == "postgresql" else None)
    ours = {one.name for one in metadata.sorted_tables} | {"alembic_version"}
    return [*metadata.sorted_tables, *(one for one in engines.tables.values() if one.name not in ours)]


def shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
