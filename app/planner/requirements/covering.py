"""The cheapest whole orders that bring every group the samples it needs (method.md 7).

The orders are those of `order_programme`, without a budget: counts N [k] after buying are bounded below, by numbers, by
linear cuts, or by concave functions of single counts that must sum to a level. Arrays [groups] in canonical order.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.integer.integer_programme import whole_orders
from app.planner.problem.canonical import Canonical
from app.planner.problem.linear import maximise_whole
from app.planner.problem.order_programme import Programme
from app.planner.problem.problem import MAX_BUDGET, Problem
from app.planner.requirements.demands import Need, question_of
from app.planner.requirements.supply import SUPPLY_GAP, SUPPLY_NODES, shortfall
from app.planner.utility.objective import Objective

COST_FACTORS = (4, 256, 10**5)
"""The money looked at, in multiples of a rough estimate: it only keeps the numbers of a size the solver likes."""
COUNT_ROUNDING = 1e-9
"""A count that is short by this share is reached."""


@dataclass(frozen=True)
class Cover:
    """Orders [S] in canonical order, what they cost in millionths, and by which share that can exceed the least."""

    form: Canonical
    orders: IntArray
    cost: int
    gap: float

    @property
    def counts(self) -> FloatArray:
        """Effective counts [groups] after the orders."""
        return self.form.held + self.form.market.added(self.orders)


def cover(problem: Problem, need: Need, rough: int) -> Cover | BoolArray:
    """The cheapest orders for the need; where there are none, the groups [groups] that fall short at the least.

    rough: an estimate of the cost in millionths, right to within a factor of COST_FACTORS.
    """
    short = np.ones(len(problem.keys), dtype=np.bool_)
    for factor in COST_FACTORS:
        budget = min(max(rough, 1) * factor, MAX_BUDGET)
        form = Canonical.of(replace(problem, budget=budget, objective=Objective("utilitarian")))
        found = _by_group(form, need)
        if found is not None:
            return found
        answer = _cheapest(form, need)
        if answer is not None:
            return answer
        short = shortfall(form, need)
        if budget == MAX_BUDGET:
            break
    return short


def _by_group(form: Canonical, need: Need) -> Cover | None:
    """The answer where every group has one source of its own and nothing else binds: the first order that is enough."""
    market = form.market
    own = np.bincount(market.group, minlength=market.groups)
    fixed = any(source.fixed_order is not None for source in market.sources)
    simple = market.is_single and form.region.is_open and not fixed and not need.hulls and not len(need.floor)
    missing = np.maximum(need.least - form.held, 0.0)
    if not simple or np.any(own > 1) or np.any((own == 0) & (missing > 0.0)):
        return None
    orders = np.zeros(len(market.sources), dtype=np.int64)
    for at, source in enumerate(market.sources):
        wanted = missing[market.group[at]] * (1.0 - COUNT_ROUNDING) / market.effective[[market.group[at]], [at]].sum()
        lots = -(-int(np.ceil(wanted)) // source.lot_size)
        order = max(lots * source.lot_size, source.least) if wanted > 0.0 else 0
        if source.cap is not None and order > source.cap:
            return None
        orders[at] = order
    return Cover(form, orders, market.cost(orders), 0.0)


def _cheapest(form: Canonical, need: Need) -> Cover | None:
    """The integer programme's answer, made to reach every need exactly; None where it found none."""
    programme = Programme(form.market, form.region, 0, whole=True, money=False)
    question = question_of(programme, form, need)
    solution = maximise_whole(question, programme.integrality, SUPPLY_GAP, SUPPLY_NODES)
    if solution.columns is None:
        return None
    orders = _lifted(form, need, whole_orders(programme, solution.columns))
    if not _is_met(form, need, orders):
        return None
    cost = form.market.cost(orders)
    least = -solution.bound * max(form.market.budget, 1)
    return Cover(form, orders, cost, float(max(0.0, (cost - least) / max(cost, 1))) if np.isfinite(least) else 1.0)


def _is_met(form: Canonical, need: Need, orders: IntArray) -> bool:
    """Whether the orders keep the region and reach what is needed, hulls aside: the solver has its tolerances."""
    counts = form.held + form.market.added(orders)
    enough = np.all(counts >= need.least - 2.0 * COUNT_ROUNDING * np.maximum(need.least, 1.0))
    cut = need.slopes.reshape(-1, len(counts)) @ counts - need.floor
    size = np.abs(need.slopes.reshape(-1, len(counts))) @ counts
    return bool(enough and np.all(cut >= -1e-5 * np.maximum(size, 1e-300))) and form.region.allows(form.market, orders)


def _lifted(form: Canonical, need: Need, orders: IntArray) -> IntArray:
    """The orders with a step more where the solver's own tolerance left a group short."""
    market, orders = form.market, orders.copy()
    for _ in range(4 * len(form.keys)):
        missing = need.least - (form.held + market.added(orders))
        short = np.flatnonzero(missing > COUNT_ROUNDING * np.maximum(need.least, 1.0))
        if not len(short):
            break
        feeds = market.effective[[int(short[0])]].tocoo().coords[1].tolist()
        steps = np.array([_step(form, orders, at) for at in range(len(orders))])
        values = form.region.values(market, orders)
        keeps = form.region.keeps(market, values, orders, steps.astype(np.float64), market.step_costs(orders, steps))
        able = [at for at in feeds if orders[at] + steps[at] <= market.most[at] and keeps[at]]
        if not able:
            break
        best = min(able, key=lambda at: market.sources[at].cost(int(orders[at] + steps[at])))
        orders[best] += steps[best]
    return orders


def _step(form: Canonical, orders: IntArray, at: int) -> int:
    return int(form.market.lot[at] if orders[at] else form.market.least[at])
