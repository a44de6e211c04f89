"""Intake rules, kind by kind: what each keeps of the rows as they pass, and which of them break it.

R rows. A rule sees the cells of its own columns, row by row, and keeps some bytes of each; no cell is kept. Empty cells
break `required` alone. A broken rule names its rows [R] as a mask.
"""

import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.services.intake.reading import Cells

Severity = Literal["row", "lot", "note"]
SHOWN = 80
"""Signs of a cell that a sentence shows."""


@dataclass(frozen=True)
class Broken:
    """What became of a rule. rows: numbers of the rows that break it, from 0. beside: of each such row, one that it is
    held against. violations, share: how many rows break it, and of how many that is a part; of a mix, how many would
    have to be others, and the distance. said: how it is broken, without a word of what is in the cells."""

    rows: IntArray
    beside: IntArray
    violations: int
    share: float
    said: str


@dataclass
class IntakeRule(ABC):
    """columns: those that it looks at, in their order."""

    kind: str
    columns: tuple[str, ...]
    severity: Severity

    wide = 0
    """Numbers of eight bytes that it keeps of a row."""

    @abstractmethod
    def see(self, cells: Cells) -> None:
        """Take in the next row's cells of its columns."""

    @abstractmethod
    def judge(self, counted: BoolArray) -> Broken:
        """What became of it. counted [R]: the rows that no other rule rejects."""

    @abstractmethod
    def example(self, row: int, cells: Cells, beside: int, others: Cells) -> str:
        """How the row breaks it, in words, rows counted from 0."""


def told(cell: str) -> str:
    return f"'{cell if len(cell) <= SHOWN else cell[:SHOWN] + '…'}'"


def joined(cells: Cells) -> str:
    return " ".join(map(told, cells))


@dataclass
class Masked(IntakeRule):
    """A rule that each row keeps or breaks by itself."""

    mask: bytearray = field(default_factory=bytearray)

    def see(self, cells: Cells) -> None:
        self.mask.append(self.breaks(cells))

    @abstractmethod
    def breaks(self, cells: Cells) -> bool:
        """Whether these cells break it."""

    def judge(self, counted: BoolArray) -> Broken:
        rows = np.flatnonzero(np.frombuffer(self.mask, dtype=np.bool_))
        return broken(rows, rows, len(self.mask), "break it")

    def example(self, row: int, cells: Cells, beside: int, others: Cells) -> str:
        return f"row {row + 1} {self.why(cells)}"

    @abstractmethod
    def why(self, cells: Cells) -> str:
        """Why the row breaks it, as the end of a sentence."""


def broken(rows: IntArray, beside: IntArray, of: int, words: str) -> Broken:
    share = len(rows) / of if of else 0.0
    return Broken(rows, beside, len(rows), share, f"{len(rows):,} of {of:,} rows {words}")


@dataclass
class Required(Masked):
    """No cell is empty."""

    def breaks(self, cells: Cells) -> bool:
        return not all(cells)

    def why(self, cells: Cells) -> str:
        return f"lacks {', '.join(name for name, cell in zip(self.columns, cells, strict=True) if not cell)}"


@dataclass
class OneOf(Masked):
    """A cell is one of some values."""

    values: frozenset[str] = frozenset()

    def breaks(self, cells: Cells) -> bool:
        return bool(cells[0]) and cells[0] not in self.values

    def why(self, cells: Cells) -> str:
        return f"has {told(cells[0])}, none of the {len(self.values):,} values"


@dataclass
class InRange(Masked):
    """A cell is a number from `least` to `most`."""

    least: float = -math.inf
    most: float = math.inf

    def breaks(self, cells: Cells) -> bool:
        if not cells[0]:
            return False
        number = number_of(cells[0])
        return number is None or not self.least <= number <= self.most

    def why(self, cells: Cells) -> str:
        number = number_of(cells[0])
        if number is None:
            return f"has {told(cells[0])}, which is no number"
        side, bound = ("below", self.least) if number < self.least else ("above", self.most)
        return f"has {told(cells[0])}, {side} {bound:g}"


def number_of(text: str) -> float | None:
    """A number with a point as its decimal mark; None for any other text."""
    try:
        number = float(Decimal(text))
    except (InvalidOperation, OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


@dataclass
class Unique(IntakeRule):
    """No two rows say the same in these columns; the first one stands."""

    wide = 1
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    empty: bytearray = field(default_factory=bytearray)

    def see(self, cells: Cells) -> None:
        self.keys.append(hash(cells))
        self.empty.append(not any(cells))

    def judge(self, counted: BoolArray) -> Broken:
        full = np.flatnonzero(~np.frombuffer(self.empty, dtype=np.bool_))
        first, group = first_of_each(np.frombuffer(self.keys, dtype=np.int64)[full])
        again = np.flatnonzero(first[group] != np.arange(len(full)))
        return broken(full[again], full[first[group[again]]], len(self.keys), "repeat an earlier row")

    def example(self, row: int, cells: Cells, beside: int, others: Cells) -> str:
        return f"{joined(cells)} in row {row + 1} stands in row {beside + 1} already"


def first_of_each(keys: IntArray) -> tuple[IntArray, IntArray]:
    """The place of the first of each key, and of every place the number of its key."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return first, group


@dataclass
class Determines(IntakeRule):
    """Rows alike in all columns but the last are alike in the last; of unlike ones the commonest stands, the earliest
    of those as common: the fewest rows are named whose going would mend it (the error g3, Kivinen and Mannila 1995)."""

    wide = 2
    left: "array[int]" = field(default_factory=lambda: array("q"))
    both: "array[int]" = field(default_factory=lambda: array("q"))
    empty: bytearray = field(default_factory=bytearray)
    sizes: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Of each row: how many say the same; empty ones 0."""

    def see(self, cells: Cells) -> None:
        self.left.append(hash(cells[:-1]))
        self.both.append(hash(cells))
        self.empty.append(not all(cells))

    def judge(self, counted: BoolArray) -> Broken:
        full = np.flatnonzero(~np.frombuffer(self.empty, dtype=np.bool_))
        _, case = first_of_each(np.frombuffer(self.left, dtype=np.int64)[full])
        first, pair = first_of_each(np.frombuffer(self.both, dtype=np.int64)[full])
        size = np.bincount(pair)
        self.sizes = np.zeros(len(self.left), dtype=np.int64)
        self.sizes[full] = size[pair]
        # By case, then the commonest first, then the earliest: the first pair of each case stands.
        order = np.lexsort((first, -size, case[first]))
        cases, leads = np.unique(case[first][order], return_index=True)
        standing = np.zeros(len(cases), dtype=np.int64)
        standing[cases] = order[leads]
        wrong = np.flatnonzero(pair != standing[case])
        return broken(
            full[wrong], full[first[standing[case[wrong]]]], len(self.left), "say another than most like them"
        )

    def example(self, row: int, cells: Cells, beside: int, others: Cells) -> str:
        common = int(self.sizes[beside])
        most = f"in {common:,} rows" if common > 1 else f"in row {beside + 1}"
        return f"{joined(cells[:-1])} is {told(others[-1])} {most} and {told(cells[-1])} in row {row + 1}"


OTHER, EMPTY = -1, -2


@dataclass
class Mix(IntakeRule):
    """The shares of a column's values among the rows that count lie within a total variation distance of given ones,
    beside what chance makes of so many rows."""

    shares: Mapping[str, float] = field(default_factory=dict)
    tv_at_most: float = 0.0
    codes: "array[int]" = field(default_factory=lambda: array("h"))

    def __post_init__(self) -> None:
        self.places = {value: at for at, value in enumerate(self.shares)}

    def see(self, cells: Cells) -> None:
        self.codes.append(self.places.get(cells[0], OTHER) if cells[0] else EMPTY)

    def judge(self, counted: BoolArray) -> Broken:
        codes = np.frombuffer(self.codes, dtype=np.int16)[counted]
        codes = codes[codes != EMPTY]
        wanted = np.array([*self.shares.values(), 0.0])
        found = np.bincount(np.where(codes == OTHER, len(self.shares), codes), minlength=len(wanted))
        distance, chance = distance_of(found, wanted)
        none = np.zeros(0, dtype=np.int64)
        said = (
            f"the shares lie {distance:.3g} from those given; {self.tv_at_most:g} and {chance:.2g} for chance are taken"
        )
        within = distance <= self.tv_at_most + chance
        return Broken(none, none, 0 if within else math.ceil(distance * len(codes)), distance, said)

    def example(self, row: int, cells: Cells, beside: int, others: Cells) -> str:
        """Never asked for: no row breaks a mix by itself."""
        return ""


def distance_of(found: IntArray, wanted: FloatArray) -> tuple[float, float]:
    """The total variation distance ½Σ|p̂ − p| of counts from shares, and about what is to be expected of it where the
    rows are drawn by them: ½Σ√(2 p (1 − p) / (π n)), a normal's mean distance from its own mean."""
    rows = int(found.sum())
    if rows == 0:
        return 0.0, 0.0
    distance = 0.5 * np.abs(found / rows - wanted).sum()
    return float(distance), float(0.5 * np.sqrt(2.0 * wanted * (1.0 - wanted) / (math.pi * rows)).sum())


def rule_of(stored: Mapping[str, Any]) -> IntakeRule:
    """A rule as a project stores it, ready for the first row."""
    kind, severity = stored["kind"], stored["severity"]
    one = (stored["column"],) if "column" in stored else ()
    many: tuple[str, ...] = tuple(stored.get("columns", ()))
    if kind == "unique":
        return Unique(kind, many, severity)
    if kind == "required":
        return Required(kind, many, severity)
    if kind == "values":
        return OneOf(kind, one, severity, values=frozenset(stored["values"]))
    if kind == "range":
        return InRange(kind, one, severity, least=bound(stored["min"], -math.inf), most=bound(stored["max"], math.inf))
    if kind == "determines":
        return Determines(kind, many + one, severity)
    return Mix(kind, one, severity, shares=stored["shares"], tv_at_most=stored["tv_at_most"])


def bound(value: float | None, open_end: float) -> float:
    return open_end if value is None else value


def rules_of(stored: Sequence[Mapping[str, Any]]) -> list[IntakeRule]:
    """What every manifest must keep, and then the project's own rules."""
    return [Required("required", ("item",), "row"), Unique("unique", ("item",), "row"), *map(rule_of, stored)]
