"""Amounts, numbers and choices as pages say them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from app.money import grouped

POLICIES: Mapping[str, str] = MappingProxyType(
    {
        "optimal": "the best split for the objective",
        "greedy": "batch by batch where the gain per cost is largest",
        "thompson": "the best split for one draw of the curves",
        "worst_first": "the worst group first",
        "equal": "the same count for every group",
        "equal_spend": "the same money for every group",
        "proportional": "by the groups' weights",
        "water_filling": "levelling the counts",
        "slice_tuner": "Slice Tuner",
    }
)
OBJECTIVES: Mapping[str, str] = MappingProxyType(
    {
        "utilitarian": "the weighted sum of the groups' benefits",
        "isoelastic": "the groups' benefits, gains of the worse off counting for more",
        "maximin": "the worst-off group first, then the next",
        "cvar": "the mean benefit of the worst-off",
        "targets": "coming as near as possible to every group's target",
        "gap": "the groups' benefits, less what groups fall short of the mean",
        "robust": "the worst case over given weights",
    }
)


def money(amount: Decimal, currency: str = "") -> str:
    """1234567.5 → 1,234,567.50, with the currency behind it where one is given; decimals as many as are needed."""
    text = grouped(amount).replace("-", "−")
    return f"{text} {currency}" if currency else text


def number(value: float | None, decimals: int = 0) -> str:
    """12345 → 12,345; nothing → an en dash."""
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")


def to_buy(bought: Sequence[tuple[int, str]]) -> str:
    """What to buy next, in a sentence. bought: samples and names of groups, those that get the most money first."""
    if not bought:
        return "Buy nothing in this round."
    first = ", ".join(f"{add:,} of {name}" for add, name in bought[:3])
    others = len(bought) - 3
    more = f" and samples of {others:,} other group{'s' if others > 1 else ''}" if others > 0 else ""
    return f"Buy {first}{more}."


def instant(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def objective(stored: Mapping[str, Any]) -> str:
    """'maximin (the worst-off group first, then the next; stop_ratio 0)'; long parameters are left to the API."""
    kind = stored["kind"]
    parts = [
        f"{name} {value}" for name, value in stored.items() if name != "kind" and not isinstance(value, dict | list)
    ]
    return f"{kind} ({'; '.join([OBJECTIVES[kind], *parts])})"
