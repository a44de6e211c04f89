"""φ of method.md 5: what a loss on the common scale is worth, and the mean over draws that `risk` asks for.

ℓ ≥ 0 is a loss in units of the metric's span, or of the reference loss where a bound is open; m = 1 − ℓ, or −ℓ there.
Everything acts elementwise on arrays [groups, (sizes,) draws].
"""

from collections.abc import Callable

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.utility.objective import Objective

LEAST_BENEFIT = 1e-3
"""m₀: φ is continued by its tangent below it, and beyond the loss 1/m₀ where the bound is open."""


Phi = Callable[[Objective, FloatArray, bool, FloatArray], tuple[FloatArray, FloatArray]]
"""φ and −dφ/dℓ at losses ℓ, at a kink from the side of the smaller loss, given the objective, ℓ, whether the metric is
bounded, and the goal: ℓ at the targets, inf = none."""


def linear(_: Objective, scaled: FloatArray, bounded: bool, __: FloatArray) -> tuple[FloatArray, FloatArray]:
    """φ(m) = m."""
    return (1.0 if bounded else 0.0) - scaled, np.ones_like(scaled)


def prioritarian(
    objective: Objective, scaled: FloatArray, bounded: bool, _: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """φ(m) = (m^(1−ε) − 1)/(1−ε), log m at ε = 1; −ℓ^(1+ε)/(1+ε) where a bound is open."""
    if objective.aversion == 0.0:
        # (m^1 − 1)/1, or −ℓ.
        return -scaled, np.ones_like(scaled)
    inside = np.minimum(scaled, _limit(bounded))
    value, worth = (_prioritarian if bounded else _power)(inside, objective.aversion)
    return value - worth * (scaled - inside), worth


def shortfall(
    objective: Objective, scaled: FloatArray, bounded: bool, goal: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """φ(m) = −max(0, t − m)^p, t the target."""
    # A target below m₀ must not be lost in the tangent; where there is none, no loss falls short.
    limit = _limit(bounded)
    tangent = (goal < limit) | np.isinf(goal)
    return _shortfall(scaled, goal, objective.power, np.where(tangent, limit, np.inf))


def _limit(bounded: bool) -> float:
    """The loss from which on φ is its tangent."""
    return 1.0 - LEAST_BENEFIT if bounded else 1.0 / LEAST_BENEFIT


def _shortfall(scaled: FloatArray, goal: FloatArray, power: int, limit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """−max(0, t − m)^p and its slope in m: t − m = ℓ − goal."""
    short = np.maximum(scaled - goal, 0.0)
    if power == 1:
        return -short, (short > 0.0).astype(np.float64)
    inside = np.minimum(short, np.maximum(limit - goal, 0.0))
    return -inside * (2.0 * short - inside), 2.0 * inside


def _prioritarian(scaled: FloatArray, aversion: float) -> tuple[FloatArray, FloatArray]:
    """φ(m) = (m^(1−ε) − 1)/(1−ε), log m at ε = 1, and φ'(m), at m = 1 − ℓ."""
    log = np.log1p(-scaled)
    power = 1.0 - aversion
    value = log if power == 0.0 else np.expm1(power * log) / power
    return value, np.exp(-aversion * log)


def _power(scaled: FloatArray, aversion: float) -> tuple[FloatArray, FloatArray]:
    """−ℓ^(1+ε)/(1+ε) and ℓ^ε."""
    worth = scaled**aversion
    return -worth * scaled / (1.0 + aversion), worth


def mean(value: FloatArray, slope: FloatArray, risk: float | None) -> tuple[FloatArray, FloatArray]:
    """Means over the last axis of φ and its slope in the counts: of all draws, or of the worst `risk` of them."""
    draws = value.shape[-1]
    if draws == 1:
        return value[..., 0], slope[..., 0]
    if risk is None or risk == 1.0:
        return value.mean(axis=-1), slope.mean(axis=-1)
    order, share = _worst(value, risk)
    return np.take_along_axis(value, order, axis=-1) @ share, np.take_along_axis(slope, order, axis=-1) @ share


def shares(value: FloatArray, risk: float | None) -> FloatArray:
    """What each draw counts for in `mean` of φ [..., draws], sums 1."""
    draws = value.shape[-1]
    if draws == 1 or risk is None or risk == 1.0:
        return np.full_like(value, 1.0 / draws)
    order, share = _worst(value, risk)
    found = np.zeros_like(value)
    np.put_along_axis(found, order, np.broadcast_to(share, order.shape), axis=-1)
    return found


def _worst(value: FloatArray, risk: float) -> tuple[IntArray, FloatArray]:
    """The draws [..., kept] of the worst `risk`, and what each counts for [kept]."""
    # The worst α of D draws: all of the ⌈αD⌉ lowest but for what the last of them exceeds αD by.
    draws = value.shape[-1]
    kept = int(np.ceil(risk * draws - 1e-9))
    order = np.argpartition(value, kept - 1, axis=-1)[..., :kept]
    share = np.full(kept, 1.0 / (risk * draws))
    share[-1] = 1.0 - share[:-1].sum()
    return order, share
