"""Text to cells: the separator, the quotes, the lines. Nothing is known of the columns yet but their names."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tranche.sheets.faults import SheetError
from tranche.sheets.text import decoded

SEPARATORS = (",", ";", "\t")
SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
SEP_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
MOST_LINES = 2_000_000
MOST_COLUMNS = 10_000
LONGEST_CELL = 100_000


@dataclass(frozen=True)
class Row:
    """`line` is where it begins; the cells have no blanks around them."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Grid:
    """The header, and the rows below it that are not blank, each as long as the header."""

    header: Row
    rows: list[Row]
    encoding: str
    separator: str


def read_grid(body: bytes | str, known: Callable[[str], bool]) -> Grid:
    """`known` tells of a name in the header whether it means something here: it is what the separator is chosen by
    where no line `sep=` says it. Raises SheetError."""
    text, encoding = (body.removeprefix("\ufeff"), "text") if isinstance(body, str) else decoded(body)
    text, stated, skipped = without_sep_line(text)
    separator = stated or best_separator(text, known)
    rows = filled(parsed(text, separator, skipped))
    header = next(rows, Row(1 + skipped, []))
    if len(header.cells) > MOST_COLUMNS:
        raise SheetError(f"Line {header.line} names {len(header.cells):,} columns; at most {MOST_COLUMNS:,} are read.")
    return Grid(header, squared(header, list(rows)), encoding, separator)


def without_sep_line(text: str) -> tuple[str, str | None, int]:
    """The text below Excel's line `sep=;`, the separator it says, and how many lines it is. Raises SheetError."""
    found = SEP_LINE.match(text)
    if found is None:
        return text, None, 0
    if found[1] not in SEPARATORS:
        raise SheetError(f"Line 1 says that cells are separated by '{found[1]}'; write commas, semicolons or tabs.")
    return text[found.end() :], found[1], 1


def best_separator(text: str, known: Callable[[str], bool]) -> str:
    """The one by which most names of the header are known, then the one that makes most cells. Raises SheetError."""

    def worth(separator: str) -> tuple[int, int]:
        cells = header_cells(text, separator)
        return sum(map(known, cells)), len(cells)

    return max(SEPARATORS, key=worth)


def header_cells(text: str, separator: str) -> list[str]:
    """Empty where the header does not read so: what is wrong is said when the rows are read."""
    try:
        return next(filled(parsed(text, separator, 0)), Row(1, [])).cells
    except SheetError:
        return []


def parsed(text: str, separator: str, skipped: int) -> Iterator[Row]:
    """Raises SheetError for what is not CSV, and beyond the bounds."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1 + skipped
        if line > MOST_LINES:
            raise SheetError(f"More than {MOST_LINES:,} lines; send the table in parts.")
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SheetError(f"Line {line} is not CSV: {error}.") from None
        if any(len(cell) > LONGEST_CELL for cell in cells):
            raise SheetError(f"Line {line} has a cell of more than {LONGEST_CELL:,} characters.")
        yield Row(line, [cell.strip() for cell in cells])


def filled(rows: Iterable[Row]) -> Iterator[Row]:
    return (row for row in rows if any(row.cells))


def squared(header: Row, rows: list[Row]) -> list[Row]:
    """Rows as long as the header; blank cells beyond its last name may lack. Raises SheetError for others."""
    width, named = len(header.cells), last_used(header.cells)
    for row in rows:
        if any(row.cells[width:]) or len(row.cells) < named:
            raise SheetError(f"Line {row.line} has {len(row.cells)} cells; the header has {width}.")
    return [Row(row.line, [*row.cells[:width], *[""] * (width - len(row.cells))]) for row in rows]


def last_used(cells: list[str]) -> int:
    return max((place + 1 for place, cell in enumerate(cells) if cell), default=0)
