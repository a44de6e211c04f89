"""Numbers as titles say them."""

from collections.abc import Sequence
from decimal import Decimal

from app.money import brief, decimals


def number(value: float) -> str:
    """Three significant digits: 0.842, 12.3, 1,230,000."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}".replace("-", "−")
    return f"{Decimal(f'{value:.3g}'):f}".replace("-", "−")


def level(value: float) -> str:
    """As `number`, with all its digits: 0.900 beside 0.907."""
    return f"{value:#.3g}".replace("-", "−") if 1e-3 <= abs(value) < 10 else number(value)


def money(value: float, currency: str) -> str:
    """Whole units where nothing is lost by it: '2,500 USD', '0.75 USD', of JPY '1 JPY'."""
    return f"{brief(Decimal(str(value)), currency)} {currency}"


def amounts(currency: str) -> str:
    """The format of exact amounts, in tooltips (d3's) and titles (Python's, which is the same here)."""
    return f",.{decimals(currency)}f"


def percent(share: float) -> str:
    """'62 %', with a digit more where that would round to certainty."""
    decimals = 1 if share < 0.01 or share > 0.99 else 0
    text = f"{100 * share:.{decimals}f}"
    if share > 0 and float(text) == 0:
        return "below 0.1 %"
    if share < 1 and float(text) == 100:
        return "above 99.9 %"
    return f"{text.removesuffix('.0')} %"


def listed(names: Sequence[str], most: int = 3) -> str:
    """'A, B and C', 'A, B, C and 17 others'; nobody is 'one other', who can be named as well."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
