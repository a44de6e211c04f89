"""What a group's points say about themselves: the warnings of a fit (planner.md 9)."""

import numpy as np
from scipy.special import stdtr

from app.planner.arrays import FloatArray
from app.planner.cells import TYPICAL_NOISE, shared_errors
from app.planner.observations import Points
from app.planner.warnings import Warning

ENOUGH_SIZES = 3
"""Fewer distinct sizes than this do not show how a curve bends."""

RISE_LEVEL = 1e-3
"""Chance of calling a flat curve rising."""

SCATTER_FREEDOM = 3.0
"""How many observations' worth σ = TYPICAL_NOISE is known before the scatter about the line is seen."""

OUTLIER_SIGMAS = 5.0
"""A point this far from what the others say is named."""


def remarks(key: str, points: Points, unit: float) -> tuple[Warning, ...]:
    """no_observations, few_points, stderr_unknown and not_monotone, where they hold for the group."""
    if not len(points.counts):
        detail = "No run has a metric for this group; it is planned on the prior. Post one evaluated run."
        return (Warning("no_observations", detail, key),)
    sizes = len(np.unique(points.counts))
    found = []
    if sizes < ENOUGH_SIZES:
        found.append(Warning("few_points", _few(sizes), key))
    unknown = int(np.isnan(points.stderrs).sum())
    if unknown:
        found.append(Warning("stderr_unknown", _unknown(unknown, len(points.counts)), key))
    if sizes >= ENOUGH_SIZES and rise_chance(points, unit) < RISE_LEVEL:
        found.append(Warning("not_monotone", _RISES, key))
    return tuple(found)


def outlier(key: str, points: Points, index: int, sigmas: float) -> tuple[Warning, ...]:
    """The warning for point `index`, `sigmas` from what the others predict; none where that is near."""
    if abs(sigmas) <= OUTLIER_SIGMAS:
        return ()
    detail = (
        f"Point {index} (count {points.counts[index]:g}, loss {points.losses[index]:.4g}) lies"
        f" {abs(sigmas):.1f} sigma {'above' if sigmas > 0 else 'below'} what the other points say;"
        " check that run and post it again."
    )
    return (Warning("outlier", detail, key),)


def rise_chance(points: Points, unit: float) -> float:
    """Chance of a slope in log₂ n at least as steep, were the loss flat: a t test with evaluation errors.

    The slope is Σ a_i y_i with a = x / Σx², x the centred log₂ counts; its variance is
    Σ_h s_h² (Σ_{i∈h} a_i)² + σ² Σ a², σ² from the scatter about the line shrunk to TYPICAL_NOISE. `unit` is ȳ.
    """
    x = np.log2(np.maximum(points.counts, 1.0))
    x = x - x.mean()
    square = float(x @ x)
    if square <= 0.0:
        return 1.0
    y = points.losses / unit
    a = x / square
    slope = float(a @ y)
    scatter = float(((y - y.mean() - slope * x) ** 2).sum())
    freedom = len(y) - 2 + SCATTER_FREEDOM
    variance = (scatter + SCATTER_FREEDOM * TYPICAL_NOISE**2) / freedom
    sd = np.sqrt(_shared_variance(a, points, unit) + variance / square)
    return float(stdtr(freedom, -slope / sd))


def _shared_variance(a: FloatArray, points: Points, unit: float) -> float:
    """Σ_h s_h² (Σ_{i∈h} a_i)², in units of ȳ²."""
    holdout = np.unique(points.holdouts, return_inverse=True)[1]
    errors = np.zeros(int(holdout.max(initial=-1)) + 1)
    errors[holdout] = shared_errors(points) / unit
    return float((errors**2) @ np.bincount(holdout, a) ** 2)


def _few(sizes: int) -> str:
    measured = "one size" if sizes == 1 else f"{sizes} sizes"
    return (
        f"Measured at {measured} only, so it is planned on the wide prior;"
        f" train on nested subsets of at least {ENOUGH_SIZES} sizes, which costs no samples."
    )


def _unknown(unknown: int, total: int) -> str:
    return (
        f"{unknown} of {total} points have no standard error, so it is learnt from their scatter;"
        " give stderr or eval_size with each."
    )


_RISES = (
    "The loss rises with the number of samples, more than its errors explain; the curve is fitted as flat."
    " Check the recipe and the labels of the newer samples."
)
