"""Policies that spend the money in small batches, each where it looks best at the counts reached (method.md 8).

Both judge by point estimates: one curve per group, nothing is refitted between batches. S sources, k groups.
"""

from collections.abc import Callable
from dataclasses import replace
from heapq import heapify, heappop, heapreplace
from math import inf

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import point_estimate
from app.planner.policies.fill_orders import Shelves
from app.planner.policies.policy import Policy
from app.planner.problem.market import Market
from app.planner.problem.offers import RANKED_PRICE
from app.planner.relaxation.tabulation import tabulate
from app.planner.utility.objective import Objective
from app.planner.utility.utility import Utility, ValueAndSlope

GREEDY_BATCHES = 1000
"""The money is spent in about this many batches."""

Rank = Callable[[ValueAndSlope, FloatArray], FloatArray]
"""How good a batch of each source [S] is, from V and V' at the counts reached and the next prices; −inf: no use."""


Own = Callable[[ValueAndSlope], FloatArray]
"""The rank [S, n] from V and V' [S, n] of the sources' groups, where other groups don't matter."""
TABLE = 400_000
"""Ranks computed at once, at most."""


def greedy(utility: Utility, market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: each batch to the largest marginal utility per cost at point estimates (Cai et al. 2022)."""
    point = replace(utility, posterior=point_estimate(utility.posterior))
    feeds = market.effective.T.tocsr()

    def rank(terms: ValueAndSlope, price: FloatArray) -> FloatArray:
        gain = feeds @ (point.gradient(terms.value) * terms.slope)
        return np.where(gain > 0.0, gain / price, -np.inf)

    def own(terms: ValueAndSlope) -> FloatArray:
        gain = point.emphasis[market.group][:, None] * terms.slope
        return np.where(gain > 0.0, gain / market.unit_cost[:, None], -np.inf)

    return _spend(point, market, held, space, rank, own if point.is_additive else None)


def worst_first(utility: Utility, market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: each batch to the group whose metric is worst, from its cheapest source.

    Groups that do not count are left out. After a batch the metric is the point estimate's at the new count.
    """
    # The benefit itself, whatever the objective makes of it.
    plain = replace(utility, objective=Objective("utilitarian"), posterior=point_estimate(utility.posterior))
    feeds = market.effective.T.tocsr()
    brought = np.asarray(feeds @ np.ones(market.groups))

    def rank(terms: ValueAndSlope, price: FloatArray) -> FloatArray:
        value = np.where(utility.counted, terms.value, np.inf)
        worst = np.minimum.reduceat(value[feeds.indices], feeds.indptr[:-1]) if feeds.nnz else np.zeros(0)
        open_ = np.isfinite(worst) & np.isfinite(price)
        if not open_.any():
            return np.full(len(price), -np.inf)
        first = open_ & (worst == worst[open_].min())
        return np.where(first, brought / price, -np.inf)

    def own(terms: ValueAndSlope) -> FloatArray:
        return np.where(utility.counted[market.group][:, None], -terms.value, -np.inf)

    return _spend(plain, market, held, space, rank, own)


def _spend(
    utility: Utility, market: Market, held: FloatArray, space: FloatArray | None, rank: Rank, own: Own | None
) -> IntArray:
    """Orders [S] after batches to the source of the highest rank, until none can be paid for or is wanted.

    own: the rank of every source where it hangs on its own group alone.
    """
    shelves = Shelves(market, space)
    orders = shelves.fixed.copy()
    left = market.budget - market.cost(orders)
    batch = max(left // GREEDY_BATCHES, 1)
    counts = held + market.added(orders)
    terms = utility.terms(counts)
    if own is not None and _is_simple(market, space):
        left = _merged(utility, market, held, orders, batch, own)
        counts = held + market.added(orders)
        terms = utility.terms(counts)
    # They are changed step by step.
    terms = ValueAndSlope(terms.value.copy(), terms.slope.copy())
    reach = _Reach(utility, market, held)
    price = _next_prices(market, orders, shelves.step(orders))
    while True:
        ranks = np.where(np.isfinite(price), rank(terms, price), -np.inf)
        source = int(np.argmax(ranks)) if len(ranks) else 0
        if not len(ranks) or ranks[source] == -np.inf:
            return orders
        room = min(int(market.most[source] - orders[source]), shelves.room(orders, source))
        added, cost = _batch(market, source, int(orders[source]), room, min(batch, left), left)
        if not added:
            price[source] = np.inf
            continue
        orders[source] += added
        left -= cost
        reach.update(terms, orders, source)
        step = shelves.step(orders)
        price[source] = _next_price(market, source, orders, step)
        price[step == 0] = np.inf


def _is_simple(market: Market, space: FloatArray | None) -> bool:
    """Whether every group has one source, which sells it single samples at one price."""
    return bool(
        space is None
        and market.is_plain
        and len(np.unique(market.group)) == len(market.group)
        and (market.lot == 1).all()
        and (market.least == 1).all()
        and len(market.group) * GREEDY_BATCHES <= TABLE
    )


def _merged(utility: Utility, market: Market, held: FloatArray, orders: IntArray, batch: int, own: Own) -> int:
    """Adds to the orders, in place, while whole batches can be paid for, and returns the money left.

    All batches of a source are known beforehand, and so are their ranks; they are merged, the highest first.
    """
    left = market.budget - market.cost(orders)
    size = np.maximum(batch // market.unit_cost, 1)
    cost, rooms = (size * market.unit_cost).tolist(), ((market.most - orders) // size).tolist()
    most = min(max(rooms, default=0), left // min(cost, default=1) + 1)
    own_utility = utility.select(market.group)
    steps = orders[:, None] + size[:, None] * np.arange(most + 1)
    ranks = own(tabulate(own_utility, held[market.group][:, None] + steps)).tolist()
    taken = [0] * len(cost)
    heap = [(-row[0], source) for source, row in enumerate(ranks) if rooms[source]]
    heapify(heap)
    dearest = max(batch, *cost, 0)
    while heap and left >= dearest and heap[0][0] < inf:
        source = heap[0][1]
        taken[source] += 1
        left -= cost[source]
        if taken[source] < min(rooms[source], most):
            heapreplace(heap, (-ranks[source][taken[source]], source))
        else:
            heappop(heap)
    orders += size * np.array(taken, dtype=np.int64)
    return left


def _batch(market: Market, source: int, order: int, room: int, money: int, left: int) -> tuple[int, int]:
    """Samples to add to an order, and their cost: what `money` pays for, at least one step if `left` pays for that."""
    offer, lot = market.sources[source], int(market.lot[source])
    step = lot if order else int(market.least[source])

    def cost(added: int) -> int:
        return offer.cost(order + added) - offer.cost(order)

    least = cost(step) if step <= room else left + 1
    if least > left:
        return 0, 0
    lots = max(0, min(room - step, (money - least) * step // max(least, 1)) // lot)
    paid = cost(step + lots * lot) if lots else least
    while lots and paid > money:
        lots //= 2
        paid = cost(step + lots * lot)
    return step + lots * lot, paid


def _next_prices(market: Market, orders: IntArray, step: IntArray) -> FloatArray:
    """Cost per sample [S] of the next step of every source, inf where there is none."""
    return np.array([_next_price(market, source, orders, step) for source in range(len(orders))], dtype=np.float64)


def _next_price(market: Market, source: int, orders: IntArray, step: IntArray) -> float:
    order, added, offer = int(orders[source]), int(step[source]), market.sources[source]
    if not added:
        return float("inf")
    return max(offer.cost(order + added) - offer.cost(order), RANKED_PRICE) / added


class _Reach:
    """The terms that an order of one source changes, its utility picked out once."""

    def __init__(self, utility: Utility, market: Market, held: FloatArray) -> None:
        self.utility, self.held = utility, held
        self.rows, self.columns = market.effective.tocsr(), market.effective.tocsc()
        self.known: dict[int, tuple[IntArray, Utility, list[tuple[IntArray, FloatArray]]]] = {}

    def update(self, terms: ValueAndSlope, orders: IntArray, source: int) -> None:
        """Sets the terms of the source's groups at the counts that the orders lead to, in place."""
        if source not in self.known:
            self.known[source] = self._picked(source)
        groups, utility, fed = self.known[source]
        added = np.array([shares @ orders[sources] for sources, shares in fed])
        fresh = utility.terms(self.held[groups] + added)
        terms.value[groups], terms.slope[groups] = fresh.value, fresh.slope

    def _picked(self, source: int) -> tuple[IntArray, Utility, list[tuple[IntArray, FloatArray]]]:
        columns, rows = self.columns, self.rows
        groups = columns.indices[columns.indptr[source] : columns.indptr[source + 1]].astype(np.int64)
        fed = [slice(rows.indptr[g], rows.indptr[g + 1]) for g in groups]
        shares = [(rows.indices[one].astype(np.int64), np.asarray(rows.data[one], dtype=np.float64)) for one in fed]
        return groups, self.utility.select(groups), shares


GREEDY = Policy(
    key="greedy",
    label="Greedy",
    rule="batch by batch where the gain per cost is largest",
    reason="The policy gives each batch to the group with the largest gain per cost at its point estimate.",
    orders=lambda form, _: greedy(form.utility, form.market, form.held, form.space),
    needs_curves=True,
    unspent="At the point estimates more samples would not raise the utility.",
)
WORST_FIRST = Policy(
    key="worst_first",
    label="Worst group first",
    rule="the worst group first",
    reason="The policy gives each batch to the group that is worst off.",
    orders=lambda form, _: worst_first(form.utility, form.market, form.held, form.space),
    needs_curves=True,
    unspent="No source can serve the groups that count any further with it.",
)
