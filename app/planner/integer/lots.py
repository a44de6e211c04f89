"""Whole lots near the divisible optimum: round down, spend what is left, swap until nothing helps (planner.md 4).

Notation: S sources, k groups; orders [S], lots and counts are whole numbers, money is in millionths. One step of a
source is its next lot, or its smallest order from nothing; one step back is a lot, or all of a smallest order.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.integer import unit_levels, unit_samples
from app.planner.problem.market import Market
from app.planner.relaxation.multiplier import solve
from app.planner.relaxation.price_ladder import Ladder
from app.planner.relaxation.tabulation import tabulate
from app.planner.utility.utility import Utility

CROWD = 64
"""More steps than this many, beyond four per source, are not all taken one by one."""
REFILLS = 8
ENDLESS = 2**62
ROUGH = 1e-6
"""How exactly the rest is shared out before the single steps, as a share of its gain."""
NOISE = 1e-15
"""A swap must gain more than this share of the values it changes."""


@dataclass
class Basket:
    """Orders that can be changed step by step, with what each step would do.

    left: money not spent. value [groups]: V at the counts. Arrays [S]: up, down: samples a step adds or takes, 0
    where there is none; gain, loss: emphasis × what it does to V; below: V of the source's group after a step back.
    """

    utility: Utility
    market: Market
    held: FloatArray
    orders: IntArray

    def __post_init__(self) -> None:
        shape = self.orders.shape
        self.left = self.market.budget - self.market.cost(self.orders)
        self.value = np.zeros(self.market.groups)
        self.slope = np.zeros(self.market.groups)
        self.up, self.down = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self.gain, self.loss = np.zeros(shape), np.zeros(shape)
        self.below = np.zeros(shape)
        self._refresh(np.arange(self.market.groups), np.arange(len(self.orders)))

    @property
    def counts(self) -> FloatArray:
        """Counts [groups] after the orders."""
        return self.held + self.market.added(self.orders)

    @property
    def total(self) -> float:
        """U after the orders."""
        return self.utility.total(self.value)

    @property
    def up_cost(self) -> IntArray:
        """Money a step up takes [S], 0 where there is none."""
        return self.up * self.market.unit_cost

    def move(self, changes: dict[int, int]) -> None:
        """Change the orders of some sources by so many samples each."""
        for source, samples in changes.items():
            self.orders[source] += samples
            self.left -= samples * int(self.market.unit_cost[source])
        groups = np.unique(self.market.group[list(changes)])
        self._refresh(groups, np.flatnonzero(np.isin(self.market.group, groups)))

    def _refresh(self, groups: IntArray, sources: IntArray) -> None:
        market = self.market
        orders, lot, least = self.orders[sources], market.lot[sources], market.least[sources]
        up = np.where(orders > 0, lot, np.minimum(least, market.most[sources]))
        self.up[sources] = up = np.where(orders + up <= market.most[sources], up, 0)
        self.down[sources] = down = np.where(orders - lot >= least, lot, orders)
        counts = self.counts
        here = tabulate(self.utility.select(groups), counts[groups][:, None])
        self.value[groups], self.slope[groups] = here.value[:, 0], here.slope[:, 0]
        owner = market.group[sources]
        base = counts[owner]
        there = tabulate(self.utility.select(owner), np.stack([base + up, base - down], axis=1))
        self.below[sources] = there.value[:, 1]
        # Differences of V drown in rounding where counts are huge; concavity gives a floor that does not.
        emphasis, value = self.utility.emphasis[owner], self.value[owner]
        self.gain[sources] = emphasis * np.maximum(there.value[:, 0] - value, there.slope[:, 0] * up)
        self.loss[sources] = emphasis * np.maximum(value - there.value[:, 1], self.slope[owner] * down)


def round_down(market: Market, orders: FloatArray) -> IntArray:
    """Divisible orders [S] in whole lots, never more and never over budget; below the smallest order: nothing."""
    whole = np.minimum(np.floor(orders).astype(np.int64), market.most) // market.lot * market.lot
    whole = np.where(whole >= market.least, whole, 0)
    if market.cost(whole) > market.budget:
        # Rounding in the divisible answer; one part in 10¹² less of everything is below the budget again.
        return round_down(market, orders * (1.0 - 1e-12))
    return whole


@dataclass(frozen=True)
class Filled:
    """Whole orders [S] that no step and no swap improves, and their U."""

    orders: IntArray
    total: float


def improve(utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> Filled:
    """The best orders reached from affordable ones by filling up and by single swaps."""
    if unit_samples.applies(utility, market):
        return Filled(*unit_samples.top_up(utility, market, held, orders))
    if unit_levels.applies(utility, market):
        orders, done = unit_levels.level_up(utility, market, held, orders)
        if done:
            return Filled(orders, utility.at(held + market.added(orders)))
    basket = Basket(utility, market, held, orders.copy())
    swap = _swap_level if utility.is_level else _swap_priced
    for _ in range(REFILLS):
        if _fill_up(basket, 4 * len(orders) + CROWD):
            break
        _refill(basket)
    for _ in range(20 * len(orders) + 200):
        _fill_up(basket)
        if _shift_to_cheaper(basket):
            continue
        if utility.objective.stop_ratio > 0.0 or not swap(basket):
            break
    return Filled(basket.orders, basket.total)


def _shift_to_cheaper(basket: Basket) -> bool:
    """Move lots from a group's dearer source to a cheaper one of equal lots; False where no cheaper one has room.

    Swaps leave such pairs behind: they change two groups.
    """
    market, orders = basket.market, basket.orders
    for dear in np.flatnonzero((market.rank > 0) & (orders > 0)).tolist():
        for cheap in range(dear - int(market.rank[dear]), dear):
            lot = int(market.lot[dear])
            if market.lot[cheap] != lot or market.unit_cost[cheap] == market.unit_cost[dear]:
                continue
            more = min(int(market.most[cheap] - orders[cheap]), int(orders[dear])) // lot * lot
            left = int(orders[dear]) - more
            # Neither may be left below its smallest order.
            more -= 0 if left == 0 or left >= market.least[dear] else int(market.least[dear]) - left
            if more > 0 and orders[cheap] + more >= market.least[cheap]:
                basket.move({cheap: more, dear: -more})
                return True
    return False


def _refill(basket: Basket) -> None:
    """Spend a large rest by the divisible solver: what dear lots leave over may buy thousands of cheap ones."""
    market = basket.market
    able = (basket.up > 0) & (basket.up_cost <= basket.left)
    room = np.where(able, market.most - basket.orders, 0).astype(np.float64)
    ladder = Ladder.of(basket.counts, basket.left / market.budget, market.group, market.share, room)
    more = round_down(market, basket.orders + solve(basket.utility, ladder, ROUGH).orders) - basket.orders
    if more.any():
        basket.move({int(s): int(more[s]) for s in np.flatnonzero(more)})


def _fill_up(basket: Basket, moves: int = ENDLESS) -> bool:
    """Take the best affordable step until none is left that helps; False where `moves` steps did not get there."""
    for _ in range(moves):
        able = _resting_out(basket, (basket.up > 0) & (basket.up_cost <= basket.left) & (basket.gain > 0.0))
        if not able.any():
            return True
        rank = _rank(basket, able)
        source = int(np.argmax(rank))
        rivals = able & (basket.market.group != basket.market.group[source])
        rival = float(rank[rivals].max(initial=-np.inf))
        basket.move({source: int(basket.up[source]) * _stride(basket, source, rival)})
    return False


def _rank(basket: Basket, able: BoolArray) -> FloatArray:
    """How good each able step [S] is: its gain per cost, or for maximin how badly off its group is."""
    if basket.utility.is_level:
        return np.where(able, -basket.value[basket.market.group], -np.inf)
    return np.divide(basket.gain, basket.up * basket.market.share, out=np.full_like(basket.gain, -np.inf), where=able)


def _resting_out(basket: Basket, able: BoolArray) -> BoolArray:
    """The able sources without those of groups that `stop_ratio` leaves at rest."""
    stop_ratio = basket.utility.objective.stop_ratio
    if stop_ratio == 0.0 or not able.any():
        return able
    market = basket.market
    per_cost = (basket.utility.emphasis * basket.slope)[market.group] / market.share
    return np.asarray(able & (per_cost >= stop_ratio * per_cost[basket.up > 0].max()))


def _stride(basket: Basket, source: int, rival: float) -> int:
    """How many steps at once stay the best choice, as a power of two; 1 unless the money would pay for a crowd."""
    market, steps = basket.market, 1
    lot, group = int(basket.up[source]), int(market.group[source])
    if basket.utility.objective.stop_ratio > 0.0 or lot != market.lot[source]:
        return 1
    if basket.left // int(basket.up_cost[source]) <= CROWD:
        return 1
    room = min(basket.left // int(basket.up_cost[source]), int(market.most[source] - basket.orders[source]) // lot)
    own = basket.utility.select(np.array([group]))
    while 2 * steps <= room:
        there = own.terms(basket.counts[group : group + 1] + 2.0 * steps * lot)
        rank = -there.value[0] if own.is_level else there.slope[0] * own.emphasis[0] / market.share[source]
        if rank < rival or there.slope[0] <= 0.0:
            break
        steps *= 2
    return steps


def _swap_priced(basket: Basket) -> bool:
    """Take one step back and another forward where that gains most; False where no pair gains."""
    market = basket.market
    taken = np.flatnonzero(basket.down > 0)
    given = np.flatnonzero((basket.up > 0) & (basket.gain > 0.0))
    if not len(taken) or not len(given):
        return False
    given = given[np.argsort(basket.up_cost[given], kind="stable")]
    # Dearest first, so that of two equal swaps the one that frees more money is taken.
    taken = taken[np.argsort(-market.unit_cost[taken], kind="stable")]
    purse = basket.left + (basket.down * market.unit_cost)[taken]
    within = np.searchsorted(basket.up_cost[given], purse, side="right")
    best = _best_before(basket.gain[given])[np.maximum(within - 1, 0)]
    for at in np.flatnonzero((market.group[given[best]] == market.group[taken]) & (within > 0)):
        offered = given[: within[at]]
        own = market.group[offered] == market.group[taken[at]]
        best[at] = int(np.argmax(np.where(own, -np.inf, basket.gain[offered])))
    partner = given[best]
    possible = (within > 0) & (market.group[partner] != market.group[taken])
    net = np.where(possible, basket.gain[partner] - basket.loss[taken], -np.inf)
    size = basket.utility.emphasis * np.abs(basket.value)
    pick = int(np.argmax(net))
    back, forth = int(taken[pick]), int(partner[pick])
    if net[pick] <= NOISE * (size[market.group[back]] + size[market.group[forth]]):
        return False
    basket.move({back: -int(basket.down[back]), forth: int(basket.up[forth])})
    return True


def _best_before(gain: FloatArray) -> IntArray:
    """Position of the first maximum of each prefix."""
    peak = np.maximum.accumulate(gain)
    fresh = np.concatenate([[True], peak[1:] > peak[:-1]])
    return np.asarray(np.maximum.accumulate(np.where(fresh, np.arange(len(gain)), 0)))


def _swap_level(basket: Basket) -> bool:
    """Feed the worst group that can be fed at the cost of one that stays above it; False where there is none."""
    market = basket.market
    value = basket.value[market.group]
    given = np.flatnonzero((basket.up > 0) & (basket.gain > 0.0))
    freed = basket.down * market.unit_cost
    for forth in given[np.argsort(value[given], kind="stable")].tolist():
        able = (basket.down > 0) & (market.group != market.group[forth])
        able &= freed + basket.left >= basket.up_cost[forth]
        below = np.where(able, basket.below, -np.inf)
        below = np.where(able & ~basket.utility.counted[market.group], np.inf, below)
        back = int(np.argmax(below))
        if below[back] > value[forth] + NOISE * abs(value[forth]):
            basket.move({back: -int(basket.down[back]), forth: int(basket.up[forth])})
            return True
    return False
