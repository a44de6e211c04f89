"""All sources as arrays: what orders bring, what they cost, and between which limits they lie (method.md 6).

S sources, k groups, J segments: stretches of one price of one source. Money is in whole millionths of the currency, or,
where it meets the solvers, a share of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.sources import Source

INTEGERS = 2**62
"""Money that an array's 64 bits can add up."""


@dataclass(frozen=True)
class Segments:
    """Arrays [J], by source and then by start: source; price in shares of the budget per ordered sample; starts: where
    each begins, length: how long it is, in ordered samples, the last of a source inf. falls: whether the price is below
    that of the source's segment before.
    """

    source: IntArray
    price: FloatArray
    starts: FloatArray
    length: FloatArray
    falls: BoolArray

    @classmethod
    def of(cls, sources: Sequence[Source], budget: int) -> "Segments":
        """The segments of the sources, prices as shares of `budget`."""
        rows = [
            # Quotients of integers, rounded once: scaling prices and budget alike changes no bit of them.
            (at, price / max(budget, 1), length, start)
            for at, source in enumerate(sources)
            for start, length, price in source.segments()
        ]
        price = np.array([row[1] for row in rows], dtype=np.float64)
        starts = np.array([row[3] for row in rows], dtype=np.float64)
        before = np.concatenate([[0.0], price[:-1]]) if len(price) else price
        return cls(
            source=np.array([row[0] for row in rows], dtype=np.int64),
            price=price,
            starts=starts,
            length=np.array([row[2] for row in rows], dtype=np.float64),
            falls=np.asarray((starts > 0.0) & (price < before)),
        )


@dataclass(frozen=True)
class Market:
    """The sources as arrays [S], ordered by group, price and key: within a group the cheaper comes first.

    order: positions of these sources in the list they came from. group: index of the first group fed.
    unit_cost: millionths per billed sample in the first tier. lot, least: samples. most: the largest order the budget
    pays for, in whole lots, 0 where it is below `least`. limit: the largest order, money aside; inf: none.
    share: unit_cost / budget. rank: position among the group's own sources.
    effective, delivered [groups, S]: samples that an ordered one brings, weighted by quality or raw.
    """

    groups: int
    budget: int
    sources: tuple[Source, ...]
    order: IntArray
    group: IntArray
    unit_cost: IntArray
    lot: IntArray
    least: IntArray
    most: IntArray
    limit: FloatArray
    share: FloatArray
    rank: IntArray
    effective: csr_array
    delivered: csr_array

    @classmethod
    def of(cls, sources: Sequence[Source], place: Sequence[int], groups: int, budget: int) -> "Market":
        """The market of `sources`, whose groups are renumbered by `place`; budget in millionths."""

        def rank_of(position: int) -> tuple[int, int, str]:
            source = sources[position]
            return min(place[group] for group, _ in source.yields), source.unit_cost, source.key

        order = sorted(range(len(sources)), key=rank_of)
        listed = [sources[position] for position in order]
        group = np.array([rank_of(position)[0] for position in order], dtype=np.int64)
        caps = [source.cap for source in listed]
        delivered, effective = _brought(listed, place, groups)
        return cls(
            groups=groups,
            budget=budget,
            sources=tuple(listed),
            order=np.array(order, dtype=np.int64),
            group=group,
            unit_cost=_whole([source.unit_cost for source in listed]),
            lot=_whole([source.lot_size for source in listed]),
            least=_whole([source.least for source in listed]),
            most=np.array([source.affordable(budget) for source in listed], dtype=np.int64),
            limit=np.array([np.inf if cap is None else cap for cap in caps], dtype=np.float64),
            # Quotients of integers, rounded once: scaling prices and budget alike changes no bit of them.
            share=np.array([source.unit_cost / max(budget, 1) for source in listed], dtype=np.float64),
            rank=np.arange(len(group)) - np.searchsorted(group, group),
            effective=effective,
            delivered=delivered,
        )

    def with_budget(self, budget: int) -> "Market":
        """The same sources, asked with other money (millionths)."""
        return replace(
            self,
            budget=budget,
            most=np.array([source.affordable(budget) for source in self.sources], dtype=np.int64),
            share=np.array([source.unit_cost / max(budget, 1) for source in self.sources], dtype=np.float64),
        )

    @cached_property
    def segments(self) -> Segments:
        """The stretches of one price."""
        return Segments.of(self.sources, self.budget)

    @cached_property
    def is_single(self) -> bool:
        """Whether every source feeds one group."""
        return all(len(source.yields) == 1 for source in self.sources)

    @cached_property
    def is_plain(self) -> bool:
        """Whether an ordered sample is one of its group's, at one price, and nothing is held fixed."""
        return self.is_single and all(
            source.is_linear
            and source.fixed_order is None
            and source.yields[0][1] * source.acceptance_rate * source.quality == 1.0
            for source in self.sources
        )

    @cached_property
    def is_convex(self) -> bool:
        """Whether no fixed cost and no falling tier makes a larger order cheaper per sample."""
        return not self.segments.falls.any() and not any(source.fixed_cost for source in self.sources)

    @cached_property
    def by_price(self) -> IntArray:
        """The sources [S] by unit_cost, cheapest first."""
        return np.argsort(self.unit_cost, kind="stable")

    def rounded_down(self, orders: FloatArray) -> IntArray:
        """Divisible orders [S] in whole lots, never more and never over budget; below the smallest order: nothing."""
        whole = np.minimum(np.floor(orders).astype(np.int64), self.most) // self.lot * self.lot
        whole = np.where(whole >= self.least, whole, 0)
        if self.cost(whole) > self.budget:
            # Rounding in the divisible answer; one part in 10¹² less of everything is below the budget again.
            return self.rounded_down(orders * (1.0 - 1e-12))
        return whole

    def cost(self, orders: IntArray) -> int:
        """Exact cost in millionths of orders [S], none above `most`."""
        if self.is_plain and self.budget * len(orders) < INTEGERS:
            return int((orders * self.unit_cost).sum())
        return sum(self.costs(orders))

    def costs(self, orders: IntArray) -> list[int]:
        """Exact cost in millionths of each order [S]."""
        if self.is_plain:
            return (orders * self.unit_cost).tolist()  # type: ignore[no-any-return]  # tolist is untyped
        return [source.cost(int(order)) for source, order in zip(self.sources, orders, strict=True)]

    def added(self, orders: IntArray | FloatArray) -> FloatArray:
        """Effective samples per group [groups] that orders [S] bring."""
        if self.is_plain:
            return np.bincount(self.group, weights=orders, minlength=self.groups).astype(np.float64)
        return np.asarray(self.effective @ orders, dtype=np.float64)

    def accepted(self, orders: IntArray | FloatArray) -> FloatArray:
        """Raw accepted samples per group [groups] that orders [S] bring."""
        return np.asarray(self.delivered @ orders, dtype=np.float64)

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


def _brought(sources: Sequence[Source], place: Sequence[int], groups: int) -> tuple[csr_array, csr_array]:
    """Raw and effective samples that an ordered one brings, both [groups, S]."""
    row = [place[group] for source in sources for group, _ in source.yields]
    column = [at for at, source in enumerate(sources) for _ in source.yields]
    raw = [share * source.acceptance_rate for source in sources for _, share in source.yields]
    clean = [share * source.acceptance_rate * source.quality for source in sources for _, share in source.yields]
    shape = (groups, len(sources))
    return csr_array((raw, (row, column)), shape=shape), csr_array((clean, (row, column)), shape=shape)


def _whole(numbers: Sequence[int]) -> IntArray:
    """Integers that may pass 64 bits, such as an absurd lot, capped where they can no longer be bought anyway."""
    return np.array([min(number, 2**62) for number in numbers], dtype=np.int64)
