"""Whole orders of a compromise: the sum that has its optimum does not feel a lot that one stakeholder lacks."""

import numpy as np

from app.planner.arrays import IntArray
from app.planner.integer.whole_orders import mended, rounded
from app.planner.problem.canonical import Canonical
from app.planner.relaxation.relax import Divisible

MOST_STEPS = 200
SWAPPED, CLIMBED = 12, 128
"""Up to so many sources lots are exchanged between any two; up to so many are they tried one by one at all."""


def least_raised(form: Canonical, starts: list[IntArray], divisible: Divisible) -> IntArray:
    """Orders [S] with the highest least share found: from the best of allowed starts and the divisible answer rounded,
    a lot more, or a lot of one source for one of another, while that raises it.
    """
    near = mended(form, rounded(form, divisible.relaxation.orders))
    allowed = [(orders, _level(form, orders)) for orders in starts if _is_allowed(form, orders)]
    first = [max(allowed, key=lambda one: one[1])] if allowed else []
    if near is not None:
        first.append((near, _level(form, near)))
    found = [_climbed(form, *one) for one in first]
    return max(found, key=lambda one: one[1])[0] if found else starts[0]


def _climbed(form: Canonical, orders: IntArray, level: float) -> tuple[IntArray, float]:
    """The orders by steps that raise the least share most, and that share."""
    for _ in range(MOST_STEPS if len(orders) <= CLIMBED else 0):
        found = [(other, _level(form, other)) for other in _neighbours(form, orders)]
        other, reached = max(found, key=lambda one: one[1], default=(orders, level))
        if reached <= level:
            break
        orders, level = other, reached
    return orders, level


def _level(form: Canonical, orders: IntArray) -> float:
    counts = form.held + form.market.added(orders)
    return form.values.moved(counts).level(counts)


def _is_allowed(form: Canonical, orders: IntArray) -> bool:
    return form.market.cost(orders) <= form.market.budget and form.region.allows(form.market, orders)


def _neighbours(form: Canonical, orders: IntArray) -> list[IntArray]:
    market = form.market
    up = np.where(orders < market.least, market.least, orders + market.lot)
    down = np.where(orders - market.lot < market.least, 0, orders - market.lot)
    held = np.array([source.fixed_order is not None for source in form.sources], dtype=np.bool_)
    more = np.flatnonzero((up <= market.most) & ~held).tolist()
    less = np.flatnonzero((orders > 0) & ~held).tolist() if len(orders) <= SWAPPED else []
    found = []
    for at in more:
        for other in [None, *less]:
            if other == at:
                continue
            moved = orders.copy()
            moved[at] = up[at]
            if other is not None:
                moved[other] = down[other]
            if _is_allowed(form, moved):
                found.append(moved)
    return found
