"""Amounts, numbers and choices as pages say them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.money import grouped, payable, told
from app.services.projects.objectives import SENTENCES


def money(amount: Decimal, currency: str) -> str:
    """1234567.5 → 1,234,567.50 USD: in the currency's minor unit."""
    return f"{figure(amount, currency)} {currency}"


def figure(amount: Decimal, currency: str) -> str:
    """As `money`, without the currency, which stands elsewhere."""
    return told(amount, currency).replace("-", "−")


def price(amount: Decimal, currency: str) -> str:
    """Of one sample: as it is paid, or where it is finer than that, with as many decimals as it has."""
    return figure(amount, currency) if amount == payable(amount, currency) else grouped(amount)


def number(value: float | None, decimals: int = 0) -> str:
    """12345 → 12,345; nothing → an en dash."""
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")


def instant(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'minutes')} UTC"


def objective(stored: Mapping[str, Any]) -> str:
    """'maximin (the worst-off group first, then the next; stop_ratio 0)'; long parameters are left to the API."""
    kind = stored["kind"]
    parts = [
        f"{name} {value}" for name, value in stored.items() if name != "kind" and not isinstance(value, dict | list)
    ]
    return f"{kind} ({'; '.join([SENTENCES[kind], *parts])})"


def purchase(bought: Sequence[tuple[str, int]]) -> str:
    """What to collect next, in a sentence. bought: names of groups with the samples to add, the most telling first."""
    if not bought:
        return "Collect nothing in this round."
    said = [
        f"{add:,}{'' if at else ' sample' if add == 1 else ' samples'} from {name}"
        for at, (name, add) in enumerate(bought[:3])
    ]
    others = len(bought) - 3
    more = f" and samples from {others:,} other group{'s' if others > 1 else ''}" if others > 0 else ""
    return f"Collect {', '.join(said)}{more}."


def worth(quality: float, p05: float, p95: float, break_even: Decimal | None, currency: str) -> str:
    """ "worth 0.62 of a clean sample (0.56 to 0.68), pays below 0.62 CHF a piece"."""
    said = f"worth {quality:.2f} of a clean sample"
    if p05 != p95:
        said += f" ({p05:.2f} to {p95:.2f})"
    return said if break_even is None else f"{said}, pays below {break_even:.3g} {currency} a piece"
