"""A table as CSV (RFC 4180): UTF-8 with a byte order mark, every text quoted, no comment lines.

The data version, the seed and the software version are the last columns of every row: a file that is passed on keeps
them, and nothing must be skipped to read it (docs/decisions/0075).
"""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import TextIOWrapper
from math import isfinite
from typing import IO

from app.tables.shape import Cell, Row, Stamp, Table

STAMP_COLUMNS = ("data_version", "seed", "software_version")
STARTS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""A text that begins so is run as a formula by spreadsheets; the wide signs are read as the narrow ones in some."""


def write_csv(table: Table, stamp: Stamp, file: IO[bytes]) -> None:
    """Append the table to `file`, which stays open."""
    text = TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([*(column.name for column in table.columns), *STAMP_COLUMNS])
    ending = (stamp.data_version, stamp.seed, stamp.software_version)
    writer.writerows(written(row, ending) for row in table.rows)
    text.flush()
    text.detach()


def written(row: Row, ending: Row) -> list[str | int | float | Decimal]:
    return [cell_of(value) for value in (*row, *ending)]


def cell_of(value: Cell) -> str | int | float | Decimal:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return written_instant(value)
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, float):
        return value if isfinite(value) else ""
    return value


def written_instant(at: datetime) -> str:
    # Not by strftime, which writes the year 1 with one digit.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it (OWASP, CSV injection), or where one is
    there already: so taking one away reads every text back."""
    return f"'{text}" if text.lstrip("'").startswith(STARTS_FORMULA) else text
