"""The heuristics every plan is compared with (method.md 8). They need no curve: counts, money and weights decide.

All are whole orders within the sources' limits, the cheaper source of a group first. Each raises one level, the same
for all groups, as far as the budget goes, and then fills up: what is left raises the level of the groups whose next
step it pays for, until it pays for none. What a capped group cannot take goes to the others. Counts are effective
samples; `space` [groups]: accepted samples up to a group's max_count, None: any.
"""

from collections.abc import Callable, Sequence

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.policies.fill_orders import Shelves, sample_prices
from app.planner.policies.policy import Policy
from app.planner.problem.market import Market

LEVEL_HALVINGS = 60
"""Halvings of a level: enough for the last bit of a double."""
FILLED = "What is left would go where a bound or a limit forbids it, or to groups of weight 0."
NEAR = 1e-14
"""The level at which the money ends is known to this share of it."""
MOST_LEVELS = 20
"""So often the level is raised for those that the money left can still serve; then they get single steps."""


def equal(market: Market, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: the largest equal count for every group with a source."""
    shelves, each = Shelves(market, space), np.ones(market.groups)
    most = int(shelves.offered().max(initial=0.0))

    def level(wanted: FloatArray) -> IntArray:
        def orders(count: int) -> IntArray:
            return shelves.fill(np.minimum(wanted, float(count)))

        near = _whole_levels(shelves.last_level(each, wanted))
        return orders(_largest(most, lambda count: _paid(market, orders(count)), near))

    return _filled_up(shelves, level, market.added, each)


def equal_spend(market: Market, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: the same money for every group with a source."""
    shelves = Shelves(market, space)
    room, rate = np.minimum(shelves.full_cost(), market.budget), 1.0 / sample_prices(market)

    def level(wanted: FloatArray) -> IntArray:
        def orders(money: int) -> IntArray:
            return shelves.fill_money(np.minimum(np.minimum(room, wanted), money))

        near = _whole_levels(shelves.last_level(rate, np.minimum(room, wanted) * rate))
        return orders(_largest(market.budget, lambda money: _paid(market, orders(money)), near))

    return _filled_up(shelves, level, shelves.cost_of_groups, np.ones(market.groups))


def proportional(market: Market, weights: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S]: counts in proportion to the weights [groups]."""
    shelves = Shelves(market, space)
    offered = shelves.offered()
    served = (offered > 0.0) & (weights > 0.0)
    # A whole count that the halving approaches from below is not lost to its last bit.
    top = float((offered[served] / weights[served]).max(initial=0.0))

    def level(wanted: FloatArray) -> IntArray:
        def orders(scale: float) -> IntArray:
            return shelves.fill(np.minimum(np.minimum(scale * weights * (1.0 + 1e-12), offered), wanted))

        last = shelves.last_level(weights * (1.0 + 1e-12), wanted)
        near = () if last is None else (last * (1.0 - NEAR), last * (1.0 + NEAR))
        return orders(highest(market, top, orders, near))

    return _filled_up(shelves, level, market.added, weights)


def water_filling(market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S] that bring all counts, of which `held` [groups] are there, up to one level."""
    shelves = Shelves(market, space)
    top = float((held + shelves.offered()).max(initial=0.0))
    level = highest(market, top, lambda level: shelves.fill(np.maximum(level - held, 0.0)))
    # Just below the level no count is rounded up by chance; the last sample of each is bought lowest first.
    orders = shelves.fill(np.maximum(level * (1.0 - 1e-8) - held, 0.0))
    counts = held + market.added(orders)
    return shelves.top_up(orders, np.argsort(counts[market.group], kind="stable").tolist())


def _filled_up(
    shelves: Shelves,
    level: Callable[[FloatArray], IntArray],
    had: Callable[[IntArray], FloatArray],
    weights: FloatArray,
) -> IntArray:
    """Orders [S] of the highest level, filled up until no further step of a group with a weight can be paid for.

    level: orders of the highest level that is paid for while no group gets more than its wish [groups]. had: what the
    groups have of orders, in the units of the wish; it is levelled in proportion to the weights [groups].
    """
    market, wanted, stuck = shelves.market, np.full(shelves.market.groups, np.inf), weights <= 0.0
    orders = level(wanted)
    for _ in range(MOST_LEVELS):
        # A group that waits for a step dearer than all that is left holds up the level of the others.
        waits = shelves.next_step_cost(orders) > market.budget - market.cost(orders)
        if not (waits & ~stuck).any() or (waits | stuck).all():
            break
        stuck = stuck | waits
        wanted = np.where(stuck, had(orders), np.inf)
        higher = level(wanted)
        if (higher == orders).all():
            break
        orders = higher
    while True:
        share = np.divide(had(orders), weights, out=np.full(len(weights), np.inf), where=weights > 0.0)
        more = shelves.top_up(orders, shelves.ranked(share))
        if (more == orders).all():
            return orders
        orders = more


def highest(market: Market, top: float, orders: Callable[[float], IntArray], near: Sequence[float] = ()) -> float:
    """The highest level from 0 to `top` whose orders [S] the budget pays for; those of level 0 it must pay for.

    near: levels on both sides of it, where a higher level never costs less: what they tell need not be asked again.
    """
    low, high = 0.0, top
    if _paid(market, orders(top)):
        return top
    paid = [level for level in near if _paid(market, orders(level))]
    known, dear = max(paid, default=0.0), min((level for level in near if level not in paid), default=np.inf)
    for _ in range(LEVEL_HALVINGS):
        middle = 0.5 * (low + high)
        fits = middle <= known or (middle < dear and _paid(market, orders(middle)))
        low, high = (middle, high) if fits else (low, middle)
    return low


def _largest(high: int, fits: Callable[[int], bool], near: Sequence[int] = ()) -> int:
    """The largest number from 0 to `high` that fits, where smaller ones fit too; `near` are tried first."""
    low = 0
    for number in near:
        if low < number <= high:
            low, high = (number, high) if fits(number) else (low, number - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _whole_levels(last: float | None) -> tuple[int, ...]:
    """The whole levels before and at the one at which the money ends, where it is known."""
    if last is None:
        return ()
    level = round(last)
    return level - 1, level


def _paid(market: Market, orders: IntArray) -> bool:
    return market.cost(orders) <= market.budget


EQUAL = Policy(
    key="equal",
    label="Equal counts",
    rule="the same count for every group",
    reason="The policy gives every group with a source the same count.",
    orders=lambda form, _: equal(form.market, form.space),
    needs_curves=False,
    unspent=FILLED,
)
EQUAL_SPEND = Policy(
    key="equal_spend",
    label="Equal money",
    rule="the same money for every group",
    reason="The policy gives every group with a source the same money.",
    orders=lambda form, _: equal_spend(form.market, form.space),
    needs_curves=False,
    unspent=FILLED,
)
PROPORTIONAL = Policy(
    key="proportional",
    label="By weight",
    rule="by the groups' weights",
    reason="The policy gives counts by weight, and its weight is {weight}.",
    orders=lambda form, _: proportional(form.market, form.utility.weights, form.space),
    needs_curves=False,
    unspent=FILLED,
)
WATER_FILLING = Policy(
    key="water_filling",
    label="Level the counts",
    rule="levelling the counts",
    reason="The policy brings all counts up to one level.",
    orders=lambda form, _: water_filling(form.market, form.held, form.space),
    needs_curves=False,
)
BASELINES = (EQUAL, EQUAL_SPEND, PROPORTIONAL)
"""Every plan is compared with these."""
