"""Policies that spend the money in small batches, each where it looks best at the counts reached (planner.md 6).

Both judge by point estimates: one curve per group, nothing is refitted between batches. S sources, k groups.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.filling import Shelves
from app.planner.market import Market
from app.planner.objective import Objective
from app.planner.single import point_estimate
from app.planner.utility import Terms, Utility

BATCHES = 1000
"""The money is spent in about this many batches."""

Rank = Callable[[Terms, FloatArray], FloatArray]
"""How good a batch of each source [S] is, from V and V' at the counts reached and the next prices; −inf: no use."""


def greedy(utility: Utility, market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: each batch to the largest marginal utility per cost at point estimates (Cai et al. 2022)."""
    point = replace(utility, posterior=point_estimate(utility.posterior))

    def rank(terms: Terms, price: FloatArray) -> FloatArray:
        gain = market.effective.T @ (point.gradient(terms.value) * terms.slope)
        return np.where(gain > 0.0, gain / price, -np.inf)

    return _spend(point, market, held, space, rank)


def worst_first(utility: Utility, market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: each batch to the group whose metric is worst, from its cheapest source.

    Groups that do not count are left out. After a batch the metric is the point estimate's at the new count.
    """
    # The benefit itself, whatever the objective makes of it.
    plain = replace(utility, objective=Objective("utilitarian"), posterior=point_estimate(utility.posterior))
    feeds = market.effective.T.tocsr()
    brought = np.asarray(feeds @ np.ones(market.groups))

    def rank(terms: Terms, price: FloatArray) -> FloatArray:
        value = np.where(utility.counted, terms.value, np.inf)
        worst = np.minimum.reduceat(value[feeds.indices], feeds.indptr[:-1]) if feeds.nnz else np.zeros(0)
        open_ = np.isfinite(worst) & np.isfinite(price)
        if not open_.any():
            return np.full(len(price), -np.inf)
        first = open_ & (worst == worst[open_].min())
        return np.where(first, brought / price, -np.inf)

    return _spend(plain, market, held, space, rank)


def _spend(utility: Utility, market: Market, held: FloatArray, space: FloatArray | None, rank: Rank) -> IntArray:
    """Orders [S] after batches to the source of the highest rank, until none can be paid for or is wanted."""
    shelves = Shelves(market, space)
    orders = shelves.fixed.copy()
    left = market.budget - market.cost(orders)
    batch = max(left // BATCHES, 1)
    counts = held + market.added(orders)
    terms = utility.terms(counts)
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
        groups = market.effective[:, [source]].tocoo().coords[0].astype(np.int64)
        counts[groups] = (held + market.added(orders))[groups]
        _update(terms, utility, counts, groups)
        step = shelves.step(orders)
        price[source] = _next_price(market, source, orders, step)
        price[step == 0] = np.inf


def _batch(market: Market, source: int, order: int, room: int, money: int, left: int) -> tuple[int, int]:
    """Samples to add to an order, and their cost: what `money` pays for, at least one step if `left` pays for that."""
    offer, lot = market.sources[source], int(market.lot[source])
    step = lot if order else int(market.least[source])

    def cost(added: int) -> int:
        return offer.cost(order + added) - offer.cost(order)

    if step > room or cost(step) > left:
        return 0, 0
    lots = max(0, min(room - step, (money - cost(step)) * step // max(cost(step), 1)) // lot)
    while lots and cost(step + lots * lot) > money:
        lots //= 2
    return step + lots * lot, cost(step + lots * lot)


def _next_prices(market: Market, orders: IntArray, step: IntArray) -> FloatArray:
    """Cost per sample [S] of the next step of every source, inf where there is none."""
    return np.array([_next_price(market, source, orders, step) for source in range(len(orders))], dtype=np.float64)


def _next_price(market: Market, source: int, orders: IntArray, step: IntArray) -> float:
    order, added, offer = int(orders[source]), int(step[source]), market.sources[source]
    return (offer.cost(order + added) - offer.cost(order)) / added if added else float("inf")


def _update(terms: Terms, utility: Utility, counts: FloatArray, groups: IntArray) -> None:
    """Sets the terms of some groups, in place."""
    fresh = utility.select(groups).terms(counts[groups])
    terms.value[groups], terms.slope[groups] = fresh.value, fresh.slope
