"""The divisible optimum where groups clash: a search over how many samples there are in all (method.md 6).

The misfit of one model is not convex in the counts, but the share that is unlike a group has one denominator for all
groups and draws, the total. Over any range of totals U has a concave bound that is exact at the largest
(`curves.transfer`): the cutting planes solve it, its answer is looked at as it is, and the range whose bound is highest
is cut in two until the best answer found is near enough to all bounds.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.problem.linear import Linear, maximise
from app.planner.problem.order_programme import Programme
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.cutting_planes import CutOptimum, Master, solve
from app.planner.utility.values import Values

NEAR_TOTAL = 1e-3
"""A bound within this share of the gain ends the search ..."""
MOST_TANGENTS, MOST_ROUNDS = 6, 60
"""... or so many cuts, or rounds of tangents in all ranges."""
RANGE_TOLERANCE = 1e-3
"""Gap left in a range, as a share of the gain in it."""
EDGE = 0.1
"""An answer this near to an end of its range, as a share of it, does not say where to cut it."""
ROUNDING = 1e-9
TOTAL_LEFT = 1e-6
"""A segment with less than this share of its money, or room for less, is used not at all, or up."""


@dataclass(frozen=True)
class Range:
    """The totals from `low` to `high`, and the best under its bound."""

    low: float
    high: float
    master: Master
    found: CutOptimum

    @property
    def cut(self) -> float:
        """Where to cut it: between its answer, which lies low as the bound favours few samples, and its end."""
        total, width = float(self.found.counts.sum()), self.high - self.low
        inside = total if self.low <= total <= self.high - EDGE * width else self.low
        return 0.5 * (inside + self.high)


def solve_by_total(values: Values, programme: Programme, held: FloatArray) -> tuple[CutOptimum, Master]:
    """The best answer found, with the least bound, and the master of the whole range. Raises SolverError."""
    low, high = _extent(programme, held)
    mixtures = _corners(programme, held)
    start = values.total(held)
    top = Master.of(values.bounded(high, mixtures), programme, held)
    first = _solved(top, low, high, start)
    ranges, best = [first], _seen(values, first.found)
    rounds = first.found.rounds
    for _ in range(MOST_TANGENTS):
        highest = max(ranges, key=lambda one: one.found.bound)
        gain = max(best.utility - start, LEAST_GAIN)
        if highest.found.bound - best.utility <= NEAR_TOTAL * gain or rounds >= MOST_ROUNDS:
            break
        ranges.remove(highest)
        middle = highest.cut
        below = values.bounded(middle, mixtures)
        master = replace(highest.master, values=below, now=below.at(held), cuts=highest.master.cuts.under(below))
        for one, low, high in ((master, highest.low, middle), (highest.master, middle, highest.high)):
            part = _solved(one, low, high, best.utility + 0.5 * NEAR_TOTAL * gain)
            ranges.append(replace(part, found=replace(part.found, bound=min(part.found.bound, highest.found.bound))))
            best = max(best, _seen(values, part.found), key=lambda one: one.utility)
            rounds += part.found.rounds
    bound = max(one.found.bound for one in ranges)
    best = _settled(values, ranges, best, mixtures, rounds)
    return replace(best, bound=max(bound, best.utility), price=_price(values, programme, best)), top


def _price(values: Values, programme: Programme, best: CutOptimum) -> float:
    """What a share of the budget more is worth at the answer: what it is on average where more can be bought."""
    _, gradient = values.tangents(best.counts)
    worth = (values.utility.gradient(values.at(best.counts)) @ gradient) @ programme.count_of
    money, width = best.columns[programme.at["u"]], programme.width
    gains, free = worth[programme.at["u"]], (money < (1.0 - TOTAL_LEFT) * width) | (width >= 1.0)
    open_ = free & (money > TOTAL_LEFT * width)
    if open_.any():
        return max(float(gains[open_] @ money[open_]) / float(money[open_].sum()), 0.0)
    return float(gains[free].max(initial=0.0))


def _settled(values: Values, ranges: list[Range], best: CutOptimum, mixtures: FloatArray, rounds: int) -> CutOptimum:
    """The best answer of single totals round that of `best`: of each the bound is exact, and its prices hold."""
    total = float(best.counts.sum())
    home = min(ranges, key=lambda one: max(one.low - total, total - one.high))

    def at(total: float) -> CutOptimum:
        there = values.bounded(total, mixtures)
        master = replace(home.master, values=there, now=there.at(home.master.held), cuts=home.master.cuts.under(there))
        return _seen(values, solve(replace(master, totals=_widened(total, total)), RANGE_TOLERANCE))

    step = 0.25 * (home.high - home.low)
    totals = np.clip([total - step, total, total + step], home.low, home.high)
    found = [at(one) for one in (totals if rounds < MOST_ROUNDS else totals[1:2])]
    bend = (
        np.polyfit(totals - total, [one.utility for one in found], 2) if len(found) == len(set(totals)) == 3 else [0.0]
    )
    if bend[0] < 0.0:
        found.append(at(float(np.clip(total - 0.5 * bend[1] / bend[0], home.low, home.high))))
    top = max(found, key=lambda one: one.utility)
    return top if top.utility >= best.utility else replace(best, price=top.price, rows=top.rows, levels=top.levels)


def _solved(master: Master, low: float, high: float, beside: float) -> Range:
    master = replace(master, totals=_widened(low, high))
    return Range(low, high, master, solve(master, RANGE_TOLERANCE, beside))


def _widened(low: float, high: float) -> tuple[float, float]:
    return low - ROUNDING * high, high + ROUNDING * high


def _seen(values: Values, found: CutOptimum) -> CutOptimum:
    """The answer with the U that it has."""
    return replace(found, utility=values.total(found.counts))


def _extent(programme: Programme, held: FloatArray) -> tuple[float, float]:
    """The least and the largest sum of counts that the orders allow."""
    rows, (lower, upper) = programme.rows, programme.bounds
    lower, upper = lower.copy(), upper.copy()
    for name in ("t", "z"):
        lower[programme.at[name]] = upper[programme.at[name]] = 0.0
    objective = np.zeros(programme.columns)
    objective[programme.at["n"]] = programme.reach
    found = []
    for sign in (-1.0, 1.0):
        solution = maximise(Linear(sign * objective, rows.matrix, rows.lower, rows.upper, lower, upper))
        bought = 0.0 if solution.columns is None else float(objective @ solution.columns)
        found.append(float(held.sum()) + max(bought, 0.0))
    return found[0], max(found[1], found[0])


def _corners(programme: Programme, held: FloatArray) -> FloatArray:
    """Counts [k, points] of which all that orders lead to are mixtures: nothing bought, or one source for all money."""
    most = np.zeros(len(programme.market.sources))
    segments = programme.market.segments
    np.maximum.at(most, segments.source, 1.0 / segments.price)
    bought = programme.market.effective.toarray() * most
    return np.asarray(held[:, None] + np.concatenate([np.zeros((len(held), 1)), bought], axis=1))
