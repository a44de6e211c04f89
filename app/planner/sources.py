"""What samples can be bought from, and at which price (planner.md 4).

S sources; money is in whole millionths of the currency and never leaves the integers here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray

MOST = 10**15
"""The largest order that is ever planned, in samples."""


class SourceError(ValueError):
    """A source's numbers contradict themselves; the message names it."""


@dataclass(frozen=True)
class Tier:
    """Samples of one order beyond `start` cost `unit_cost` millionths each, those up to it the price before."""

    start: int
    unit_cost: int


@dataclass(frozen=True)
class Source:
    """An offer of samples; money in millionths of the currency, orders in ordered samples.

    yields: (index of a group, share of the delivered samples that belong to it), ascending; the rest is of no use.
    unit_cost: price of a sample, that of the first tier where there are `tiers`. An order is 0 or a multiple of
    lot_size between min_order and max_order (None: no limit). fixed_cost: once per order above 0.
    max_total: over the project, of which `ordered` are ordered already. project_tiers: tiers count from `ordered`.
    acceptance_rate α: share that passes review. quality q: clean samples that an accepted one is worth.
    billed: whether the price is charged on the ordered samples x or on α·x, tiers included.
    fixed_order: this round's order is held at this; the rest is optimised.
    """

    key: str
    yields: tuple[tuple[int, float], ...]
    unit_cost: int
    min_order: int = 0
    max_order: int | None = None
    lot_size: int = 1
    tiers: tuple[Tier, ...] = ()
    fixed_cost: int = 0
    max_total: int | None = None
    ordered: int = 0
    project_tiers: bool = False
    acceptance_rate: float = 1.0
    quality: float = 1.0
    billed: Literal["delivered", "accepted"] = "delivered"
    fixed_order: int | None = None

    def __post_init__(self) -> None:
        if self.unit_cost <= 0:
            raise SourceError(f"source {self.key}: unit_cost is {self.unit_cost} millionths; it must be above 0")
        if self.lot_size < 1:
            raise SourceError(f"source {self.key}: lot_size is {self.lot_size}; it must be at least 1")
        for name in ("min_order", "max_order", "fixed_cost", "max_total", "ordered", "fixed_order"):
            number = getattr(self, name)
            if number is not None and number < 0:
                raise SourceError(f"source {self.key}: {name} is {number}; it must be at least 0")
        for name in ("acceptance_rate", "quality"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise SourceError(f"source {self.key}: {name} is {getattr(self, name)}; it must lie above 0, up to 1")
        self._check_yields()
        self._check_tiers()

    def _check_yields(self) -> None:
        places = [group for group, _ in self.yields]
        if not places or places != sorted(set(places)):
            raise SourceError(f"source {self.key}: yields must name at least one group, each once, in their order")
        if not all(share > 0.0 for _, share in self.yields) or sum(share for _, share in self.yields) > 1.0 + 1e-9:
            raise SourceError(f"source {self.key}: yields must be above 0 and sum to at most 1")

    def _check_tiers(self) -> None:
        starts = [tier.start for tier in self.tiers]
        if starts != sorted(set(starts)) or any(start <= 0 for start in starts):
            raise SourceError(f"source {self.key}: tiers must begin above 0 and be listed by where they begin")
        if any(tier.unit_cost <= 0 for tier in self.tiers):
            raise SourceError(f"source {self.key}: the unit_cost of every tier must be above 0")

    @property
    def least(self) -> int:
        """The smallest order above 0: whole lots that reach min_order."""
        return max(1, -(-self.min_order // self.lot_size)) * self.lot_size

    @property
    def cap(self) -> int | None:
        """The largest order in whole lots, 0 where that lies below the smallest; None: no limit."""
        if self.max_order is None:
            return None
        whole = self.max_order // self.lot_size * self.lot_size
        return whole if whole >= self.least else 0


@dataclass(frozen=True)
class Market:
    """The sources as arrays [S], ordered by group, price and key: within a group the cheaper comes first.

    order: positions of these sources in the list they came from. group: index of the group. unit_cost: millionths.
    lot, least: samples. most: the largest order the budget pays for, in whole lots, 0 where it is below `least`.
    limit: the largest order, money aside; inf: none. share: unit_cost / budget.
    rank: position among the group's own sources.
    """

    groups: int
    budget: int
    order: IntArray
    group: IntArray
    unit_cost: IntArray
    lot: IntArray
    least: IntArray
    most: IntArray
    limit: FloatArray
    share: FloatArray
    rank: IntArray

    @classmethod
    def of(cls, sources: Sequence[Source], place: Sequence[int], groups: int, budget: int) -> "Market":
        """The market of `sources`, whose groups are renumbered by `place`; budget in millionths."""

        def rank_of(position: int) -> tuple[int, int, str]:
            source = sources[position]
            return place[source.yields[0][0]], source.unit_cost, source.key

        order = sorted(range(len(sources)), key=rank_of)
        listed = [sources[position] for position in order]
        group = np.array([place[source.yields[0][0]] for source in listed], dtype=np.int64)
        affordable = [budget // source.unit_cost for source in listed]
        most = [_most(source, pays) for source, pays in zip(listed, affordable, strict=True)]
        return cls(
            groups=groups,
            budget=budget,
            order=np.array(order, dtype=np.int64),
            group=group,
            unit_cost=_whole([source.unit_cost for source in listed]),
            lot=_whole([source.lot_size for source in listed]),
            least=_whole([source.least for source in listed]),
            most=np.array(most, dtype=np.int64),
            limit=np.array([np.inf if source.cap is None else source.cap for source in listed], dtype=np.float64),
            # Quotients of integers, rounded once: scaling prices and budget alike changes no bit of them.
            share=np.array([source.unit_cost / max(budget, 1) for source in listed], dtype=np.float64),
            rank=np.arange(len(group)) - np.searchsorted(group, group),
        )

    def cost(self, orders: IntArray) -> int:
        """Exact cost in millionths of orders [S], none above `most`."""
        return sum((orders * self.unit_cost).tolist())

    def added(self, orders: IntArray) -> IntArray:
        """Samples per group [groups] that orders [S] bring."""
        total = np.zeros(self.groups, dtype=np.int64)
        np.add.at(total, self.group, orders)
        return total

    def fill(self, counts: IntArray) -> IntArray:
        """Orders [S] that bring each group [groups] as many samples as possible up to `counts`, cheapest first."""
        return self._serve(counts, np.ones_like(self.unit_cost))

    def fill_money(self, money: IntArray) -> IntArray:
        """Orders [S] that spend up to `money` [groups], in millionths, cheapest first."""
        return self._serve(money, self.unit_cost)

    def _serve(self, wanted: IntArray, worth: IntArray) -> IntArray:
        left = wanted.copy()
        orders = np.zeros_like(self.most)
        for rank in range(int(self.rank.max(initial=-1)) + 1):
            here = np.flatnonzero(self.rank == rank)
            reach = np.minimum(left[self.group[here]] // worth[here], self.most[here])
            whole = reach // self.lot[here] * self.lot[here]
            orders[here] = np.where(whole >= self.least[here], whole, 0)
            left[self.group[here]] -= orders[here] * worth[here]
        return orders


def _most(source: Source, affordable: int) -> int:
    reach = min(affordable, MOST) if source.cap is None else min(affordable, source.cap, MOST)
    whole = reach // source.lot_size * source.lot_size
    return whole if whole >= source.least else 0


def _whole(numbers: Sequence[int]) -> IntArray:
    """Integers that may pass 64 bits, such as an absurd lot, capped where they can no longer be bought anyway."""
    return np.array([min(number, 2**62) for number in numbers], dtype=np.int64)
