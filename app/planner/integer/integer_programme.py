"""Whole orders by the cutting planes' master with integers: lots, smallest orders, fixed costs, falling tiers.

Every round solves the master in whole numbers; its own bound holds for all orders, and its orders, costed exactly and
improved step by step, are the next candidate and where the next tangents touch (outer approximation, method.md 6).
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.exchange import Cart
from app.planner.integer.local_search import improve, repair
from app.planner.problem.linear import maximise_whole
from app.planner.problem.order_programme import Programme
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.master import Master
from app.planner.utility.values import Values

PROGRAMME_ROUNDS = 12
PROGRAMME_NODES = 4_000
"""Nodes of the integer solver in all rounds: a count, not a time, so that the same question has the same answer."""

BLUR = 2e-7
"""The integer solver keeps rows to 1e-7 or so of the gain: its bound is taken to be that much higher."""
ROUND_ABOUT = 4
"""So many lots beside the first orders tangents are laid, where all counts move all values: the steps that found the
divisible optimum left few."""
SHARE = 0.5
"""The integer solver may leave this share of the tolerance open."""


@dataclass(frozen=True)
class Whole:
    """The best whole orders [S] found, None where none was, and a bound that none exceeds; method and proof as in
    `Optimality`.
    """

    orders: IntArray | None
    utility: float
    bound: float
    method: str
    proof: str


def solve_whole(
    master: Master, best: Whole, tolerance: float, nodes: int = PROGRAMME_NODES, values: Values | None = None
) -> Whole:
    """The best whole orders, from `best` on, until its gap is at most `tolerance` of the gain or the nodes are used.

    values: what orders are judged by, where the master's are but a bound on them.
    """
    values = values or master.values
    orders, utility, bound = best.orders, best.utility, best.bound
    if orders is not None and master.values.crossed:
        master.cuts.add(_round_about(master, orders))
    seen: set[bytes] = set()
    for _ in range(PROGRAMME_ROUNDS):
        gain = max(utility - master.start, LEAST_GAIN) if orders is not None else np.inf
        if orders is not None and bound - utility <= max(tolerance, 1.5 * BLUR) * gain:
            break
        scale = float(np.clip(bound - master.start, LEAST_GAIN, None))
        question, constant = master.linear(scale)
        solution = maximise_whole(question, master.programme.integrality, SHARE * tolerance, nodes)
        bound = min(bound, constant + scale * (solution.bound + BLUR))
        nodes -= max(1, solution.nodes)
        if solution.columns is None:
            break
        found = whole_orders(master.programme, solution.columns)
        if found.tobytes() in seen or nodes <= 0:
            break
        seen.add(found.tobytes())
        master.cuts.add((master.held + master.programme.market.added(found))[:, None])
        master.refine(solution.columns, scale)
        cart = _candidate(master, values, found)
        if cart is None:
            continue
        master.cuts.add(cart.counts[:, None])
        if orders is None or cart.total > utility:
            orders, utility = cart.orders, cart.total
    return replace(best, orders=orders, utility=utility, bound=max(bound, utility))


def _round_about(master: Master, orders: IntArray) -> FloatArray:
    """Counts [k, 2 S] some lots of one source more, or less, than the orders: where whole orders are told apart."""
    market = master.programme.market
    steps = ROUND_ABOUT * market.effective.toarray() * market.lot
    counts = (master.held + market.added(orders))[:, None]
    return np.asarray(np.maximum(counts + np.concatenate([-steps, steps], axis=1), 0.0))


def whole_orders(programme: Programme, columns: FloatArray) -> IntArray:
    """The orders [S] of a solution in whole lots."""
    market = programme.market
    # Rounding errors of the solver aside, single samples that it did not hold whole are rounded down.
    lots = np.floor(programme.order_of @ columns / market.lot * (1.0 + 1e-7) + 1e-6).astype(np.int64)
    orders = np.minimum(lots * market.lot, market.most)
    orders = np.where(orders >= market.least, orders, 0)
    orders[programme.shut(columns)] = 0
    fixed = [source.fixed_order for source in market.sources]
    held = [order if kept is None else kept for order, kept in zip(orders.tolist(), fixed, strict=True)]
    return np.array(held, dtype=np.int64)


def _candidate(master: Master, values: Values, orders: IntArray) -> Cart | None:
    """The orders improved, where they are allowed or can be mended."""
    programme = master.programme
    cart = Cart(programme.market, programme.region, values, master.held, orders.copy())
    return improve(cart) if cart.is_allowed or repair(cart) else None
