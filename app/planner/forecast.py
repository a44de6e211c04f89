"""What a run not yet seen would measure: the curve, its deviation, and both parts of the error (planner.md 1).

Notation: for one group, f the curve, r̄ the mean distance from f of the losses measured so far on the run's holdout, in
one draw, k their number, s the evaluation error, τ the sd of the training error. A measurement asked for is one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray
from app.planner.observations import Points
from app.planner.posterior import Posterior
from app.planner.streams import uniforms


@dataclass(frozen=True)
class Asked:
    """Measurements to forecast, all [rows].

    groups: which group. counts: its own samples. stderrs: evaluation errors, nan unknown. holdouts: as in `Points`.
    names: what the random numbers are made of, beside the seed.
    """

    groups: IntArray
    counts: FloatArray
    stderrs: FloatArray
    holdouts: IntArray
    names: tuple[str, ...]


def predict(posterior: Posterior, points: Sequence[Points], asked: Asked, seed: int) -> FloatArray:
    """Predictive draws [rows, draws] of the losses that would be measured.

    points: per group, what the posterior was fitted to. On a holdout seen before, the shared error is what the earlier
    runs leave of it, N(a r̄, s² (1 − a)) with a = s² / (s² + τ²/k), draw by draw; on a new one it is N(0, s²).
    """
    curves, noise = posterior.select(asked.groups), posterior.noise[asked.groups]
    residual, seen = _residuals(posterior, points, asked.groups, asked.holdouts)
    stderr = np.nan_to_num(asked.stderrs)
    # A holdout not seen, or no evaluation error, leaves nothing to learn: a = 0 then.
    known = (seen > 0) & (stderr > 0.0)
    share = np.where(known, 1.0 / (1.0 + (noise / np.where(known, stderr, 1.0)) ** 2 / np.maximum(seen, 1)), 0.0)
    sd = np.hypot(stderr * np.sqrt(1.0 - share), noise)
    normal = ndtri(uniforms(seed, tuple(f"forecast:{name}" for name in asked.names), posterior.draws)[:, 0])
    predicted: FloatArray = curves.band(asked.counts) + share[:, None] * residual + sd[:, None] * normal
    return predicted


def _residuals(
    posterior: Posterior, points: Sequence[Points], groups: IntArray, holdouts: IntArray
) -> tuple[FloatArray, IntArray]:
    """r̄ [rows, draws] and k [rows] of each row's group on its holdout; 0 where it was not seen."""
    pairs, place = np.unique(np.stack([groups, holdouts], axis=1), axis=0, return_inverse=True)
    residual, sizes = np.zeros((len(pairs), posterior.draws)), np.zeros(len(pairs), dtype=np.int64)
    for at, (group, holdout) in enumerate(pairs):
        seen = points[group].holdouts == holdout
        sizes[at] = seen.sum()
        if sizes[at]:
            fitted = posterior.select(np.array([group])).loss(points[group].counts[seen][None, :])[0]
            residual[at] = (points[group].losses[seen][:, None] - fitted).mean(axis=0)
    return residual[place], sizes[place]
