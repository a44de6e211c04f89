"""The budget's multiplier and the level of maximin, by power laws (method.md 6).

Known laws: where every group has one power-law curve, the gains of `utilitarian`, `targets` of power 1, `gap` and
`maximin` are powers of the count, `gap` and `targets` on both sides of the count at which a group reaches m̄ or its
target, and the answer is in closed form. Fitted laws: averages over posterior draws are no power laws, but near enough
to one from answer to answer: the law that has V' and its slope at the last count gives the next counts in one step, and
the error falls with its own square. Notation as in `power_laws` and `posterior`.
"""

from dataclasses import dataclass
from math import exp

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.relaxation.certificate import CLOSED, LEAST_SLOPE, Relaxation, certify
from app.planner.relaxation.power_laws import Steps, orders_at_level, orders_at_price
from app.planner.relaxation.price_ladder import Ladder
from app.planner.utility.utility import Utility, ValueAndSlope

MULTIPLIER_ROUNDS = 25
SLOW, PATIENCE = 0.5, 4
"""After more than so many rounds in which the residual did not at least halve, it is a matter for the tables."""
BEYOND = 1e-3
"""The slope of V' is taken over this share of a count."""
STEEPEST_EXPONENT, FLATTEST_EXPONENT = 20.0, 1e-3
"""Exponents of V' that are believed; outside, a step is only shorter or longer than it could be."""
NEARLY = 1e-9
"""A step on which less than this share of the money could still be spent is at its end."""


def accepts(utility: Utility) -> bool:
    """Whether `solve` can come near the optimum: gains that are powers of the count, or a sum without kinks."""
    return _is_power(utility) or (utility.is_additive and utility.is_smooth)


def solve(utility: Utility, ladder: Ladder, tolerance: float = CLOSED) -> Relaxation:
    """The divisible optimum on the ladder, whose certificate leaves at most `tolerance` of the gain open.

    Of a utility that is accepted. Where the tolerance is not reached, the best answer found; its residual says so.
    """
    answers = []
    if ladder.money > 0.0 and len(ladder.group):
        if _is_power(utility) and bool((ladder.foot >= utility.posterior.knot[:, 0]).all()):
            answers.append(_level(utility, ladder) if utility.is_level else _priced(utility, ladder))
            if answers[0].residual <= tolerance:
                return answers[0]
        if utility.is_additive and utility.is_smooth:
            answers.append(solve_fitted(utility, ladder, tolerance))
    if not answers:
        return _nothing(utility, ladder)
    return min(answers, key=lambda answer: answer.residual)


def _nothing(utility: Utility, ladder: Ladder) -> Relaxation:
    """No orders, with what proof there is."""
    return certify(utility, ladder, np.zeros_like(ladder.price))


def _is_power(utility: Utility) -> bool:
    """Whether every gain is a power of the count from the curves' knots on."""
    posterior, objective = utility.posterior, utility.objective
    if posterior.draws != 1 or posterior.transfer is not None:
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
    return is_power and bool((posterior.asymptote >= 0.0).all())


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


def solve_fitted(utility: Utility, ladder: Ladder, tolerance: float) -> Relaxation:
    """The best answer that laws fitted to a sum without kinks lead to, with its proof, which leaves at most `tolerance`
    of the gain open if all went well. The ladder has money to spend.
    """
    counts = _first_guess(ladder)
    terms, idle = utility.terms(counts), 0
    best: Relaxation | None = None
    for _ in range(MULTIPLIER_ROUNDS):
        steps = _fitted(utility, ladder, counts, terms)
        open_ = np.isfinite(steps.rate) & (steps.length > 0.0)
        if not open_.any():
            break
        orders = np.zeros_like(ladder.price)
        orders[open_], _ = orders_at_price(steps.select(open_), ladder.money)
        found = certify(utility, ladder, orders)
        if best is None or found.residual < best.residual:
            idle = idle + 1 if best is not None and found.residual > SLOW * best.residual else 0
            best = found
            counts, terms = found.counts, found.terms
        else:
            # The laws led too far: half the way, in logarithms, from the best answer.
            counts = np.sqrt((best.counts + 1.0) * (found.counts + 1.0)) - 1.0
            terms = utility.terms(counts)
            idle += 1
        if best.residual <= tolerance or idle > PATIENCE:
            break
    return best or _nothing(utility, ladder)


def _first_guess(ladder: Ladder) -> FloatArray:
    """Counts [groups] if every group had the same money, up to where its ladder ends."""
    groups = np.unique(ladder.group)
    share = ladder.money / len(groups)
    first = np.full(len(ladder.foot), np.inf)
    np.minimum.at(first, ladder.group, ladder.price)
    return np.asarray(ladder.foot + np.where(np.isfinite(first), share / first, 0.0))


def _fitted(utility: Utility, ladder: Ladder, counts: FloatArray, terms: ValueAndSlope) -> Steps:
    """Steps on whose laws V' and its slope are those at `counts` [groups]; rate −inf where nothing is gained."""
    base = counts + 1.0
    wide = BEYOND * base
    later = utility.terms(counts + wide).slope
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(np.maximum(terms.slope, LEAST_SLOPE) / np.maximum(later, LEAST_SLOPE)) / np.log1p(wide / base)
        rate = np.log(utility.emphasis * terms.slope)
    fall = np.clip(np.nan_to_num(fall, nan=1.0), FLATTEST_EXPONENT, STEEPEST_EXPONENT)
    at = ladder.index
    return Steps(
        rate=rate[at] - np.log(ladder.price),
        gamma=1.0 / fall[at],
        base=base[at],
        price=ladder.price,
        length=ladder.limit,
        behind=counts[at] - ladder.start,
    )
