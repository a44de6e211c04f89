"""Branch and bound over whole lots and smallest orders (planner.md 4).

Notation as in `integers`. A node bounds every order from below and above by amounts that can be bought; its divisible
optimum bounds all its whole answers. Best first: the node with the highest bound is split at the source with the
most money between two allowed orders.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.lots import Filled, improve, round_down
from app.planner.problem.market import Market
from app.planner.relaxation.multiplier import solve
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility

ROUGH = 1e-7
"""How exactly a node is solved, as a share of the gain; its bound holds in any case."""
CLOSE = 1e-7
"""A node whose bound exceeds the best answer by less than this share of the gain is not opened."""
WHOLE = 1e-7
"""Orders this near to an allowed one count as allowed."""


@dataclass(frozen=True)
class _Node:
    lower: IntArray
    upper: IntArray
    orders: FloatArray
    bound: float


def branch(
    utility: Utility, market: Market, held: FloatArray, best: Filled, now: float, nodes: int
) -> tuple[Filled, float]:
    """The best orders found within `nodes` nodes, and a bound that none exceed. now: U at the counts held."""
    root = _relax(utility, market, held, np.zeros_like(market.most), market.most)
    queue = [(-root.bound, 0, root)]
    opened, closed = 0, -np.inf
    while queue:
        node = queue[0][2]
        closed_at = best.total + CLOSE * max(best.total - now, 0.0)
        source = _split(market, node)
        if node.bound <= closed_at or opened >= nodes:
            break
        heapq.heappop(queue)
        found = improve(utility, market, held, round_down(market, node.orders))
        if found.total > best.total:
            best = found
        if source is None:
            closed = max(closed, node.bound)
            continue
        for child in _children(utility, market, held, node, source):
            opened += 1
            heapq.heappush(queue, (-child.bound, opened, child))
    open_bound = max((node.bound for _, _, node in queue), default=-np.inf)
    return best, max(best.total, closed, open_bound)


def _relax(utility: Utility, market: Market, held: FloatArray, lower: IntArray, upper: IntArray) -> _Node:
    foot = held + market.added(lower)
    money = (market.budget - market.cost(lower)) / max(market.budget, 1)
    room = (upper - lower).astype(np.float64)
    found = solve(utility, Ladder.of(foot, money, market.group, market.share, room), ROUGH)
    return _Node(lower, upper, lower + found.orders, found.bound)


def _allowed(market: Market, orders: FloatArray) -> tuple[IntArray, IntArray]:
    """The nearest orders [S] that can be placed, from below and from above."""
    steps = np.floor(orders + WHOLE * (1.0 + orders)).astype(np.int64) // market.lot * market.lot
    below = np.where(steps >= market.least, steps, 0)
    above = np.where(steps >= market.least, steps + market.lot, market.least)
    return below, above


def _split(market: Market, node: _Node) -> int | None:
    """The source whose order has the most money between it and the nearest allowed one; None: all are allowed."""
    below, above = _allowed(market, node.orders)
    away = np.minimum(node.orders - below, above - node.orders)
    away = np.where(away > WHOLE * (1.0 + node.orders), away * market.share, 0.0)
    source = int(np.argmax(away)) if len(away) else 0
    return source if away.any() else None


def _children(utility: Utility, market: Market, held: FloatArray, node: _Node, source: int) -> list[_Node]:
    below, above = _allowed(market, node.orders)
    lower, upper = node.lower.copy(), node.upper.copy()
    upper[source], lower[source] = below[source], above[source]
    children = [_relax(utility, market, held, node.lower, upper)]
    if lower[source] <= node.upper[source] and market.cost(lower) <= market.budget:
        children.append(_relax(utility, market, held, lower, node.upper))
    return children
