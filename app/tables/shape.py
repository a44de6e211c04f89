"""What a table is, whoever reads it: named columns that say what they hold, and rows that may be many."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeAlias, TypeVar

Cell: TypeAlias = str | int | float | Decimal | datetime | None
Row: TypeAlias = Sequence[Cell]
Kind: TypeAlias = Literal["text", "long text", "count", "number", "money", "share", "instant"]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Column(Generic[Item]):
    """`name` is the header where programs read it, and the API's; `meaning` is told where there is room for it. `cell`:
    what the column says of an item; None is empty. summed: whether the sum of its cells means something."""

    name: str
    kind: Kind
    meaning: str
    cell: Callable[[Item], Cell]
    summed: bool = False

    @property
    def heading(self) -> str:
        """The name where people read it: 'metric_now_p05' is 'Metric now, 5 %'."""
        words = re.sub(r"_p(\d\d)$", lambda found: f", {int(found[1])} %", self.name).replace("_", " ")
        return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class Table:
    """A row for each of `items`, which are read once, and need not fit into memory."""

    name: str
    title: str
    columns: Sequence[Column[Any]]
    items: Iterable[Any]

    @property
    def rows(self) -> Iterator[Row]:
        return ([column.cell(one) for column in self.columns] for one in self.items)


@dataclass(frozen=True)
class Missing:
    """A table that cannot be made, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Stamp:
    """What a table was made from: enough to make it again."""

    data_version: int
    seed: int
    software_version: str


@dataclass(frozen=True)
class About:
    """A workbook's first sheet. facts: what was asked of what, as label and value."""

    title: str
    stamp: Stamp
    facts: Sequence[tuple[str, Cell]] = field(default=())


@dataclass
class Counted:
    """Rows that are counted while they are read, the first `most` of them."""

    rows: Iterable[Row]
    most: int
    count: int = 0
    cut: bool = False

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            if self.count == self.most:
                self.cut = True
                return
            self.count += 1
            yield row
