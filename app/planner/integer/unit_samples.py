"""Whole samples near the divisible optimum for many groups at once (method.md 6, "Whole orders").

The case with one source a group, lots of 1 and a utility that is a sum: what rounding down leaves is spent sample by
sample, the best gain per cost first, then single swaps until none helps. Arrays [S] by source.

Before the swaps every gain and loss is worked out, all groups in one pass. What a step then changes is known within
bounds from its neighbours, as V is concave, and worked out only where a swap could beat the best one known.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.market import Market
from app.planner.utility.utility import Utility

SWAP_NOISE = 1e-15
"""A swap must gain more than this share of the values it changes."""
_AROUND = np.array([-1.0, 0.0, 1.0])
MOST_COST_RATIO = 10_000
"""What a dear sample leaves over may buy so many cheap ones: more are left to steps that take many at once."""
SWAP_WORK = 20_000_000
"""Sources times swaps: in huge markets a swap moves the utility by less than its last digits."""


def has_single_samples(market: Market) -> bool:
    """Whether every group has at most one source, and every source sells single samples at prices not far apart."""
    if not len(market.group) or market.rank.any() or (market.lot > 1).any() or (market.least > 1).any():
        return False
    return int(market.unit_cost.max()) <= MOST_COST_RATIO * int(market.unit_cost.min())


def top_up(utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> tuple[IntArray, float]:
    """Orders [S] reached from affordable ones by filling up and by single swaps, and U after them."""
    state = _State.of(utility, market, held, orders)
    state.fill_up()
    state.weigh_all()
    for _ in range(min(20 * len(orders) + 200, SWAP_WORK // len(orders))):
        if not state.swap():
            break
        state.fill_up()
    return state.orders, state.total(market, held, utility)


@dataclass
class _State:
    """Orders on the way. utility: of the sources' groups alone. held: their counts. left: money not spent.

    gain: what a sample more does to U, at most, and exactly where `sure_gain`, −inf where none is sold; next_gain: what
    one after it does, at most; loss: what one fewer takes, at least, and exactly where `sure_loss`, inf where there is
    none. value: V at the orders; above and below: V after a sample more and one fewer, where `sure_gain` and
    `sure_loss`. by_price: the sources, cheapest first, and what they ask.
    """

    utility: Utility
    held: FloatArray
    price: IntArray
    by_price: IntArray
    sorted_price: IntArray
    most: IntArray
    orders: IntArray
    left: int
    value: FloatArray
    above: FloatArray
    below: FloatArray
    gain: FloatArray
    sure_gain: BoolArray
    next_gain: FloatArray
    loss: FloatArray
    sure_loss: BoolArray

    @classmethod
    def of(cls, utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> "_State":
        """No loss is known yet: `weigh_all` before the first swap."""
        own = utility if len(market.group) == market.groups else utility.select(market.group)
        held = held[market.group]
        here, more = own.terms(held + orders), own.terms(held + orders + 1.0)
        gain = own.emphasis * _step(more.value - here.value, more.slope)
        return cls(
            utility=own,
            held=held,
            price=market.unit_cost,
            by_price=market.by_price,
            sorted_price=market.unit_cost[market.by_price],
            most=market.most,
            orders=orders.copy(),
            left=market.budget - market.cost(orders),
            value=here.value.copy(),
            above=more.value.copy(),
            below=np.zeros(len(orders)),
            gain=np.where(orders < market.most, gain, -np.inf),
            sure_gain=np.ones(len(orders), dtype=np.bool_),
            next_gain=own.emphasis * more.slope,
            loss=np.zeros(len(orders)),
            sure_loss=np.zeros(len(orders), dtype=np.bool_),
        )

    def total(self, market: Market, held: FloatArray, utility: Utility) -> float:
        """U; groups without a source stay where they are."""
        if len(self.orders) == market.groups:
            return utility.total(self.value)
        return utility.at(held + market.added(self.orders))

    def weigh_all(self) -> None:
        """Make every gain and loss exact."""
        own, counts = self.utility, self.held + self.orders
        more = own.terms(counts + 1.0)
        self._note(slice(None), own.terms(np.maximum(counts - 1.0, 0.0)).value, self.value, more.value, more.slope)

    def _weigh(self, at: IntArray) -> None:
        """Make gain and loss of the sources `at` exact."""
        if not len(at):
            return
        counts = (self.held[at] + self.orders[at])[:, None] + _AROUND
        terms = self.utility.select(at).terms(np.maximum(counts, 0.0))
        below, here, above = terms.value.T
        self._note(at, below, here, above, terms.slope[:, 2])

    def _note(
        self, at: IntArray | slice, below: FloatArray, here: FloatArray, above: FloatArray, slope: FloatArray
    ) -> None:
        """V of the sources `at`, a sample below and above it, and V' above it."""
        orders, emphasis = self.orders[at], self.utility.emphasis[at]
        self.below[at], self.value[at], self.above[at] = below, here, above
        self.gain[at] = np.where(orders < self.most[at], emphasis * _step(above - here, slope), -np.inf)
        self.loss[at] = np.where(orders > 0, emphasis * _step(here - below, slope), np.inf)
        self.next_gain[at] = emphasis * slope
        self.sure_gain[at] = self.sure_loss[at] = True

    def _step_up(self, at: IntArray) -> None:
        """A sample more of each source `at`, of which the gain is known: it is now what taking it back would lose."""
        self.orders[at] = orders = self.orders[at] + 1
        self.below[at], self.value[at] = self.value[at], self.above[at]
        self.loss[at], self.sure_loss[at] = self.gain[at], True
        # As V is concave, the one after the next gains no more than the next.
        self.gain[at] = np.where(orders < self.most[at], self.next_gain[at], -np.inf)
        self.sure_gain[at] = False

    def _step_down(self, at: IntArray) -> None:
        """A sample less of each source `at`, of which the loss is known."""
        self.orders[at] = orders = self.orders[at] - 1
        self.above[at], self.value[at] = self.value[at], self.below[at]
        self.next_gain[at] = self.gain[at]
        self.gain[at], self.sure_gain[at] = self.loss[at], True
        self.loss[at], self.sure_loss[at] = np.where(orders > 0, self.loss[at], np.inf), False

    def _size(self, at: list[int]) -> float:
        """The terms of U of the sources `at` together."""
        return float(self.utility.emphasis[at] @ np.abs(self.value[at]))

    def fill_up(self) -> None:
        """Samples until none can be bought."""
        while self.fill():
            pass

    def fill(self) -> bool:
        """A sample more for every group, the best first, as far as the money goes; False where none can be bought."""
        cheapest = int(self.sorted_price[0])
        if self.left < cheapest:
            return False
        able = np.flatnonzero((self.gain > 0.0) & (self.price <= self.left))
        unsure = able[~self.sure_gain[able]]
        if len(unsure):
            self._weigh(unsure)
            able = able[self.gain[able] > 0.0]
        price = self.price[able]
        order = _ascending(self.gain[able] / -price)
        ranked, price = able[order], price[order]
        taken: list[IntArray] = []
        while len(ranked) and self.left >= cheapest:
            paid = price.cumsum()
            first = int(paid.searchsorted(self.left, side="right"))
            taken.append(ranked[:first])
            self.left -= int(paid[first - 1]) if first else 0
            fits = np.flatnonzero(price[first:] <= self.left) + first
            ranked, price = ranked[fits], price[fits]
        if taken:
            self._step_up(np.concatenate(taken))
        return bool(taken)

    def swap(self) -> bool:
        """Take one sample back and buy another where that gains most; False where no pair gains."""
        price = self.sorted_price
        last = price.searchsorted(price + self.left, side="right") - 1
        while True:
            pairs = _Pairs.of(self, last)
            place, net = pairs.best()
            if net == -np.inf:
                return False
            back, forth = int(self.by_price[place]), int(self.by_price[pairs.partner(place)])
            if net <= SWAP_NOISE * self._size([back, forth]):
                return False
            if self.sure_loss[back] and self.sure_gain[forth]:
                break
            self._weigh(self.by_price[pairs.promising(self, price)])
        self.left += int(self.price[back]) - int(self.price[forth])
        self._step_down(np.array([back]))
        self._step_up(np.array([forth]))
        return True


@dataclass(frozen=True)
class _Pairs:
    """Swaps of sources [S] from the cheapest to the dearest: gain of a sample more, loss of one fewer, and the last
    source that what is freed pays for.
    """

    gain: FloatArray
    loss: FloatArray
    last: IntArray

    @classmethod
    def of(cls, state: _State, last: IntArray) -> "_Pairs":
        return cls(state.gain[state.by_price], state.loss[state.by_price], last)

    def net(self, gain: FloatArray, loss: FloatArray) -> FloatArray:
        """What taking back a sample of each source [S] brings with its best partner.

        Its own sample is never that where it gains: buying it back gains no more than it lost.
        """
        return np.maximum.accumulate(gain)[self.last] - loss

    @cached_property
    def nets(self) -> FloatArray:
        """`net` of all that may gain."""
        return self.net(self.gain, self.loss)

    def best(self) -> tuple[int, float]:
        """The place of the source best taken back, and what its swap gains; of equal ones the one that frees most."""
        backwards = self.nets[::-1]
        pick = int(np.argmax(backwards))
        return len(backwards) - 1 - pick, float(backwards[pick])

    def partner(self, place: int) -> int:
        """The place of what is best bought for a sample of the source at `place`."""
        return int(np.argmax(self.gain[: self.last[place] + 1]))

    def promising(self, state: _State, price: IntArray) -> IntArray:
        """The places whose gain or loss is not known and could be part of a better swap than all that are."""
        sure_gain, sure_loss = state.sure_gain[state.by_price], state.sure_loss[state.by_price]
        floor = 0.0
        if sure_loss.any():
            known = self.net(np.where(sure_gain, self.gain, -np.inf), np.where(sure_loss, self.loss, np.inf))
            floor = max(float(known.max()), 0.0)
        backs = np.flatnonzero((self.nets > floor) & ~sure_loss)
        # Of what could be bought: the least loss among the sources that pay for it, from the first of them on.
        wanted = np.flatnonzero((self.gain - self.loss.min() > floor) & ~sure_gain)
        first = np.searchsorted(price, price[wanted] - state.left)
        least = np.minimum.accumulate(self.loss[::-1])[::-1][first]
        return np.concatenate([backs, wanted[self.gain[wanted] - least > floor]])


def _ascending(values: FloatArray) -> IntArray:
    """The order that sorts them, equal ones as they stand: NumPy's quick sort can be eight times as fast as its stable
    one, and values are seldom equal."""
    order = np.argsort(values)
    ranked = values[order]
    return np.argsort(values, kind="stable") if np.count_nonzero(ranked[1:] == ranked[:-1]) else order


def _step(difference: FloatArray, slope: FloatArray) -> FloatArray:
    """What one sample does. Differences of V drown in rounding at huge counts, where the slope beyond is a floor: V is
    concave."""
    return np.maximum(difference, slope)
