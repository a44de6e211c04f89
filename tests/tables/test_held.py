"""A table that is held says the same, whatever its rows came from."""

from datetime import UTC, datetime
from decimal import Decimal

from app.tables.held import ROWS, held
from app.tables.shape import Column, Table

COLUMNS = (
    Column[int]("number", "count", "its number", lambda one: one),
    Column[int]("money", "money", "its price", lambda one: Decimal(one) / 8),
    Column[int]("when", "instant", "its time", lambda one: datetime(2026, 1, 1, tzinfo=UTC) if one % 2 else None),
    Column[int]("name", "text", "its name", lambda one: f"ä{one}"),
)


def test_all_rows_are_read_once_and_can_be_read_again() -> None:
    read: list[int] = []
    table = Table("some", "Some", COLUMNS, (read.append(one) or one for one in range(2 * ROWS + 1)))  # type: ignore[func-returns-value]
    made = held(table)
    assert read == list(range(2 * ROWS + 1))
    same = Table("some", "Some", COLUMNS, range(2 * ROWS + 1))
    assert list(made.rows) == list(same.rows) == list(made.rows)
    assert [(one.name, one.kind, one.meaning) for one in made.columns] == [
        (one.name, one.kind, one.meaning) for one in COLUMNS
    ]
    assert list(held(Table("none", "None", COLUMNS, ())).rows) == []
