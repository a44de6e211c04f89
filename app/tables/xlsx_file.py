"""Tables as an Excel workbook: a sheet "About" that says what they were made from, and a sheet per table.

Texts are written as texts and never as formulas or links. Rows go to disk as they come.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import IO, Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from app.tables.csv_file import written_instant
from app.tables.shape import About, Cell, Column, Counted, Kind, Missing, Table

MOST_ROWS = 1_048_575
"""Of one sheet, beside its header."""
FORMATS: dict[Kind, str] = {
    "count": "#,##0",
    "number": "[>=0.001]#,##0.000;[<=-0.001]-#,##0.000;0.0E+00",
    "money": "#,##0.00####",
    "share": "0.0%",
    "instant": "yyyy-mm-dd hh:mm:ss",
}
WIDTHS: dict[Kind, float] = {
    "text": 22, "long text": 60, "count": 12, "number": 14, "money": 15, "share": 12, "instant": 20,
}  # fmt: skip
FIRST_YEAR = 1901
"""Excel has no date before 1900, and counts a day too many in that year."""
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
OPENED = "summary"
"""The sheet that a workbook opens at, where it has it."""
NOT_A_TABLE = "This table cannot be made"


class Pen:
    """Writes cells of the kinds there are, in their formats."""

    def __init__(self, book: Workbook) -> None:
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.bold = book.add_format({"bold": True})
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self.formats = {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        self.sums = {
            kind: book.add_format({"num_format": code, "bold": True, "top": 1}) for kind, code in FORMATS.items()
        }
        self.sum = book.add_format({"bold": True, "top": 1})

    def cell(self, sheet: Worksheet, row: int, place: int, value: Cell, look: Format | None) -> None:
        if isinstance(value, str):
            sheet.write_string(row, place, value, look)
        elif isinstance(value, datetime) and value.year < FIRST_YEAR:
            sheet.write_string(row, place, written_instant(value), look)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, place, value.astimezone(UTC).replace(tzinfo=None), look)
        elif isinstance(value, int | float | Decimal) and isfinite(value):
            sheet.write_number(row, place, float(value), look)

    def row(self, sheet: Worksheet, row: int, cells: Sequence[Cell], looks: Sequence[Format | None]) -> None:
        for place, (value, look) in enumerate(zip(cells, looks, strict=True)):
            self.cell(sheet, row, place, value, look)


def write_workbook(tables: Iterable[Table | Missing], about: About, file: IO[bytes]) -> None:
    """A workbook of all tables, in their order, to `file`, which stays open. `tables` are made one after the other."""
    with Workbook(file, OPTIONS) as book:
        pen = Pen(book)
        first = book.add_worksheet("About")
        told = [write_sheet(book, pen, table) for table in tables]
        write_about(first, pen, about, told)


def write_sheet(book: Workbook, pen: Pen, table: Table | Missing) -> tuple[Table | Missing, str]:
    """The table, and how many rows of it are there, in words."""
    sheet = book.add_worksheet(table.name)
    if table.name == OPENED:
        sheet.activate()
    if isinstance(table, Missing):
        sheet.set_column(0, 0, WIDTHS["long text"])
        pen.row(sheet, 0, [f"{NOT_A_TABLE}: {table.reason}"], [pen.wrapped])
        return table, f"{NOT_A_TABLE}: {table.reason}"
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, max(WIDTHS[column.kind], len(column.heading) + 3))
    pen.row(sheet, 0, [column.heading for column in table.columns], [pen.head] * len(table.columns))
    looks = [look_of(pen, column) for column in table.columns]
    rows, sums = Counted(table.rows, MOST_ROWS), Sums(table.columns)
    for number, row in enumerate(rows, 1):
        pen.row(sheet, number, row, looks)
        sums.add(row)
    if rows.count > 1 and not rows.cut:
        sums.write(sheet, pen, rows.count + 1)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, rows.count, len(table.columns) - 1)
    return table, f"the first {rows.count:,} rows; the CSV has all" if rows.cut else f"{rows.count:,} rows"


class Sums:
    """Beneath its rows, what a table's columns come to."""

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = columns
        self.found: dict[int, Decimal] = {at: Decimal(0) for at, column in enumerate(columns) if column.summed}

    def add(self, row: Sequence[Cell]) -> None:
        for at in self.found:
            value = row[at]
            if isinstance(value, int | Decimal):
                self.found[at] += value

    def write(self, sheet: Worksheet, pen: Pen, row: int) -> None:
        """A row named Sum; nothing where no column is summed."""
        if not self.found:
            return
        for place, column in enumerate(self.columns):
            sheet.write_blank(row, place, None, pen.sum)
            if place in self.found:
                pen.cell(sheet, row, place, self.found[place], pen.sums[column.kind])
        sheet.write_string(row, 0, "Sum", pen.sum)


def look_of(pen: Pen, column: Column[Any]) -> Format | None:
    return pen.wrapped if column.kind == "long text" else pen.formats.get(column.kind)


def write_about(sheet: Worksheet, pen: Pen, about: About, told: Sequence[tuple[Table | Missing, str]]) -> None:
    """What the workbook was made from, what it holds, and what each column means."""
    sheet.set_column(0, 1, 26)
    sheet.set_column(2, 2, 90)
    sheet.set_column(3, 3, 32)
    stamp = about.stamp
    facts: list[tuple[str, Cell]] = [
        *about.facts,
        ("data version", stamp.data_version),
        ("seed", stamp.seed),
        ("software", f"Tranche {stamp.software_version}"),
    ]
    pen.row(sheet, 0, [about.title], [pen.title])
    at = 1
    for label, value in facts:
        look = pen.formats["instant"] if isinstance(value, datetime) else None
        pen.row(sheet, at, [label, value], [pen.bold, look])
        at += 1
    pen.row(sheet, at + 1, ["sheet", "column", "what it holds", "in CSV and the API"], [pen.head] * 4)
    at += 2
    for table, words in told:
        pen.row(sheet, at, [table.name, "", f"{table.title}: {words}"], [pen.bold, None, None])
        at += 1
        for column in table.columns if isinstance(table, Table) else ():
            pen.row(sheet, at, ["", column.heading, column.meaning, column.name], [None] * 4)
            at += 1
