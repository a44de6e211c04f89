"""When to stop buying, and whether to buy evaluation samples instead (method.md 9)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from app.planner.errors import InfeasibleError, ProblemError
from app.planner.plan.decide import decide
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.problem.problem import Problem
from app.planner.relaxation.certificate import CLOSED
from app.planner.relaxation.compromise import prepared, with_base
from app.planner.relaxation.separable import is_separable
from app.planner.wording import MILLIONTHS, money, number

FIRST_SHARES = (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0)
"""Shares of the budget that are looked at first."""
REFINEMENTS = 12
LEAST_SHARE = 1 / 4096
"""Less than this share of the budget is not worth a purchase."""
STOP_PRECISION = 1e-4
"""A stop is found to this share of itself where the multiplier leads to it."""
FINE_STEPS = 256
"""Orders in steps of less than the budget's 256th are taken as divisible."""
GOLDEN = 0.5 * (5.0**0.5 - 1.0)


@dataclass(frozen=True)
class StopAdvice:
    """How much of the budget is worth spending.

    worth_spending: millionths, at most the budget; beyond it the money buys less than it costs. worth: what the utility
    that the whole budget buys is worth in currency units, None without `value_per_utility`. gain: that utility.
    stop: whether nothing is worth spending. reason: one sentence.
    """

    worth_spending: int
    worth: float | None
    gain: float
    stop: bool
    reason: str


def stop_advice(
    problem: Problem, value_per_utility: float | None = None, smallest_gain: float | None = None
) -> StopAdvice:
    """How much of the problem's budget to spend at most.

    With U(B) the optimal policy's utility for the budget B, value_per_utility v (currency per unit of utility) stops
    where v U(B) − B is largest: at a concave U, where the next money's utility is worth less than it costs.
    smallest_gain stops where all that the rest of the budget buys is a smaller utility. With both, the earlier counts.
    Regret is measured against the best for each budget, so `robust` is judged by its worst case in either mode.
    Raises ProblemError where neither is given, or one is not above 0.
    """
    _check(value_per_utility, smallest_gain)
    problem = replace(problem, objective=replace(problem.objective, mode="worst_case"))
    # Stakeholders' shares are of what all the money can bring.
    whole = with_base(Canonical.of(problem)).utility

    @cache
    def best(budget: int) -> tuple[float, float]:
        try:
            form = Canonical.of(replace(problem, budget=budget))
            return _best(replace(form, utility=form.utility.based(whole)), problem.budget)
        except InfeasibleError:
            # What must be bought costs more than this; with the whole budget the error is the caller's.
            if budget == problem.budget:
                raise
            return -np.inf, np.nan

    def utility(budget: int) -> float:
        return best(budget)[0]

    now, all_ = whole.level(Canonical.of(problem).held), utility(problem.budget)
    gain = all_ - now
    stops = []
    if value_per_utility is not None:
        value = value_per_utility * MILLIONTHS
        stop = _last_worth_its_cost(lambda budget: value * best(budget)[1], problem.budget)
        if stop is None:
            stop = _highest_net(lambda budget: value * (utility(budget) - now) - budget, problem.budget)
        stops.append(stop)
    if smallest_gain is not None:
        stops.append(_least_enough(lambda budget: all_ - utility(budget) < smallest_gain, problem.budget))
    spend = min(stops)
    worth = None if value_per_utility is None else value_per_utility * gain
    reason = _stop_reason(problem.budget, spend, all_ - utility(spend), value_per_utility, problem.payable)
    return StopAdvice(spend, worth, gain, spend == 0, reason)


def _check(value_per_utility: float | None, smallest_gain: float | None) -> None:
    """Raises ProblemError unless one of the two is stated, and above 0."""
    if value_per_utility is None and smallest_gain is None:
        raise ProblemError("stop advice needs value_per_utility, or the smallest gain worth having; state one of them")
    for name, number_ in (("value_per_utility", value_per_utility), ("smallest_gain", smallest_gain)):
        if number_ is not None and not 0.0 < number_ < np.inf:
            raise ProblemError(f"{name} is {number_}; it must be above 0")


def _best(form: Canonical, whole: int) -> tuple[float, float]:
    """The optimal policy's utility, of divisible orders where every step costs little of the `whole` budget, and what
    the next millionth adds to it; nan where that is not known to the last digits."""
    steps = [source.cost(source.least) for source in form.sources]
    if not form.market.is_convex or form.region.counted.any() or max(steps, default=0) > whole / FINE_STEPS:
        decision = decide(form, "optimal")
        return decision.form.values.moved(decision.counts).level(decision.counts), np.nan
    check_feasible(form)
    form, divisible = prepared(form)
    found = divisible.relaxation
    known = is_separable(form, form.utility) and found.residual <= CLOSED and form.market.budget > 0
    return found.utility, found.multiplier / form.market.budget if known else np.nan


def _last_worth_its_cost(worth: Callable[[int], float], budget: int) -> int | None:
    """The spend from which on a millionth is worth less than it costs; None where the worth is not known.

    worth: of the next millionth after a spend, in millionths; the more is spent the less, as U is concave.
    """
    least = max(1, round(LEAST_SHARE * budget))
    first, last = worth(least), worth(budget)
    if np.isnan(first) or np.isnan(last):
        return None
    if last >= 1.0:
        return budget
    if first < 1.0:
        return 0

    from scipy.optimize import brentq  # here: few plans ask for it, and it weighs 24 MB

    def excess(log_spend: float) -> float:
        return float(np.log(np.maximum(worth(round(float(np.exp(log_spend)))), 1e-300)))

    try:
        return round(float(np.exp(brentq(excess, np.log(least), np.log(budget), xtol=STOP_PRECISION))))
    except ValueError:
        # SciPy's for a worth that is not known on the way.
        return None


def _highest_net(net: Callable[[int], float], budget: int) -> int:
    """The least spend of the highest net gain: the best of a grid, refined by golden section round it."""
    spends = sorted({round(share * budget) for share in FIRST_SHARES})
    best = max(spends, key=lambda spend: (net(spend), -spend))
    at = spends.index(best)
    low, high = spends[max(at - 1, 0)], spends[min(at + 1, len(spends) - 1)]
    for _ in range(REFINEMENTS):
        left, right = high - round(GOLDEN * (high - low)), low + round(GOLDEN * (high - low))
        low, high = (low, right) if net(left) >= net(right) else (left, high)
        best = max(best, left, right, key=lambda spend: (net(spend), -spend))
    return best


def _least_enough(enough: Callable[[int], bool], budget: int) -> int:
    """The least spend, to within a 4,096th of the budget, from which on the rest is not worth having."""
    low, high = -1, budget
    if enough(0):
        return 0
    for _ in range(REFINEMENTS):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _stop_reason(budget: int, spend: int, left_gain: float, value: float | None, payable: int) -> str:
    rest = money(budget - spend, payable)
    if budget == 0:
        return "The budget is 0, so there is nothing to stop."
    if spend == budget:
        return "All of the budget is worth spending: its last part still buys more than it costs."
    bought = f"a utility of {number(left_gain)}"
    if value is not None:
        bought += f", worth {money(round(value * left_gain * MILLIONTHS), payable)}"
    if spend == 0:
        return f"Stop: the {rest} of this round buy {bought}, less than they cost or than is worth having."
    up_to = money(spend, payable)
    return f"Stop at {up_to}: the other {rest} buy {bought}, less than they cost or than is worth having."
