"""Groups as a table: one line each, columns named as in the API."""

import csv
import io
from typing import Any

from app.errors import Fault, Malformed

NEEDED = ("key",)
COUNTS = ("initial_count", "min_count", "max_count")
REALS = ("weight", "target")
TEXTS = ("name", "parent", "unit_cost")
COLUMNS = (*NEEDED, *TEXTS, *REALS, *COUNTS)


def read_groups(text: str) -> tuple[list[dict[str, Any]], list[int], list[Fault]]:
    """Documents of groups, the line of each, and the lines that are no rows of the table. What a cell may hold is
    checked later, with the project."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    documents: list[dict[str, Any]] = []
    lines: list[int] = []
    faults: list[Fault] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        check_header(header)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                faults.append(Fault(f"line {reader.line_num}", f"{len(row)} cells; the header has {len(header)}"))
                continue
            documents.append(
                {name: typed(name, cell.strip()) for name, cell in zip(header, row, strict=True) if cell.strip()}
            )
            lines.append(reader.line_num)
    except csv.Error as error:
        faults.append(Fault(f"line {reader.line_num}", f"is not CSV: {error}"))
    return documents, lines, faults


def check_header(header: list[str]) -> None:
    """Raises Malformed where columns are unknown, missing or repeated."""
    wrong = [name for name in header if name not in COLUMNS]
    if wrong or "key" not in header or len(set(header)) < len(header):
        shown = ",".join(header)[:200]
        raise Malformed(f"Line 1 of the groups must name key and any of {', '.join(COLUMNS[1:])}; it is: {shown}")


def typed(name: str, cell: str) -> Any:
    """The cell as the API would take it; what is no number stays text, which the API's shape refuses."""
    try:
        if name in COUNTS and cell.isdecimal():
            return int(cell)
        return float(cell) if name in COUNTS or name in REALS else cell
    except ValueError:
        return cell
