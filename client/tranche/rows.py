"""Answers as rows: plain dicts, or a data frame of pandas where that is installed."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from importlib import import_module
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = dict[str, Any]


class _Banded(Protocol):
    @property
    def mean(self) -> float | None: ...
    @property
    def p05(self) -> float | None: ...
    @property
    def p95(self) -> float | None: ...


class Tabular:
    """What can be read row by row."""

    __slots__ = ()

    def to_dicts(self) -> list[Row]:
        """A dict a row, its values plain; money is exact, a Decimal."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """A pandas.DataFrame of the rows, money as floats. Raises ImportError where pandas is not installed."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            what = "to_pandas needs pandas (pip install pandas); to_dicts gives the same rows without it"
            raise ImportError(what) from error
        return pandas.DataFrame([{name: _number(value) for name, value in row.items()} for row in self.to_dicts()])


class Listing(list[T], Tabular):
    """A list whose items are rows."""

    __slots__ = ()

    def to_dicts(self) -> list[Row]:
        return [row_of(item) for item in self]


def row_of(item: Any) -> Row:
    """The row that `item` makes itself, or else its fields of one value each."""
    if hasattr(item, "row"):
        row: Row = item.row()
        return row
    named = {one.name: getattr(item, one.name) for one in fields(item)}
    return {name: value for name, value in named.items() if not isinstance(value, Mapping | tuple | list)}


def banded(name: str, estimate: _Banded | None) -> Row:
    """The columns of an estimate: its mean under `name`, and its 90 % interval."""
    if estimate is None:
        return {name: None, f"{name}_p05": None, f"{name}_p95": None}
    return {name: estimate.mean, f"{name}_p05": estimate.p05, f"{name}_p95": estimate.p95}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
