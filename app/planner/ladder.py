"""What divisible samples cost, group by group: a convex price ladder per group (planner.md 4).

S sources ordered by group and price, k groups. Money is a share of the budget, p a source's price in it.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray

ROUNDING = 1e-12
"""A count this near to a source's end, in proportion, is at it."""


@dataclass(frozen=True)
class Ladder:
    """foot [groups]: counts before buying. money: share of the budget to spend. Arrays [S]:

    group, price; limit: the most a source sells (inf: any amount); length: that, or what the money pays for;
    start: the group's count at which the source begins to serve.
    """

    foot: FloatArray
    money: float
    group: IntArray
    price: FloatArray
    limit: FloatArray
    start: FloatArray
    length: FloatArray

    @classmethod
    def of(cls, foot: FloatArray, money: float, group: IntArray, price: FloatArray, limit: FloatArray) -> "Ladder":
        """The ladder on which the sources of a group serve one after the other, each up to `limit` [S]."""
        length = np.minimum(limit, money / price)
        return cls(foot, money, group, price, limit, foot[group] + _before(length, group), length)

    def orders(self, reach: FloatArray) -> FloatArray:
        """Orders [S] where each source may serve its group up to the count `reach` [S]."""
        return np.clip(reach - self.start, 0.0, self.length)

    def counts(self, orders: FloatArray) -> FloatArray:
        """Counts [groups] after divisible orders [S]."""
        return self.foot + np.bincount(self.group, weights=orders, minlength=len(self.foot))

    def spend(self, orders: FloatArray) -> float:
        """Share of the budget that orders [S] cost."""
        return float((orders * self.price).sum())

    def top(self) -> FloatArray:
        """The highest counts [groups]: each group's if all the money went to it alone."""
        left = np.maximum(self.money - _before(self.length * self.price, self.group), 0.0)
        return self.counts(np.minimum(left / self.price, self.length))

    def marginal_price(self, counts: FloatArray) -> FloatArray:
        """Price of the next sample [groups] at `counts`, money aside; inf where the sources have no more."""
        end = (self.start + self.limit) * (1.0 - ROUNDING)
        open_at = np.where(counts[self.group] < end, self.price, np.inf)
        price = np.full(len(self.foot), np.inf)
        np.minimum.at(price, self.group, open_at)
        return price


def _before(amounts: FloatArray, group: IntArray) -> FloatArray:
    """Sum of the amounts [S] of the same group's earlier sources."""
    before = np.zeros_like(amounts)
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    for place in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == place)
        before[here] = before[here - 1] + amounts[here - 1]
    return before
