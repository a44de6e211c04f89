"""What a run not yet seen would measure: the curve, its deviation, and both parts of the error (planner.md 1).

Notation: for one group, f the curve, r̄ the mean distance from f of the losses measured so far on the run's holdout, in
one draw, k their number, s the evaluation error, τ the sd of the training error. A measurement asked for is one row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray
from app.planner.observations import Observations
from app.planner.posterior import Posterior
from app.planner.streams import uniforms


@dataclass(frozen=True)
class Asked:
    """Measurements to forecast, all [rows].

    groups: which group. runs [rows, all groups]: what the run is trained on. stderrs: evaluation errors, nan unknown.
    holdouts: as in `Points`. names: what the random numbers are made of, beside the seed.
    """

    groups: IntArray
    runs: FloatArray
    stderrs: FloatArray
    holdouts: IntArray
    names: tuple[str, ...]


def predict(posterior: Posterior, observations: Observations, asked: Asked, seed: int) -> FloatArray:
    """Predictive draws [rows, draws] of the losses that would be measured.

    observations: what the posterior was fitted to. On a holdout seen before, the shared error is what the earlier runs
    leave of it, N(a r̄, s² (1 − a)) with a = s² / (s² + τ²/k), draw by draw; on a new one it is N(0, s²).
    """
    # Every selection would search the warnings for its groups'.
    posterior = replace(posterior, warnings=())
    noise = posterior.noise[asked.groups]
    shift, left = shared_error(posterior, observations, asked)
    sd = np.hypot(left, noise)
    normal = ndtri(uniforms(seed, tuple(f"forecast:{name}" for name in asked.names), posterior.draws)[:, 0])
    band = at_runs(posterior, asked.groups, asked.runs, Posterior.band)
    predicted: FloatArray = band + shift + sd[:, None] * normal
    return predicted


def shared_error(posterior: Posterior, observations: Observations, asked: Asked) -> tuple[FloatArray, FloatArray]:
    """Mean [rows, draws] and sd [rows] of the shared evaluation error, given the runs seen: a r̄ and s √(1 − a)."""
    noise = posterior.noise[asked.groups]
    residual, seen = _residuals(posterior, observations, asked.groups, asked.holdouts)
    stderr = np.nan_to_num(asked.stderrs)
    # A holdout not seen, or no evaluation error, leaves nothing to learn: a = 0 then.
    known = (seen > 0) & (stderr > 0.0)
    share = np.where(known, 1.0 / (1.0 + (noise / np.where(known, stderr, 1.0)) ** 2 / np.maximum(seen, 1)), 0.0)
    return share[:, None] * residual, stderr * np.sqrt(1.0 - share)


def at_runs(
    posterior: Posterior,
    groups: IntArray,
    runs: FloatArray,
    ask: Callable[[Posterior, FloatArray], FloatArray],
) -> FloatArray:
    """What `ask` says of each row's group at its run's counts [rows, all groups]: [rows, draws]."""
    own = runs[np.arange(len(groups)), groups]
    if posterior.transfer is None:
        return ask(posterior.select(groups), own)
    found = np.empty((len(groups), posterior.draws))
    trained, place = np.unique(runs, axis=0, return_inverse=True)
    for at, counts in enumerate(trained):
        rows = np.flatnonzero(place == at)
        found[rows] = ask(posterior.moved(counts).select(groups[rows]), own[rows])
    return found


def _residuals(
    posterior: Posterior, observations: Observations, groups: IntArray, holdouts: IntArray
) -> tuple[FloatArray, IntArray]:
    """r̄ [rows, draws] and k [rows] of each row's group on its holdout; 0 where it was not seen."""
    pairs, place = np.unique(np.stack([groups, holdouts], axis=1), axis=0, return_inverse=True)
    residual, sizes = np.zeros((len(pairs), posterior.draws)), np.zeros(len(pairs), dtype=np.int64)
    for at, (group, holdout) in enumerate(pairs):
        points = observations.points[group]
        seen = np.flatnonzero(points.holdouts == holdout)
        sizes[at] = len(seen)
        if len(seen):
            runs = _runs_of(observations, int(group), seen)
            fitted = at_runs(posterior, np.full(len(seen), group), runs, Posterior.loss)
            residual[at] = (points.losses[seen][:, None] - fitted).mean(axis=0)
    return residual[place], sizes[place]


def _runs_of(observations: Observations, group: int, points: IntArray) -> FloatArray:
    """What the runs of some of a group's points were trained on [points, all groups]."""
    if observations.runs is not None and observations.run_of is not None:
        return np.asarray(observations.runs[observations.run_of[group][points]])
    runs = np.tile(observations.held, (len(points), 1))
    runs[:, group] = observations.points[group].counts[points]
    return runs
