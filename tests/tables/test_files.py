"""Tables as files: numbers stay numbers, texts stay texts, and nothing of either is run."""

import csv
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from operator import itemgetter
from tempfile import TemporaryFile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from tranche.sheets import Column as SheetColumn
from tranche.sheets import read_table

from app.tables import xlsx_file
from app.tables.csv_file import harmless, write_csv
from app.tables.shape import About, Column, Missing, Row, Stamp, Table
from app.tables.xlsx_file import write_workbook

STAMP = Stamp(42, 7, "1.2.3")
COLUMNS = [
    Column("name", "text", "a name", itemgetter(0)),
    Column("count", "count", "a count", itemgetter(1)),
    Column("value", "number", "a value", itemgetter(2)),
    Column("cost", "money", "a cost", itemgetter(3)),
    Column("at", "instant", "an instant", itemgetter(4)),
]
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DANGEROUS = ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x"]


def table(*rows: Row, name: str = "things") -> Table:
    return Table(name, "Things", COLUMNS, rows)


def as_csv(made: Table) -> list[list[str]]:
    file = BytesIO()
    write_csv(made, STAMP, file)
    return list(csv.reader(StringIO(file.getvalue().decode("utf-8-sig"), newline="")))


def as_book(*made: Table | Missing, facts: Any = ()) -> Any:
    file = BytesIO()
    write_workbook(made, About("All of them", STAMP, facts), file)
    return load_workbook(BytesIO(file.getvalue()))


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_in_csv(text: str) -> None:
    assert as_csv(table([text, 1, 0.5, Decimal(1), NOON]))[1][0] == f"'{text}"


@pytest.mark.parametrize("text", ["plain", "a=b", "1-2", "Ünïcode", "", "it's", ' "quoted", with commas;\nand lines'])
def test_every_other_text_is_itself_in_csv(text: str) -> None:
    assert harmless(text) == text
    assert as_csv(table([text, 1, 0.5, Decimal(1), NOON]))[1][0] == text


def test_numbers_of_csv_are_bare_and_texts_are_quoted() -> None:
    file = BytesIO()
    write_csv(table(["A;=1", -3, -0.5, Decimal("-976.000001"), NOON]), STAMP, file)
    assert file.getvalue().startswith(b"\xef\xbb\xbf")
    _, line, rest = file.getvalue().decode("utf-8-sig").split("\r\n")
    assert (line, rest) == ('"A;=1",-3,-0.5,-976.000001,"2026-11-20T12:00:00Z",42,7,"1.2.3"', "")


def test_the_last_columns_of_csv_say_what_it_was_made_from() -> None:
    header, *rows = as_csv(table(*([f"row {number}", 1, 0.5, Decimal(1), NOON] for number in range(3))))
    assert header == [column.name for column in COLUMNS] + ["data_version", "seed", "software_version"]
    assert [row[5:] for row in rows] == [["42", "7", "1.2.3"]] * 3


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_not_there_is_empty(value: Any) -> None:
    assert as_csv(table(["A", value, value, value, None]))[1][1:5] == [""] * 4
    sheet = as_book(table(["A", value, value, value, None]))["things"]
    assert [cell.value for cell in sheet[2]][1:5] == [None] * 4


@pytest.mark.parametrize("text", [*DANGEROUS, "https://example.org", "<script>alert(1)</script>", "12", "TRUE"])
def test_a_text_of_xlsx_is_a_text_as_it_stands(text: str) -> None:
    sheet = as_book(table([text, 1, 0.5, Decimal(1), NOON]))["things"]
    assert (sheet["A2"].data_type, unescape(sheet["A2"].value)) == ("s", text)
    assert sheet["A2"].hyperlink is None


def test_numbers_and_instants_of_xlsx_are_such() -> None:
    sheet = as_book(table(["A", -3, 0.25, Decimal("976.5"), NOON]))["things"]
    assert [cell.value for cell in sheet[2]] == ["A", -3, 0.25, 976.5, NOON.replace(tzinfo=None)]
    assert [cell.data_type for cell in sheet[2]] == ["s", "n", "n", "n", "d"]


def test_a_text_too_long_for_a_cell_is_cut_in_xlsx_and_whole_in_csv() -> None:
    long = "x" * 40_000
    assert len(as_book(table([long, 1, 0.5, Decimal(1), NOON]))["things"]["A2"].value) == 32_767
    assert as_csv(table([long, 1, 0.5, Decimal(1), NOON]))[1][0] == long


def words_of(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_the_first_sheet_says_what_all_was_made_from_and_what_columns_mean() -> None:
    facts = [("project", "=1+1"), ("made at (UTC)", NOON), ("draws", 300)]
    book = as_book(table(["A", 1, 0.5, Decimal(1), NOON]), Missing("plan", "The plan", "no groups yet"), facts=facts)
    assert book.sheetnames == ["About", "things", "plan"]
    words = words_of(book["About"])
    for label, value in [("project", "=1+1"), ("draws", 300), ("data version", 42), ("seed", 7)]:
        assert [label, value] in [row[:2] for row in words]
    assert ["software", "Tranche 1.2.3"] in [row[:2] for row in words]
    assert book["About"]["B2"].data_type == "s"
    assert ["things", "Things: 1 rows"] in [[row[0], row[2]] for row in words]
    assert ["Count", "a count", "count"] in [row[1:4] for row in words]
    assert ["plan", "The plan: This table cannot be made: no groups yet"] in [[row[0], row[2]] for row in words]
    assert "no groups yet" in str(book["plan"]["A1"].value)


@pytest.mark.parametrize(("name", "heading"), [
    ("cost", "Cost"), ("metric_now_p05", "Metric now, 5 %"), ("value_per_1000_p95", "Value per 1000, 95 %"),
    ("p_better", "P better"),
])  # fmt: skip
def test_a_heading_is_what_people_read(name: str, heading: str) -> None:
    assert Column(name, "number", "", itemgetter(0)).heading == heading


@given(st.lists(st.tuples(st.integers(0, 10**6), st.decimals(0, 10**6, places=2)), max_size=5))
def test_beneath_the_rows_of_a_workbook_stand_their_sums(rows: list[tuple[int, Decimal]]) -> None:
    """Of the columns whose sums mean something, where there is more than one row."""
    columns = [
        Column("key", "text", "", itemgetter(0)),
        Column("add", "count", "", itemgetter(1), summed=True),
        Column("cost", "money", "", itemgetter(2), summed=True),
        Column("price", "money", "", itemgetter(2)),
    ]
    made = Table("things", "Things", columns, [("A", *row) for row in rows])
    _, *found = words_of(as_book(made)["things"])
    assert len(found) == len(rows) + (len(rows) > 1)
    if len(rows) > 1:
        assert found[-1] == ["Sum", sum(one for one, _ in rows), float(sum(cost for _, cost in rows)), None]
    assert [row[0] for row in as_csv(made)[1:]] == ["A"] * len(rows)


def test_more_rows_than_a_sheet_takes_are_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MOST_ROWS", 3)
    asked = 0

    def rows() -> Iterator[Row]:
        nonlocal asked
        for number in range(10):
            asked += 1
            yield ["A", number, 0.5, Decimal(1), NOON]

    book = as_book(Table("things", "Things", COLUMNS, rows()))
    assert book["things"].max_row == 4
    assert asked == 4, "no more is read than is needed to know that there is more"
    assert "Things: the first 3 rows; the CSV has all" in [row[2] for row in words_of(book["About"])]


def test_exactly_as_many_rows_as_a_sheet_takes_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MOST_ROWS", 3)
    book = as_book(table(*(["A", number, 0.5, Decimal(1), NOON] for number in range(3))))
    assert "Things: 3 rows" in [row[2] for row in words_of(book["About"])]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_rows_go_to_disk_as_they_come(ending: str) -> None:
    def peak(rows: int) -> int:
        made = Table("things", "Things", COLUMNS, ([f"row {row}", row, 0.5, Decimal(row), NOON] for row in range(rows)))
        with TemporaryFile() as file:
            tracemalloc.start()
            if ending == "csv":
                write_csv(made, STAMP, file)
            else:
                write_workbook([made], About("All of them", STAMP), file)
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    peak(10)
    assert peak(10_000) < peak(1_000) + 500_000, "nine thousand rows more are some megabytes"


@given(st.text(max_size=5) | st.from_regex(r"\A'*[-=+@＝].{0,3}\Z"))
def test_the_reader_takes_the_apostrophes_away_again(text: str) -> None:
    file = BytesIO()
    write_csv(table([text, 1, 0.5, Decimal(1), NOON]), STAMP, file)
    if text.strip() == text and "\0" not in text:
        columns = [SheetColumn(one.name) for one in COLUMNS]
        [(_, cells)] = read_table(file.getvalue(), columns).rows
        assert cells.get(COLUMNS[0].name, "") == text
