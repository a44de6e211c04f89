"""Whole samples near the divisible optimum for many groups at once (planner.md 4, "Integers").

The case with one source a group, lots of 1 and a utility that is a sum: what rounding down leaves is spent sample by
sample, the best gain per cost first, then single swaps until none helps. Arrays [S] by source.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.market import Market
from app.planner.tables import tabulate
from app.planner.utility import Utility

NOISE = 1e-15
"""A swap must gain more than this share of the values it changes."""
MANY = 2_000
"""One curve of every group is computed where at least one group in so many is asked for."""
SWAP_WORK = 20_000_000
"""Sources times swaps: in huge markets a swap moves the utility by less than its last digits."""


def applies(utility: Utility, market: Market) -> bool:
    """Whether `top_up` may be asked."""
    return bool(
        utility.is_additive
        and len(market.group)
        and not market.rank.any()
        and (market.lot == 1).all()
        and (market.least == 1).all()
    )


def top_up(utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> tuple[IntArray, float]:
    """Orders [S] reached from affordable ones by filling up and by single swaps, and U after them."""
    state = _State.of(utility, market, held, orders)
    state.fill_up()
    for _ in range(min(20 * len(orders) + 200, SWAP_WORK // len(orders))):
        if not state.swap():
            break
        state.fill_up()
    return state.orders, state.total(market, held, utility)


@dataclass
class _State:
    """Orders on the way. utility: of the sources' groups alone. held: their counts. left: money not spent.

    value, slope: V and V' at the counts; gain, loss: what a sample more or fewer does to U, the loss nan until it is
    asked for; more, later: V and V' one sample further. by_price: the sources, cheapest first.
    """

    utility: Utility
    held: FloatArray
    price: IntArray
    by_price: IntArray
    most: IntArray
    orders: IntArray
    left: int
    value: FloatArray
    slope: FloatArray
    more: FloatArray
    later: FloatArray
    gain: FloatArray
    loss: FloatArray

    @classmethod
    def of(cls, utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> "_State":
        own = utility if len(market.group) == market.groups else utility.select(market.group)
        held = held[market.group]
        terms = tabulate(own, held[:, None] + orders[:, None] + np.arange(2))
        (here, more), (slope, later) = np.ascontiguousarray(terms.value.T), np.ascontiguousarray(terms.slope.T)
        left, unknown = market.budget - market.cost(orders), np.full(len(orders), np.nan)
        gain = own.emphasis * _step(more - here, later)
        return cls(
            own,
            held,
            market.unit_cost,
            np.argsort(market.unit_cost, kind="stable"),
            market.most,
            orders.copy(),
            left,
            here,
            slope,
            more,
            later,
            gain,
            unknown,
        )

    def total(self, market: Market, held: FloatArray, utility: Utility) -> float:
        """U; groups without a source stay where they are."""
        if len(self.orders) == market.groups:
            return utility.total(self.value)
        return utility.at(held + market.added(self.orders))

    def _terms(self, at: IntArray, step: int) -> tuple[FloatArray, FloatArray]:
        """V and V' of the sources `at` so many samples from where they stand."""
        counts = np.maximum(self.held + self.orders + step, 0.0)
        if self.utility.posterior.draws == 1 and MANY * len(at) > len(counts):
            # Picking groups out costs more than computing one curve of all.
            terms = self.utility.terms(counts)
            return terms.value[at], terms.slope[at]
        terms = tabulate(self.utility.select(at), counts[at][:, None])
        return terms.value[:, 0], terms.slope[:, 0]

    def _step_up(self, at: IntArray) -> None:
        """A sample more of each source `at`: what it gained is now what taking it back would lose."""
        self.orders[at] += 1
        self.value[at], self.slope[at], self.loss[at] = self.more[at], self.later[at], self.gain[at]
        self.more[at], self.later[at] = self._terms(at, 1)
        self.gain[at] = self.utility.emphasis[at] * _step(self.more[at] - self.value[at], self.later[at])

    def _step_down(self, at: IntArray) -> None:
        """A sample less of each source `at`, of which the loss is known."""
        self.more[at], self.later[at], self.gain[at] = self.value[at], self.slope[at], self.loss[at]
        self.value[at], self.slope[at] = self._terms(at, -1)
        self.orders[at] -= 1
        self.loss[at] = np.nan

    def _weigh_losses(self) -> None:
        """What a sample fewer does, where that is not known yet."""
        at = np.flatnonzero(np.isnan(self.loss) & (self.orders > 0))
        if len(at):
            before, _ = self._terms(at, -1)
            self.loss[at] = self.utility.emphasis[at] * _step(self.value[at] - before, self.slope[at])

    @property
    def _open(self) -> BoolArray:
        return np.asarray((self.orders < self.most) & (self.gain > 0.0))

    def fill_up(self) -> None:
        """Samples until none can be bought."""
        while self.fill():
            pass

    def fill(self) -> bool:
        """A sample more for every group, the best first, as far as the money goes; False where none can be bought."""
        able = np.flatnonzero(self._open & (self.price <= self.left))
        if not len(able):
            return False
        ranked = able[np.argsort(-self.gain[able] / self.price[able], kind="stable")]
        price = self.price[ranked]
        taken: list[IntArray] = []
        while len(ranked):
            paid = np.cumsum(price)
            first = int(np.searchsorted(paid, self.left, side="right"))
            if first:
                self.left -= int(paid[first - 1])
                taken.append(ranked[:first])
            fits = np.flatnonzero(price[first:] <= self.left) + first
            ranked, price = ranked[fits], price[fits]
        self._step_up(np.concatenate(taken))
        return True

    def swap(self) -> bool:
        """Take one sample back and buy another where that gains most; False where no pair gains."""
        given = self.by_price[self._open[self.by_price]]
        # Dearest first, so that of two equal swaps the one that frees more money is taken.
        taken = self.by_price[::-1]
        taken = taken[self.orders[taken] > 0]
        if not len(taken) or not len(given):
            return False
        self._weigh_losses()
        within = np.searchsorted(self.price[given], self.left + self.price[taken], side="right")
        first, second = _two_best_before(self.gain[given])
        last = np.maximum(within - 1, 0)
        # Taking a sample back and buying it again is no swap: then the next best is the partner.
        partner = np.where(given[first[last]] == taken, given[second[last]], given[first[last]])
        net = np.where((within > 0) & (partner != taken), self.gain[partner] - self.loss[taken], -np.inf)
        pick = int(np.argmax(net))
        back, forth = taken[[pick]], partner[[pick]]
        pair = np.concatenate([back, forth])
        size = self.utility.emphasis[pair] * np.abs(self.value[pair])
        if net[pick] <= NOISE * size.sum():
            return False
        self.left += int(self.price[pair[0]]) - int(self.price[pair[1]])
        self._step_down(back)
        self._step_up(forth)
        return True


def _step(difference: FloatArray, slope: FloatArray) -> FloatArray:
    """What one sample does. Differences of V drown in rounding at huge counts, where concavity gives a floor."""
    return np.maximum(difference, slope)


def _two_best_before(gain: FloatArray) -> tuple[IntArray, IntArray]:
    """Positions of the first maximum of each prefix, and of the next best; the same where there is only one."""
    at = np.arange(len(gain))
    first = _first_best(gain)
    # What is not the best up to here is the lesser of the newcomer and of the best before it.
    before = np.concatenate([[0], first[:-1]])
    is_new = gain > gain[before]
    other = np.where(is_new, gain[before], gain)
    other[0] = -np.inf
    who = np.where(is_new, before, at)
    return first, who[_first_best(other)]


def _first_best(gain: FloatArray) -> IntArray:
    peak = np.maximum.accumulate(gain)
    fresh = np.concatenate([[True], peak[1:] > peak[:-1]])
    return np.asarray(np.maximum.accumulate(np.where(fresh, np.arange(len(gain)), 0)))
