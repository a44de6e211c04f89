"""What hindsight says, as people read it: a sentence for a closed round, in the metric's own units where utility is."""

from collections.abc import Mapping, Sequence

from app.planner.arrays import FloatArray
from app.planner.valuation import Instead, Review
from app.services.planning.policies import PolicyName
from app.services.signing.words import has_points, in_percent, signed
from app.services.valuation.hindsight import Hindsight, by_group
from app.store.models.projects import Project

NAMED = 4
"""Groups that a sentence names."""
SPLITS: Mapping[PolicyName, str] = {
    "equal": "an equal split",
    "equal_spend": "equal money for every group",
    "proportional": "a split by weight",
    "optimal": "the best split by what is known now",
}
IN_UNITS = ("utilitarian", "maximin", "cvar")
"""Objectives that are a metric: a mean, or that of the worst."""
ALIKE = 1e-12
"""Utilities that differ by rounding alone."""


def sentence(project: Project, found: Hindsight, review: Review, names: Mapping[str, str]) -> str:
    """ "Bought 610 of A and 390 of B; an equal split would have ended 0.6 points of accuracy lower (0.2 to 1.0), and
    the best split by what is known now 0.1 higher." names: of the groups, by key."""
    rule = review.policies[0]
    unit, times, decimals = unit_of(project, found)
    first = said(project, rule, unit, times, decimals)
    best = said(project, review.best, unit, times, decimals, short=True)
    return f"Bought {listed(found.keys, review.added, names)}; {split(rule)} {first}, and {split(review.best)} {best}."


def split(one: Instead) -> str:
    return SPLITS.get(one.policy, f"the policy {one.policy}")


def unit_of(project: Project, found: Hindsight) -> tuple[str, float, int | None]:
    """What differences are said in, the factor from utility, and decimals (None for three digits)."""
    bounded = project.metric_lower is not None and project.metric_upper is not None
    if not bounded or found.objective["kind"] not in IN_UNITS:
        return "of utility", 1.0, None
    span = float(project.metric_upper or 0.0) - float(project.metric_lower or 0.0)
    times = 100.0 if in_percent(project) else span
    return (f"points of {project.metric_name}", times, 1) if has_points(project) else (
        f"of {project.metric_name}", times, None
    )  # fmt: skip


def said(project: Project, one: Instead, unit: str, times: float, decimals: int | None, *, short: bool = False) -> str:
    """ "would have ended 0.6 points of accuracy lower (0.2 to 1.0)"; short: "0.6 lower"."""
    if one.difference is None:
        return "could not have met the bounds of today"
    mean, low, high = (times * value for value in (one.difference.mean, one.difference.p05, one.difference.p95))
    if max(abs(mean), abs(low), abs(high)) <= ALIKE * times:
        return "the same" if short else "would have ended the same"
    if short:
        return f"{amount(mean, decimals)} {side(project, unit, mean)}"
    figure = f"{amount(mean, decimals)} {unit} {side(project, unit, mean)}"
    near, far = sorted((low, high), key=abs)
    if low * high >= 0.0:
        return f"would have ended {figure} ({amount(near, decimals)} to {amount(far, decimals)})"
    ends = f"{amount(low, decimals)} {side(project, unit, low)} to {amount(high, decimals)} {side(project, unit, high)}"
    return f"would have ended {figure} ({ends})"


def side(project: Project, unit: str, better: float) -> str:
    """Whether a higher utility is a higher figure: not where the metric is to be small and the figure is its."""
    turned = project.metric_goal == "minimize" and unit != "of utility"
    return "higher" if (better > 0.0) != turned else "lower"


def amount(value: float, decimals: int | None) -> str:
    return signed(abs(value), decimals).removeprefix("+") if value else "0"


def listed(keys: Sequence[str], added: FloatArray, names: Mapping[str, str]) -> str:
    """ "610 of A and 390 of B", the most first."""
    bought = sorted(by_group(keys, added).items(), key=lambda one: -one[1])
    if not bought:
        return "nothing that came"
    parts = [f"{count:,} of {names.get(key, key)}" for key, count in bought[:NAMED]]
    rest = sum(count for _, count in bought[NAMED:])
    parts += [f"{rest:,} of {len(bought) - NAMED} other groups"] if rest else []
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
