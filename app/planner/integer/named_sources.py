"""Limits on how many sources get an order, once it is settled which ones: rows like any other (method.md 6).

Steps of a lot do not move an order from one source to another, and most policies don't know the limits. So the sources
are named first, as near to the orders at hand as an integer programme can: the others sell nothing, these must sell.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import Constraint
from app.planner.problem.canonical import Canonical
from app.planner.problem.constraints import Bound, Region
from app.planner.problem.linear import Linear, maximise_whole
from app.planner.problem.order_programme import Programme

NAMING_NODES = 2_000
NAMING_GAP = 1e-6
THRIFT = 1e-3
"""What the orders cost counts this much beside the money that stays with those who had it: between equals."""


@dataclass(frozen=True)
class Named:
    """form: the problem without limits on the number of orders. must [S]: the sources that have to get an order."""

    form: Canonical
    must: BoolArray

    @classmethod
    def near(cls, form: Canonical, orders: IntArray) -> "Named | None":
        """The sources with which most of the money of orders [S] stays where it is; None where none were found."""
        programme = Programme(form.market, form.region, 0, whole=True)
        solution = maximise_whole(_question(programme, orders), programme.integrality, NAMING_GAP, NAMING_NODES)
        if solution.columns is None:
            return None
        region, market = form.region, form.market
        named = programme.open_of @ solution.columns > 0.0
        named[programme.shut(solution.columns)] = False
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


def _question(programme: Programme, orders: IntArray) -> Linear:
    """The most of the orders' money that stays with its source, within the programme's rows."""
    market, rows = programme.market, programme.rows
    money = np.array(market.costs(orders), dtype=np.float64) / max(market.budget, 1)
    cost: FloatArray = np.ones(len(money)) @ programme.cost_of
    objective = money @ programme.open_of - THRIFT * cost
    lower, upper = (bound.copy() for bound in programme.bounds)
    values = slice(programme.at["t"].start, programme.at["z"].stop)
    lower[values] = upper[values] = 0.0
    return Linear(objective, rows.matrix, rows.lower, rows.upper, lower, upper)


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
