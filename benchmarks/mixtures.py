"""Runs on whole compositions of groups as the planner takes them, and what its curves say of other compositions."""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior


def observed(
    runs: FloatArray,
    losses: FloatArray,
    stderrs: FloatArray,
    span: float | None,
    attributes: tuple[dict[str, str], ...] = (),
) -> Observations:
    """All groups measured in every run, on one holdout; arrays [runs, groups]. Held: the largest counts."""
    groups = range(runs.shape[1])
    one = np.zeros(len(runs), dtype=np.int64)
    return Observations(
        keys=tuple(f"g{g}" for g in groups),
        points=tuple(Points(runs[:, g], losses[:, g], stderrs[:, g], one) for g in groups),
        assumed=(None,) * len(groups),
        held=runs.max(axis=0),
        span=span,
        runs=runs,
        run_of=(np.arange(len(runs)),) * len(groups),
        joint=True,
        attributes=attributes,
    )


def forecast(posterior: Posterior, runs: FloatArray) -> FloatArray:
    """Mean loss of every group in every composition [runs, groups]."""
    return np.array([posterior.moved(counts).loss(counts).mean(axis=1) for counts in runs])
