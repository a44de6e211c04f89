"""Whole samples of maximin for many groups at once (method.md 5 and 6, "Whole orders").

The case with one source a group and lots of 1: what rounding down leaves is spent sample by sample on the group that is
worst off, then samples are taken from groups that stay above those they are given to. Arrays [S] by source.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.problem.market import Market
from app.planner.utility.utility import Utility

SWAP_NOISE = 1e-15
"""A sample is moved where the group that gives it stays above by more than this share of the other's value."""
LEVEL_PASSES = 200
"""Over all groups, beside 20 for every source."""


def level_up(utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> tuple[IntArray, float]:
    """Orders [S] reached from affordable ones by feeding the worst off until nothing helps, and U after them."""
    state = _State.of(utility, market, held, orders)
    for _ in range(LEVEL_PASSES + 20 * len(orders)):
        if not (state.feed() or state.swap()):
            break
    return state.orders, utility.at(held + market.added(state.orders))


@dataclass
class _State:
    """Orders on the way. left: money not spent. below, value, above: V one sample before, at and after the counts.

    utility, held: of the sources' groups alone. by_price: the sources, cheapest first.
    """

    utility: Utility
    market: Market
    held: FloatArray
    orders: IntArray
    left: int
    below: FloatArray
    value: FloatArray
    above: FloatArray

    @classmethod
    def of(cls, utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> "_State":
        own = utility if len(market.group) == market.groups else utility.select(market.group)
        held = held[market.group]
        left = market.budget - market.cost(orders)
        below, value, above = (own.terms(np.maximum(held + orders + step, 0.0)).value.copy() for step in (-1, 0, 1))
        return cls(own, market, held, orders.copy(), left, below, value, above)

    def feed(self) -> bool:
        """A sample more for each of the worst off as far as the money goes; False where none can be bought.

        They are taken in the order of their values, up to the first that would have to wait for one fed before it.
        """
        price, utility = self.market.unit_cost, self.utility
        able = (self.orders < self.market.most) & (self.above > self.value) & (price <= self.left) & utility.counted
        ranked = np.flatnonzero(able)
        if not len(ranked):
            return False
        ranked = ranked[np.argsort(self.value[ranked], kind="stable")]
        lowest = np.minimum.accumulate(self.above[ranked])
        early = np.concatenate([[True], self.value[ranked[1:]] <= lowest[:-1]])
        if not early.all():
            ranked = ranked[: int(np.argmin(early))]
        taken = []
        while len(ranked):
            first = int(np.searchsorted(np.cumsum(price[ranked]), self.left, side="right"))
            taken.append(ranked[:first])
            self.left -= int(price[ranked[:first]].sum())
            rest = ranked[first:]
            ranked = rest[price[rest] <= self.left]
        self._step_up(np.concatenate(taken))
        return True

    def _step_up(self, at: IntArray) -> None:
        self.orders[at] += 1
        self.below[at], self.value[at] = self.value[at], self.above[at]
        self.above[at] = self.utility.select(at).terms(self.held[at] + self.orders[at] + 1.0).value

    def _exchange(self, back: int, forth: int) -> None:
        """A sample less of one source and one more of another."""
        self.orders[back] -= 1
        self.orders[forth] += 1
        self.above[back], self.value[back] = self.value[back], self.below[back]
        self.below[forth], self.value[forth] = self.value[forth], self.above[forth]
        both = np.array([back, forth])
        further = self.held[both] + self.orders[both] + np.array([-1.0, 1.0])
        value = self.utility.select(both).terms(np.maximum(further, 0.0)).value
        self.below[back], self.above[forth] = value[0], value[1]

    def swap(self) -> bool:
        """Feed the worst group that can be fed at the cost of one that stays above it; False where there is none."""
        market, by_price, counted = self.market, self.market.by_price, self.utility.counted
        price = market.unit_cost[by_price]
        # What a group that gives a sample falls to; one that does not count can give all it has.
        kept = np.where(self.orders > 0, np.where(counted, self.below, np.inf), -np.inf)[by_price]
        best = np.maximum.accumulate(kept[::-1])[::-1]
        able = counted & (self.orders < market.most) & (self.above > self.value) & (self.value < best[0])
        wanted = np.flatnonzero(able & (market.unit_cost <= self.left + int(price[-1])))
        first = np.searchsorted(price, market.unit_cost[wanted] - self.left)
        worth = wanted[best[first] > self.value[wanted] + SWAP_NOISE * np.abs(self.value[wanted])]
        if not len(worth):
            return False
        forth = int(worth[np.argmin(self.value[worth])])
        start = int(np.searchsorted(price, market.unit_cost[forth] - self.left))
        back = int(by_price[start + int(np.argmax(kept[start:]))])
        self.left += int(market.unit_cost[back]) - int(market.unit_cost[forth])
        self._exchange(back, forth)
        return True
