"""The budget's multiplier and maximin's level where every gain is a power of the count (method.md 6).

A step is a stretch of one group's price ladder on which x effective samples more than at its origin leave

    the marginal utility per cost   exp(rate) · (1 + x/base)^(−1/gamma),  or
    the loss                        floor + exp(rate) · (1 + x/base)^(−1/gamma),

so that what a multiplier λ = exp(y), or a level of loss, calls for is x = base · expm1(gamma · (rate − log …)):
neither a table nor a search per group. All arrays [steps]. The y that spends the money is found by interpolating it in
the logarithm of what is spent, which takes about four passes over the groups; a bracket holds it where steps end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log

import numpy as np

from app.planner.arrays import BoolArray, FloatArray

LEVEL_STEPS = 300
MONEY_PRECISION = 1e-12
"""The money is met to this share of it; what is still off is taken from all orders in proportion."""
TANGENT_PRECISION = 1e-6
"""Where no step ends, the tangents lead from so near to the last digit."""
LARGEST_EXPONENT = 690.0
"""Exponents of e beyond which 64 bits end."""

SpentAndSlope = Callable[[float], tuple[float, float]]
"""At y: the money spent, and by how much that falls with y, from the steps neither at their foot nor at their end."""


@dataclass(frozen=True)
class Steps:
    """price: share of the budget per sample. length: samples, inf where only money ends it. floor: of a loss, else 0.

    behind: samples of the step that lie before the origin of its law.
    """

    rate: FloatArray
    gamma: FloatArray
    base: FloatArray
    price: FloatArray
    length: FloatArray
    floor: FloatArray | None = None
    behind: FloatArray | None = None

    def select(self, kept: BoolArray) -> "Steps":
        """The steps where `kept` [steps]."""
        floor, behind = (None if part is None else part[kept] for part in (self.floor, self.behind))
        rate, gamma, base = self.rate[kept], self.gamma[kept], self.base[kept]
        return Steps(rate, gamma, base, self.price[kept], self.length[kept], floor, behind)


def orders_at_price(steps: Steps, money: float) -> tuple[FloatArray, float]:
    """Samples [steps] of the multiplier that spends the money, and y; y = −inf where all steps together cost less."""
    cost = steps.base * steps.price
    fall = cost * steps.gamma
    if steps.behind is None and float(np.minimum.reduce(steps.length)) == inf:
        return _without_end(steps, cost, fall, money)
    end = steps.length * steps.price
    if float(end.sum()) <= money:
        return steps.length.copy(), -inf
    spent = np.empty_like(cost)
    with np.errstate(over="ignore", invalid="ignore"):
        y = _meet(_ended_measure(steps, cost, end, spent), _start(steps, cost, fall, money), money)
    return _exact(spent, end, money) / steps.price, y


def _without_end(steps: Steps, cost: FloatArray, fall: FloatArray, money: float) -> tuple[FloatArray, float]:
    """Samples [steps] and y of steps that only money ends: found nearly, and by the tangents to the last digits."""
    growth = np.empty_like(cost)
    with np.errstate(over="ignore", invalid="ignore"):
        y = _meet(_open_measure(steps, cost, fall, growth), _start(steps, cost, fall, money), money, TANGENT_PRECISION)
        begun = np.sign(growth)
        over, pull = float(cost @ growth) - money, float(fall @ growth) + float(fall @ begun)
        if over and pull > 0.0:
            y += over / pull
            growth = np.maximum(growth - (growth + begun) * steps.gamma * (over / pull), 0.0)
        return steps.base * growth, y


def _start(steps: Steps, cost: FloatArray, fall: FloatArray, money: float) -> float:
    """Where the money is spent by the tangents, in y, of what each step spends, taken at an equal share for each."""
    share = money / len(cost)
    ratio = share / cost
    pull = fall + fall * ratio
    reach = pull * (steps.rate - np.log1p(ratio) / steps.gamma) + share
    y = (float(np.add.reduce(reach)) - money) / float(np.add.reduce(pull))
    begun = (reach > pull * y).astype(np.float64)
    return float(reach @ begun - money) / float(pull @ begun)


def _exact(spent: FloatArray, end: FloatArray, money: float) -> FloatArray:
    total = float(spent.sum())
    return spent if total == 0.0 else np.minimum(spent * (money / total), end)


def _open_measure(steps: Steps, cost: FloatArray, fall: FloatArray, growth: FloatArray) -> SpentAndSlope:
    """Steps without end, from their origin on; fills `growth` [steps], what is spent as a share of `cost`."""
    rate, gamma = steps.rate, steps.gamma

    def measure(y: float) -> tuple[float, float]:
        np.subtract(rate, y, out=growth)
        np.maximum(growth, 0.0, out=growth)
        np.multiply(growth, gamma, out=growth)
        np.expm1(growth, out=growth)
        return float(cost @ growth), float(fall @ growth) + float(fall @ np.sign(growth))

    return measure


def _ended_measure(steps: Steps, cost: FloatArray, end: FloatArray, spent: FloatArray) -> SpentAndSlope:
    rate, gamma = steps.rate, steps.gamma
    before = 0.0 if steps.behind is None else steps.behind * steps.price

    def measure(y: float) -> tuple[float, float]:
        more = cost * np.expm1(np.minimum((rate - y) * gamma, LARGEST_EXPONENT))
        wanted = more + before
        np.clip(wanted, 0.0, end, out=spent)
        return float(spent.sum()), float(np.where(wanted == spent, more + cost, 0.0) @ gamma)

    return measure


def orders_at_level(steps: Steps, money: float) -> tuple[FloatArray, float]:
    """Samples [steps] that bring every step that lasts so long to one loss, and that loss; −inf where all are sold."""
    cost, end = steps.base * steps.price, steps.length * steps.price
    if end.sum() <= money:
        return steps.length.copy(), -inf
    floor = np.zeros_like(cost) if steps.floor is None else steps.floor
    # No loss at or below the floor of a step without end can be paid for.
    least = float(np.max(floor, initial=0.0, where=np.isinf(end))) if np.isinf(end).any() else float(floor.min())
    worst = float((floor + np.exp(steps.rate)).max())
    spent = np.empty_like(cost)

    def measure(y: float) -> tuple[float, float]:
        above = exp(min(y, LARGEST_EXPONENT)) + (least - floor)
        log_above = np.log(np.maximum(above, 1e-300))
        more = cost * np.expm1(np.minimum((steps.rate - log_above) * steps.gamma, LARGEST_EXPONENT))
        np.clip(more, 0.0, end, out=spent)
        grown = np.where((more == spent) & (above > 0.0), more + cost, 0.0)
        return float(spent.sum()), float((grown * steps.gamma) @ np.exp(y - log_above))

    with np.errstate(over="ignore", invalid="ignore"):
        y = _meet(measure, float(np.log(worst - least)) - 1.0, money)
    return _exact(spent, end, money) / steps.price, least + exp(y)


def _meet(measure: SpentAndSlope, y: float, money: float, exact: float = MONEY_PRECISION) -> float:
    """The y at which the money is spent to a share of it; that falls with y. `measure` is left at that y."""
    low, high, wide = -inf, inf, 1.0
    last: Point | None = None
    for _ in range(LEVEL_STEPS):
        spent, fall = measure(y)
        over = spent - money
        if abs(over) <= exact * money:
            break
        low, high = (y, high) if over > 0.0 else (low, y)
        here = (log(spent / money), y, -spent / fall) if 0.0 < fall < inf and 0.0 < spent < inf else None
        further = inf if here is None else _interpolated(here, last)
        if not low < further < high:
            further = 0.5 * (low + high) if high - low < inf else (low + wide if over > 0.0 else high - wide)
            wide *= 2.0
        if further == y:
            break
        y, last = further, here
    return y


Point = tuple[float, float, float]
"""z = log(spent / money), y there, and dy/dz."""


def _interpolated(here: Point, last: Point | None) -> float:
    """y at z = 0 by the cubic through two points and their slopes, or by the tangent of one."""
    z, y, slope = here
    tangent = y - z * slope
    if last is None or last[0] == z:
        return tangent
    z_last, y_last, slope_last = last
    width = z - z_last
    t = -z_last / width
    if not -1.0 < t < 2.0:
        # Far from both points a cubic swings.
        return tangent
    cubic = y_last + t * t * (3.0 - 2.0 * t) * (y - y_last)
    return cubic + width * t * (1.0 - t) * ((1.0 - t) * slope_last - t * slope)
