"""Values, changes, money and chances as sentences about a plan say them."""

from collections.abc import Sequence
from decimal import Decimal

from app.money import brief
from app.store.models.projects import Project


def level(project: Project, value: float) -> str:
    """A value of the metric: "88.2 %" where its bounds are 0 and 1, else a number."""
    return f"{100 * value:.1f} %" if in_percent(project) else f"{value:.4g}"


def in_percent(project: Project) -> bool:
    return (project.metric_lower, project.metric_upper) == (0.0, 1.0)


def has_points(project: Project) -> bool:
    """Whether changes are told in points: hundredths of bounds 0 and 1, or of 0 and 100."""
    return in_percent(project) or (project.metric_lower, project.metric_upper) == (0.0, 100.0)


def signed(value: float, decimals: int | None = None) -> str:
    """ "+0.3", "−0.04": three significant digits, or so many decimals, and a digit where they would say nothing."""
    if not value:
        return "no change"
    text = f"{abs(value):.3g}" if decimals is None else f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        text = f"{abs(value):.1g}"
    return f"{'−' if value < 0 else '+'}{Decimal(text):,f}"


def money(value: Decimal, currency: str) -> str:
    return f"{brief(value, currency)} {currency}"


def percent(share: float) -> str:
    """Never 0 % or 100 % of what is neither."""
    if 0.0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1.0:
        return "more than 99 %"
    return f"{100 * share:.0f} %"


def moved(project: Project, gain: float) -> str:
    """An improvement as a number: in points where the metric has them."""
    return signed(100.0 * gain, 1) if in_percent(project) else signed(gain, 1 if has_points(project) else None)


def of_hundred(chance: float) -> str:
    """Never none or all of what draws can tell."""
    count = round(100 * chance)
    if count >= 100:
        return "more than 99 of 100 cases"
    return f"{count} of 100 cases" if count else "less than 1 of 100 cases"


def named(names: Sequence[str], most: int = 2) -> str:
    """ "A", "A and B", "A, B and 3 others": so many by name, and never one as "1 other"."""
    more = len(names) - most
    if more > 1:
        return f"{', '.join(names[:most])} and {more:,} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
