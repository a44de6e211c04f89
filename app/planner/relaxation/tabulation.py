"""The divisible optimum by tables of all curves: slower than `multiplier`, and at home with kinks (method.md 6).

Notation: S segments, k groups, n counts, V and V' as in `utility`, p prices in shares of the budget, λ the marginal
utility per share of the budget, u = log(1 + samples beyond the ladder's foot).

Both solvers are one scheme: tabulate V and V' over u, interpolate the demand that a multiplier or a level calls for,
bisect on it until the money is spent, and tabulate anew round the answer until its own certificate closes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.relaxation.certificate import CLOSED, LEAST_GAIN, Nearby, Relaxation, certify
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility, ValueAndSlope

COARSE_NODES = 16
"""Nodes of the first table, geometric in the samples bought."""
FINE_NODES = np.array([-0.3, -0.03, -0.003, 0.0, 0.003, 0.03, 0.3])
"""Later nodes round the last answer, in widths of the cell it lies in: dense wherever the next one falls."""
CLOSER = 0.1
"""Rows are refined until interpolation errs by less than this share of the tolerance."""
MOST_TABLES = 24
PRICE_BISECTIONS = 64
TABLE_BLOCK = 100_000
"""Curve values computed at a time: a table of many groups stays in the processor's cache."""
LEAST_SLOPE = 1e-300
OUT_OF_REACH = 1e300


@dataclass(frozen=True)
class _Table:
    """u, ascending, V, V' and log(emphasis · V') at it, all [groups, nodes]."""

    u: FloatArray
    value: FloatArray
    slope: FloatArray
    log_slope: FloatArray

    @classmethod
    def of(cls, utility: Utility, foot: FloatArray, u: FloatArray) -> "_Table":
        terms = tabulate(utility, foot[:, None] + np.expm1(u))
        return cls(u, terms.value, terms.slope, _log_slope(utility, terms.slope.T).T)

    def merged(self, more: "_Table") -> "_Table":
        """The nodes of both."""
        u = np.concatenate([self.u, more.u], axis=1)
        order = np.argsort(u, axis=1, kind="stable")
        pairs = ((self.u, more.u), (self.value, more.value), (self.slope, more.slope), (self.log_slope, more.log_slope))
        return _Table(*(np.take_along_axis(np.concatenate(pair, axis=1), order, axis=1) for pair in pairs))

    def nearby(self, ladder: Ladder, u: FloatArray) -> Nearby:
        """The nodes on both sides of u [groups]."""
        rows = np.arange(len(u))
        high = np.clip((self.u < u[:, None]).sum(axis=1), 1, self.u.shape[1] - 1)
        low = high - 1

        def at(node: FloatArray) -> ValueAndSlope:
            return ValueAndSlope(self.value[rows, node], self.slope[rows, node])

        counts = ladder.foot[:, None] + np.expm1(self.u)
        return Nearby(counts[rows, low], counts[rows, high], at(low), at(high))


Demand = Callable[[float], FloatArray]
"""Orders [S] that a level, or minus the logarithm of a multiplier, calls for; nondecreasing in it."""


def solve_by_tables(utility: Utility, ladder: Ladder, tolerance: float = CLOSED) -> Relaxation:
    """The best answer that MOST_TABLES tables lead to, or the first whose residual is within the tolerance."""
    ends = tabulate(utility, np.stack([ladder.foot, ladder.top()], axis=1))
    live = utility.counted & (ends.value[:, 1] > ends.value[:, 0])
    span = np.log1p(ladder.top() - ladder.foot)
    table = _Table.of(utility, ladder.foot, span[:, None] * np.linspace(0.0, 1.0, COARSE_NODES))
    best = found = _answer(utility, ladder, table, live, ends)
    for _ in range(MOST_TABLES):
        if best.residual <= tolerance:
            break
        table = _refine(utility, ladder, table, found, tolerance)
        last, found = found, _answer(utility, ladder, table, live, ends)
        best = min(best, found, key=lambda answer: answer.residual)
        if np.array_equal(last.orders, found.orders):
            # What is bought is too small to show in the counts' last bit.
            break
    return best


def _refine(utility: Utility, ladder: Ladder, table: _Table, found: Relaxation, tolerance: float) -> _Table:
    """The table with new nodes round the answer, in the rows [groups] whose interpolation is off there."""
    here = np.log1p(np.maximum(found.counts - ladder.foot, 0.0))
    error = np.abs(_lookup(table.u, table.log_slope, here) - _log_slope(utility, found.terms.slope))
    if utility.is_level:
        value = found.terms.value
        scale = max(float(np.abs(value - table.value[:, 0]).max()), LEAST_GAIN)
        error = np.maximum(
            error * (utility.objective.stop_ratio > 0.0), np.abs(_lookup(table.u, table.value, here) - value) / scale
        )
    rows = np.flatnonzero(error > CLOSER * tolerance)
    fresh_u = _closer(table.u[rows], here[rows])
    if not utility.is_smooth:
        near = table.nearby(ladder, here)
        kink = np.log1p(np.maximum(near.crossing() - ladder.foot, 0.0))
        fresh_u = np.concatenate([fresh_u, _closer(table.u[rows], kink[rows])], axis=1)
    # Rows that need none repeat their last node.
    parts = (table.u, table.value, table.slope, table.log_slope)
    more = [np.repeat(part[:, -1:], fresh_u.shape[1], axis=1) for part in parts]
    fresh = _Table.of(utility.select(rows), ladder.foot[rows], fresh_u)
    for part, new in zip(more, (fresh.u, fresh.value, fresh.slope, fresh.log_slope), strict=True):
        part[rows] = new
    return table.merged(_Table(*more))


def _closer(u: FloatArray, here: FloatArray) -> FloatArray:
    """New nodes [rows, nodes] round u = `here` [rows], dense towards it, within the cell it lies in."""
    rows = np.arange(len(u))
    after = np.clip((u < here[:, None]).sum(axis=1), 1, u.shape[1] - 1)
    low, high = u[rows, after - 1], u[rows, after]
    return np.asarray(np.clip(here[:, None] + (high - low)[:, None] * FINE_NODES, low[:, None], high[:, None]))


def _answer(utility: Utility, ladder: Ladder, table: _Table, live: BoolArray, ends: ValueAndSlope) -> Relaxation:
    """The answer the table leads to, proven; `ends`: terms at the ladder's foot and top."""
    demand = _level_demand(utility, ladder, table, live) if utility.is_level else _priced_demand(ladder, table)
    orders, at = _meet_money(ladder, *demand)
    if utility.is_level or utility.is_smooth:
        return certify(utility, ladder, orders, ends)
    near = table.nearby(ladder, np.log1p(np.maximum(ladder.counts(orders) - ladder.foot, 0.0)))
    return certify(utility, ladder, orders, ends, near, exp(-at))


def tabulate(utility: Utility, counts: FloatArray) -> ValueAndSlope:
    """V and V' at counts [groups, nodes], in blocks."""
    groups, nodes = counts.shape
    step = max(1, TABLE_BLOCK // max(1, groups * utility.posterior.draws))
    blocks = [utility.terms(counts[:, at : at + step]) for at in range(0, nodes, step)]
    value = np.concatenate([block.value for block in blocks], axis=1)
    return ValueAndSlope(value, np.concatenate([block.slope for block in blocks], axis=1))


def _log_slope(utility: Utility, slope: FloatArray) -> FloatArray:
    """log(emphasis · V') from V' [..., groups]."""
    return np.asarray(np.log(np.maximum(slope * utility.emphasis, LEAST_SLOPE)))


def _rising(values: FloatArray) -> FloatArray:
    """Rows [rows, nodes] that rise but for rounding, made to rise."""
    return np.asarray(np.maximum.accumulate(values, axis=1))


def _invert(u: FloatArray, rising: FloatArray, target: FloatArray) -> FloatArray:
    """The least u [rows] at which a row of `rising` [rows, nodes] reaches its target; the last if it never does."""
    rows = np.arange(len(u))
    after = np.minimum((rising < target[:, None]).sum(axis=1), u.shape[1] - 1)
    before = np.maximum(after - 1, 0)
    low, high = rising[rows, before], rising[rows, after]
    reached = (after > 0) & (high > low)
    part = np.clip(np.divide(target - low, high - low, out=np.ones_like(low), where=reached), 0.0, 1.0)
    return np.asarray(u[rows, before] + part * (u[rows, after] - u[rows, before]))


def _lookup(u: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Linear interpolation of `values` [rows, nodes] at u = `at` [rows]."""
    rows = np.arange(len(u))
    after = np.clip((u < at[:, None]).sum(axis=1), 1, u.shape[1] - 1)
    low, high = u[rows, after - 1], u[rows, after]
    part = np.divide(at - low, high - low, out=np.zeros_like(low), where=high > low)
    return np.asarray(
        values[rows, after - 1] + np.clip(part, 0.0, 1.0) * (values[rows, after] - values[rows, after - 1])
    )


def _priced_demand(ladder: Ladder, table: _Table) -> tuple[Demand, float, float]:
    """Every source serves until its group's marginal utility per cost is down to λ = exp(−y)."""
    u, foot = table.u[ladder.group], ladder.foot[ladder.group]
    falling = _rising(-table.log_slope)[ladder.group]
    log_price = np.log(ladder.price)
    alive = falling < -np.log(LEAST_SLOPE)

    def demand(y: float) -> FloatArray:
        return ladder.orders(foot + np.expm1(_invert(u, falling, y - log_price)))

    keys = falling + log_price[:, None]
    return demand, float(keys.min(initial=0.0)), float(keys.max(initial=-np.inf, where=alive))


def _level_demand(utility: Utility, ladder: Ladder, table: _Table, live: BoolArray) -> tuple[Demand, float, float]:
    """Every group is brought to the level, those that gain too little per cost only as far as `stop_ratio` says."""
    group, foot = ladder.group, ladder.foot[ladder.group]
    stop_ratio = utility.objective.stop_ratio
    # A group that cannot be raised is not waited for.
    value = np.where(live[:, None], _rising(table.value), OUT_OF_REACH)

    def demand(level: float) -> FloatArray:
        u = _invert(table.u, value, np.full(len(table.u), level))
        reach = foot + np.expm1(u[group])
        if stop_ratio > 0.0:
            reach = np.minimum(reach, _stop(ladder, table, reach, live, stop_ratio))
        return ladder.orders(reach)

    return demand, float(value.min(initial=np.inf)), float(value.max(initial=-np.inf, where=live[:, None]))


def _stop(ladder: Ladder, table: _Table, reach: FloatArray, live: BoolArray, stop_ratio: float) -> FloatArray:
    """Counts [S] beyond which a group gains less than stop_ratio · R per cost (method.md 5).

    R is the largest gain per cost at the counts the level calls for. The group that has it is never stopped, as
    stop_ratio < 1, so stopping the others leaves R as it is: the resting point needs no further search.
    """
    group, log_price = ladder.group, np.log(ladder.price)
    open_at = live[group] & (reach < ladder.start + ladder.length)
    if not open_at.any():
        return np.full_like(reach, np.inf)
    at = np.log1p(np.maximum(reach, ladder.start) - ladder.foot[group])
    gain = _lookup(table.u[group], table.log_slope[group], at) - log_price
    least = np.log(stop_ratio) + gain[open_at].max() + log_price
    return ladder.foot[group] + np.expm1(_invert(table.u[group], _rising(-table.log_slope)[group], -least))


def _meet_money(ladder: Ladder, demand: Demand, low: float, high: float) -> tuple[FloatArray, float]:
    """Orders [S] of the largest demand the money pays for, exactly spent where demand jumps past it; and where."""
    if not low <= high:
        return np.zeros_like(ladder.price), np.inf
    more = demand(high)
    if ladder.spend(more) <= ladder.money:
        return more, high
    less = demand(low)
    if ladder.spend(less) > ladder.money:
        # The table lies too high; its foot, scaled down, is where the next one looks.
        return less * (ladder.money / ladder.spend(less)), low
    for _ in range(PRICE_BISECTIONS):
        middle = 0.5 * (low + high)
        tried = demand(middle)
        if ladder.spend(tried) <= ladder.money:
            low, less = middle, tried
        else:
            high, more = middle, tried
    spent, over = ladder.spend(less), ladder.spend(more)
    return less + (more - less) * ((ladder.money - spent) / (over - spent)), 0.5 * (low + high)
