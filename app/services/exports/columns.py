"""Columns that say of an item what a table shows of it, and those that many tables have."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from app.planner.plan import Band, Gain, Interval
from app.services.forecasts.curves import Summary
from app.tables.shape import Cell, Column

Item = TypeVar("Item")
Part = TypeVar("Part")

Columns: TypeAlias = Sequence[Column[Item] | Sequence[Column[Item]]]
Content: TypeAlias = tuple[Sequence[Column[Item] | Sequence[Column[Item]]], Iterable[Item]]
"""A table's columns and its items, a row each."""
Ends: TypeAlias = tuple[Cell, Cell, Cell]
"""A mean, and the 5 % and the 95 % quantile."""


def flat(columns: Columns[Item]) -> list[Column[Item]]:
    return [one for some in columns for one in ([some] if isinstance(some, Column) else some)]


def keys_in_one(keys: Iterable[str]) -> str:
    """Keys in one cell, as a line of CSV with blanks for commas."""
    line = io.StringIO()
    csv.writer(line, delimiter=" ", lineterminator="").writerow(keys)
    return line.getvalue()


def within(part: Callable[[Item], Part | None], columns: Columns[Part]) -> list[Column[Item]]:
    """Columns of a part of each item, empty where it has none."""

    def lifted(cell: Callable[[Part], Cell]) -> Callable[[Item], Cell]:
        return lambda item: None if (found := part(item)) is None else cell(found)

    return [Column(one.name, one.kind, one.meaning, lifted(one.cell)) for one in flat(columns)]


def interval(name: str, of: str, ends: Callable[[Item], Ends | None]) -> list[Column[Item]]:
    """Columns of a quantity: its mean and its 90 % interval."""
    return within(
        ends,
        [
            Column(f"{name}_mean", "number", f"{of}: mean over the posterior", lambda found: found[0]),
            Column(f"{name}_p05", "number", f"{of}: 5 % quantile", lambda found: found[1]),
            Column(f"{name}_p95", "number", f"{of}: 95 % quantile", lambda found: found[2]),
        ],
    )


def ends_of(one: Interval | Band | Gain) -> Ends:
    return one.mean, one.p05, one.p95


def ends_of_summary(one: Summary) -> Ends:
    return one.mean, one.quantiles["p05"], one.quantiles["p95"]


def group_key(cell: Callable[[Item], Cell]) -> Column[Item]:
    return Column("group", "text", "key of the group", cell)


def group_name(cell: Callable[[Item], Cell]) -> Column[Item]:
    return Column("name", "text", "name of the group", cell)


def round_number(cell: Callable[[Item], Cell]) -> Column[Item]:
    return Column("round", "count", "number of the round", cell)
