"""What divisible samples cost, group by group: a convex price ladder per group (method.md 6).

S segments ordered by group and price, k groups. A segment is a stretch of one price, of one source; several sources of
a group and their rising tiers make one ladder. Samples are effective: one that is accepted at the rate α and worth q
costs its price / (α q). Money is a share of the budget, p a segment's price in it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray

SEGMENT_ROUNDING = 1e-12
"""A count this near to a segment's end, in proportion, is at it."""


@dataclass(frozen=True)
class Ladder:
    """foot [groups]: counts before buying. money: share of the budget to spend. Arrays [S]:

    group, price; limit: the most a segment sells (inf: any amount); length: that, or what the money pays for;
    start: the group's count at which the segment begins to serve.
    """

    foot: FloatArray
    money: float
    group: IntArray
    price: FloatArray
    limit: FloatArray
    start: FloatArray
    length: FloatArray

    @classmethod
    def of(
        cls,
        foot: FloatArray,
        money: float,
        group: IntArray,
        price: FloatArray,
        limit: FloatArray,
        most: FloatArray | None = None,
    ) -> "Ladder":
        """The ladder on which the segments of a group serve one after the other, each up to `limit` [S].

        foot includes what has to be bought in any case; most [groups]: counts that no group may exceed, inf = none.
        """
        if most is not None:
            left = np.maximum(most - foot, 0.0)[group] - _before(limit, group)
            # A segment behind one without end has nothing left: inf − inf.
            limit = np.minimum(limit, np.maximum(np.where(np.isnan(left), 0.0, left), 0.0))
        length = np.minimum(limit, money / price)
        ladder = cls(foot, money, group, price, limit, foot, length)
        if isinstance(ladder.index, slice):
            return ladder
        return replace(ladder, start=foot[group] + _before(length, group))

    @cached_property
    def index(self) -> IntArray | slice:
        """`group`, or all groups as they are where each has one segment: a slice costs no copy."""
        groups = len(self.foot)
        one_each = len(self.group) == groups and groups and self.group[-1] == groups - 1 and _is_rising(self.group)
        return slice(None) if one_each else self.group

    def orders(self, reach: FloatArray) -> FloatArray:
        """Orders [S] where each segment may serve its group up to the count `reach` [S]."""
        return np.clip(reach - self.start, 0.0, self.length)

    def counts(self, orders: FloatArray) -> FloatArray:
        """Counts [groups] after divisible orders [S]."""
        return self.foot + self.per_group(orders)

    def per_group(self, amounts: FloatArray) -> FloatArray:
        """Sums [groups] of amounts [S]."""
        if isinstance(self.index, slice):
            return amounts
        return np.bincount(self.group, weights=amounts, minlength=len(self.foot)).astype(np.float64)

    def spend(self, orders: FloatArray) -> float:
        """Share of the budget that orders [S] cost."""
        return float((orders * self.price).sum())

    def top(self) -> FloatArray:
        """The highest counts [groups]: each group's if all the money went to it alone."""
        left = np.maximum(self.money - _before(self.length * self.price, self.group), 0.0)
        return self.counts(np.minimum(left / self.price, self.length))

    def marginal_price(self, counts: FloatArray) -> FloatArray:
        """Price of the next sample [groups] at `counts`, money aside; inf where the segments have no more."""
        end = (self.start + self.limit) * (1.0 - SEGMENT_ROUNDING)
        open_at = np.where(counts[self.group] < end, self.price, np.inf)
        price = np.full(len(self.foot), np.inf)
        np.minimum.at(price, self.group, open_at)
        return price


def _is_rising(group: IntArray) -> bool:
    return bool((group[1:] > group[:-1]).all())


def _before(amounts: FloatArray, group: IntArray) -> FloatArray:
    """Sum of the amounts [S] of the same group's earlier segments."""
    before = np.zeros_like(amounts)
    if _is_rising(group):
        return before
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    for place in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == place)
        before[here] = before[here - 1] + amounts[here - 1]
    return before
