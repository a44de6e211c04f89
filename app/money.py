"""Exact amounts of money: Decimals of the currency's unit, whole millionths of it for the store and the planner, text.

Sentences of the planner (`planner/wording`) and titles of charts (`charts/words`) leave out decimals that say nothing;
both rooms know nothing of the rest, so they keep formats of their own.
"""

from decimal import Decimal

MILLION = Decimal(1_000_000)
MILLIONTH = Decimal("0.000001")


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


def _trimmed(text: str) -> str:
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
