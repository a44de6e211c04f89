"""Exact amounts of money: Decimals of the currency's unit, whole millionths of it for the store and the planner, text.

The planner knows nothing of the rest, so its sentences keep a format of their own (`planner/wording`).
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

MILLION = Decimal(1_000_000)
MILLIONTH = Decimal("0.000001")
WHOLE_UNITS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
DECIMALS = dict.fromkeys(WHOLE_UNITS, 0) | dict.fromkeys(THOUSANDTHS, 3) | {"CLF": 4, "UYW": 4}
"""Of the minor units that are no hundredths (ISO 4217, table A.1)."""
WHOLE = 100
"""From here on sentences leave decimals of money out."""


def amount(millionths: int) -> Decimal:
    return Decimal(millionths) / MILLION


def millionths(amount: Decimal) -> int:
    return int(amount * MILLION)


def plain(amount: Decimal) -> str:
    """At least two decimals, no more than needed: 976.00, 0.000001."""
    return _trimmed(f"{amount:.6f}")


def grouped(amount: Decimal) -> str:
    """As `plain`, with thousands apart: 1,234,567.50."""
    return _trimmed(f"{amount:,.6f}")


def decimals(currency: str) -> int:
    return DECIMALS.get(currency, 2)


def payable(amount: Decimal, currency: str, *, down: bool = False) -> Decimal:
    """In whole minor units of the currency, halves up; down: never more than `amount`."""
    unit = Decimal(1).scaleb(-decimals(currency))
    return amount.quantize(unit, ROUND_DOWN if down else ROUND_HALF_UP)


def minor_unit(currency: str) -> int:
    """The smallest amount of the currency that can be paid, in millionths."""
    return int(MILLION.scaleb(-decimals(currency)))


def told(amount: Decimal, currency: str) -> str:
    """What people read of an amount: payable, with thousands apart: 1,234,567.50, of JPY 1,234,568."""
    return f"{payable(amount, currency):,f}"


def brief(amount: Decimal, currency: str) -> str:
    """What sentences say: whole units, halves up, from a hundred on or where nothing is lost by it, else as `told`."""
    if abs(amount) < WHOLE and amount != int(amount):
        return told(amount, currency)
    return f"{amount.quantize(Decimal(1), ROUND_HALF_UP):,f}"


def _trimmed(text: str) -> str:
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
