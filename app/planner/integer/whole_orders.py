"""The best whole orders found from the divisible optimum, and a bound that none exceeds (planner.md 4, "Integers")."""

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.branch_and_bound import branch
from app.planner.integer.exchange import Cart
from app.planner.integer.integer_programme import Whole, solve_whole
from app.planner.integer.local_search import improve, improve_towards, repair
from app.planner.integer.lots import Filled, round_down
from app.planner.integer.lots import improve as improve_plain
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import cheapest
from app.planner.problem.order_programme import Programme
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.cutting_planes import Master
from app.planner.relaxation.relax import Divisible

NEAR = 1e-5
"""Whole orders within this share of the gain of their bound are not searched further."""
BRANCHES = 60
BRANCH_WORK = 120_000
"""Curves (at least 600 per source) times nodes of branch and bound: large problems round well and would wait."""
SMALL = 16
"""Up to so many sources the integer programme is solved to the last digit."""
LARGEST = 600
"""More sources than this are not given to the integer programme."""
TIGHT, LOOSE = 1e-8, 9e-5
SMALL_NODES, LARGE_NODES = 6_000, 4_000
WHOLE = "The integer programme over tangents of every group's value bounds the utility of every allowed order."
BRANCHED = "The divisible optima of the parts that branching leaves open bound the utility of every allowed order."

Answer = tuple[IntArray, float, str, str]
"""Orders [S], the bound, and method and proof as in `Optimality`."""


def best_whole(form: Canonical, divisible: Divisible, baselines: list[IntArray]) -> Answer:
    """The best whole orders, never worse than an allowed baseline or than buying nothing more than must be bought."""
    utility = form.utility
    if form.market.is_plain and form.region.is_open and divisible.master is None and not form.values.crossed:
        bound = divisible.relaxation.bound
        if utility.objective.stop_ratio > 0.0:
            bound = divisible.relaxation.utility
        if not form.market.most.any():
            bound = utility.at(form.held)
        return _plain(form, divisible, baselines, bound)
    if utility.is_level and utility.objective.stop_ratio > 0.0 and divisible.master is None:
        cart = improve_towards(_cart(form, _rounded(form, divisible.relaxation.orders)), divisible.relaxation.orders)
        return cart.orders, divisible.relaxation.utility, divisible.method, divisible.proof
    return _general(form, divisible, baselines)


def keep_within(form: Canonical, orders: IntArray) -> IntArray:
    """Orders of a rule that does not know the bounds and limits, changed as little as steps can until they are kept."""
    cart = _cart(form, orders.copy())
    if cart.is_allowed or repair(cart):
        return cart.orders
    least = cheapest(form)
    return cart.orders if least is None else least


def _plain(form: Canonical, divisible: Divisible, baselines: list[IntArray], bound: float) -> Answer:
    """One group and one price per source and nothing else in the way: rounding, swaps, branch and bound."""
    utility, market, held, relaxed = form.utility, form.market, form.held, divisible.relaxation
    best = improve_plain(utility, market, held, round_down(market, relaxed.orders))
    if utility.objective.stop_ratio > 0.0:
        # The rule gives up some of the least benefit on purpose: no baseline is held against it.
        return best.orders, bound, divisible.method, divisible.proof
    # What a baseline buys for groups that do not count is money for those that do.
    for orders in [np.where(utility.counted[market.group], orders, 0) for orders in baselines]:
        if utility.at(held + market.added(orders)) > best.total:
            best = max(best, improve_plain(utility, market, held, orders), key=_total)
    work = max(len(form.keys) * utility.posterior.draws, 600 * len(market.most))
    nodes = min(BRANCHES, BRANCH_WORK // work)
    # V is concave: all the money gains at least what its last part does.
    near = bound - best.total <= NEAR * relaxed.multiplier
    if near or not nodes or _gap(bound, best.total, now := utility.at(held)) <= NEAR:
        return best.orders, bound, divisible.method, divisible.proof
    best, branched = branch(utility, market, held, best, now, nodes)
    return best.orders, min(bound, branched), divisible.method + ", branch and bound", BRANCHED


def _total(filled: Filled) -> float:
    return filled.total


def _gap(bound: float, total: float, now: float) -> float:
    return max(0.0, bound - total) / max(abs(bound - now), LEAST_GAIN)


def _general(form: Canonical, divisible: Divisible, baselines: list[IntArray]) -> Answer:
    """Any market: rounding and steps from several starts, then the integer programme where the gap is worth it."""
    market, bound = form.market, divisible.relaxation.bound
    now = form.values.total(form.held)
    best = _stepped(
        form, [_rounded(form, divisible.relaxation.orders), *baselines, _rounded(form, np.zeros(len(market.sources)))]
    )
    small = len(market.sources) <= SMALL
    stepped = not market.is_convex or bool(np.any(market.least > 1))
    near = TIGHT if small and stepped else NEAR
    settled = best.orders is not None and _gap(bound, best.utility, now) <= near
    if settled or len(market.sources) > LARGEST or not market.budget:
        return _answer(form, best, bound, divisible.method, divisible.proof)
    programme = Programme(market, form.region, form.utility.outer.extra, whole=True, single=small)
    cuts = None if divisible.master is None else divisible.master.cuts
    if cuts is not None and not small:
        cuts = cuts.thinned(divisible.relaxation.counts, 0.1 * LOOSE * max(bound - now, LEAST_GAIN))
    master = Master.of(form.values, programme, form.held, cuts)
    start = Whole(best.orders, best.utility, bound)
    found = solve_whole(master, start, TIGHT if small else LOOSE, SMALL_NODES if small else LARGE_NODES)
    return _answer(form, found, found.bound, divisible.method + ", integer programme", WHOLE)


def _answer(form: Canonical, best: Whole, bound: float, method: str, proof: str) -> Answer:
    orders = best.orders
    if orders is None:
        # Steps did not find what the check of feasibility did.
        least = cheapest(form)
        orders = np.zeros(len(form.sources), dtype=np.int64) if least is None else least
    # Tangents are kept to 10⁻¹⁰ of the gain: where values reach 10¹⁰ an answer can lie above their bound.
    return orders, max(bound, form.values.total(form.held + form.market.added(orders))), method, proof


def _stepped(form: Canonical, starts: list[IntArray]) -> Whole:
    """The best allowed orders reached by steps from the first start, mended where it must be, and from better ones."""
    best: Cart | None = None
    for at, orders in enumerate(starts):
        cart = _cart(form, orders.copy())
        # Only where nothing else is at hand are the later ones worth mending.
        allowed = cart.is_allowed or ((at == 0 or best is None) and repair(cart))
        if allowed and (best is None or cart.total > best.total):
            cart = improve(cart)
            best = cart if best is None or cart.total > best.total else best
    return Whole(None, -np.inf, np.inf) if best is None else Whole(best.orders, best.total, np.inf)


def _cart(form: Canonical, orders: IntArray) -> Cart:
    return Cart(form.market, form.region, form.values, form.held, orders)


def _rounded(form: Canonical, orders: FloatArray) -> IntArray:
    """Divisible orders [S] in whole lots, never more; below the smallest order nothing; fixed ones as they are."""
    market = form.market
    whole = np.floor(orders * (1.0 + 1e-12) + 1e-9).astype(np.int64) // market.lot * market.lot
    whole = np.minimum(whole, market.most)
    fixed = [source.fixed_order for source in form.sources]
    held = np.array([-1 if order is None else order for order in fixed], dtype=np.int64)
    return np.where(held >= 0, held, np.where(whole >= market.least, whole, 0))
