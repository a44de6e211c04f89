"""Cells to numbers. What two readers could take for two numbers is settled by the rest of the file, or refused."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isinf
from typing import Literal

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


@dataclass(frozen=True)
class Read:
    """A number as plain text ("-1234.5e3"), and the mark that parted its thousands."""

    text: str
    thousands: str


@dataclass
class NumberCell:
    """One cell: its readings by decimal mark, and what stood beside the digits."""

    line: int
    column: str
    kind: Kind
    given: str
    readings: dict[Mark, Read]
    percent: bool = False
    currency: str = ""

    @property
    def values(self) -> set[Decimal]:
        return {Decimal(one.text) for one in self.readings.values()}

    @property
    def ambiguous(self) -> bool:
        return len(self.values) > 1

    @property
    def only(self) -> Mark | None:
        """The decimal mark that the cell has for sure."""
        return next(iter(self.readings)) if len(self.readings) == 1 else None

    def value(self, decimal: Mark) -> int | float | Decimal:
        """Raises ValueError where a float would take it for 0 or for infinite."""
        number = Decimal(self.readings[decimal].text) / (100 if self.percent else 1)
        if self.kind == "count":
            return int(number)
        if self.kind == "money":
            return number
        if number != 0 and float(number) == 0:
            raise ValueError(f"{self.given[:50]} is too near to 0 to be told from it")
        if isinf(float(number)):
            raise ValueError(f"{self.given[:50]} is beyond all numbers that are read here")
        return float(number)


def number_cell(line: int, column: str, kind: Kind, given: str) -> NumberCell:
    """The cell with every reading it may have. Raises ValueError saying what to write where it has none."""
    body = BLANKS.sub(" ", given).replace("’", "'").replace("−", "-")
    if len(body) > LONGEST:
        raise ValueError(f"{len(body):,} characters are no number")
    percent, currency = False, ""
    if kind == "real" and body.endswith("%"):
        body, percent = body[:-1].rstrip(), True
    elif kind == "money":
        body, currency = without_currency(body)
    readings = {decimal: one for decimal in MARKS if (one := reading(body, decimal, kind)) is not None}
    if not readings:
        raise ValueError(why_not(given, body, kind))
    return NumberCell(line, column, kind, given, readings, percent, currency)


def without_currency(body: str) -> tuple[str, str]:
    """The number, and the sign or code of the currency beside it."""
    found = CURRENCY.fullmatch(body)
    if found is None or (found["before"] and found["after"]):
        return body, ""
    return found["sign"] + found["rest"], found["before"] or found["after"] or ""


def reading(body: str, decimal: Mark, kind: Kind) -> Read | None:
    """The number as it is with that decimal mark; None where it is none."""
    found = SHAPES[decimal].fullmatch(body)
    if found is None:
        return None
    whole, mark, fraction, exponent = (found[name] or "" for name in ("whole", "mark", "fraction", "exponent"))
    padded = len(whole) > 1 and whole[0] == "0" and bool(fraction)
    if not (whole or fraction) or padded or (exponent and (mark or kind != "real")):
        return None
    if kind == "count" and fraction.strip("0"):
        return None
    digits = whole.replace(mark, "") if mark else whole
    return Read(f"{found['sign']}{digits or '0'}.{fraction or '0'}{exponent}", mark)


def why_not(given: str, body: str, kind: Kind) -> str:
    shown = f"'{given[:50]}'"
    if kind == "count" and any(reading(body, decimal, "real") for decimal in MARKS):
        return f"{shown} is no whole number; write it in full, such as 1200"
    if given.endswith("%"):
        return f"{shown} is no percentage that belongs here; write a number"
    example = {"count": "a whole number such as 1200", "real": "such as 0.93", "money": "such as 1.50"}[kind]
    return f"{shown} is no number that can be read for sure; write {example}, or leave the cell empty"


@dataclass
class Style:
    """How the numbers of a file are written. `decimal` is None where no cell has a mark that needs to be known."""

    decimal: Mark | None = None
    thousands: list[str] = field(default_factory=list)
    faults: list[SheetFault] = field(default_factory=list)

    def mark_of(self, cell: NumberCell) -> Mark:
        return self.decimal if self.decimal in cell.readings else next(iter(cell.readings))


def style_of(cells: Sequence[NumberCell], separator: str, stated: Mark | None) -> Style:
    """One decimal mark for the whole file, as a spreadsheet has: the stated one, else the one that some cell has for
    sure; else the point in a file separated by commas whose measures have points only. `faults` are the cells that stay
    ambiguous, or that contradict the mark."""
    sure = {mark: [cell for cell in cells if cell.only == mark] for mark in MARKS}
    commonest: Mark = "," if len(sure[","]) > len(sure["."]) else "."
    decimal = stated or commonest
    if stated is None and not sure[decimal]:
        return undecided(cells, separator)
    other = sure["," if decimal == "." else "."]
    faults = [SheetFault(cell.line, cell.column, contradiction(cell, decimal, sure[decimal])) for cell in other]
    return Style(decimal, thousands_of(cells, decimal), faults)


def undecided(cells: Sequence[NumberCell], separator: str) -> Style:
    """Where no cell has its decimal mark for sure."""
    doubtful = [cell for cell in cells if cell.ambiguous]
    if not doubtful:
        return Style(None, thousands_of(cells, "."))
    if separator == "," and all(cell.kind != "count" and "," not in cell.given for cell in doubtful):
        return Style(".", thousands_of(cells, "."))
    return Style(faults=[SheetFault(cell.line, cell.column, doubt(cell)) for cell in doubtful])


def thousands_of(cells: Sequence[NumberCell], decimal: Mark) -> list[str]:
    return sorted({one.thousands for cell in cells if (one := cell.readings.get(decimal)) and one.thousands})


def contradiction(cell: NumberCell, decimal: Mark, sure: Sequence[NumberCell]) -> str:
    said = f"the file has a decimal {MARK_NAMES[decimal]}"
    if sure:
        said += f" in line {sure[0].line}, {sure[0].column}: '{sure[0].given[:50]}'"
    return f"'{cell.given[:50]}' cannot be read for sure: {said}; write all numbers of the file the same way"


def doubt(cell: NumberCell) -> str:
    small, great = (f"{one.normalize():f}" for one in sorted(cell.values, key=abs))
    return (
        f"'{cell.given[:50]}' may be {small} or {great}, and nothing in the file tells which; write it without marks of"
        " thousands, or with four decimals, or say which mark is the decimal one (decimal=point or decimal=comma)"
    )


def unit_faults(cells: Sequence[NumberCell], alike: dict[str, str]) -> Iterator[SheetFault]:
    """Numbers without a percent sign beside ones that have it: in one column, or in columns that `alike` gives the same
    unit. Another currency than the first one in its column."""
    signed: dict[str, NumberCell] = {}
    priced: dict[str, NumberCell] = {}
    for cell in cells:
        if cell.percent:
            signed.setdefault(alike.get(cell.column, cell.column), cell)
        if cell.currency:
            priced.setdefault(cell.column, cell)
    for cell in cells:
        first = signed.get(alike.get(cell.column, cell.column))
        if first is not None and cell.kind == "real" and not cell.percent:
            said = f"line {first.line}, {first.column} is '{first.given[:50]}'"
            yield SheetFault(
                cell.line, cell.column, f"'{cell.given[:50]}' has no percent sign, but {said}; write both alike"
            )
        price = priced.get(cell.column)
        if price is not None and cell.currency not in ("", price.currency):
            said = f"'{cell.given[:50]}' is another currency than '{price.given[:50]}' in line {price.line}"
            yield SheetFault(cell.line, cell.column, f"{said}; give all prices in the project's")
