"""Numbers as they stand in the planner's sentences, and the warnings that it gives beside its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

MILLIONTHS = 1_000_000
"""Money's smallest units per unit of the currency."""
TOLD_WHOLE = 1_000 * MILLIONTHS
"""From here on sentences leave out what is no whole unit of the currency."""


def money(millionths: int, payable: int, *, exact: bool = False) -> str:
    """An amount in the currency's units. payable: the smallest amount that can be paid, in millionths, a power of ten
    of them; it is rounded to that, halves up, and where it is large to whole units, unless `exact`."""
    unit = MILLIONTHS if millionths >= TOLD_WHOLE and not exact else payable
    whole, part = divmod((2 * millionths + unit) // (2 * unit) * unit, MILLIONTHS)
    places = f"{part:06d}".rstrip("0")
    least = 2 if payable == 1 else 7 - len(str(payable))
    return f"{whole:,}" + (f".{places:0<{least}}" if places else "")


def number(value: float) -> str:
    """A measured value to three figures."""
    return _plain(f"{value:.3g}")


def near(value: float) -> str:
    """A measured value that stands beside others close to it, to five figures."""
    return _plain(f"{value:.5g}")


def _plain(text: str) -> str:
    """Without powers of ten: 114,000 for 1.14e+05."""
    return f"{Decimal(text):,f}" if "e" in text else text


def count(value: float) -> str:
    """A number of samples."""
    return f"{round(value):,}"


def percent(share: float) -> str:
    """A share in whole percent, never rounded to 0 or 100 unless it is."""
    rounded = f"{share:.0%}"
    if rounded == "0%" and share > 0.0:
        return "under 1 %"
    if rounded == "100%" and share < 1.0:
        return "over 99 %"
    return rounded.replace("%", " %")


def listed(words: Sequence[str]) -> str:
    """Words joined by commas and a last 'and'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


@dataclass(frozen=True)
class Warning:
    """One remark: a stable code, one sentence that says what to do, and the group or source it is about."""

    code: str
    detail: str
    group: str | None = None
    source: str | None = None
