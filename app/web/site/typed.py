"""What people type into fields: numbers as spreadsheets write them (docs/import.md)."""

from decimal import Decimal

from tranche.sheets import typed_number

from app.api.projects.group_tables import names_currency
from app.money import DECIMALS

THOUSANDTHS = 3
"""As many digits stand behind a point where it parts thousands."""


def typed_count(text: str) -> int:
    """Raises ValueError."""
    return int(typed_number("count", text)[0])


def typed_real(text: str) -> float:
    """90 % is 0.9. Raises ValueError."""
    return float(typed_number("real", text)[0])


def typed_money(text: str, currency: str = "") -> Decimal:
    """Raises ValueError, also for an amount that says another currency than this, or says one where none is given."""
    value, sign = typed_number("money", text, point=DECIMALS.get(currency) == THOUSANDTHS)
    if not names_currency(sign, currency):
        raise ValueError(f"is in {sign}; give it in {currency or 'the currency of the project'}")
    return Decimal(value)
