"""Tables as spreadsheets and programs write them are read back equal, or refused with their line; never otherwise."""

import csv
import io
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche.sheets import SheetError, decoded, read_groups, read_runs
from tranche.sheets.numbers import Mark

HEADER = "external_id,group,n,value,stderr,eval_size"
NBSP, NARROW = "\xa0", "\u202f"


def runs(body: bytes | str, **options: Any) -> list[dict[str, Any]]:
    sheet = read_runs(body, **options)
    assert sheet.faults == []
    return [cells for _, cells in sheet.rows]


def one(value: str, n: str = "100", separator: str = ";", **options: Any) -> Any:
    """The value of a file of one line, or the fault's words."""
    body = f"external_id;group;n;value\nr;a;{n};{value}\n".replace(";", separator)
    sheet = read_runs(body, **options)
    return sheet.rows[0][1].get("value") if not sheet.faults else sheet.faults[0].detail


# What a spreadsheet writes.

COUNTS = st.integers(0, 2_000_000)
REALS = (
    st.decimals(-50_000, 50_000, places=4, allow_nan=False)
    | st.decimals(0, 1, places=3)
    | st.decimals(0, 99_999, places=3)
)
TEXTS = st.sampled_from(["a", "Zürich", "<25", "White/Male", "('female', '<25')", 'the "old" ones', "two\nlines",
"a;b", "a,b",
                         "7", "0.5", "1,5", "Crème brûlée"])  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[str, int, Decimal, Decimal | None]]:
    rows = draw(
        st.lists(st.tuples(TEXTS, COUNTS, REALS, st.none() | st.decimals(0, 2, places=3)), min_size=1, max_size=6)
    )
    return [(text, n, value, error) for text, n, value, error in rows]


def written(number: Decimal | int, decimal: str, mark: str, trimmed: bool) -> str:
    """As a cell shows it: thousands parted by `mark` where it is one."""
    text = f"{number:,}" if mark else f"{number}"
    if trimmed and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", "\0").replace(".", decimal).replace("\0", mark)


@given(
    tables(), st.sampled_from(",;\t"), st.sampled_from(".,"), st.sampled_from(["", ".", ",", " ", NBSP, NARROW,
    "'", "’"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]), st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_what_a_spreadsheet_writes_is_read_back_or_refused_with_its_line(
    table: Any,
    separator: str,
    decimal: str,
    mark: str,
    encoding: str,
    quoting: Any,
    ending: str,
    sep: bool,
    trimmed: bool,
) -> None:
    mark = "" if mark == decimal else mark
    file = io.StringIO(newline="")
    if sep:
        file.write(f"sep={separator}{ending}")
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=ending)
    writer.writerow(["External ID", "GROUP", "n", "Value", "STDERR", "", ""])
    for place, (text, n, value, error) in enumerate(table):
        numbers = [written(number, decimal, mark, trimmed) for number in (n, value)]
        third = "" if error is None else written(error, decimal, mark, trimmed)
        writer.writerow([f"r{place}", text.replace("\n", ending), *numbers, third, "", ""])
    try:
        body = file.getvalue().encode(encoding)
    except UnicodeEncodeError:  # the narrow no-break space is not in cp1252: nobody can write that file
        return
    sheet = read_runs(body)
    assert all(fault.line >= 2 and fault.column in {"n", "value", "stderr"} for fault in sheet.faults)
    expected = {f"r{place}": row for place, row in enumerate(table)}
    for _, cells in sheet.rows:
        text, n, value, error = expected[str(cells["external_id"])]
        assert cells["group"] == text.replace("\n", ending)
        assert cells["n"] == n
        assert cells["value"] == float(value)
        assert cells.get("stderr") == (None if error is None else float(error))
    if not sheet.faults:
        assert len(sheet.rows) == len(table)


@given(tables(), st.sampled_from(";\t,"), st.sampled_from(".,"))
def test_a_file_that_shows_its_decimal_mark_is_read_whole(table: Any, separator: str, decimal: str) -> None:
    """Without marks of thousands, and with one value of four decimals, nothing is left to doubt."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator)
    writer.writerow(HEADER.split(",")[:4])
    rows = [*table, ("last", 1, Decimal("0.1234"), None)]
    for place, (text, n, value, _) in enumerate(rows):
        writer.writerow([f"r{place}", text, n, str(value).replace(".", decimal)])
    assert [(row["group"], row["n"], row["value"]) for row in runs(file.getvalue())] == [
        (text, n, float(value)) for text, n, value, _ in rows
    ]


@pytest.mark.parametrize(("given_", "read"), [
    ("0,7", 0.7), ("0.7", 0.7), ("1.234,5", 1234.5), ("1,234.5", 1234.5), ("1 234,5", 1234.5), ("1'234.5", 1234.5),
    ("1’234.5", 1234.5), (f"1{NBSP}234", 1234.0), (f"1{NARROW}234{NARROW}567,5", 1234567.5), ("1.234.567", 1234567.0),
    ("93 %", 0.93), (f"93,5{NBSP}%", 0.935), ("93%", 0.93), ("0,781", 0.781), ("−0,5", -0.5), ("1e-05", 1e-05),
    ("1,23E+05", 123000.0), ("1,000E+03", 1000.0), (",5", 0.5), ("7", 7.0), ("+3", 3.0), ("1.2345", 1.2345),
])  # fmt: skip
def test_a_number_in_a_file_of_semicolons(given_: str, read: float) -> None:
    assert one(given_) == read


@pytest.mark.parametrize("given_", [
    "1_00", "１２", "0x10", "2026-11-20", "20.11.2026", "1.2.26", "TRUE", "#N/A", "inf", "nan", "NaN", "-", "n/a",
    "None", "(3)",
    "3-", "1,23,456", "1.234.5", "12,34.5", "1 2345", "1  234", "5.", "012,345", "1,234 567", "1.234'567", "93 %%",
    "93 ％", "٣",
    "1e5e5", "1e999999", "--3", "$5", "5 EUR", "12:30", "01. Feb", "½", "1,234.567.890", "0,000.5", "1e-400",
    "1" * 400, "1" * 2000,
])  # fmt: skip
def test_what_is_no_number_for_sure_is_refused(given_: str) -> None:
    sheet = read_runs(f"external_id;group;n;value\nr;a;100;0,5\ns;a;100;{given_}\n")
    assert [(fault.line, fault.column) for fault in sheet.faults] == [(3, "value")]
    assert [line for line, _ in sheet.rows] == [2]


@pytest.mark.parametrize("given_", ["1,234", "1.234", "12.345", "-1,000"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_number_of_two_meanings_is_refused_with_both(given_: str, separator: str) -> None:
    said = one(given_, separator=separator)
    assert f"'{given_}' may be " in said
    assert "decimal=point" in said


def test_the_rest_of_the_file_says_which_it_is() -> None:
    body = "external_id;group;n;value\nr;a;1.200;1,234\nr;b;10;{}\n"
    assert [row["value"] for row in runs(body.format("0,5"))] == [1.234, 0.5]
    assert [row["n"] for row in runs(body.format("0,5"))] == [1200, 10]
    assert runs(body.format("7"))[0]["value"] == 1.234, "1.200 can be no count but 1200"
    assert one("1,234", decimal=",") == 1.234
    assert one("1,234", decimal=".") == 1234


def test_points_are_decimal_in_a_file_of_commas_of_measures() -> None:
    assert one("12.345", separator=",") == 12.345
    assert "may be 12 or 12000" in read_runs("external_id,group,n,value\nr,a,12.000,1\n").faults[0].detail
    assert runs("external_id,group,n,value\nr,a,12.000,0.5\n")[0]["n"] == 12
    assert runs('external_id,group,n,value\nr,a,"12,000",0.345\n')[0] == {
        "external_id": "r", "group": "a", "n": 12000, "value": 0.345}  # fmt: skip
    [fault] = read_runs('external_id,group,n,value\nr,a,12,"12,345"\n').faults
    assert "may be 12.345 or 12345" in fault.detail


def test_two_decimal_marks_in_one_file_are_refused_at_the_rarer() -> None:
    sheet = read_runs("external_id;group;n;value\nr;a;1;0,5\nr;b;1;0,6\nr;c;1;0.7\n")
    assert [(fault.line, fault.column) for fault in sheet.faults] == [(4, "value")]
    assert "line 2, value: '0,5'" in sheet.faults[0].detail


def test_percent_signs_stand_everywhere_or_nowhere() -> None:
    sheet = read_runs("external_id;group;n;value;stderr\nr;a;1;93 %;1 %\nr;b;1;94;1 %\nr;c;1;95 %;0,01\n")
    assert [(fault.line, fault.column) for fault in sheet.faults] == [(3, "value"), (4, "stderr")]
    assert "no percentage" in read_runs("external_id;group;n;value\nr;a;93 %;0,5\n").faults[0].detail


@pytest.mark.parametrize(
    ("given_", "read"), [("198.0", 198), ("198,00", 198), ("1e5", None), ("1.5", None), ("1 200", 1200), ("-0", 0)]
)
def test_a_whole_number_may_have_zeros_behind_it(given_: str, read: int | None) -> None:
    sheet = read_runs(f"external_id;group;n;value\nr;a;{given_};7\n")
    assert (sheet.rows[0][1]["n"] if sheet.rows else None) == read


@pytest.mark.parametrize("header", [
    "External_ID, Group, N, Value", "EXTERNAL ID,group,n,value", "external-id,Group ,n,VALUE,,",
    '"external_id","group","n","value"',
    "value,n,group,external_id",
])  # fmt: skip
def test_a_header_is_read_whatever_its_case_and_blanks(header: str) -> None:
    row = "0.5,10,a,r" if header.startswith("value") else "r,a,10,0.5"
    assert runs(f"{header}\n{row}\n") == [{"external_id": "r", "group": "a", "n": 10, "value": 0.5}]


def test_the_index_of_pandas_is_left_out_and_named() -> None:
    for name in ("", "Unnamed: 0"):
        sheet = read_runs(f"{name},external_id,group,n,value\n0,r,a,1,0.5\n1,r,b,1,0.5\n")
        assert (len(sheet.rows), sheet.read_as.ignored) == (2, ["(row numbers)"])
    with pytest.raises(SheetError, match="without a name"):
        read_runs(",external_id,group,n,value\n5,r,a,1,0.5\n")


def test_columns_that_are_not_known_are_named_or_left_out() -> None:
    body = "external_id,group,n,value,lr,Seed\nr,a,1,0.5,0.1,7\n"
    with pytest.raises(SheetError, match=r"unknown: 'lr', 'Seed' .*extra=ignore"):
        read_runs(body)
    assert read_runs(body, ignore_extra=True).read_as.ignored == ["lr", "Seed"]
    with pytest.raises(SheetError, match="there twice: group"):
        read_runs("external_id,group,Group,n,value\n", ignore_extra=True)
    with pytest.raises(SheetError, match="missing: n, value"):
        read_runs("external_id,group\n", ignore_extra=True)


def test_blank_lines_and_trailing_cells_are_no_rows() -> None:
    assert len(runs("\n;;;\nexternal_id;group;n;value;;\n\nr;a;1;0,5;;;;\n;;;;\n \nr;b;1;0,5\n")) == 2
    with pytest.raises(SheetError, match="Line 2 has 3 cells; the header has 4"):
        read_runs("external_id,group,n,value\nr,a,1\n")
    with pytest.raises(SheetError, match="Line 2 has 5 cells"):
        read_runs("external_id,group,n,value\nr,a,1,0,5\n")


def test_the_line_of_a_fault_counts_quoted_lines_and_the_separator_line() -> None:
    sheet = read_runs('sep=;\r\nexternal_id;group;n;value\r\n"r\r\ns";a;1;0,5\r\n\r\nt;a;x;0,5\r\n')
    assert [(fault.line, fault.column) for fault in sheet.faults] == [(6, "n")]
    assert sheet.rows[0] == (3, {"external_id": "r\r\ns", "group": "a", "n": 1, "value": 0.5})


@pytest.mark.parametrize(("body", "says"), [
    (b"external_id,group,n,value\nr,Z\x9frich,1,0.5\n", "not UTF-8 in line 2"),  # Mac Roman
    ("external_id,group,n,value\nr,Łódź,1,0.5\n".encode("cp1250"), "not UTF-8 in line 2"),
    ("external_id,group,n,value\nr,Москва,1,0.5\n".encode("cp1251"), "not UTF-8 in line 2"),
    ("external_id,group,n,value\nr,東京,1,0.5\n".encode("shift-jis"), "not UTF-8 in line 2"),
    ("external_id,group,n,value\nr,Zürich é".encode() + b"\xe9,1,0.5\n", "not UTF-8 in line 2"),
    (b"\xff\xfea", "UTF-16"), (b"PK\x03\x04\x00\x00\x80\xff", "UTF-8"), (b"", "Line 1"), ('sep=|\na|b', "'|'"),
    ('external_id,group,n,value\nr,"a,1,0.5\n', "Line 2 is not CSV"),
    ("external_id,group,n,value\nr," + "a" * 100_001 + ",1,1\n", "100,000"),
    (",".join(f"c{place}" for place in range(10_001)), "10,001 columns"),
])  # fmt: skip
def test_what_is_no_table_is_refused(body: bytes | str, says: str) -> None:
    with pytest.raises(SheetError) as error:
        read_runs(body)
    assert says in str(error.value)


def test_what_was_understood_is_said() -> None:
    body = "sep=;\nexternal_id;group;n;value;lr\nr;'=a;1.200;93,5 %;1\n".encode("utf-16")
    sheet = read_runs(body, ignore_extra=True)
    assert vars(sheet.read_as) == {
        "encoding": "UTF-16", "separator": "semicolon", "decimal": "comma", "thousands": ["."], "percent": ["value"],
        "currency": None, "ignored": ["lr"], "apostrophes": 1, "voided": 0,
    }  # fmt: skip
    assert sheet.rows[0][1]["group"] == "=a"
    assert sheet.read_as.words() == (
        "Read as UTF-16, separated by semicolons; decimal comma; thousands parted by .; percentages in value;"
        " not read: lr; apostrophes before signs of formulas taken away: 1."
    )
    assert decoded("Zürich".encode("cp1252")) == ("Zürich", "cp1252")


@pytest.mark.parametrize(
    "text", ["20.11.2026", "46000.5", "46000", "yesterday", "11/20/2026", "2026-11-20T10", "２026-11-20"]
)
def test_an_instant_is_written_as_the_standard_says(text: str) -> None:
    [fault] = read_runs(f"external_id;group;n;value;observed_at\nr;a;1;0,5;{text}\n").faults
    assert (fault.line, fault.column) == (2, "observed_at")


@pytest.mark.parametrize(("given_", "read"), [
    ("$1,234.50", "1234.50"), ("1.234,50 €", "1234.50"), ("CHF 1'234.50", "1234.50"), ("EUR2,5", "2.5"),
    ("0.10 USD", "0.10"),
    ("-$3.00", "-3.00"), ("12 kr", "12"), ("$ 7", "7"),
])  # fmt: skip
def test_prices_may_name_their_currency(given_: str, read: str) -> None:
    sheet = read_groups(f"key;unit cost\na;{given_}\n")
    assert sheet.faults == []
    assert sheet.rows[0][1]["unit_cost"] == Decimal(read)
    assert sheet.read_as.currency


def test_two_currencies_in_one_column_are_refused() -> None:
    [fault] = read_groups("key;unit_cost\na;$2,50\nb;2,50 €\n").faults
    assert (fault.line, fault.column) == (3, "unit_cost")
    [fault] = read_groups("key;unit_cost\na;5 bananas\n").faults
    assert "no number" in fault.detail


def test_a_file_that_bears_the_stamp_is_an_export() -> None:
    body = (
        "observation,external_id,group,n,value,recipe,observed_at,voided_at,void_reason,whatever,data_version,seed,software_version\n"
        "01a22899-1a60-7df3-b3c5-2de815ba2996,,a,1,0.5,default,2026-11-29T18:37:32Z,,,x,2,0,0.1.0\n"
        "01a22899-1a60-7df3-b3c5-2de815ba2997,r,a,1,0.5,default,2026-11-29T18:37:32Z,2026-11-30T00:00:00Z,wrong,x,2,0,0.1.0\n"
    )
    sheet = read_runs(body)
    assert [cells["external_id"] for _, cells in sheet.rows] == ["01a22899-1a60-7df3-b3c5-2de815ba2996"]
    assert (sheet.read_as.voided, sheet.read_as.ignored) == (
        1,
        ["whatever", "data_version", "seed", "software_version"],
    )


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(",;\t"), st.sampled_from(".,"))
def test_a_float_as_python_writes_it_is_never_another_float(number: float, separator: str, decimal: Mark) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator).writerows(
        [["external_id", "group", "n", "value"], ["r", "a", 1, repr(number).replace(".", decimal)]]
    )
    sheet = read_runs(file.getvalue())
    assert [cells["value"] for _, cells in sheet.rows] in ([], [number])
    if not sheet.rows:
        assert sheet.faults[0].line == 2


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_read_or_refused_in_words(body: bytes | str) -> None:
    for read in (read_runs, read_groups):
        with suppress(SheetError):
            read(body, ignore_extra=True)
