"""What every table shares: names of constraints, types, and the base class."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Integer,
    MetaData,
    Uuid,
    event,
)
from sqlalchemy.orm import DeclarativeBase, object_mapper
from sqlalchemy.types import TypeDecorator

from app.money import MILLION, amount

# Names every constraint alike on both databases, so that migrations can refer to them.
NAMING: dict[str, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite numbers rows by itself only in a column declared INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as a whole number of millionths (SQLite's NUMERIC is a float)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Millionths. Raises ValueError for more than six decimals."""
        if value is None:
            return None
        micros = value * MILLION
        if micros != micros.to_integral_value():
            raise ValueError(f"{value} has more than six decimals")
        return int(micros)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else amount(value)


class Instant(TypeDecorator[datetime]):
    """A point in time, always aware and in UTC (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Instant,
        Decimal: Money,
        int: BigInteger,
        float: Double,
        dict[str, Any]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        UUID: Uuid,
    }


@event.listens_for(Base, "init", propagate=True)
def null_unless_said(row: Base, _args: Any, values: dict[str, Any]) -> None:
    """A new row's columns that may be null are so where nothing is said, and are read without asking the database."""
    for one in object_mapper(row).column_attrs:
        if one.columns[0].nullable:
            values.setdefault(one.key, None)
