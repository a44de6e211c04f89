"""Cells to rows of known columns, and what was understood of the file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from tranche.sheets.faults import SheetError, SheetFault
from tranche.sheets.grid import SEPARATOR_NAMES, Grid, Row, read_grid
from tranche.sheets.instants import read_instant
from tranche.sheets.numbers import (
    MARK_NAMES,
    Cells,
    Mark,
    Number,
    Style,
    number_of,
    style_of,
    thousands_of,
    unit_faults,
)

Value = str | int | float | Decimal
STAMP = frozenset({"dataversion", "seed", "softwareversion"})
"""The columns that Tranche ends its own tables with: who reads them back may leave the others unread."""
GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
INDEX = ("", "unnamed:0")


@dataclass(frozen=True)
class Column:
    """`alike` is the column whose unit this one has."""

    name: str
    kind: Literal["text", "instant", "count", "real", "money"] = "text"
    needed: bool = False
    aliases: tuple[str, ...] = ()
    alike: str | None = None

    @property
    def names(self) -> set[str]:
        return {plain(one) for one in (self.name, *self.aliases)}


@dataclass
class ReadAs:
    """How a table was understood, to be said to whoever sent it. `decimal`: None where no number has a mark that
    matters. `apostrophes`: how many were taken away before texts that a spreadsheet would run."""

    encoding: str
    separator: str
    decimal: str | None = None
    thousands: list[str] = field(default_factory=list)
    percent: list[str] = field(default_factory=list)
    currency: str | None = None
    ignored: list[str] = field(default_factory=list)
    apostrophes: int = 0
    voided: int = 0

    def words(self) -> str:
        """One sentence."""
        parts = [f"{self.encoding}, separated by {self.separator}s"]
        if self.decimal:
            parts.append(f"decimal {self.decimal}")
        if self.thousands:
            parts.append("thousands parted by " + " ".join("blanks" if one == " " else one for one in self.thousands))
        if self.percent:
            parts.append("percentages in " + ", ".join(self.percent))
        if self.currency:
            parts.append(f"prices in {self.currency}")
        if self.ignored:
            parts.append("not read: " + ", ".join(self.ignored))
        if self.apostrophes:
            parts.append(f"apostrophes before signs of formulas taken away: {self.apostrophes}")
        if self.voided:
            parts.append(f"lines of voided runs left out: {self.voided}")
        return "Read as " + "; ".join(parts) + "."


@dataclass(frozen=True)
class Sheet:
    """Each row's line and its cells that are not empty, by column; rows with a fault are left out."""

    rows: list[tuple[int, dict[str, Value]]]
    faults: list[SheetFault]
    read_as: ReadAs


def plain(name: str) -> str:
    """A name as headers are compared: without case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_\-\u2010\u2011]", "", name).casefold()


def read_table(
    body: bytes | str, columns: Sequence[Column], *, ignore_extra: bool = False, decimal: Mark | None = None
) -> Sheet:
    """Raises SheetError where the file is not a table of these columns."""
    by_name = {name: column for column in columns for name in column.names}
    grid = read_grid(body, lambda name: plain(name) in by_name)
    places, ignored = placed(grid, columns, by_name, ignore_extra)
    return read_cells(grid, places, ignored, decimal)


def placed(
    grid: Grid, columns: Sequence[Column], by_name: Mapping[str, Column], ignore_extra: bool
) -> tuple[dict[int, Column], list[str]]:
    """The columns by their place, and the names of those that are not read. Raises SheetError where one is unknown,
    missing or there twice."""
    names = [plain(name) for name in grid.header.cells]
    places = {place: by_name[name] for place, name in enumerate(names) if name in by_name}
    others = unread(grid, [place for place in range(len(names)) if place not in places])
    missing = [column.name for column in columns if column.needed and column not in places.values()]
    twice = sorted({one.name for one in places.values() if list(places.values()).count(one) > 1})
    own = set(names) >= STAMP
    unknown = [] if own or ignore_extra else [name for name, index in others if not index]
    if missing or twice or unknown:
        raise SheetError(header_fault(grid.header, columns, missing, twice, unknown))
    return places, [name for name, _ in others]


def unread(grid: Grid, places: Sequence[int]) -> list[tuple[str, bool]]:
    """The names of columns that mean nothing here, but for blank ones; and whether each is only the number of the row,
    as pandas writes it."""
    found = []
    for place in places:
        name, cells = grid.header.cells[place], [row.cells[place] for row in grid.rows]
        if not name and not any(cells):
            continue
        index = place == 0 and plain(name) in INDEX and cells == [str(number) for number in range(len(cells))]
        found.append(("(row numbers)" if index else name or f"(column {place + 1}, without a name)", index))
    return found


def header_fault(
    header: Row, columns: Sequence[Column], missing: Sequence[str], twice: Sequence[str], unknown: Sequence[str]
) -> str:
    needed = ",".join(column.name for column in columns if column.needed)
    others = ", ".join(column.name for column in columns if not column.needed)
    said = []
    if missing:
        said.append(f"missing: {', '.join(missing)}")
    if twice:
        said.append(f"there twice: {', '.join(twice)}")
    if unknown:
        shown = ", ".join(f"'{name[:50]}'" for name in unknown[:20])
        said.append(f"unknown: {shown} (leave them out, or ask for extra=ignore)")
    given = ",".join(header.cells)[:200]
    what = f"must be the header {needed}, and may name {others}"
    return f"Line {header.line} {what}; {'; '.join(said)}. It is: {given}"


def read_cells(grid: Grid, places: Mapping[int, Column], ignored: list[str], decimal: Mark | None) -> Sheet:
    """The rows with their numbers read; `places` may name any columns, `ignored` the names of the others."""
    read_as = ReadAs(grid.encoding, SEPARATOR_NAMES[grid.separator], ignored=ignored)
    cells, faults = number_cells(grid, places)
    style = style_of(cells, grid.separator, decimal)
    alike = {column.name: column.alike for column in places.values() if column.alike}
    faults += [*style.faults, *unit_faults(cells, alike)]
    bad = {fault.line for fault in faults}
    texts = [(place, column) for place, column in places.items() if column.kind in ("text", "instant")]
    rows: list[tuple[int, dict[str, Value]]] = []
    for row, (line, numbers) in zip(grid.rows, cells.rows, strict=True):
        values: dict[str, Value] = {}
        name = ""
        try:
            for place, column in texts:
                name = column.name
                if row.cells[place]:
                    values[name] = text_of(column, row.cells[place], read_as)
            for name, number in zip(cells.columns, numbers, strict=True):
                if number is not None and line not in bad:
                    values[name] = number.value(style.decimal)
        except ValueError as error:
            faults.append(SheetFault(line, name, str(error)))
        else:
            rows.append((line, values))
    tell_numbers(read_as, cells, style)
    kept = [row for row in rows if row[0] not in bad]
    return Sheet(kept, sorted(faults, key=lambda one: one.line), read_as)


def number_cells(grid: Grid, places: Mapping[int, Column]) -> tuple[Cells, list[SheetFault]]:
    """Each number, read once however often it stands in the file; a cell that is none is left empty, with its fault."""
    kinds = [(place, one.name, one.kind) for place, one in places.items() if one.kind not in ("text", "instant")]
    seen: dict[tuple[str, str], Number | ValueError] = {}
    rows: list[tuple[int, list[Number | None]]] = []
    faults = []
    for row in grid.rows:
        numbers: list[Number | None] = []
        for place, name, kind in kinds:
            given = row.cells[place]
            found = seen.get((kind, given)) or (seen.setdefault((kind, given), tried(kind, given)) if given else None)
            if isinstance(found, ValueError):
                faults.append(SheetFault(row.line, name, str(found)))
                found = None
            numbers.append(found)
        rows.append((row.line, numbers))
    distinct = [one for one in seen.values() if isinstance(one, Number)]
    return Cells([name for _, name, _ in kinds], rows, distinct), faults


def tried(kind: Any, given: str) -> Number | ValueError:
    try:
        return number_of(kind, given)
    except ValueError as error:
        return error


def text_of(column: Column, given: str, read_as: ReadAs) -> str:
    """The text, without the apostrophe that guards a spreadsheet from it. Raises ValueError for what is no instant."""
    if column.kind == "instant":
        return read_instant(given).isoformat()
    if given[0] == "'" and GUARDED.match(given):
        read_as.apostrophes += 1
        return given[1:]
    return given


def tell_numbers(read_as: ReadAs, cells: Cells, style: Style) -> None:
    read_as.decimal = MARK_NAMES[style.decimal] if style.decimal else None
    read_as.thousands = thousands_of(cells, style.decimal)
    read_as.currency = next((number.currency for number in cells.distinct if number.currency), None)
    if any(number.percent for number in cells.distinct):
        read_as.percent = sorted({cell.column for cell in cells if cell.number.percent})


def decimal_mark(word: str | None) -> Mark | None:
    """The mark that "point" or "comma" names. Raises ValueError for other words."""
    if word is None:
        return None
    marks: dict[str, Any] = {name: mark for mark, name in MARK_NAMES.items()}
    if word not in marks:
        raise ValueError("decimal is 'point' or 'comma'")
    mark: Mark = marks[word]
    return mark
