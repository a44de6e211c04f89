"""Limits on how many sources get an order, once it is settled which ones: rows like any other (method.md 6).

Steps of a lot do not move an order from one source to another, and most policies don't know the limits. So the sources
are named first, as near to the orders at hand as an integer programme can: the others sell nothing, these must sell.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, diags_array, hstack, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import Constraint
from app.planner.problem.canonical import Canonical
from app.planner.problem.constraints import Bound, Region
from app.planner.problem.linear import Linear, maximise_whole
from app.planner.problem.order_programme import Programme

NAMING_NODES = 2_000
NAMING_GAP = 1e-6
STAYS, THRIFT = 0.1, 1e-3
"""How much money that stays with its source, and what the orders cost, count beside money that stays with its group."""


@dataclass(frozen=True)
class Named:
    """form: the problem without limits on the number of orders. must [S]: the sources that have to get an order."""

    form: Canonical
    must: BoolArray

    @classmethod
    def near(cls, form: Canonical, orders: IntArray) -> "Named | None":
        """The sources with which most of the money of orders [S] can stay with its groups, and then with its sources;
        None where none were found.
        """
        programme = Programme(form.market, form.region, 0, whole=True)
        integrality = np.concatenate([programme.integrality, np.zeros(len(form.keys), dtype=np.int64)])
        solution = maximise_whole(_question(form, programme, orders), integrality, NAMING_GAP, NAMING_NODES)
        if solution.columns is None:
            return None
        region, market, columns = form.region, form.market, solution.columns[: programme.columns]
        named = programme.open_of @ columns > 0.0
        named[programme.shut(columns)] = False
        # A source that only largest numbers count need not be ordered from.
        least = region.opens[np.flatnonzero(np.isfinite(region.lower))]
        must = named & (np.asarray(least.sum(axis=0)).ravel() > 0.0)
        rest = Region.joined([region.without(region.counts_orders), _smallest_orders(form, must)], len(named))
        return cls(replace(form, market=market.closing(region.counted & ~named), region=rest), must)

    def started(self, orders: IntArray) -> IntArray:
        """Orders [S] without those of closed sources, and with the smallest of each that must have one."""
        market = self.form.market
        kept = np.where((market.limit > 0.0) | market.offers.is_fixed, orders, 0)
        return np.where(self.must & (kept == 0), market.least, kept)

    def ordered(self, rule: Callable[[Canonical], IntArray]) -> IntArray:
        """Orders [S] of a rule among these sources, money set apart for those that it leaves out."""
        market = self.form.market
        orders = rule(self.form)
        left_out = self.must & (orders == 0)
        if left_out.any():
            aside = market.cost(np.where(left_out, market.least, 0))
            orders = rule(self.form.with_budget(max(market.budget - aside, 0)))
        return self.started(orders)


def _question(form: Canonical, programme: Programme, orders: IntArray) -> Linear:
    """The programme with a column served ≤ 1 more for each group: at most the number of its sources that are open."""
    market, rows, groups = form.market, programme.rows, len(form.keys)
    money = np.array(market.costs(orders), dtype=np.float64) / max(market.budget, 1)
    cost: FloatArray = np.ones(len(money)) @ programme.cost_of
    objective = STAYS * (money @ programme.open_of) - THRIFT * cost
    lower, upper = (bound.copy() for bound in programme.bounds)
    values = slice(programme.at["t"].start, programme.at["z"].stop)
    lower[values] = upper[values] = 0.0
    feeds = market.effective.copy()
    feeds.data = np.ones_like(feeds.data)
    # Sources that no such limit counts are there whichever are named.
    served = feeds @ (~form.region.counted & (market.most > 0)) > 0.0
    link = csr_array(hstack([-feeds @ programme.open_of, diags_array(np.ones(groups))]))
    beside = csr_array(hstack([rows.matrix, csr_array((rows.matrix.shape[0], groups))]))
    return Linear(
        np.concatenate([objective, form.spent_on(money)]),
        csr_array(vstack([beside, link])),
        np.concatenate([rows.lower, np.full(groups, -np.inf)]),
        np.concatenate([rows.upper, served.astype(np.float64)]),
        np.concatenate([lower, np.zeros(groups)]),
        np.concatenate([upper, np.ones(groups)]),
    )


def _smallest_orders(form: Canonical, must: BoolArray) -> Region:
    """Rows that hold every source of `must` [S] to its smallest order."""
    sources = np.flatnonzero(must)
    shape = (len(sources), len(must))
    line = csr_array((np.ones(len(sources)), (np.arange(len(sources)), sources)), shape=shape)
    bounds = []
    for at in sources.tolist():
        constraint = Constraint("source", form.market.sources[at].key, "min_order")
        bounds.append(Bound(constraint, constraint))
    least, none = form.market.least[sources].astype(np.float64), csr_array(shape)
    return Region(line, none, none, least, np.full(len(sources), np.inf), tuple(bounds))
