"""All sources as arrays: what orders bring, what they cost, and between which limits they lie (method.md 6).

S sources, k groups, J segments: stretches of one price of one source. Money is in whole millionths of the currency, or,
where it meets the solvers, a share of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array, csr_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.offers import LARGEST_EXACT, RANKED_PRICE, Offers
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
    def of(cls, offers: Offers, budget: int) -> "Segments":
        """The segments of the sources, prices as shares of `budget`."""
        sources = offers.sources
        if not offers.has_tiers and not (offers.unit_cost > LARGEST_EXACT).any():
            return cls.of_one_price(offers, budget)
        rows = [
            # Quotients of integers, rounded once: scaling prices and budget alike changes no bit of them.
            (at, (price or RANKED_PRICE) / max(budget, 1), length, start)
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

    @classmethod
    def of_one_price(cls, offers: Offers, budget: int) -> "Segments":
        """The segments of sources without tiers, one each: the same numbers, all at once."""
        size = len(offers.sources)
        price = offers.unit_cost * offers.billed_share / max(budget, 1)
        nothing = np.zeros(size)
        return cls(np.arange(size), price, nothing, np.full(size, np.inf), np.zeros(size, dtype=np.bool_))


@dataclass(frozen=True)
class Market:
    """The sources as arrays [S], ordered by group, price and key: within a group the cheaper comes first.

    order: positions of these sources in the list they came from. group: index of the first group fed.
    unit_cost: millionths per billed sample in the first tier. lot, least: samples. most: the largest order the budget
    pays for, in whole lots, 0 where it is below `least`. limit: the largest order, money aside; inf: none.
    share: unit_cost / budget. rank: position among the group's own sources.
    effective, delivered [groups, S]: samples that an ordered one brings, weighted by quality or raw; feeds, brings: the
    same, source by source.
    offers: the sources' terms, the same for every budget. payable: the smallest amount that can be paid, in millionths.
    """

    groups: int
    budget: int
    payable: int
    offers: Offers
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
    feeds: csc_array
    brings: csc_array

    @classmethod
    def of(
        cls, sources: Sequence[Source], place: Sequence[int], groups: int, budget: int, payable: int = 1
    ) -> "Market":
        """The market of `sources`, whose groups are renumbered by `place`; budget in millionths."""

        first = [
            place[one.yields[0][0]] if len(one.yields) == 1 else min(place[group] for group, _ in one.yields)
            for one in sources
        ]
        ranks = [(group, one.unit_cost, one.key) for group, one in zip(first, sources, strict=True)]
        order = sorted(range(len(sources)), key=ranks.__getitem__)
        offers = Offers.of([sources[position] for position in order])
        group = np.array([first[position] for position in order], dtype=np.int64)
        delivered, effective = _brought(offers.sources, place, groups)
        return cls(
            groups=groups,
            budget=budget,
            payable=payable,
            offers=offers,
            sources=offers.sources,
            order=np.array(order, dtype=np.int64),
            group=group,
            unit_cost=offers.unit_cost,
            lot=offers.lot,
            least=offers.least,
            most=offers.affordable(budget),
            limit=np.where(offers.capped, offers.cap, np.inf),
            share=offers.shares(budget),
            rank=np.arange(len(group)) - np.searchsorted(group, group),
            effective=effective,
            delivered=delivered,
            feeds=csc_array(effective),
            brings=csc_array(delivered),
        )

    def with_budget(self, budget: int) -> "Market":
        """The same sources, asked with other money (millionths)."""
        return replace(self, budget=budget, most=self.offers.affordable(budget), share=self.offers.shares(budget))

    def released(self) -> "Market":
        """The same sources without the licence rule."""
        return self._offering([replace(source, excluded=False) for source in self.sources])

    def closing(self, closed: BoolArray) -> "Market":
        """The same sources, of which those marked [S] sell nothing."""
        pairs = zip(self.sources, closed.tolist(), strict=True)
        return self._offering([replace(source, max_order=0) if shut else source for source, shut in pairs])

    def _offering(self, sources: Sequence[Source]) -> "Market":
        """The same market on other terms that leave prices, lots and yields as they are."""
        offers = Offers.of(sources)
        limit = np.where(offers.capped, offers.cap, np.inf)
        most = offers.affordable(self.budget)
        return replace(self, offers=offers, sources=offers.sources, most=most, limit=limit)

    @cached_property
    def segments(self) -> Segments:
        """The stretches of one price."""
        return Segments.of(self.offers, self.budget)

    @property
    def is_single(self) -> bool:
        """Whether every source feeds one group."""
        return self.offers.is_single

    @property
    def is_plain(self) -> bool:
        """Whether an ordered sample is one of its group's, at one price, and nothing is held fixed."""
        return self.offers.is_plain

    @cached_property
    def is_convex(self) -> bool:
        """Whether no fixed cost and no falling tier makes a larger order cheaper per sample."""
        if self.offers.has_fixed_costs:
            return False
        return not self.offers.has_tiers or not self.segments.falls.any()

    @property
    def by_price(self) -> IntArray:
        """The sources [S] by unit_cost, cheapest first."""
        return self.offers.by_price

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

    def step_costs(self, orders: IntArray, steps: IntArray) -> FloatArray:
        """What so many samples more than each order cost [S], in millionths."""
        if self.is_plain and int(steps.max(initial=0)) * int(self.unit_cost.max(initial=0)) < INTEGERS:
            return (steps * self.unit_cost).astype(np.float64)
        more = zip(self.sources, orders.tolist(), steps.tolist(), strict=True)
        return np.array([one.cost(order + step) - one.cost(order) for one, order, step in more], dtype=np.float64)

    def next_prices(self, orders: IntArray) -> FloatArray:
        """Price of each source's next ordered sample [S] in millionths, fixed costs aside."""
        if not self.offers.has_tiers:
            return np.asarray(self.unit_cost * self.offers.billed_share)
        prices = [source.next_price(order) for source, order in zip(self.sources, orders.tolist(), strict=True)]
        return np.array(prices, dtype=np.float64)

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
        if not self.rank.any():
            # One source a group: nothing is left to another, and nothing need be picked.
            return self._whole(wanted[self.group] // worth, slice(None))
        left = wanted.copy()
        orders = np.zeros_like(self.most)
        for rank in range(int(self.rank.max(initial=-1)) + 1):
            here = np.flatnonzero(self.rank == rank)
            orders[here] = self._whole(left[self.group[here]] // worth[here], here)
            left[self.group[here]] -= orders[here] * worth[here]
        return orders

    def _whole(self, reach: IntArray, here: IntArray | slice) -> IntArray:
        """Whole lots up to `reach` of the sources `here`, within their limits."""
        whole = np.minimum(reach, self.most[here]) // self.lot[here] * self.lot[here]
        return np.where(whole >= self.least[here], whole, 0)


def _brought(sources: Sequence[Source], place: Sequence[int], groups: int) -> tuple[csr_array, csr_array]:
    """Raw and effective samples that an ordered one brings, both [groups, S]."""
    row = [place[group] for source in sources for group, _ in source.yields]
    column = [at for at, source in enumerate(sources) for _ in source.yields]
    raw = [share * source.acceptance_rate for source in sources for _, share in source.yields]
    clean = [share * source.acceptance_rate * source.quality for source in sources for _, share in source.yields]
    shape = (groups, len(sources))
    return csr_array((raw, (row, column)), shape=shape), csr_array((clean, (row, column)), shape=shape)
