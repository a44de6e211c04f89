"""The divisible optimum where groups clash: a search over how many samples there are in all (method.md 6).

The misfit of one model is not convex in the counts, but the share that is unlike a group has one denominator for all
groups and draws, the total. Over any range of totals U has a concave bound that is exact at both ends
(`curves.transfer`): steps and cutting planes solve it, its answer is looked at as it is, and the range whose bound is
highest is cut in two until the best answer found is near enough to all bounds.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.problem.linear import Linear, maximise
from app.planner.problem.order_programme import Programme
from app.planner.relaxation.ascent import climb
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.cutting_planes import CutOptimum, solve
from app.planner.relaxation.master import Master
from app.planner.utility.values import Values

NEAR_TOTAL = 1e-3
"""A bound within this share of the gain ends the search ..."""
MOST_HALVINGS, MOST_ROUNDS = 6, 60
"""... or so many cuts, or rounds of tangents in all ranges, do."""
RANGE_TOLERANCE, SETTLED_TOLERANCE = 1e-3, 1e-5
"""Gap left in a range, as a share of the gain in it, and at the answer's own total."""
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

    def cut(self, best: float) -> float:
        """Where to cut it: at the total of the best answer, where both parts are exact then, else of its own."""
        own, edge = float(self.found.counts.sum()), EDGE * (self.high - self.low)
        inside = [total for total in (best, own) if self.low + edge < total < self.high - edge]
        return inside[0] if inside else 0.5 * (self.low + self.high)


def solve_by_total(values: Values, programme: Programme, held: FloatArray) -> tuple[CutOptimum, Master]:
    """The best answer found, with the least bound, and the master of the whole range. Raises SolverError."""
    low, high = _extent(programme, held)
    top = Master.of(values.bounded(float(held.sum()), high), programme, held)
    first = _solved(top, low, high, top.start)
    ranges, best, rounds = [first], _climbed(values, first), first.found.rounds
    for _ in range(MOST_HALVINGS):
        highest = max(ranges, key=lambda one: one.found.bound)
        gain = max(best.utility - top.start, LEAST_GAIN)
        if highest.found.bound - best.utility <= NEAR_TOTAL * gain or rounds >= MOST_ROUNDS:
            break
        ranges.remove(highest)
        enough, middle = best.utility + 0.5 * NEAR_TOTAL * gain, highest.cut(float(best.counts.sum()))
        for low, high in ((highest.low, middle), (middle, highest.high)):
            master = _under(highest.master, values.bounded(low, high))
            part = _solved(master, low, high, enough, highest.found)
            ranges.append(part)
            best = max(best, _seen(values, part.found), key=lambda one: one.utility)
            rounds += part.found.rounds
    bound = max(one.found.bound for one in ranges)
    best = _settled(values, ranges, best)
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


def _climbed(values: Values, there: Range) -> CutOptimum:
    """The answer of the range, or where steps of U itself lead from it."""
    found = _seen(values, there.found)
    columns = climb(_under(there.master, values), SETTLED_TOLERANCE, found.columns)
    if columns is None:
        return found
    counts = there.master.counts(columns)
    climbed = replace(found, columns=columns, counts=counts, utility=values.total(counts))
    return max(found, climbed, key=lambda one: one.utility)


def _settled(values: Values, ranges: list[Range], best: CutOptimum) -> CutOptimum:
    """The best answer that has the total of `best`: of it the bound is exact, and its prices hold."""
    total = float(best.counts.sum())
    home = min(ranges, key=lambda one: max(one.low - total, total - one.high))
    master = _under(home.master, values.bounded(total, total))
    top = _seen(values, solve(replace(master, totals=_widened(total, total)), SETTLED_TOLERANCE, start=best.columns))
    return top if top.utility >= best.utility else replace(best, price=top.price, rows=top.rows, levels=top.levels)


def _under(master: Master, values: Values) -> Master:
    """The problem in values that are nowhere higher."""
    return replace(master, values=values, cuts=master.cuts.under(values))


def _solved(master: Master, low: float, high: float, beside: float, above: CutOptimum | None = None) -> Range:
    """The range's best. above: that of a range which it is part of."""
    master = replace(master, totals=_widened(low, high))
    found = solve(master, RANGE_TOLERANCE, beside, None if above is None else above.columns)
    return Range(low, high, master, found if above is None else replace(found, bound=min(found.bound, above.bound)))


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
