"""What a run not yet seen would measure: the curve, its deviation, and both parts of the error (planner.md 1).

Notation: for one group, f the curve, y_i the losses measured so far on the run's holdout, r̄ their mean distance from
f in one draw, s the holdout's evaluation error, τ the sd of the training error, k the number of those runs.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.observations import Points
from app.planner.posterior import Posterior


@dataclass(frozen=True)
class Asked:
    """One run's measurement of one group: own samples, evaluation error (nan unknown), holdout, a name for its
    random numbers."""

    group: int
    count: float
    stderr: float
    holdout: int
    name: str


def predict(posterior: Posterior, points: tuple[Points, ...], asked: tuple[Asked, ...], seed: int) -> FloatArray:
    """Predictive draws [asked, draws] of the loss that would be measured, at most the noise's scale below 0.

    points: per group, what the posterior was fitted to. On a holdout seen before, the shared error is what the earlier
    runs leave of it: N(a r̄, s² (1 − a)) with a = s² / (s² + τ²/k), draw by draw; on a new one it is N(0, s²).
    """
    found = np.empty((len(asked), posterior.draws))
    for row, one in enumerate(asked):
        curve = posterior.select(np.array([one.group]))
        noise = float(posterior.noise[one.group])
        mean, sd = _shared(curve, points[one.group], one, noise)
        normal = _normal(seed, f"{posterior.keys[one.group]}:{one.name}", posterior.draws)
        band = curve.band(np.array([one.count]))[0]
        found[row] = band + mean + np.hypot(sd, noise) * normal
    return found


def _shared(curve: Posterior, points: Points, asked: Asked, noise: float) -> tuple[FloatArray, float]:
    """Mean [draws] and sd of the shared error of the asked run's holdout."""
    stderr = 0.0 if np.isnan(asked.stderr) else asked.stderr
    seen = points.holdouts == asked.holdout
    if stderr == 0.0 or not seen.any():
        return np.zeros(curve.draws), stderr
    fitted = curve.loss(points.counts[seen][None, :])[0]
    residual = (points.losses[seen][:, None] - fitted).mean(axis=0)
    share = stderr**2 / (stderr**2 + noise**2 / int(seen.sum()))
    return share * residual, stderr * float(np.sqrt(1.0 - share))


def _normal(seed: int, name: str, draws: int) -> FloatArray:
    """Standard normal numbers [draws] of their own for every (seed, name)."""
    digest = hashlib.sha256(f"forecast:{seed}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big")).standard_normal(draws)
