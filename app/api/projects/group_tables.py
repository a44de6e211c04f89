"""Groups as a table: one line each, columns named as in the API."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tranche.sheets import ReadAs, SheetError, decimal_mark, read_groups

from app.errors import Fault, Malformed

CURRENCY_OF_SIGN = {"€": ("EUR",), "£": ("GBP", "EGP", "SYP", "GIP"), "₹": ("INR",), "₩": ("KRW",), "₺": ("TRY",),
                    "₪": ("ILS",), "₴": ("UAH",), "₫": ("VND",), "₽": ("RUB",), "zł": ("PLN",), "Kč": ("CZK",),
                    "¥": ("JPY", "CNY"), "Fr.": ("CHF", "XAF", "XOF"), "kr": ("SEK", "NOK", "DKK", "ISK")}  # fmt: skip
"""A dollar may be many countries'."""


@dataclass
class GroupTable:
    """Documents of groups, the line of each, and the lines that are no rows of the table. What a cell may hold is
    checked later, with the project."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    read_as: ReadAs | None = None


def group_table(body: bytes | str, ignore_extra: bool, decimal: str | None, currency: str) -> GroupTable:
    """`currency` is the project's. Raises Malformed."""
    try:
        sheet = read_groups(body, ignore_extra=ignore_extra, decimal=decimal_mark(decimal))
    except SheetError as error:
        raise Malformed(f"Groups: {error}") from None
    found = GroupTable(read_as=sheet.read_as)
    found.faults = [Fault(f"line {one.line}", f"{one.column}: {one.detail}") for one in sheet.faults]
    found.faults += currency_faults(sheet.read_as, currency)
    found.lines = [line for line, _ in sheet.rows]
    found.documents = [{name: stated(value) for name, value in cells.items()} for _, cells in sheet.rows]
    return found


def stated(value: object) -> object:
    """As the API takes it: money is text."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def currency_faults(read_as: ReadAs, currency: str) -> list[Fault]:
    if read_as.currency is None or names_currency(read_as.currency, currency):
        return []
    said = f"prices are in {read_as.currency}, the project is in {currency}"
    return [Fault("unit_cost", f"{said}; state them in one currency")]


def names_currency(sign: str, currency: str) -> bool:
    """Whether a sign or code beside an amount may mean the currency."""
    return sign in ("", "$") or currency.upper() in CURRENCY_OF_SIGN.get(sign, (sign,))
