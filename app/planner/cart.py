"""Whole orders in any market, changed lot by lot: repair, spend what is left, swap (planner.md 4).

The general counterpart of `integers`: sources that feed several groups, tiers and fixed costs, bounds and limits, any
utility. S sources, k groups; orders [S] in samples, money in millionths. One step of a source is its next lot, or its
smallest order from nothing; one step back is a lot, or all of a smallest order. What a step does to U is estimated from
the gradient of F, and computed for the best of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.market import Market
from app.planner.region import SLACK, Region
from app.planner.values import Values

TRIED = 24
"""So many of the steps or swaps that look best are computed exactly."""
MOVES = 3000
NOISE = 1e-14
"""A step must gain more than this share of the utility's size."""


@dataclass
class Cart:
    """Orders [S] with what is known of them: left: money not spent. counts [k]: effective, held included.

    step_up, step_down [S]: samples of a step each way, 0 where there is none; cost_up, cost_down: its money.
    """

    market: Market
    region: Region
    values: Values
    held: FloatArray
    orders: IntArray

    def __post_init__(self) -> None:
        market = self.market
        self.fed = csc_array(market.effective)
        self.rows = csc_array(self.region.samples), csc_array(self.region.costs)
        self.spent = market.costs(self.orders)
        self.left = market.budget - sum(self.spent)
        self.row_values = self.region.values(market, self.orders)
        self.counts = self.held + market.added(self.orders)
        self.value = self.values.at(self.counts)
        size = len(self.orders)
        self.step_up, self.step_down = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.cost_up, self.cost_down = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.rise, self.fall = np.zeros(self.fed.nnz), np.zeros(self.fed.nnz)
        self._refresh(np.arange(size))

    @property
    def total(self) -> float:
        """U after the orders."""
        return self.values.utility.total(self.value)

    @property
    def is_allowed(self) -> bool:
        """Whether the orders keep the budget and the region."""
        return self.left >= 0 and not self.region.missed(self.row_values).any()

    def move(self, changes: Sequence[tuple[int, int]]) -> None:
        """Change the orders of some sources by so many samples each."""
        for source, samples in changes:
            self.orders[source] += samples
            cost = self.market.sources[source].cost(int(self.orders[source]))
            self.left -= cost - self.spent[source]
            self.spent[source] = cost
        touched = np.array([source for source, _ in changes])
        self.row_values = self.region.values(self.market, self.orders)
        self.counts = self.held + self.market.added(self.orders)
        self.value = self.values.at(self.counts)
        groups = np.unique(self.fed[:, touched].indices)
        near = np.unique(self.market.effective[groups].indices)
        self._refresh(np.arange(len(self.orders)) if self.values.crossed else np.union1d(near, touched))

    def _refresh(self, sources: IntArray) -> None:
        market = self.market
        for at in sources.tolist():
            source, order = market.sources[at], int(self.orders[at])
            lot, least, most = source.lot_size, source.least, int(market.most[at])
            up = lot if order else least
            down = lot if order - lot >= least else order
            free = source.fixed_order is None
            self.step_up[at] = up = up if free and order + up <= most else 0
            self.step_down[at] = down = down if free else 0
            self.cost_up[at] = source.cost(order + up) - self.spent[at]
            self.cost_down[at] = self.spent[at] - source.cost(order - down)
        if not self.values.crossed:
            self._tabulate(sources)

    def _tabulate(self, sources: IntArray) -> None:
        """What a step of these sources does to the value of each group it feeds: rise and fall [entries of `fed`]."""
        places = np.concatenate([np.arange(*self.fed.indptr[at : at + 2]) for at in sources] or [np.zeros(0, int)])
        if not len(places):
            return
        owner = np.repeat(np.arange(len(self.orders)), np.diff(self.fed.indptr))[places]
        group, rate = self.fed.indices[places], self.fed.data[places]
        base = self.counts[group]
        ends = np.stack(
            [base + rate * self.step_up[owner], np.maximum(base - rate * self.step_down[owner], 0.0)], axis=1
        )
        found = self.values.utility.select(group).terms(ends)
        self.rise[places] = found.value[:, 0] - self.value[group]
        self.fall[places] = self.value[group] - found.value[:, 1]

    def estimates(self) -> tuple[FloatArray, FloatArray]:
        """What a step up gains and a step back loses [S], F taken as linear."""
        if self.values.crossed:
            return self._crossed_estimates()
        share = self.values.utility.gradient(self.value)[self.fed.indices]
        ends = self.fed.indptr[:-1]
        empty = np.diff(self.fed.indptr) == 0
        gain = np.where(empty, 0.0, np.add.reduceat(np.append(share * self.rise, 0.0), ends))
        loss = np.where(empty, 0.0, np.add.reduceat(np.append(share * self.fall, 0.0), ends))
        return gain, loss

    def _crossed_estimates(self) -> tuple[FloatArray, FloatArray]:
        _, gradient = self.values.tangents(self.counts)
        per_sample = np.asarray((self.values.utility.gradient(self.value) @ gradient) @ self.fed)
        return per_sample * self.step_up, per_sample * self.step_down

    def promise(self) -> FloatArray:
        """What else speaks for a step up [S] where none raises U: how much it raises those that are worst off."""
        utility = self.values.utility
        if self.values.crossed or utility.is_additive:
            return np.zeros(len(self.orders))
        span = np.ptp(self.value[utility.counted]) or 1.0
        urgent = np.exp(-20.0 * (self.value - self.value[utility.counted].min()) / span) * utility.counted
        ends, empty = self.fed.indptr[:-1], np.diff(self.fed.indptr) == 0
        raised = np.add.reduceat(np.append(urgent[self.fed.indices] * self.rise, 0.0), ends)
        return np.where(empty, 0.0, raised)

    def total_after(self, changes: Sequence[tuple[int, int]]) -> float:
        """U were the orders changed so."""
        counts = self.counts.copy()
        groups: list[int] = []
        for source, samples in changes:
            own = slice(*self.fed.indptr[source : source + 2])
            counts[self.fed.indices[own]] += samples * self.fed.data[own]
            groups += self.fed.indices[own].tolist()
        counts = np.maximum(counts, 0.0)
        if self.values.crossed:
            return self.values.total(counts)
        value, at = self.value.copy(), np.unique(groups)
        value[at] = self.values.utility.select(at).terms(counts[at]).value
        return self.values.utility.total(value)

    def keeps(self, samples: FloatArray, costs: FloatArray) -> BoolArray:
        """Whether every row is missed by no more than now after steps of so many samples and millionths [S]."""
        if self.region.is_open:
            return np.ones(len(samples), dtype=np.bool_)
        share = costs / max(self.market.budget, 1)
        moved = (self.rows[0].multiply(samples[None, :]) + self.rows[1].multiply(share[None, :])).tocoo()
        row, source = moved.coords
        before = self.row_values[row]
        after = before + moved.data
        lower, upper = self.region.lower[row], self.region.upper[row]
        away = np.maximum(np.maximum(lower - after, after - upper), 0.0)
        was = np.maximum(np.maximum(lower - before, before - upper), 0.0)
        bad = away > np.maximum(was, SLACK * np.maximum(np.abs(before), 1e-3))
        fine = np.ones(len(samples), dtype=np.bool_)
        fine[source[bad]] = False
        return fine


def improve(cart: Cart) -> Cart:
    """The cart filled up and swapped until nothing helps; from allowed orders it stays within what is allowed."""
    for _ in range(MOVES):
        if not (_fill(cart) or _swap(cart)):
            break
    return cart


def repair(cart: Cart) -> bool:
    """Steps up until every row is kept; False where none helps any more."""
    for _ in range(MOVES):
        missed = cart.region.missed(cart.row_values)
        if not missed.any():
            return cart.left >= 0
        wanted = np.sign(np.where(missed > 0.0, np.where(cart.row_values < cart.region.lower, 1.0, -1.0), 0.0))
        weight = wanted / _size(cart)
        shares = cart.cost_up / max(cart.market.budget, 1)
        help_ = (cart.rows[0].T @ weight) * cart.step_up + (cart.rows[1].T @ weight) * shares
        able = (cart.step_up > 0) & (cart.cost_up <= cart.left) & (help_ > 0.0)
        able &= cart.keeps(cart.step_up.astype(np.float64), cart.cost_up.astype(np.float64))
        if not able.any():
            return False
        rank = np.where(able, help_ / np.maximum(cart.cost_up, 1), -np.inf)
        best = int(np.argmax(rank))
        cart.move([(best, int(cart.step_up[best]))])
    return False


def _size(cart: Cart) -> FloatArray:
    """A row's own size [R], to weigh misses of unlike rows."""
    lower = np.where(np.isfinite(cart.region.lower), np.abs(cart.region.lower), 0.0)
    return np.maximum(lower, 1e-9)


def _fill(cart: Cart) -> bool:
    """Take the affordable step that gains most per cost; False where none gains."""
    gain, _ = cart.estimates()
    able = (cart.step_up > 0) & (cart.cost_up <= cart.left)
    if not able.any():
        return False
    able &= cart.keeps(cart.step_up.astype(np.float64), cart.cost_up.astype(np.float64))
    cost = np.maximum(cart.cost_up, 1)
    hope = np.where(able & (gain > 0.0), gain / cost, 0.0)
    source = _best_step(cart, np.argsort(-hope, kind="stable")[:TRIED], hope)
    if source is None:
        promise = np.where(able, cart.promise() / cost, 0.0)
        source = int(np.argmax(promise)) if promise.any() else None
        if source is None or promise[source] <= 0.0:
            return False
        cart.move([(source, int(cart.step_up[source]))])
        return True
    cart.move([(source, int(cart.step_up[source]) * _stride(cart, source))])
    return True


def _best_step(cart: Cart, tried: IntArray, hope: FloatArray) -> int | None:
    """The tried source whose step gains most per cost, exactly."""
    total, best, found = cart.total, 0.0, None
    for source in tried.tolist():
        if hope[source] <= 0.0:
            break
        gained = cart.total_after([(source, int(cart.step_up[source]))]) - total
        rate = gained / max(int(cart.cost_up[source]), 1)
        if gained > NOISE * abs(total) and rate > best:
            best, found = rate, source
    return found


def _stride(cart: Cart, source: int) -> int:
    """How many lots of the source to take at once: while the money would pay for many more than there are sources."""
    offer, order = cart.market.sources[source], int(cart.orders[source])
    step = int(cart.step_up[source])
    if step != offer.lot_size or cart.left < int(cart.cost_up[source]) * (len(cart.orders) + 64):
        return 1
    strides, total = 1, cart.total
    last = cart.total_after([(source, step)]) - total
    while True:
        samples = 2 * strides * step
        cost = offer.cost(order + samples) - cart.spent[source]
        change = np.zeros((2, len(cart.orders)))
        change[:, source] = samples, cost
        if order + samples > int(cart.market.most[source]) or cost > cart.left or not cart.keeps(*change)[source]:
            return strides
        gained = cart.total_after([(source, samples)]) - total
        if gained < 1.9 * last:
            return strides
        strides, last = 2 * strides, gained


def _swap(cart: Cart) -> bool:
    """Take one step back and another forward where that gains; False where no pair that was tried does."""
    gain, loss = cart.estimates()
    back, forth = np.flatnonzero(cart.step_down > 0), np.flatnonzero(cart.step_up > 0)
    if not len(back) or not len(forth):
        return False
    net = gain[forth][None, :] - loss[back][:, None]
    net[back[:, None] == forth[None, :]] = -np.inf
    net[cart.cost_up[forth][None, :] > cart.left + cart.cost_down[back][:, None]] = -np.inf
    total = cart.total
    for place in np.argsort(-net, axis=None, kind="stable")[:TRIED].tolist():
        if net.flat[place] <= NOISE * abs(total):
            return False
        changes = [
            (int(back[place // len(forth)]), -int(cart.step_down[back[place // len(forth)]])),
            (int(forth[place % len(forth)]), int(cart.step_up[forth[place % len(forth)]])),
        ]
        if cart.total_after(changes) - total > NOISE * max(abs(total), 1e-3) and _pair_keeps(cart, changes):
            cart.move(changes)
            return True
    return False


def _pair_keeps(cart: Cart, changes: Sequence[tuple[int, int]]) -> bool:
    orders = cart.orders.copy()
    for source, samples in changes:
        orders[source] += samples
    missed = cart.region.missed(cart.region.values(cart.market, orders))
    return cart.region.is_open or bool(np.all(missed <= cart.region.missed(cart.row_values)))
