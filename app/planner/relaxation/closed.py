"""The divisible optimum in closed form, where every group has one power-law curve that is known (planner.md 4).

`utilitarian`, `targets` of power 1, `gap` and `maximin` then have gains that are powers of the count, `gap` and
`targets` on both sides of the count at which a group reaches m̄ or its target. Notation as in `powerlaw` and
`posterior`.
"""

from dataclasses import dataclass
from math import exp

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.relaxation.certificate import Relaxation, certify
from app.planner.relaxation.power_laws import Steps, orders_at_level, orders_at_price
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility

NEARLY = 1e-9
"""A step on which less than this share of the money could still be spent is at its end."""


def solve_closed(utility: Utility, ladder: Ladder) -> Relaxation | None:
    """The optimum on the ladder with its proof; None where a gain is no power of the count."""
    if not _applies(utility, ladder):
        return None
    return _level(utility, ladder) if utility.is_level else _priced(utility, ladder)


def _applies(utility: Utility, ladder: Ladder) -> bool:
    posterior, objective = utility.posterior, utility.objective
    if posterior.draws != 1 or posterior.transfer is not None or ladder.money <= 0.0 or not len(ladder.group):
        return False
    match objective.kind:
        case "utilitarian" | "gap":
            is_power = True
        case "isoelastic":
            is_power = objective.aversion == 0.0
        case "targets":
            is_power = objective.power == 1
        case "maximin":
            is_power = objective.stop_ratio == 0.0
        case _:
            is_power = False
    # Below the knot a curve is its tangent, and a loss below 0 counts as 0: neither is a power.
    return is_power and bool((ladder.foot >= posterior.knot[:, 0]).all() and (posterior.asymptote >= 0.0).all())


@dataclass(frozen=True)
class _Laws:
    """The curves from a count on [S]: n + d there, the excess over the asymptote, the exponent, the asymptote; losses
    in units of the utility's.
    """

    base: FloatArray
    excess: FloatArray
    exponent: FloatArray
    asymptote: FloatArray

    @classmethod
    def of(cls, utility: Utility, ladder: Ladder) -> "_Laws":
        """From the start of each of the ladder's segments."""
        posterior, group = utility.posterior, ladder.index
        base, exponent = ladder.start + posterior.offset[group, 0], posterior.exponent[group, 0]
        power = (base / posterior.anchor[group, 0]) ** -exponent
        unit = utility.unit[group]
        return cls(base, posterior.excess[group, 0] * power / unit, exponent, posterior.asymptote[group, 0] / unit)

    def later(self, more: FloatArray) -> "_Laws":
        """From so many samples later."""
        base = self.base + more
        return _Laws(base, self.excess * (base / self.base) ** -self.exponent, self.exponent, self.asymptote)

    def until(self, loss: FloatArray) -> FloatArray:
        """Samples after which a loss is reached: 0 where it was, inf where it never is."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            ratio = np.maximum(loss - self.asymptote, 0.0) / self.excess
            grown = self.base * np.expm1(-np.log(ratio) / self.exponent)
        return np.where(self.excess > 0.0, np.maximum(grown, 0.0), 0.0)


def _priced(utility: Utility, ladder: Ladder) -> Relaxation:
    laws, weight, kind = _Laws.of(utility, ladder), utility.emphasis[ladder.index], utility.objective.kind
    if kind == "targets":
        limit = np.minimum(ladder.limit, laws.until(utility.goal[ladder.index]))
        return _spend(utility, ladder, _gains(laws, weight, ladder.price, limit))
    if kind == "gap":
        return _spend(utility, ladder, *_both_sides(utility, ladder, laws, weight))
    return _spend(utility, ladder, _gains(laws, weight, ladder.price, ladder.limit))


def _gains(laws: _Laws, weight: FloatArray, price: FloatArray, length: FloatArray) -> Steps:
    """Steps on which a sample gains weight · c · excess / base per cost at first."""
    gain = weight * laws.exponent * laws.excess / (laws.base * price)
    with np.errstate(divide="ignore"):
        return Steps(np.log(gain), 1.0 / (1.0 + laws.exponent), laws.base, price, length)


def _both_sides(utility: Utility, ladder: Ladder, laws: _Laws, weight: FloatArray) -> tuple[Steps, int]:
    """Of gap: each segment's part below m̄, where a sample counts 1 + λ times, and after them its part above."""
    mean_loss = (1.0 if utility.bounded else 0.0) - utility.reference
    split = np.minimum(ladder.limit, laws.until(np.full_like(laws.base, mean_loss)))
    beyond = split < ladder.limit
    reached = np.where(beyond, split, 0.0)
    below = _gains(laws, weight * (1.0 + utility.objective.lambda_), ladder.price, split)
    above = _gains(laws.later(reached), weight * beyond, ladder.price, np.where(beyond, ladder.limit - reached, 0.0))
    parts = ((getattr(below, name), getattr(above, name)) for name in ("rate", "gamma", "base", "price", "length"))
    return Steps(*(np.concatenate(part) for part in parts)), 2


def _spend(utility: Utility, ladder: Ladder, steps: Steps, sides: int = 1) -> Relaxation:
    """The answer on steps that are the ladder's segments, `sides` times over."""
    gaining = np.isfinite(steps.rate)
    if np.count_nonzero(gaining) == len(gaining):
        sold, y = orders_at_price(steps, ladder.money)
    else:
        sold, y = np.zeros_like(steps.rate), -np.inf
        if gaining.any():
            sold[gaining], y = orders_at_price(steps.select(gaining), ladder.money)
    orders = sold if sides == 1 else sold.reshape(sides, -1).sum(axis=0)
    counts = ladder.counts(orders)
    terms = utility.terms(counts)
    if sides == 1:
        per_cost = (utility.emphasis * terms.slope)[ladder.index] / ladder.price
    else:
        per_cost = np.exp(steps.rate - np.log1p(sold / steps.base) / steps.gamma)
    slack, residual = _prove(steps, ladder.money, sold, per_cost, exp(y))
    total = utility.total(terms.value)
    return Relaxation(orders, counts, terms, total, total + slack, residual, exp(y))


def _prove(
    steps: Steps, money: float, sold: FloatArray, per_cost: FloatArray, multiplier: float
) -> tuple[float, float]:
    """By how much U can be beaten, and that in proportion to the gain. per_cost: the gain per cost of the next sample.

    U is concave: another y gains at most Σ (gain per cost)(what y pays more on each step), and y has no more money.
    """
    paid, excess = sold * steps.price, per_cost - multiplier
    room = (steps.length - sold) * steps.price
    if room.min() > NEARLY * money:
        more = money * max(float(excess.max()), 0.0)
    else:
        ended = room <= NEARLY * money
        more = money * max(float(np.max(excess, initial=0.0, where=~ended)), 0.0)
        more += float(np.maximum(excess, 0.0) @ np.where(ended, np.maximum(room, 0.0), 0.0))
    slack = multiplier * max(money - float(paid.sum()), 0.0) + more - float(np.minimum(excess, 0.0) @ paid)
    gain = float(per_cost @ paid) + slack
    return slack, slack / gain if gain > 0.0 else 0.0


def _level(utility: Utility, ladder: Ladder) -> Relaxation:
    """The worst groups are brought to one loss; those that are sold out or cannot learn are not waited for."""
    laws = _Laws.of(utility, ladder)
    with np.errstate(divide="ignore"):
        steps = Steps(np.log(laws.excess), 1.0 / laws.exponent, laws.base, ladder.price, ladder.limit, laws.asymptote)
    raised = utility.counted[ladder.index] & np.isfinite(steps.rate) & (steps.length > 0.0)
    orders = np.zeros_like(ladder.price)
    if raised.any():
        orders[raised], _ = orders_at_level(steps.select(raised), ladder.money)
    return certify(utility, ladder, orders)
