"""Whole orders that come close to what is wished for each group, in samples or in money (method.md 8).

S sources, k groups. Sources serve one after the other, those of one group by price; every order is one of whole lots
between the source's limits. A source that feeds several groups first takes no group beyond its wish, and then serves
the group that is left furthest behind.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.market import INTEGERS, Market

SAMPLE_ROUNDING = 1e-9
"""A share of a sample that counts as none."""
ENDLESS = 2.0**62
MOST_JUMPS = 1_000
"""A level is searched by halving where a group would get more lots than this between two of another."""


@dataclass(frozen=True)
class Shelves:
    """What a market has on offer. space [groups]: accepted samples that the groups may still take, None: any number."""

    market: Market
    space: FloatArray | None = None

    def offered(self) -> FloatArray:
        """The most effective samples [groups] that the sources would sell to the whole budget."""
        return self.market.added(self.fill(np.full(self.market.groups, np.inf)))

    def fill(self, wanted: FloatArray) -> IntArray:
        """Orders [S] that bring each group [groups] as many effective samples as possible up to `wanted`."""
        if self._is_plain:
            return self.market.fill(_floor(wanted))
        return self._serve(wanted, self._brought, None)

    def fill_money(self, money: FloatArray) -> IntArray:
        """Orders [S] that spend up to `money` [groups], in millionths; a source's cost is its groups' by their shares
        of what it brings."""
        if self._is_plain:
            return self.market.fill_money(_floor(money))
        return self._serve(money, self._shares, self._prices)

    def full_cost(self) -> FloatArray:
        """Cost [groups], in millionths, of everything the groups are offered, as `fill_money` shares it out."""
        return self.cost_of_groups(self.fill(np.full(self.market.groups, np.inf)))

    def step(self, orders: IntArray) -> IntArray:
        """The least that can be added to each order [S]; 0 where its limits, its group's or a fixed order forbid it."""
        market = self.market
        step = np.where(orders > 0, market.lot, market.least)
        fits = orders + step <= market.most
        if self.space is not None:
            left = self.space - market.accepted(orders)
            fits &= step <= _over_groups(self._accepted, left, np.minimum) + SAMPLE_ROUNDING
        return np.where(fits & ~self.is_fixed, step, 0)

    def top_up(self, orders: IntArray, ranked: list[int]) -> IntArray:
        """The orders with a step more of each of the `ranked` sources that the rest of the budget pays for."""
        market, orders = self.market, orders.copy()
        left = market.budget - market.cost(orders)
        if self._is_plain and market.budget * len(orders) < INTEGERS:
            return _topped_up(market, orders, np.array(ranked, dtype=np.int64), left)
        for source in ranked:
            offer, order = market.sources[source], int(orders[source])
            step = int(market.lot[source] if order else market.least[source])
            cost = offer.cost(order + step) - offer.cost(order)
            fits = order + step <= market.most[source] and step <= self.room(orders, source)
            if fits and not self.is_fixed[source] and cost <= left:
                orders[source] += step
                left -= cost
        return orders

    def next_step_cost(self, orders: IntArray) -> FloatArray:
        """Cost [groups], in millionths, of the cheapest further step of a source that feeds the group; inf: none."""
        step = self.step(orders)
        if self.market.is_plain:
            cost = step * self.market.unit_cost.astype(np.float64)
        else:
            priced = zip(self.market.sources, orders.tolist(), step.tolist(), strict=True)
            cost = np.array([source.cost(order + more) - source.cost(order) for source, order, more in priced])
        found = np.full(self.market.groups, np.inf)
        columns = _columns(self._brought)
        np.minimum.at(found, self._brought.indices, np.where(step > 0, cost, np.inf)[columns])
        return found

    def cost_of_groups(self, orders: IntArray) -> FloatArray:
        """Cost [groups], in millionths, of orders [S], as `fill_money` shares it out."""
        if self._is_plain:
            cost = orders.astype(np.float64) * self.market.unit_cost
            return np.bincount(self.market.group, weights=cost, minlength=self.market.groups).astype(np.float64)
        return np.asarray(self._shares @ self._prices.cost(orders))

    def ranked(self, level: FloatArray) -> list[int]:
        """The sources by the least level [groups] of those they feed, then by price; without those at no level."""
        brought = self._brought
        least = np.minimum.reduceat(level[brought.indices], brought.indptr[:-1]) if brought.nnz else np.zeros(0)
        order = np.lexsort((np.arange(len(least)), self._price_per_sample, least))
        found: list[int] = order[np.isfinite(least[order])].tolist()
        return found

    def last_level(self, rate: FloatArray, wanted: FloatArray) -> float | None:
        """The level at which the budget no longer pays for ⌊level · rate⌋ samples of each group [groups], or for as
        many as are wanted and sold, but for rounding; None where it pays for all, or it is not as plain as that."""
        market = self.market
        if not self._is_plain or market.rank.any() or not len(market.group):
            return None
        # In lots: what a level gives of each, how many there are, and what one costs.
        rate = rate[market.group] / market.lot
        most = np.floor(np.minimum(market.most, wanted[market.group] * (1.0 + 1e-12)) / market.lot)
        live = (rate > 0.0) & (most > 0.0)
        rate, most, cost = rate[live], most[live], (market.lot * market.unit_cost)[live].astype(np.float64)
        if float(cost @ most) <= market.budget:
            return None
        start = _divisible_level(rate, most, cost, float(market.budget))
        had = np.minimum(np.floor(start * rate), most)
        # Up to the level at which each has one lot more, and no group more than a few.
        count = np.minimum(np.floor((start + 1.0 / rate.min()) * rate), most) - had
        if count.max() > MOST_JUMPS:
            return None
        source = np.repeat(np.arange(len(rate)), count.astype(np.int64))
        lot = had[source] + np.arange(len(source)) - np.searchsorted(source, source) + 1.0
        level = (lot - (SAMPLE_ROUNDING / market.lot[live])[source]) / rate[source]
        order = np.argsort(level)
        paid = float(cost @ had) + np.cumsum(cost[source[order]])
        first = int(np.searchsorted(paid, market.budget, side="right"))
        return float(level[order[first]]) if first < len(order) else None

    def room(self, orders: IntArray, source: int) -> int:
        """The most samples that the groups' space lets be added to a source's order."""
        if self.space is None:
            return int(self.market.most[source])
        left = self.space - self.market.accepted(orders)
        room = float(_over_groups(_part(self._accepted, np.array([source])), left, np.minimum)[0])
        return int(min(max(room + SAMPLE_ROUNDING, 0.0), float(self.market.most[source])))

    @property
    def is_fixed(self) -> BoolArray:
        """Whether a source's order is fixed [S]."""
        return self.market.offers.is_fixed

    @cached_property
    def fixed(self) -> IntArray:
        """Orders [S] that are fixed, 0 elsewhere."""
        return np.maximum(self.market.offers.fixed, 0)

    @property
    def _is_plain(self) -> bool:
        """Whether whole numbers of samples and of money are all there is to it."""
        return self.market.is_plain and self.space is None

    @property
    def _brought(self) -> csc_array:
        return self.market.feeds

    @cached_property
    def _shares(self) -> csc_array:
        """Each group's share of what a source brings [groups, S]."""
        brought = self._brought
        total = np.bincount(_columns(brought), weights=brought.data, minlength=brought.shape[1])
        return csc_array((brought.data / total[_columns(brought)], brought.indices, brought.indptr), brought.shape)

    @cached_property
    def _prices(self) -> "_Prices":
        return _Prices(self.market)

    @property
    def _accepted(self) -> csc_array:
        return self.market.brings

    def _serve(self, wanted: FloatArray, credit: csc_array, prices: "_Prices | None") -> IntArray:
        """wanted [groups]: the wish; credit [groups, S]: what counts towards it per sample; with prices per money."""
        market, orders = self.market, self.fixed.copy()
        left = wanted - credit @ (orders if prices is None else prices.cost(orders))
        for combine in (np.minimum,) if market.is_single else (np.minimum, np.maximum):
            for here in self._turns:
                part = _part(credit, here)
                reach = _over_groups(part, left, combine)
                asked = np.maximum(reach, 0.0) if prices is None else prices.orders(here, np.maximum(reach, 0.0))
                room = np.full(len(here), np.inf)
                if self.space is not None:
                    room = _over_groups(_part(self._accepted, here), self.space - market.accepted(orders), np.minimum)
                # What an earlier pass ordered stays; only sources still at 0 are asked again.
                able = ~self.is_fixed[here] & (orders[here] == 0)
                whole = self._whole(here, np.minimum(asked, room))
                whole = np.where(able, whole, 0)
                if not whole.any():
                    continue
                orders[here] += whole
                left = _less(
                    left, part, whole if prices is None else prices.cost(_spread(whole, here, len(orders)))[here]
                )
        return orders

    def _whole(self, here: IntArray, asked: FloatArray) -> IntArray:
        """Whole lots up to `asked` within the limits of the sources `here`."""
        market = self.market
        most = market.most[here]
        reach = np.floor(np.minimum(asked * (1.0 + 1e-12) + SAMPLE_ROUNDING, most)).astype(np.int64)
        whole = reach // market.lot[here] * market.lot[here]
        return np.where(whole >= market.least[here], whole, 0)

    @cached_property
    def _turns(self) -> list[IntArray]:
        """Sources that can be asked at once, in their turn: the groups' cheapest, next cheapest …, or one by one."""
        market = self.market
        if market.is_single:
            # Billing, acceptance and quality may order a group's sources otherwise than their prices do.
            per_sample = self._price_per_sample
            order = np.lexsort((np.arange(len(per_sample)), per_sample, market.group))
            group = market.group[order]
            rank = np.arange(len(group)) - np.searchsorted(group, group)
            return [order[rank == at] for at in range(int(rank.max(initial=-1)) + 1)]
        return [np.array([at]) for at in np.argsort(self._price_per_sample, kind="stable")]

    @cached_property
    def _price_per_sample(self) -> FloatArray:
        """Price in the first tier of one effective sample of any group [S]."""
        market = self.market
        brought = np.bincount(_columns(self._brought), weights=self._brought.data, minlength=len(market.sources))
        return np.asarray(market.unit_cost * market.offers.billed_share / brought)


def sample_prices(market: Market) -> FloatArray:
    """Millionths per effective sample [groups] from the cheapest source, in its first tier; inf without one."""
    entries = market.effective.tocoo()
    groups, sources = entries.coords
    billed = market.offers.billed_share
    price = np.full(market.groups, np.inf)
    np.minimum.at(price, groups, (market.unit_cost * billed)[sources] / entries.data)
    return price


def _divisible_level(rate: FloatArray, most: FloatArray, cost: FloatArray, money: float) -> float:
    """The level at which Σ cost · min(level · rate, most) is the money, less than what all of `most` cost."""
    end = most / rate
    order = np.argsort(end)
    full = np.cumsum((cost * most)[order])
    # What further levels cost once those before have ended.
    slope = np.cumsum((cost * rate)[order][::-1])[::-1]
    spent = full - (cost * most)[order] + slope * end[order]
    at = int(np.searchsorted(spent, money))
    before = float(full[at - 1]) if at else 0.0
    return (money - before) / float(slope[at])


def _topped_up(market: Market, orders: IntArray, ranked: IntArray, left: int) -> IntArray:
    """The orders [S] of a plain market with a step more of each of the `ranked` that `left` still pays for, in turn."""
    step = np.where(orders > 0, market.lot, market.least)[ranked]
    fits = orders[ranked] + step <= market.most[ranked]
    ranked, step = ranked[fits], step[fits]
    cost = step * market.unit_cost[ranked]
    while len(ranked):
        # What cannot be paid for now never can be: the rest goes to those behind it.
        paid = np.cumsum(cost)
        first = int(np.searchsorted(paid, left, side="right"))
        orders[ranked[:first]] += step[:first]
        left -= int(paid[first - 1]) if first else 0
        rest = np.flatnonzero(cost[first:] <= left) + first
        ranked, step, cost = ranked[rest], step[rest], cost[rest]
    return orders


class _Prices:
    """Costs of orders and orders for money, in floating point: exact costs are checked where a level is chosen."""

    def __init__(self, market: Market) -> None:
        self.market = market
        segments = market.segments
        self.fixed = np.array([float(source.fixed_cost) for source in market.sources])
        self.price = segments.price * max(market.budget, 1)
        self.source = segments.source
        self.length = segments.length
        self.start = _before(segments.length, segments.source)
        self.paid = _before(segments.length * self.price, segments.source)

    def cost(self, orders: IntArray) -> FloatArray:
        """Cost [S] in millionths."""
        part = np.clip(orders[self.source] - self.start, 0.0, self.length) * self.price
        cost = np.bincount(self.source, weights=part, minlength=len(orders))
        return np.asarray(cost + np.where(orders > 0, self.fixed, 0.0))

    def orders(self, here: IntArray, money: FloatArray) -> FloatArray:
        """Samples [here] that `money` [here] pays for."""
        purse = np.zeros(len(self.fixed))
        purse[here] = money - self.fixed[here]
        part = np.clip((purse[self.source] - self.paid) / self.price, 0.0, self.length)
        return np.asarray(np.bincount(self.source, weights=part, minlength=len(purse))[here], dtype=np.float64)


def _floor(wanted: FloatArray) -> IntArray:
    """Whole numbers up to `wanted`, of which the last is not lost to rounding."""
    return np.floor(np.minimum(wanted * (1.0 + 1e-15) + SAMPLE_ROUNDING, ENDLESS)).astype(np.int64)


def _columns(matrix: csc_array) -> IntArray:
    """The column of every entry."""
    return np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))


def _before(amounts: FloatArray, source: IntArray) -> FloatArray:
    """Sum of the amounts [J] of the same source's earlier segments."""
    before = np.zeros_like(amounts)
    rank = np.arange(len(source)) - np.searchsorted(source, source)
    for place in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == place)
        before[here] = before[here - 1] + amounts[here - 1]
    return before


def _part(credit: csc_array, sources: IntArray) -> "_Part":
    """The columns of some sources."""
    if len(sources) == 1:
        # One source at a time is asked for many thousand times over; SciPy's slices take longer than all the rest.
        own = slice(*credit.indptr[sources[0] : sources[0] + 2])
        return _Part(credit.indices[own].astype(np.int64), credit.data[own], np.array([0, own.stop - own.start]))
    picked = credit[:, sources]
    return _Part(picked.indices.astype(np.int64), picked.data, picked.indptr.astype(np.int64))


def _less(left: FloatArray, part: "_Part", taken: IntArray | FloatArray) -> FloatArray:
    """What is left of the wishes [groups] after so much of each source of the part."""
    used = part.data * np.repeat(taken, np.diff(part.indptr))
    return np.asarray(left - np.bincount(part.indices, weights=used, minlength=len(left)))


def _spread(amounts: IntArray, sources: IntArray, size: int) -> IntArray:
    """The amounts at their sources' places, 0 elsewhere [size]."""
    found = np.zeros(size, dtype=np.int64)
    found[sources] = amounts
    return found


@dataclass(frozen=True)
class _Part:
    """Some columns of a sparse matrix: the group and the number of every entry, and where each column begins."""

    indices: IntArray
    data: FloatArray
    indptr: IntArray


def _over_groups(credit: "csc_array | _Part", left: FloatArray, combine: np.ufunc) -> FloatArray:
    """left / credit per source, combined over its groups [columns]."""
    ratio = left[credit.indices] / credit.data
    return np.asarray(combine.reduceat(ratio, credit.indptr[:-1])) if len(ratio) else np.zeros(0)
