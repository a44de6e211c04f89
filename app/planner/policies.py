"""The heuristics every plan is compared with (planner.md 6). They need no curve: counts, money and weights decide.

All are whole orders within the sources' limits, the cheaper source of a group first. What a capped group cannot take
goes to the others; what whole lots leave over stays unspent.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.market import Market

Policy = Literal["optimal", "equal", "equal_spend", "proportional"]

HALVINGS = 60
"""Halvings of the share of `proportional`: enough for the last bit of a double."""


def equal(market: Market) -> IntArray:
    """Orders [S]: the largest equal count for every group with a source."""

    def orders(count: int) -> IntArray:
        return market.fill(np.full(market.groups, count))

    return orders(_largest(int(_offered(market).max(initial=0)), lambda count: _paid(market, orders(count))))


def equal_spend(market: Market) -> IntArray:
    """Orders [S]: the same money for every group with a source."""
    room = _full_cost(market)

    def within(money: int) -> bool:
        return int(sum(np.minimum(room, money).tolist())) <= market.budget

    money = _largest(market.budget, within)
    return market.fill_money(np.minimum(room, money))


def proportional(market: Market, weights: FloatArray) -> IntArray:
    """Orders [S]: counts in proportion to the weights [groups]."""
    offered = _offered(market)

    def orders(scale: float) -> IntArray:
        # A whole count that the halving approaches from below is not lost to its last bit.
        return market.fill(np.minimum(np.floor(scale * weights * (1.0 + 1e-12)), offered).astype(np.int64))

    served = (offered > 0) & (weights > 0)
    low, high = 0.0, float((offered[served] / weights[served]).max(initial=0.0))
    if _paid(market, orders(high)):
        return orders(high)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _paid(market, orders(middle)) else (low, middle)
    return orders(low)


def _largest(high: int, fits: Callable[[int], bool]) -> int:
    """The largest number from 0 to `high` that fits, where smaller ones fit too."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _paid(market: Market, orders: IntArray) -> bool:
    return market.cost(orders) <= market.budget


def _offered(market: Market) -> IntArray:
    """The most samples [groups] the sources would sell to this budget."""
    return market.added(market.most).astype(np.int64)


def _full_cost(market: Market) -> IntArray:
    """Cost [groups] of everything a group is offered, in millionths, at most the budget."""
    cost = np.zeros(market.groups, dtype=np.int64)
    for source in range(len(market.most)):
        group = market.group[source]
        cost[group] = min(market.budget, int(cost[group]) + int(market.most[source] * market.unit_cost[source]))
    return cost
