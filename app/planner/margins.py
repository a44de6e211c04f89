"""What one more unit of money is worth to each group, and where no more can be bought (planner.md 4).

Arrays [groups] in the task's order; prices and marginals per unit of the currency.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.decision import Decision
from app.planner.task import Task
from app.planner.words import MILLIONTHS


@dataclass(frozen=True)
class Margins:
    """now, after: marginal utility per currency unit, 0 without a source. price: of the next sample now.

    open: whether the group's sources sell more than the plan orders, money aside. For maximin a group's own benefit
    counts, whether it is the worst or not.
    """

    now: FloatArray
    after: FloatArray
    price: FloatArray
    open: BoolArray

    @classmethod
    def of(cls, task: Task, decision: Decision) -> "Margins":
        """The margins before and after the decision's orders."""
        nothing = np.zeros_like(decision.orders)
        price, _ = _next_price(task, nothing)
        later, still = _next_price(task, decision.orders)
        emphasis = task.utility.emphasis
        now, after = emphasis * decision.now.slope / price, emphasis * decision.after.slope / later
        return cls(now=now, after=after, price=price, open=still)


def room(task: Task, orders: IntArray) -> BoolArray:
    """The sources [S] whose own limits leave room for a further step."""
    limits = [source.cap for source in task.sources]
    market = task.market
    step = np.where(orders > 0, market.lot, market.least)
    return np.array(
        [limit is None or int(order) + int(up) <= limit for limit, order, up in zip(limits, orders, step, strict=True)],
        dtype=np.bool_,
    )


def _next_price(task: Task, orders: IntArray) -> tuple[FloatArray, BoolArray]:
    """Price of the next sample, the last one's where there is no next, inf without a source; and whether one is."""
    market = task.market
    unit = market.unit_cost / MILLIONTHS
    free = room(task, orders)
    following, last = np.full(market.groups, np.inf), np.zeros(market.groups)
    np.minimum.at(following, market.group[free], unit[free])
    np.maximum.at(last, market.group, unit)
    open_ = np.isfinite(following)
    return np.where(open_, following, np.where(last > 0.0, last, np.inf)), open_
