"""Shadow prices: what loosening each constraint that binds is worth at the divisible optimum (method.md 6)."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.errors import BUDGET, Constraint
from app.planner.plan.decide import Decision
from app.planner.problem.canonical import Canonical
from app.planner.problem.constraints import Bound
from app.planner.wording import MILLIONTHS

LIMIT_ROUNDING = 1e-9
"""An order this near to its limit, in proportion, is at it."""
PRICE_ROUNDING = 1e-6
"""Shadow prices below this share of what the money for the unit buys elsewhere are rounding."""


@dataclass(frozen=True)
class BoundPrice:
    """A constraint that binds, and what it is worth to loosen it by one unit.

    shadow_price ≥ 0: utility per sample, per currency unit, or per 1 of a share.
    """

    constraint: Constraint
    shadow_price: float


def bound_prices(form: Canonical, decision: Decision) -> tuple[BoundPrice, ...]:
    """The budget's, the groups', the limits' and the sources' largest orders', where they are above 0.

    Lots, smallest orders and fixed costs are not in them: they belong to the divisible optimum. Nor are limits on how
    many sources get an order: no share of an order more can be allowed.
    """
    price = decision.relaxed.multiplier
    if decision.policy != "optimal" or not np.isfinite(price):
        return ()
    budget = max(form.market.budget, 1)
    found = [BoundPrice(BUDGET, price * MILLIONTHS / budget)] if price > 0.0 else []
    counts_orders = form.region.counts_orders.tolist()
    for bound, value, whole in zip(form.region.bounds, decision.rows.tolist(), counts_orders, strict=True):
        if whole:
            continue
        # A limit on a share r is the row Σ_M − r Σ_all: its price is that of the row times Σ_all.
        worth = value * (1.0 if bound.share is None else _whole(form, decision, bound))
        unit = bound.unit / MILLIONTHS if bound.unit > 1.0 else 1.0
        if abs(worth) > PRICE_ROUNDING * price * float(form.market.share.min(initial=1.0)):
            found.append(BoundPrice(bound.upper if value > 0.0 else bound.lower, abs(worth) / unit))
    return (*found, *_largest_orders(form, decision))


def _whole(form: Canonical, decision: Decision, bound: Bound) -> float:
    """What a limited share is a share of, at the divisible optimum."""
    orders = decision.relaxed.orders
    amounts = orders * form.market.share if bound.of_money else orders
    return bound.whole_held + float((np.zeros(len(orders)) if bound.whole is None else bound.whole) @ amounts)


def _largest_orders(form: Canonical, decision: Decision) -> list[BoundPrice]:
    """What a further sample of each source at its cap would gain beyond what its money buys elsewhere."""
    market, wanted = form.market, decision.relaxed.orders
    if not market.offers.capped.any():
        return []
    gain = _reduced_gains(form, decision)
    at_cap = np.isfinite(market.limit) & (market.limit > 0.0) & (wanted >= market.limit * (1.0 - LIMIT_ROUNDING))
    # What a sample more of a counted source is worth hangs on whether it gets an order at all.
    at_cap &= (
        ~market.offers.is_fixed
        & ~form.region.counted
        & (gain > PRICE_ROUNDING * decision.relaxed.multiplier * market.share)
    )
    found = []
    for at in np.flatnonzero(at_cap).tolist():
        source = form.sources[at]
        by_total = source.max_total is not None and source.max_total - source.ordered < (source.max_order or np.inf)
        name = "max_total" if by_total else "max_order"
        found.append(BoundPrice(Constraint("source", source.key, name), float(gain[at])))
    return found


def _reduced_gains(form: Canonical, decision: Decision) -> FloatArray:
    """Utility per further ordered sample [S] at the divisible optimum, less its price and what it takes of bounds."""
    relaxed, market = decision.relaxed, form.market
    gradient = form.utility.gradient(relaxed.terms.value)
    worth = gradient * relaxed.terms.slope
    if form.values.crossed:
        worth = gradient @ form.values.tangents(relaxed.counts)[1]
    orders = np.maximum(np.floor(relaxed.orders).astype(np.int64) - 1, 0)
    share = market.next_prices(orders) / max(market.budget, 1)
    taken = form.region.samples.T @ decision.rows + (form.region.costs.T @ decision.rows) * share
    return np.asarray(market.effective.T @ worth - relaxed.multiplier * share - taken)
