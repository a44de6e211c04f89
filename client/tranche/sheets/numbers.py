"""Cells to numbers. What two readers could take for two numbers is settled by the rest of the file, or refused."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isinf
from typing import Literal, NamedTuple

from tranche.sheets.faults import SheetFault

Kind = Literal["count", "real", "money"]
Mark = Literal[".", ","]
MARKS: tuple[Mark, Mark] = (".", ",")
MARK_NAMES = {".": "point", ",": "comma"}
BLANKS = re.compile("[\xa0\u202f\u2007\u2009]")
CURRENCY = re.compile(r"(?P<sign>[-−]?)\s*(?P<before>[$€£¥₹₩₪₺₽฿₫₴₦]|[A-Z]{3})?\s*(?P<rest>[-−+]?[\d.,' ]*\d)\s*"
                      r"(?P<after>[$€£¥₹₩₪₺₽฿₫₴₦]|[A-Z]{3}|Fr\.|kr|zł|Kč)?", re.ASCII)  # fmt: skip
LONGEST = 1_000


def shape_of(decimal: Mark) -> re.Pattern[str]:
    """A number with that decimal mark. Marks of thousands part whole threes, and are all the same."""
    marks = "[,' ]" if decimal == "." else "[.' ]"
    return re.compile(
        rf"(?P<sign>[-+]?)(?P<whole>[1-9][0-9]{{0,2}}(?P<mark>{marks})[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*|[0-9]+)?"
        rf"(?:[{decimal}](?P<fraction>[0-9]+))?(?P<exponent>[eE][-+]?[0-9]{{1,5}})?"
    )


SHAPES = {decimal: shape_of(decimal) for decimal in MARKS}


@dataclass(frozen=True, slots=True)
class Number:
    """A cell's number as plain text ("-1234.5e3") by a decimal point and by a decimal comma, None where it is none; the
    marks that part its thousands then; and what stood beside the digits."""

    kind: Kind
    given: str
    point: str | None
    comma: str | None
    marks: tuple[str, str]
    percent: bool = False
    currency: str = ""

    @property
    def ambiguous(self) -> bool:
        return self.point is not None and self.comma is not None and self.point != self.comma

    @property
    def only(self) -> Mark | None:
        """The decimal mark that the number has for sure."""
        if self.point is None or self.comma is None:
            return "," if self.point is None else "."
        return None

    def value(self, decimal: Mark | None) -> int | float | Decimal:
        """Raises ValueError where a float would take it for 0 or for infinite, and where it is none by that mark."""
        text = self.comma if decimal == "," else self.point
        if text is None:
            raise ValueError(why_not(self.given, self.given, self.kind))
        if self.kind == "count":
            return int(text.partition(".")[0])
        if self.kind == "money":
            return Decimal(text)
        number = float(Decimal(text) / 100) if self.percent else float(text)
        if number == 0 and Decimal(text) != 0:
            raise ValueError(f"{self.given[:50]} is too near to 0 to be told from it")
        if isinf(number):
            raise ValueError(f"{self.given[:50]} is beyond all numbers that are read here")
        return number


class Cell(NamedTuple):
    line: int
    column: str
    number: Number


@dataclass(frozen=True)
class Cells:
    """The numbers of a file: `rows` hold one for each of `columns`, None where the cell is empty; `distinct` are all
    that there are, so that what holds for all is seen without looking at each cell."""

    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[Number | None]]]
    distinct: Sequence[Number]

    def __iter__(self) -> Iterator[Cell]:
        for line, numbers in self.rows:
            for column, number in zip(self.columns, numbers, strict=True):
                if number is not None:
                    yield Cell(line, column, number)


def number_of(kind: Kind, given: str) -> Number:
    """Every reading that the cell may have. Raises ValueError saying what to write where it has none."""
    body = BLANKS.sub(" ", given).replace("’", "'").replace("−", "-")
    if len(body) > LONGEST:
        raise ValueError(f"{len(body):,} characters are no number")
    percent, currency = False, ""
    if kind == "real" and body.endswith("%"):
        body, percent = body[:-1].rstrip(), True
    elif kind == "money":
        body, currency = without_currency(body)
    (point, point_mark), (comma, comma_mark) = (reading(body, decimal, kind) for decimal in MARKS)
    if point is None and comma is None:
        raise ValueError(why_not(given, body, kind))
    return Number(kind, given, point, comma, (point_mark, comma_mark), percent, currency)


def typed_number(kind: Kind, given: str, *, point: bool = False) -> tuple[int | float | Decimal, str]:
    """A number that was typed alone, where no file tells its decimal mark, and the currency beside it. A comma parts
    thousands where it can ('30,000' is 30000) and is the decimal mark elsewhere ('1,50' is 1.5). A point is the decimal
    mark of a measure, and by `point` of every number; of others '30.000' may be either. Raises ValueError for that, and
    for what is no number."""
    number = number_of(kind, given.strip())
    if number.ambiguous and "." in given and kind != "real" and not point:
        values = sorted((Decimal(number.point or 0), Decimal(number.comma or 0)))
        small, great = (f"{one.normalize():f}" for one in values)
        raise ValueError(f"'{given[:50]}' may be {small} or {great}; write it without marks of thousands")
    return number.value("," if number.point is None else "."), number.currency


def without_currency(body: str) -> tuple[str, str]:
    """The number, and the sign or code of the currency beside it."""
    found = CURRENCY.fullmatch(body)
    if found is None or (found["before"] and found["after"]):
        return body, ""
    return found["sign"] + found["rest"], found["before"] or found["after"] or ""


def reading(body: str, decimal: Mark, kind: Kind) -> tuple[str | None, str]:
    """The number with that decimal mark as plain text, None where it is none, and the mark that parts its thousands."""
    found = SHAPES[decimal].fullmatch(body)
    if found is None:
        return None, ""
    whole, mark, fraction, exponent = (found[name] or "" for name in ("whole", "mark", "fraction", "exponent"))
    padded = len(whole) > 1 and whole[0] == "0" and bool(fraction)
    if not (whole or fraction) or padded or (exponent and (mark or kind != "real")):
        return None, ""
    if kind == "count" and fraction.strip("0"):
        return None, ""
    digits = whole.replace(mark, "") if mark else whole
    return f"{found['sign']}{digits or '0'}{'.' if fraction else ''}{fraction}{exponent}", mark


def why_not(given: str, body: str, kind: Kind) -> str:
    shown = f"'{given[:50]}'"
    if kind == "count" and any(reading(body, decimal, "real")[0] for decimal in MARKS):
        return f"{shown} is no whole number; write it in full, such as 1200"
    if given.endswith("%"):
        return f"{shown} is no percentage that belongs here; write a number"
    example = {"count": "a whole number such as 1200", "real": "such as 0.93", "money": "such as 1.50"}[kind]
    return f"{shown} is no number that can be read for sure; write {example}, or leave it empty"


@dataclass
class Style:
    """How the numbers of a file are written. `decimal` is None where no cell has a mark that needs to be known."""

    decimal: Mark | None = None
    faults: list[SheetFault] = field(default_factory=list)


def style_of(cells: Cells, separator: str, stated: Mark | None) -> Style:
    """One decimal mark for the whole file, as a spreadsheet has: the stated one, else the one that some cell has for
    sure; else the point in a file separated by commas whose measures have points only. `faults` are the cells that stay
    ambiguous, or that contradict the mark."""
    sure = {number.only for number in cells.distinct} - {None}
    if stated is None and len(sure) < 2:
        return Style(sure.pop()) if sure else undecided(cells, separator)
    if sure <= {stated}:
        return Style(stated)
    found = [cell for cell in cells if cell.number.only is not None]
    commas = sum(cell.number.only == "," for cell in found)
    commonest: Mark = "," if commas > len(found) - commas else "."
    decimal = stated or commonest
    first = next((cell for cell in found if cell.number.only == decimal), None)
    return Style(decimal, [contradiction(cell, decimal, first) for cell in found if cell.number.only != decimal])


def undecided(cells: Cells, separator: str) -> Style:
    """Where no cell has its decimal mark for sure."""
    doubtful = [number for number in cells.distinct if number.ambiguous]
    if not doubtful:
        return Style()
    if separator == "," and all(number.kind != "count" and "," not in number.given for number in doubtful):
        return Style(".")
    return Style(faults=[doubt(cell) for cell in cells if cell.number.ambiguous])


def thousands_of(cells: Cells, decimal: Mark | None) -> list[str]:
    return sorted({mark for number in cells.distinct if (mark := number.marks[decimal == ","])})


def contradiction(cell: Cell, decimal: Mark, sure: Cell | None) -> SheetFault:
    said = f"the file has a decimal {MARK_NAMES[decimal]}"
    if sure is not None:
        said += f" in line {sure.line}, {sure.column}: '{sure.number.given[:50]}'"
    detail = f"'{cell.number.given[:50]}' cannot be read for sure: {said}; write all numbers of the file the same way"
    return SheetFault(cell.line, cell.column, detail)


def doubt(cell: Cell) -> SheetFault:
    values = (Decimal(cell.number.point or 0), Decimal(cell.number.comma or 0))
    small, great = (f"{one.normalize():f}" for one in sorted(values, key=abs))
    return SheetFault(
        cell.line,
        cell.column,
        f"'{cell.number.given[:50]}' may be {small} or {great}, and nothing in the file tells which; write it"
        " without marks of thousands, or with four decimals, or say which mark is the decimal one"
        " (decimal=point or decimal=comma)",
    )


def unit_faults(cells: Cells, alike: dict[str, str]) -> Iterator[SheetFault]:
    """Numbers without a percent sign beside ones that have it: in one column, or in columns that `alike` gives the same
    unit. Another currency than the first one in its column."""
    signed: dict[str, Cell] = {}
    priced: dict[str, Cell] = {}
    if not any(number.percent or number.currency for number in cells.distinct):
        return
    for cell in cells:
        if cell.number.percent:
            signed.setdefault(alike.get(cell.column, cell.column), cell)
        if cell.number.currency:
            priced.setdefault(cell.column, cell)
    for cell in cells:
        first, price = signed.get(alike.get(cell.column, cell.column)), priced.get(cell.column)
        given = f"'{cell.number.given[:50]}'"
        if first is not None and cell.number.kind == "real" and not cell.number.percent:
            said = f"line {first.line}, {first.column} is '{first.number.given[:50]}'"
            yield SheetFault(cell.line, cell.column, f"{given} has no percent sign, but {said}; write both alike")
        if price is not None and cell.number.currency not in ("", price.number.currency):
            said = f"{given} is another currency than '{price.number.given[:50]}' in line {price.line}"
            yield SheetFault(cell.line, cell.column, f"{said}; give all prices in the project's")
