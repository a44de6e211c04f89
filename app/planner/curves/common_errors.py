"""What the groups' curves have wrong together (method.md 2, "Errors that groups share").

Groups that are scored on the same runs share what is wrong with a run, and those of one learner what its curves have
and the family has not. Draws of one group are made without the others, so a sum over groups would take such errors for
independent ones and be too sure by the root of their number. ρ, the correlation of the groups' errors, is learnt from
the residuals e [groups] of each run, as if

    e ~ N(0, v ((1 − ρ) I + ρ 1 1ᵀ)),

with v their mean square. The draws are then dealt out anew, each group's own among themselves, so that the groups move
together by ρ.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.curves.random_streams import uniforms
from app.planner.quantiles import ascending, picked

CORRELATIONS = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
"""Values of ρ that are weighed."""

SCALE = 0.2
"""ρ is exponential of this mean before the residuals are seen. On training worlds of one learner the groups' errors are
correlated by .02 to .05, on simulated ones of one family by .08, with a seed common to the groups by .1 to .35."""

EVIDENCE = 0.5
"""A run's residuals count for half: a level and a slope were fitted to them."""

LARGEST_RESIDUAL = 3.0
"""In sds: a stray run says nothing about the others."""

FAR = 4.0
"""Draws are ranked by the loss they lead to at so many times the largest measured size."""


def error_correlation(residuals: Sequence[FloatArray], run_of: Sequence[IntArray] | None) -> float:
    """ρ, its posterior mean. residuals: per group, standardised, one per point; run_of: the points' runs."""
    width = np.gradient(CORRELATIONS)
    log_weight = np.log(width) - CORRELATIONS / SCALE
    if run_of is not None:
        log_weight = log_weight + EVIDENCE * _log_likelihood(*_by_run(residuals, run_of))
    weight = np.exp(log_weight - log_weight.max())
    return float(weight @ CORRELATIONS / weight.sum())


def _by_run(residuals: Sequence[FloatArray], run_of: Sequence[IntArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number, sum and sum of squares of the residuals of every run of two groups or more [runs]."""
    e = np.clip(np.concatenate([np.zeros(0), *residuals]), -LARGEST_RESIDUAL, LARGEST_RESIDUAL)
    runs = np.concatenate([np.zeros(0, dtype=np.int64), *run_of])
    many, total, squares = (np.bincount(runs, weights=values).astype(np.float64) for values in (e**0, e, e**2))
    shared = many > 1
    return many[shared], total[shared], squares[shared]


def _log_likelihood(many: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Of each of CORRELATIONS, but for a constant: the sum along 1 and what is across it are independent."""
    if not squares.any():
        return np.zeros(len(CORRELATIONS))
    variance, rho = squares.sum() / many.sum(), CORRELATIONS[:, None]
    along, across = 1.0 + (many - 1.0) * rho, 1.0 - rho
    common = total**2 / many
    found = np.log(along) + (many - 1.0) * np.log(across) + (common / along + (squares - common) / across) / variance
    return np.asarray(-0.5 * found.sum(axis=1))


def moving_together(posterior: Posterior) -> Posterior:
    """The same draws of every group in an order in which the groups' losses are correlated by `error_correlation`.

    A draw of normal score z among its group's gets the place at which √ρ c + √(1 − ρ) z ranks as it does, c a stream
    common to all groups: with ρ = 0 each stays where it is. A group's order depends on its own draws and ρ alone.
    """
    rho, draws = posterior.error_correlation, posterior.draws
    if rho == 0.0 or draws < 2 or len(posterior.keys) < 2:
        return posterior
    by_loss = ascending(posterior.band(FAR * posterior.reference))
    score = np.empty(by_loss.shape)
    np.put_along_axis(score, by_loss, ndtri((np.arange(draws) + 0.5) / draws)[None, :], axis=1)
    common = ndtri(uniforms(0, ("common",), draws)[0, 0])
    place = ascending(np.sqrt(rho) * common + np.sqrt(1.0 - rho) * score)
    order = np.empty(by_loss.shape, dtype=np.int64)
    np.put_along_axis(order, place, by_loss, axis=1)
    return replace(_dealt(posterior, order), error_correlation=0.0)


def _dealt(posterior: Posterior, order: IntArray) -> Posterior:
    """Draw order[g, i] of group g as its draw i, without the runs' errors."""

    def pick(values: FloatArray) -> FloatArray:
        return picked(values, order) if values.ndim == 2 else np.take_along_axis(values, order[:, None, :], axis=-1)

    return replace(posterior.mapped(pick), errors=None)
