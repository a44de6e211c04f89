"""The best whole orders found from the divisible optimum, and a bound that none exceeds (method.md 6, "Whole orders").

Two families: paths of single samples, for groups that each buy from one source, and the general search by steps
with the integer programme behind it. Every way has the same form: whether it accepts a question, and its answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.exchange import Cart
from app.planner.integer.integer_programme import Whole, solve_whole
from app.planner.integer.local_search import improve, improve_towards, repair
from app.planner.integer.named_sources import Named
from app.planner.integer.unit_levels import level_up
from app.planner.integer.unit_samples import has_single_samples, top_up
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import cheapest
from app.planner.problem.market import Market
from app.planner.problem.order_programme import Programme
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.master import Master
from app.planner.relaxation.relax import Divisible
from app.planner.utility.utility import Utility

SETTLED_GAP = 1e-5
"""Whole lots of small problems within this share of the gain of their bound are not searched further."""
SMALL = 16
"""Up to so many sources the integer programme is solved to the last digit."""
MOST_SOURCES, MOST_UNIT_SOURCES = 600, 64
"""More sources than this are not given to the integer programme; more that sell single samples, one for each group."""
TIGHT, LOOSE = 1e-8, 9e-5
"""Gaps that the integer programme is asked for, of small and of large problems."""
SMALL_NODES, LARGE_NODES = 6_000, 4_000
CLASHING_NODES = 300
"""Where groups clash its bound is loose, and it is asked for other orders to start from alone."""
WHOLE = "The integer programme over tangents of every group's value bounds the utility of every allowed order."

Answer = tuple[IntArray, float, str, str]
"""Orders [S], the bound, and method and proof as in `Optimality`."""
Path = Callable[[Utility, Market, FloatArray, IntArray], tuple[IntArray, float]]
"""Orders [S] reached from affordable ones, and U there."""
Rule = Callable[[Canonical], IntArray]
"""Orders [S] of a problem."""


@dataclass(frozen=True)
class Question:
    """What whole orders are sought for. baselines: allowed orders [S] than which none may be worse."""

    form: Canonical
    divisible: Divisible
    baselines: list[IntArray]

    @property
    def is_small(self) -> bool:
        """Whether the integer programme can end at the last digit."""
        return len(self.form.sources) <= SMALL

    @cached_property
    def rests(self) -> bool:
        """Whether a stop rule's resting point is asked for, not an optimum."""
        return self.form.utility.rests and self.divisible.master is None

    @cached_property
    def is_unit(self) -> bool:
        """Whether groups buy single samples from one source each, with nothing else in the way."""
        form = self.form
        if self.rests or self.divisible.master is not None or form.values.crossed:
            return False
        is_fit = form.utility.is_additive or form.utility.is_level
        return is_fit and form.market.is_plain and form.region.is_open and has_single_samples(form.market)

    @cached_property
    def now(self) -> float:
        """U at the counts held."""
        return self.form.values.total(self.form.held)

    @property
    def near(self) -> float:
        """The gap at which no later way is asked."""
        market, region = self.form.market, self.form.region
        if not self.is_small:
            return LOOSE
        stepped = not market.is_convex or np.any(market.least > 1) or region.counted.any()
        return TIGHT if stepped else SETTLED_GAP

    def gap(self, found: Whole) -> float:
        """What the answer leaves open, as a share of the gain."""
        return max(0.0, found.bound - found.utility) / max(abs(found.bound - self.now), LEAST_GAIN)

    def unsolved(self) -> Whole:
        """No orders yet, and the divisible optimum's bound."""
        divisible = self.divisible
        bound = divisible.relaxation.utility if self.rests else divisible.relaxation.bound
        if not self.form.market.most.any():
            bound = self.now
        return Whole(None, -np.inf, bound, divisible.method, divisible.proof)


class WholeSolver(Protocol):
    """One way to whole orders."""

    def accepts(self, question: Question) -> bool:
        """Whether `solve` may be asked."""

    def solve(self, question: Question, best: Whole) -> Whole:
        """The best orders it finds, no worse than `best`, and the bound."""


class RestingPoint:
    """Whole orders near the resting point of `stop_ratio`. No baseline is held against it: the rule gives up some of
    the least benefit on purpose.
    """

    def accepts(self, question: Question) -> bool:
        """Where the rule is heeded."""
        return question.rests

    def solve(self, question: Question, best: Whole) -> Whole:
        """The divisible orders rounded down, and a step more of those cut most."""
        wanted = question.divisible.relaxation.orders
        cart = improve_towards(_cart(question.form, rounded(question.form, wanted)), wanted)
        return replace(best, orders=cart.orders, utility=cart.total)


class UnitSamples:
    """Single samples of a utility that is a sum."""

    def accepts(self, question: Question) -> bool:
        """Where groups buy single samples from one source each."""
        return question.is_unit and question.form.utility.is_additive

    def solve(self, question: Question, best: Whole) -> Whole:
        """The divisible orders rounded down, or a better baseline, filled up and swapped."""
        return _from_starts(question, best, top_up)


class UnitLevels:
    """Single samples of maximin."""

    def accepts(self, question: Question) -> bool:
        """Where groups buy single samples from one source each."""
        return question.is_unit and question.form.utility.is_level

    def solve(self, question: Question, best: Whole) -> Whole:
        """The divisible orders rounded down, or a better baseline, the worst off fed and swapped for."""
        return _from_starts(question, best, level_up)


class LocalSearch:
    """Rounding and steps from several starts, in any market."""

    def accepts(self, question: Question) -> bool:
        """Where no rule and no path of single samples answers."""
        return not (question.is_unit or question.rests)

    def solve(self, question: Question, best: Whole) -> Whole:
        """The best of what steps reach from the divisible orders, the baselines and nothing."""
        form, divisible = question.form, question.divisible
        nothing, first = np.zeros(len(form.sources)), rounded(form, divisible.relaxation.orders)
        if form.region.counted.any():
            near = mended(form, first)
            first = first if near is None else near
        starts = [first, *question.baselines, rounded(form, nothing)]
        cart = _stepped(form, starts)
        return best if cart is None else replace(best, orders=cart.orders, utility=cart.total)


class IntegerProgramme:
    """The master with integers, where the gap is worth it."""

    def accepts(self, question: Question) -> bool:
        """Where steps do, the problem is not too large, and there is money; under a bound on clashing groups' values
        alone, where lots and smallest orders keep steps from what is better."""
        most = MOST_UNIT_SOURCES if question.is_unit else MOST_SOURCES
        if question.form.values.clashes and has_single_samples(question.form.market):
            return False
        return not question.rests and len(question.form.sources) <= most and question.form.market.budget > 0

    def solve(self, question: Question, best: Whole) -> Whole:
        """The best orders of the programme, improved by steps."""
        form, small, cuts, values = question.form, question.is_small, None, question.form.values
        if values.clashes and question.divisible.master is not None:
            values = question.divisible.master.values
        if question.divisible.master is not None:
            cuts = question.divisible.master.cuts
            if not small:
                error = 0.1 * LOOSE * max(best.bound - question.now, LEAST_GAIN)
                cuts = cuts.thinned(question.divisible.relaxation.counts, error)
        single = small or question.is_unit
        programme = Programme(form.market, form.region, form.utility.outer.extra, whole=True, single=single)
        master = Master.of(values, programme, form.held, cuts)
        nodes = CLASHING_NODES if form.values.clashes else SMALL_NODES if small else LARGE_NODES
        found = solve_whole(master, best, TIGHT if small else LOOSE, nodes, form.values)
        return replace(found, method=best.method + ", integer programme", proof=WHOLE)


SOLVERS: tuple[WholeSolver, ...] = (RestingPoint(), UnitSamples(), UnitLevels(), LocalSearch(), IntegerProgramme())


def best_whole(form: Canonical, divisible: Divisible, baselines: list[IntArray]) -> Answer:
    """The best whole orders, by the chain's solvers until the gap is small enough: each improves on the one before.

    Never worse than an allowed baseline or than buying nothing more than must be bought.
    """
    question = Question(form, divisible, baselines)
    best = question.unsolved()
    for solver in SOLVERS:
        if solver.accepts(question):
            if best.orders is not None and question.gap(best) <= question.near:
                break
            best = solver.solve(question, best)
    orders = best.orders
    if orders is None:
        # Steps did not find what the check of feasibility did.
        least = cheapest(form)
        orders = np.zeros(len(form.sources), dtype=np.int64) if least is None else least
    # Tangents are kept to 10⁻¹⁰ of the gain: where values reach 10¹⁰ an answer can lie above their bound.
    return orders, best.bound if question.rests else max(best.bound, best.utility), best.method, best.proof


def mended(form: Canonical, orders: IntArray) -> IntArray | None:
    """The orders changed as little as steps can until bounds and limits are kept; None where steps do not get there."""
    if form.region.allows(form.market, orders) and form.market.cost(orders) <= form.market.budget:
        return orders
    if form.region.counted.any():
        named = Named.near(form, orders)
        return None if named is None else mended(named.form, named.started(orders))
    cart = _cart(form, orders.copy())
    return cart.orders if repair(cart) else None


def within(form: Canonical, rule: Rule) -> IntArray:
    """A rule's orders [S] by `fitted`; where steps do not get there, the cheapest that bounds and limits allow."""
    orders = fitted(form, rule)
    least = cheapest(form) if orders is None else orders
    return rule(form) if least is None else least


def fitted(form: Canonical, rule: Rule) -> IntArray | None:
    """Orders of a rule that does not know the bounds and limits, changed as little as steps can until they are kept;
    where too many or too few sources get one, its orders among sources that may. None where steps do not get there.
    """
    orders = rule(form)
    if form.region.counted.any() and not form.region.allows(form.market, orders):
        named = Named.near(form, orders)
        return None if named is None else mended(named.form, named.ordered(rule))
    return mended(form, orders)


def _from_starts(question: Question, best: Whole, path: Path) -> Whole:
    """The best of what a path of single samples reaches from the divisible orders and from better baselines."""
    form = question.form
    utility, market, held = form.utility, form.market, form.held
    orders, total = path(utility, market, held, market.rounded_down(question.divisible.relaxation.orders))
    # What a baseline buys for groups that do not count is money for those that do.
    for start in [np.where(utility.counted[market.group], start, 0) for start in question.baselines]:
        if utility.at(held + market.added(start)) > total:
            other, reached = path(utility, market, held, start)
            orders, total = (other, reached) if reached > total else (orders, total)
    return replace(best, orders=orders, utility=total)


def _stepped(form: Canonical, starts: list[IntArray]) -> Cart | None:
    """The best allowed orders reached by steps from the first start, mended where it must be, and from better ones."""
    best: Cart | None = None
    for at, orders in enumerate(starts):
        cart = _cart(form, orders.copy())
        # Only where nothing else is at hand are the later ones worth mending.
        allowed = cart.is_allowed or ((at == 0 or best is None) and repair(cart))
        if allowed and (best is None or cart.total > best.total):
            cart = improve(cart)
            best = cart if best is None or cart.total > best.total else best
    return best


def _cart(form: Canonical, orders: IntArray) -> Cart:
    return Cart(form.market, form.region, form.values, form.held, orders)


def rounded(form: Canonical, orders: FloatArray) -> IntArray:
    """Divisible orders [S] in whole lots, never more; below the smallest order nothing; fixed ones as they are."""
    market = form.market
    whole = np.floor(orders * (1.0 + 1e-12) + 1e-9).astype(np.int64) // market.lot * market.lot
    whole = np.minimum(whole, market.most)
    fixed = [source.fixed_order for source in form.sources]
    held = np.array([-1 if order is None else order for order in fixed], dtype=np.int64)
    return np.where(held >= 0, held, np.where(whole >= market.least, whole, 0))
