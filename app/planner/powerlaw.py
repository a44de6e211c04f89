"""The budget's multiplier and maximin's level where every gain is a power of the count (planner.md 4).

A step is a stretch of one group's price ladder on which x effective samples more than at its origin leave

    the marginal utility per cost   exp(rate) · (1 + x/base)^(−1/gamma),  or
    the loss                        floor + exp(rate) · (1 + x/base)^(−1/gamma),

so that what a multiplier λ = exp(y), or a level of loss, calls for is x = base · expm1(gamma · (rate − log …)):
neither a table nor a search per group. All arrays [steps]. What is spent is found by Newton's method on its logarithm,
which takes about five passes over the groups; a bracket holds it where steps end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log1p

import numpy as np

from app.planner.arrays import BoolArray, FloatArray

PASSES = 300
EXACT = 1e-12
"""The money is met to this share of it; what is still off is taken from all orders in proportion."""
FAR = 690.0
"""Exponents of e beyond which 64 bits end."""

Measure = Callable[[float], tuple[float, float, float]]
"""At y: the money spent, and of the steps neither at their foot nor at their end Σ c e^t and Σ c e^t |dt/dy|."""


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
    cost, end = steps.base * steps.price, steps.length * steps.price
    if end.sum() <= money:
        return steps.length.copy(), -inf
    fall = cost * steps.gamma
    # Jensen's inequality: were all steps begun and none ended, the money would be spent at or beyond this y.
    start = float((fall @ steps.rate - cost.sum() * log1p(money / cost.sum())) / fall.sum())
    spent = np.empty_like(cost)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isinf(steps.length).all() and steps.behind is None:
            y = _newton(_open_measure(steps, cost, fall, spent), start, money)
        else:
            y = _newton(_ended_measure(steps, cost, end, spent), start, money)
    return _exact(spent, end, money) / steps.price, y


def _exact(spent: FloatArray, end: FloatArray, money: float) -> FloatArray:
    total = float(spent.sum())
    return spent if total == 0.0 else np.minimum(spent * (money / total), end)


def _open_measure(steps: Steps, cost: FloatArray, fall: FloatArray, spent: FloatArray) -> Measure:
    """Steps without end, from their origin on; fills `spent` [steps]."""
    rate, gamma, begun = steps.rate, steps.gamma, np.empty_like(spent)

    def measure(y: float) -> tuple[float, float, float]:
        np.subtract(rate, y, out=spent)
        np.greater(spent, 0.0, out=begun)
        np.maximum(spent, 0.0, out=spent)
        np.multiply(spent, gamma, out=spent)
        np.expm1(spent, out=spent)
        np.multiply(spent, cost, out=spent)
        total = float(spent.sum())
        return total, total + float(cost @ begun), float(spent @ gamma + fall @ begun)

    return measure


def _ended_measure(steps: Steps, cost: FloatArray, end: FloatArray, spent: FloatArray) -> Measure:
    rate, gamma = steps.rate, steps.gamma
    before = 0.0 if steps.behind is None else steps.behind * steps.price

    def measure(y: float) -> tuple[float, float, float]:
        more = cost * np.expm1(np.minimum((rate - y) * gamma, FAR))
        wanted = more + before
        np.clip(wanted, 0.0, end, out=spent)
        grown = np.where(wanted == spent, more + cost, 0.0)
        return float(spent.sum()), float(grown.sum()), float(grown @ gamma)

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

    def measure(y: float) -> tuple[float, float, float]:
        above = np.exp(y) + (least - floor)
        log_above = np.log(np.maximum(above, 1e-300))
        more = cost * np.expm1(np.minimum((steps.rate - log_above) * steps.gamma, FAR))
        np.clip(more, 0.0, end, out=spent)
        grown = np.where((more == spent) & (above > 0.0), more + cost, 0.0)
        return float(spent.sum()), float(grown.sum()), float((grown * steps.gamma) @ (np.exp(y - log_above)))

    with np.errstate(over="ignore", invalid="ignore"):
        y = _newton(measure, float(np.log(worst - least)) - 1.0, money)
    return _exact(spent, end, money) / steps.price, least + float(np.exp(y))


def _newton(measure: Measure, y: float, money: float) -> float:
    """The y at which the money is spent; what is spent falls with y. `measure` is left at that y."""
    low, high, wide = -inf, inf, 1.0
    for _ in range(PASSES):
        spent, growth, fall = measure(y)
        over = spent - money
        if abs(over) <= EXACT * money:
            break
        low, high = (y, high) if over > 0.0 else (low, y)
        further = y - log1p(-over / growth) * growth / fall if over < growth < inf and fall > 0.0 else inf
        if not low < further < high:
            further = 0.5 * (low + high) if high - low < inf else (low + wide if over > 0.0 else high - wide)
            wide *= 2.0
        if further == y:
            break
        y = further
    return y
