"""What one more unit of money is worth to each group, on average and by draw, and where no more can be bought.

Arrays in canonical order; prices and marginals per unit of the currency. S sources, k groups.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.plan.decide import Decision
from app.planner.problem.canonical import Canonical
from app.planner.utility.utility import Utility, ValueAndSlope
from app.planner.wording import MILLIONTHS


@dataclass(frozen=True)
class Margins:
    """now, after [k]: marginal utility per currency unit spent on the best source that feeds the group, what the source
    brings to other groups included; 0 without a source. price [k]: of the group's next effective sample now.

    open [k]: whether the group's sources sell more than the plan orders, money aside. For maximin a group's own benefit
    counts, whether it is the worst or not.
    """

    now: FloatArray
    after: FloatArray
    price: FloatArray
    open: BoolArray

    @classmethod
    def of(cls, form: Canonical, decision: Decision) -> "Margins":
        """The margins before and after the decision's orders."""
        nothing = np.zeros_like(decision.orders)
        first = _per_cost(form, nothing, worth(form, form.held, decision.now))
        later = _per_cost(form, decision.orders, worth(form, decision.counts, decision.after))
        now, _ = _best_of_group(form, first, room(form, nothing))
        after, still = _best_of_group(form, later, room(form, decision.orders))
        return cls(now, after, _sample_price(form), still)


def worth(form: Canonical, counts: FloatArray, terms: ValueAndSlope) -> FloatArray:
    """Utility per effective sample [k] at counts [k] and their terms, what it does for other groups included."""
    share = _shares(form, terms)
    if not form.values.crossed:
        return np.asarray(share * terms.slope)
    _, gradient = form.values.tangents(counts)
    return np.asarray(share @ gradient)


def taught(form: Canonical, counts: FloatArray, terms: ValueAndSlope) -> FloatArray:
    """Utility that a sample of each group (columns) is worth by what it does for each other group [k, k]."""
    if not form.values.crossed:
        return np.zeros((len(counts), len(counts)))
    _, gradient = form.values.tangents(counts)
    found = _shares(form, terms)[:, None] * gradient
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _shares(form: Canonical, terms: ValueAndSlope) -> FloatArray:
    """What a group's value counts for in the utility at the margin [k]."""
    utility = form.utility
    return utility.emphasis if utility.is_additive or utility.is_level else utility.gradient(terms.value)


def room(form: Canonical, orders: IntArray) -> BoolArray:
    """The sources [S] whose own limits, and their groups' bounds, leave room for a further step, money aside."""
    offers = form.market.offers
    steps = np.where(orders > 0, offers.lot, offers.least)
    found = ~offers.is_fixed & (~offers.capped | (orders + steps <= offers.cap))
    if form.region.is_open:
        return found
    costs = form.market.step_costs(orders, steps)
    values = form.region.values(form.market, orders)
    return found & form.region.keeps(form.market, values, orders, steps.astype(np.float64), costs)


def _per_cost(form: Canonical, orders: IntArray, value: FloatArray) -> FloatArray:
    """Utility per currency unit [S] of each source's next sample."""
    brought = form.market.effective.T @ value
    return np.asarray(brought / next_prices(form, orders))


def next_prices(form: Canonical, orders: IntArray) -> FloatArray:
    """Price of each source's next ordered sample [S] in currency units, fixed costs aside."""
    return form.market.next_prices(orders) / MILLIONTHS


def _best_of_group(form: Canonical, per_cost: FloatArray, free: BoolArray) -> tuple[FloatArray, BoolArray]:
    """The best source's figure [k] among those with room, the worst's where none has; and whether one has."""
    groups, sources = form.market.effective.tocoo().coords
    best, last = np.full(form.market.groups, -np.inf), np.full(form.market.groups, np.inf)
    np.maximum.at(best, groups[free[sources]], per_cost[sources[free[sources]]])
    np.minimum.at(last, groups, per_cost[sources])
    open_ = np.isfinite(best)
    return np.where(open_, best, np.where(np.isfinite(last), last, 0.0)), open_


def _sample_price(form: Canonical) -> FloatArray:
    """What an effective sample [k] costs from the cheapest source at the first price, inf without a source."""
    entries = form.market.effective.tocoo()
    groups, sources = entries.coords
    price = np.full(form.market.groups, np.inf)
    np.minimum.at(price, groups, next_prices(form, np.zeros(len(form.sources), dtype=np.int64))[sources] / entries.data)
    return price


def marginal_draws(form: Canonical, decision: Decision) -> FloatArray:
    """Marginal utility per currency unit [groups, draws] after the decision; its mean is that of `Margins.after`."""
    slope = decision.after.slope
    per_slope = np.divide(Margins.of(form, decision).after, slope, out=np.zeros_like(slope), where=slope > 0.0)
    return np.asarray(per_slope[:, None] * slope_draws(form.values.moved(decision.counts), decision.counts))


def slope_draws(utility: Utility, counts: FloatArray) -> FloatArray:
    """dφ/dn [groups, draws] at counts [groups]: what the mean over draws in V' is taken of, `gap`'s kink left out."""
    loss, slope = utility.posterior.loss_and_slope(counts)
    return np.asarray(utility.worth(loss) * np.where(loss > 0.0, -slope, 0.0) / utility.unit[:, None])
