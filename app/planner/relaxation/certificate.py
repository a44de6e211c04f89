"""What proves a divisible answer: an upper bound on U that holds whatever found the answer (method.md 6).

Notation as in `tabulation`. Concavity turns the margins at the answer into a bound on every other answer.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility, ValueAndSlope

LEAST_GAIN = 1e-9
"""Gains below this count as this when a gap is put in proportion (method.md 6)."""
CLOSED = 1e-9
"""A certificate that leaves no more than this share of the gain open proves the optimum."""
CERTIFICATE_ROUNDING = 1e-9
"""Money and values this near to each other, in proportion, count as equal in a proof."""
LEAST_SLOPE = 1e-300
SPENT_ROUNDING = 1e-11
"""A group on which less than this share of the budget is spent is fed by rounding alone."""


@dataclass(frozen=True)
class Relaxation:
    """Divisible orders [S] beyond the ladder's foot, their counts and terms [groups], and what proves them.

    bound: no divisible answer has a higher U. residual: what the certificate leaves open, relative to the gain.
    multiplier: λ; 0 where more money would not help, nan where `stop_ratio` leaves it undefined.
    """

    orders: FloatArray
    counts: FloatArray
    terms: ValueAndSlope
    utility: float
    bound: float
    residual: float
    multiplier: float


@dataclass(frozen=True)
class Nearby:
    """Counts on both sides of an answer's and the terms there, all [groups]: what is needed where V has a kink."""

    low: FloatArray
    high: FloatArray
    at_low: ValueAndSlope
    at_high: ValueAndSlope

    def crossing(self) -> FloatArray:
        """The counts at which the two tangents cross; `low` where they are one."""
        turn = self.at_low.slope - self.at_high.slope
        rise = self.at_high.value - self.at_high.slope * (self.high - self.low) - self.at_low.value
        return self.low + np.divide(rise, turn, out=np.zeros_like(turn), where=turn > 0.0)


def certify(
    utility: Utility,
    ladder: Ladder,
    orders: FloatArray,
    ends: ValueAndSlope | None = None,
    nearby: Nearby | None = None,
    multiplier: float = 0.0,
) -> Relaxation:
    """The orders [S] with their proof, of a utility that is a sum or a minimum.

    ends: terms [groups, 2] at the ladder's foot and top, worked out for a minimum where None. nearby, multiplier: let
    the proof see that the margin of a group at a kink fits λ although neither side's slope does.
    """
    counts = ladder.counts(orders)
    terms = utility.terms(counts)
    total = utility.total(terms.value)
    if utility.is_level:
        ends = ends or utility.terms(np.stack([ladder.foot, ladder.top()], axis=1))
        slack, residual, found = _prove_level(utility, ladder, orders, terms, ends)
    else:
        slack, residual, found = _prove_priced(utility, ladder, orders, terms.slope)
        if nearby is not None and slack > 0.0:
            slope, error = _between(utility, ladder, orders, terms, nearby, multiplier)
            other, open_, at = _prove_priced(utility, ladder, orders, slope, error)
            if other < slack:
                slack, residual, found = other, open_, at
    return Relaxation(orders, counts, terms, total, total + slack, residual, found)


def _prove_priced(
    utility: Utility, ladder: Ladder, orders: FloatArray, slope: FloatArray, error: float = 0.0
) -> tuple[float, float, float]:
    """Slack of U, residual and multiplier, from the linear problem in the margins: a knapsack, best gain first.

    slope [groups]: supergradients of V, all together off by no more than `error` of U.
    """
    gain = (utility.emphasis * slope)[ladder.group]
    best_first = np.argsort(-gain / ladder.price, kind="stable")
    cost = (ladder.length * ladder.price)[best_first]
    paid = np.cumsum(cost)
    part = np.clip(ladder.money - (paid - cost), 0.0, cost)
    per_cost = (gain / ladder.price)[best_first]
    linear = float((part * per_cost).sum())
    slack = max(0.0, linear - float((gain * orders).sum())) + error
    spent_up = np.flatnonzero(paid >= ladder.money * (1.0 - CERTIFICATE_ROUNDING))
    multiplier = float(per_cost[spent_up[0]]) if len(spent_up) else 0.0
    return slack, slack / (linear + error) if linear > 0.0 else 0.0, multiplier


def _between(
    utility: Utility, ladder: Ladder, orders: FloatArray, terms: ValueAndSlope, nearby: Nearby, multiplier: float
) -> tuple[FloatArray, float]:
    """Slopes [groups] that fit the multiplier as well as the tangents on both sides allow, and what they are off by.

    V lies below both tangents; with a slope s between theirs it exceeds V̂ + s (n − n̂) nowhere by more than where
    the tangents cross.
    """
    scale = np.maximum(utility.emphasis, LEAST_SLOPE)
    last = np.zeros(len(scale))
    np.maximum.at(last, ladder.group, np.where(orders > 0.0, ladder.price, 0.0))
    counts = ladder.counts(orders)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        fitting = np.clip(terms.slope, multiplier * last / scale, multiplier * ladder.marginal_price(counts) / scale)
    steep, flat = nearby.at_low.slope, nearby.at_high.slope
    slope = np.clip(fitting, flat, np.maximum(steep, flat))
    crossing = nearby.crossing()
    above = nearby.at_low.value + steep * (crossing - nearby.low) - terms.value - slope * (crossing - counts)
    # The slope at the answer itself is exact.
    error = np.where(slope == terms.slope, 0.0, np.maximum(above, 0.0))
    return slope, float(utility.emphasis @ error)


def _prove_level(
    utility: Utility, ladder: Ladder, orders: FloatArray, terms: ValueAndSlope, ends: ValueAndSlope
) -> tuple[float, float, float]:
    """Slack of U, residual and multiplier: all groups that were fed would need more, and there is no money for that.

    With the money spent no answer lifts the least value above the highest value among the fed groups; nor above
    any group's value at its top.
    """
    value, counted = terms.value, utility.counted
    spent = np.bincount(ladder.group, weights=orders * ladder.price, minlength=len(value))
    fed = counted & (spent > SPENT_ROUNDING)
    per_cost = terms.slope / ladder.marginal_price(ladder.counts(orders))
    left = max(0.0, ladder.money - float(spent[fed].sum()))
    total = utility.total(value)
    reach = float(ends.value[counted, 1].min())
    if fed.any():
        reach = min(reach, float(value[fed].max()) + left * float(per_cost[fed].max()))
    open_ = counted & (ends.value[:, 1] > ends.value[:, 0]) & (per_cost > 0.0)
    scale = max(float((value - ends.value[:, 0])[fed].max(initial=0.0)), LEAST_GAIN)
    residual = _unlevel(value, fed & open_, open_, per_cost, utility.objective.stop_ratio) / scale
    residual += left * float(per_cost[open_].max(initial=0.0)) / scale
    return max(0.0, reach - total), residual, level_multiplier(utility, value, per_cost, scale)


def _unlevel(value: FloatArray, fed: BoolArray, open_: BoolArray, per_cost: FloatArray, stop_ratio: float) -> float:
    """How far the groups that could be fed lag behind those that were, those at rest by `stop_ratio` excepted."""
    if not fed.any():
        return 0.0
    behind = float(value[fed].max()) - value[open_]
    if stop_ratio > 0.0:
        gain = per_cost[open_]
        behind = np.minimum(behind, np.maximum(gain / (stop_ratio * gain.max()) - 1.0, 0.0))
    return max(0.0, float(behind.max()))


def level_multiplier(utility: Utility, value: FloatArray, per_cost: FloatArray, scale: float) -> float:
    """dU/d money of maximin: money is shared so that all groups at the least value rise together.

    value, per_cost [groups]: V and V' per money, 0 where nothing more is sold. scale: of the gain, to tell ties.
    """
    if utility.objective.stop_ratio > 0.0:
        return float("nan")
    worst = utility.counted & (value <= utility.total(value) + CERTIFICATE_ROUNDING * scale)
    if not np.all(per_cost[worst] > 0.0):
        return 0.0
    return float(1.0 / (1.0 / per_cost[worst]).sum())
