"""Problems that fall apart into groups, on one convex price ladder per group (method.md 6).

Every source feeds one group, prices do not fall, and only the groups' own counts are bounded. Quality and acceptance
turn ordered samples into effective ones, tiers and sources into steps of the ladder, a smallest count into a higher
foot, and a largest one into an end of the steps. J segments, S sources, k groups.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.problem.canonical import Canonical
from app.planner.problem.sources import MOST
from app.planner.relaxation.certificate import Relaxation
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility

LadderSolver = Callable[[Utility, Ladder], Relaxation]
"""What finds the divisible optimum on a ladder."""


@dataclass(frozen=True)
class Rungs:
    """The segments [J] as steps by group and price, in effective samples of their group.

    segment: which one; group; price: share of the budget per effective sample; forced: taken in any case; room: what
    may be taken beyond that; rate: effective samples per ordered one. fixed [S]: orders held fixed.
    """

    segment: IntArray
    group: IntArray
    price: FloatArray
    forced: FloatArray
    room: FloatArray
    rate: FloatArray
    fixed: FloatArray


def is_separable(form: Canonical, utility: Utility) -> bool:
    """Whether the multiplier or the level solves the problem exactly."""
    return (
        (utility.is_additive or utility.is_level)
        and form.market.is_single
        and form.market.is_convex
        and not form.values.crossed
        and _is_bounded_by_group(form)
    )


def relax_separable(form: Canonical, utility: Utility, solve: LadderSolver) -> tuple[Relaxation, FloatArray]:
    """The divisible optimum by `solve`, orders [S] in ordered samples, and the shadow prices [R] of its rows."""
    market = form.market
    if market.is_plain and form.region.is_open:
        money = 1.0 if market.budget else 0.0
        ladder = Ladder.of(form.held, money, market.group, market.share, market.limit)
        return solve(utility, ladder), np.zeros(0)
    steps = _steps(form)
    forced = _orders(form, steps, steps.forced) + steps.fixed
    money = max(0.0, (1.0 if market.budget else 0.0) - _spent(form, steps))
    foot = form.held + market.added(forced)
    found = solve(utility, Ladder.of(foot, money, steps.group, steps.price, steps.room))
    taken = found.orders
    orders = forced + _orders(form, steps, taken)
    return replace(found, orders=orders), _row_prices(form, utility, steps, found, taken)


def _is_bounded_by_group(form: Canonical) -> bool:
    """Whether only groups' own counts are bounded, each of sources of one quality."""
    market = form.market
    if form.region.is_open:
        return True
    groups = [bound.group for bound in form.region.bounds]
    if any(group is None for group in groups):
        return False
    quality = np.array([source.quality for source in market.sources])
    return all(
        np.ptp(quality[market.group == group], axis=0) == 0.0 for group in groups if np.any(market.group == group)
    )


def _steps(form: Canonical) -> Rungs:
    market, segments = form.market, form.market.segments
    rate_of = np.array([source.yields[0][1] * source.acceptance_rate * source.quality for source in market.sources])
    fixed = np.array([source.fixed_order or 0 for source in market.sources], dtype=np.float64)
    free = np.array([source.fixed_order is None for source in market.sources], dtype=np.bool_)
    open_ = np.flatnonzero(free[segments.source])
    rate = rate_of[segments.source][open_]
    group, price = market.group[segments.source][open_], segments.price[open_] / rate
    order = np.lexsort((np.arange(len(open_)), price, group))
    segment, group, price, rate = open_[order], group[order], price[order], rate[order]
    source = segments.source[segment]
    ends = np.minimum(segments.starts[segment] + segments.length[segment], market.limit[source])
    length = np.clip(ends - segments.starts[segment], 0.0, float(MOST)) * rate
    least, most = _bounds(form, fixed)
    before = _before(length, group)
    forced = np.clip(least[group] - before, 0.0, length)
    room = np.clip(most[group] - before, 0.0, length) - forced
    # An end beyond every purchase is none.
    endless = np.isinf(most[group]) & (length >= MOST * rate)
    return Rungs(segment, group, price, forced, np.where(endless, np.inf, np.maximum(room, 0.0)), rate, fixed)


def _before(amounts: FloatArray, group: IntArray) -> FloatArray:
    """Sum of the amounts [J] of the same group's earlier steps; the groups ascend."""
    # Group by group, so that one group's endless step does not drown another's digits.
    before = np.zeros_like(amounts)
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    for place in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == place)
        before[here] = before[here - 1] + amounts[here - 1]
    return before


def _bounds(form: Canonical, fixed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The fewest and the most effective samples [k] that may be bought beside the fixed orders [S]."""
    market, region = form.market, form.region
    least, most = np.zeros(market.groups), np.full(market.groups, np.inf)
    there = market.accepted(fixed)
    for row, bound in enumerate(region.bounds):
        own = np.flatnonzero(market.group == bound.group)
        if bound.group is None or not len(own):
            continue
        quality = market.sources[own[0]].quality
        least[bound.group] = max(0.0, (region.lower[row] - there[bound.group]) * quality)
        most[bound.group] = max(0.0, (region.upper[row] - there[bound.group]) * quality)
    return least, most


def _orders(form: Canonical, steps: Rungs, taken: FloatArray) -> FloatArray:
    """Orders [S] in ordered samples of effective samples [J] taken on the steps."""
    source = form.market.segments.source[steps.segment]
    return np.bincount(source, weights=taken / steps.rate, minlength=len(form.market.sources)).astype(np.float64)


def _spent(form: Canonical, steps: Rungs) -> float:
    """The share of the budget that the forced and the fixed orders cost."""
    fixed = form.market.cost(steps.fixed.astype(np.int64)) / max(form.market.budget, 1)
    return float(steps.forced @ steps.price) + fixed


def _row_prices(form: Canonical, utility: Utility, steps: Rungs, found: Relaxation, taken: FloatArray) -> FloatArray:
    """Utility per raw sample by which each bound [R] is raised: what a sample is worth above its price, or below."""
    if form.region.is_open or not np.isfinite(found.multiplier):
        return np.zeros(len(form.region.bounds))
    worth = utility.gradient(found.terms.value) * found.terms.slope
    prices = np.zeros(len(form.region.bounds))
    for row, bound in enumerate(form.region.bounds):
        own = np.flatnonzero(steps.group == bound.group)
        if not len(own) or bound.group is None:
            continue
        quality = form.market.sources[form.market.segments.source[steps.segment[own[0]]]].quality
        full, forced = steps.room[own] - taken[own] <= 1e-9 * (1.0 + steps.room[own]), steps.forced[own] > 0.0
        used = own[(taken[own] > 0.0) | forced]
        gain = worth[bound.group] - found.multiplier * (steps.price[used[-1]] if len(used) else steps.price[own[0]])
        at_top = np.isfinite(form.region.upper[row]) and full.all()
        at_foot = forced.any() and not taken[own].any()
        prices[row] = quality * (max(gain, 0.0) if at_top else min(gain, 0.0) if at_foot else 0.0)
    return prices
