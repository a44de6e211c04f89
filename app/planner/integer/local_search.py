"""Whole orders changed step by step: mended, filled up, swapped until nothing helps (method.md 6, "Whole orders").

What a step does to U is estimated from the gradient of F, and computed for the best of them.
"""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.exchange import Cart

TRIED = 24
"""So many of the steps or swaps that look best are computed exactly."""
MOVES = 3000
MOST_SINGLE_LOTS = 64
"""More lots than this are not bought, or swapped, one by one."""
STEP_NOISE = 1e-14
"""A step must gain more than this share of the utility's size."""


def improve(cart: Cart) -> Cart:
    """The cart filled up and swapped until nothing helps; from allowed orders it stays within what is allowed."""
    for _ in range(MOVES):
        if not (_fill(cart) or _swap(cart) or _shift_to_cheaper(cart) or _drop_useless(cart) or _give_back(cart)):
            break
    return cart


def repair(cart: Cart) -> bool:
    """Steps up and back until the budget and every row are kept; False where none helps any more."""
    for _ in range(MOVES):
        missed = cart.region.missed(cart.row_values)
        if not missed.any() and cart.left >= 0:
            return True
        up, down = _helps(cart, missed)
        ranks = np.concatenate([up / np.maximum(cart.cost_up, 1), down])
        best = int(np.argmax(ranks)) if len(ranks) else 0
        if not len(ranks) or ranks[best] <= 0.0:
            return False
        source = best % len(cart.orders)
        step = int(cart.step_up[source]) if best < len(cart.orders) else -int(cart.step_down[source])
        cart.move([(source, step * _repeats(cart, source, step, missed))])
    return False


def _repeats(cart: Cart, source: int, step: int, missed: FloatArray) -> int:
    """How often a step can be taken before the first of the missed rows [R] that it helps is kept."""
    offer, order = cart.market.sources[source], int(cart.orders[source])
    if abs(step) != offer.lot_size or cart.left < 0:
        return 1
    cost = int(cart.cost_up[source] if step > 0 else -cart.cost_down[source])
    row, column, (per_sample, per_share, _) = cart.region.entries
    own = column == source
    moved = np.abs(per_sample * step + per_share * cost / max(cart.market.budget, 1))[own]
    needed = missed[row[own]]
    helped = (needed > 0.0) & (moved > 0.0)
    times = int((needed[helped] / moved[helped]).min()) if helped.any() else 1
    room = (int(cart.market.most[source]) - order if step > 0 else order - offer.least) // abs(step)
    times = max(1, min(times, room))
    while times > 1 and (offer.cost(order + times * step) - cart.spent[source] > cart.left):
        times //= 2
    change = np.zeros((2, len(cart.orders)))
    change[:, source] = times * step, offer.cost(order + times * step) - cart.spent[source]
    return times if cart.keeps(*change)[source] else 1


def _helps(cart: Cart, missed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much a step up and a step back bring the missed rows [R] nearer, in their own sizes; 0: not allowed."""
    wanted = np.where(missed > 0.0, np.where(cart.row_values < cart.region.lower, 1.0, -1.0), 0.0) / _size(cart)
    per_sample, per_share = cart.rows[0].T @ wanted, cart.rows[1].T @ wanted
    budget = max(cart.market.budget, 1)
    up = per_sample * cart.step_up + per_share * cart.cost_up / budget
    down = -(per_sample * cart.step_down + per_share * cart.cost_down / budget)
    if cart.left < 0:
        up, down = np.zeros_like(up), down + cart.cost_down / budget
    able = (cart.step_up > 0) & (cart.cost_up <= cart.left)
    able &= cart.keeps(cart.step_up.astype(np.float64), cart.cost_up.astype(np.float64))
    back = (cart.step_down > 0) & cart.keeps(-cart.step_down.astype(np.float64), -cart.cost_down.astype(np.float64))
    return np.where(able & (up > 0.0), up, 0.0), np.where(back & (down > 0.0), down, 0.0)


def _size(cart: Cart) -> FloatArray:
    """A row's own size [R], to weigh misses of unlike rows."""
    lower = np.where(np.isfinite(cart.region.lower), np.abs(cart.region.lower), 0.0)
    upper = np.where(np.isfinite(cart.region.upper), np.abs(cart.region.upper), 0.0)
    return np.maximum(np.maximum(lower, upper), 1e-9)


def _fill(cart: Cart) -> bool:
    """Take the affordable step that gains most per cost; False where none gains."""
    gain, _ = cart.estimates()
    able = (cart.step_up > 0) & (cart.cost_up <= cart.left)
    if not able.any():
        return False
    able &= cart.keeps(cart.step_up.astype(np.float64), cart.cost_up.astype(np.float64))
    cost = np.maximum(cart.cost_up, 1)
    hope = np.where(able & (gain > 0.0), gain / cost, 0.0)
    source = _best_step(cart, gain, hope)
    if source is None:
        promise = np.where(able, cart.promise() / cost, 0.0)
        source = int(np.argmax(promise)) if promise.any() else None
        if source is None or promise[source] <= 0.0:
            return False
        cart.move([(source, int(cart.step_up[source]))])
        return True
    cart.move([(source, int(cart.step_up[source]) * _stride(cart, source))])
    return True


def _best_step(cart: Cart, gain: FloatArray, hope: FloatArray) -> int | None:
    """The source whose step gains most per cost; where gains [S] are estimates, the best of those that look best."""
    total = cart.total
    if cart.is_exact:
        rates = np.where(gain > STEP_NOISE * abs(total), hope, 0.0)
        source = int(np.argmax(rates))
        return source if rates[source] > 0.0 else None
    best, found = 0.0, None
    for source in np.argsort(-hope, kind="stable")[:TRIED].tolist():
        if hope[source] <= 0.0:
            break
        gained = cart.total_after([(source, int(cart.step_up[source]))]) - total
        rate = gained / max(int(cart.cost_up[source]), 1)
        if gained > STEP_NOISE * abs(total) and rate > best:
            best, found = rate, source
    return found


def _stride(cart: Cart, source: int) -> int:
    """How many lots of the source to take at once: while the money would pay for many more than there are sources."""
    step = int(cart.step_up[source])
    if cart.left < int(cart.cost_up[source]) * (len(cart.orders) + MOST_SINGLE_LOTS):
        return 1
    return _strides(cart, [(source, step)], 1.9)


def _strides(cart: Cart, changes: Sequence[tuple[int, int]], growth: float) -> int:
    """How often to make changes of a lot each: doubled while that is allowed and gains `growth` times as much."""
    if any(abs(samples) != cart.market.lot[source] for source, samples in changes):
        return 1
    strides, total = 1, cart.total
    last = cart.total_after(changes) - total
    while True:
        more = [(source, 2 * strides * samples) for source, samples in changes]
        if not _pays(cart, more) or not _pair_keeps(cart, more):
            return strides
        gained = cart.total_after(more) - total
        if gained < growth * last:
            return strides
        strides, last = 2 * strides, gained


def _pays(cart: Cart, changes: Sequence[tuple[int, int]]) -> bool:
    """Whether sources sell what changes of their orders come to, and the money left pays for it."""
    cost = 0
    for source, samples in changes:
        order, offer = int(cart.orders[source]) + samples, cart.market.sources[source]
        if not offer.least <= order <= int(cart.market.most[source]):
            return False
        cost += offer.cost(order) - cart.spent[source]
    return cost <= cart.left


def _swap(cart: Cart) -> bool:
    """Take one step back and another forward where that gains; False where no pair that was tried does."""
    gain, loss = cart.estimates()
    total = cart.total
    noise = STEP_NOISE * abs(total)
    back, forth = np.flatnonzero(cart.step_down > 0), np.flatnonzero((cart.step_up > 0) & (gain > noise))
    if not len(back) or not len(forth):
        return False
    back = _worth_taking(cart, back, forth, gain, loss)
    net = gain[forth][None, :] - loss[back][:, None]
    net[back[:, None] == forth[None, :]] = -np.inf
    net[cart.cost_up[forth][None, :] > cart.left + cart.cost_down[back][:, None]] = -np.inf
    for place in _highest(net.ravel(), TRIED):
        if net.flat[place] <= noise:
            return False
        one, other = int(back[place // len(forth)]), int(forth[place % len(forth)])
        changes = [(one, -int(cart.step_down[one])), (other, int(cart.step_up[other]))]
        if cart.total_after(changes) - total > STEP_NOISE * max(abs(total), 1e-3) and _pair_keeps(cart, changes):
            crowded = min(cart.orders[one], cart.orders[other]) > MOST_SINGLE_LOTS * max(
                cart.market.lot[one], cart.market.lot[other]
            )
            times = _strides(cart, changes, 1.5) if crowded else 1
            cart.move([(source, times * samples) for source, samples in changes])
            return True
    return False


def _worth_taking(cart: Cart, back: IntArray, forth: IntArray, gain: FloatArray, loss: FloatArray) -> IntArray:
    """The sources of `back` of which a step back may be part of the best swaps, the best first.

    Each is weighed with the best step forward that it pays for, be it its own. Of equal ones, as where only the worst
    group counts, the one that leaves its groups highest comes first.
    """
    by_cost = forth[np.argsort(cart.cost_up[forth], kind="stable")]
    within = np.searchsorted(cart.cost_up[by_cost], cart.left + cart.cost_down[back], side="right")
    highest = np.concatenate([[-np.inf], np.maximum.accumulate(gain[by_cost])])
    ceiling = highest[within] - loss[back]
    if cart.is_exact:
        return back[_highest(ceiling, 2 * TRIED)]
    return back[np.lexsort((-cart.lowest()[back], -ceiling))[: 2 * TRIED]]


def _highest(values: FloatArray, count: int) -> IntArray:
    """Where the `count` highest values stand, the highest first, equal ones as they stand."""
    near = np.arange(len(values))
    if len(values) > 2 * count:
        near = np.sort(np.argpartition(-values, count)[:count])
    return near[np.argsort(-values[near], kind="stable")][:count]


def _shift_to_cheaper(cart: Cart) -> bool:
    """Move lots to where the same is cheaper, between two sources alike but for price; False where none can be moved.

    Such a move changes no count, only what is left to spend: steps and swaps do not see it.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for at, source in enumerate(cart.market.sources):
        if source.fixed_order is None:
            key = source.yields, source.acceptance_rate, source.quality, source.lot_size
            alike.setdefault(key, []).append(at)
    pairs = [pair for members in alike.values() if len(members) > 1 for pair in permutations(members, 2)]
    return any(cart.orders[dear] > 0 and _shift(cart, dear, cheap) for dear, cheap in pairs)


def _shift(cart: Cart, dear: int, cheap: int) -> bool:
    """Move as many samples as can be moved, or one lot, where that saves money; False where it does not."""
    market, orders, lot = cart.market, cart.orders, int(cart.market.lot[dear])
    most = min(int(market.most[cheap] - orders[cheap]), int(orders[dear])) // lot * lot
    for samples in (most, min(most, lot)):
        left = int(orders[dear]) - samples
        moved = samples if left == 0 else min(samples, int(orders[dear] - market.least[dear]))
        if moved <= 0 or orders[cheap] + moved < market.least[cheap]:
            continue
        costs = (
            market.sources[dear].cost(int(orders[dear]) - moved),
            market.sources[cheap].cost(int(orders[cheap]) + moved),
        )
        changes = [(dear, -moved), (cheap, moved)]
        if sum(costs) < cart.spent[dear] + cart.spent[cheap] and _pair_keeps(cart, changes):
            cart.move(changes)
            return True
    return False


def _drop_useless(cart: Cart) -> bool:
    """Take back an order that brings nothing to a group that counts and that no bound needs; False where there is none.

    Steps see nothing in it, neither to gain nor to lose; the integer programme leaves such orders behind.
    """
    if cart.values.crossed:
        return False
    useful = cart.market.effective.T @ cart.values.utility.counted.astype(np.float64) > 0.0
    for source in np.flatnonzero(~useful & (cart.orders > 0)).tolist():
        changes = [(source, -int(cart.orders[source]))]
        if cart.market.sources[source].fixed_order is None and _pair_keeps(cart, changes):
            cart.move(changes)
            return True
    return False


def _give_back(cart: Cart) -> bool:
    """Take one step back where that alone gains, as it can where groups clash; False where none does."""
    if not cart.values.clashes:
        return False
    _, loss = cart.estimates()
    total = cart.total
    for source in _highest(np.where(cart.step_down > 0, -loss, -np.inf), TRIED).tolist():
        if not loss[source] < 0.0 or not cart.step_down[source]:
            return False
        changes = [(source, -int(cart.step_down[source]))]
        gained = cart.total_after(changes) - total
        if gained > STEP_NOISE * max(abs(total), 1e-3) and _pair_keeps(cart, changes):
            cart.move([(source, _strides(cart, changes, 1.5) * changes[0][1])])
            return True
    return False


def _pair_keeps(cart: Cart, changes: Sequence[tuple[int, int]]) -> bool:
    orders = cart.orders.copy()
    for source, samples in changes:
        orders[source] += samples
    missed = cart.region.missed(cart.region.values(cart.market, orders))
    return cart.region.is_open or bool(np.all(missed <= cart.region.missed(cart.row_values)))


def improve_towards(cart: Cart, wanted: FloatArray) -> Cart:
    """A step more of the sources whose divisible orders `wanted` [S] were cut most, while that can be paid."""
    share = np.where(cart.step_up > 0, (wanted - cart.orders) / np.maximum(cart.step_up, 1), 0.0)
    for source in np.argsort(-share, kind="stable").tolist():
        steps = np.zeros((2, len(share)))
        steps[:, source] = cart.step_up[source], cart.cost_up[source]
        able = share[source] > 0.0 and cart.step_up[source] > 0 and cart.cost_up[source] <= cart.left
        if able and cart.keeps(*steps)[source]:
            cart.move([(source, int(cart.step_up[source]))])
    return cart
