"""Whether losses drift from run to run, all groups together, beyond what the runs' sizes explain (method.md 2).

A test that gets harder, or an evaluation that changes, moves every group's loss with time and not with size. With y the
group's losses by their mean, x = log n and o the runs' order from 0 to 1, all less their means on each holdout,

    y = β o + b x + c x² + d z + e,    z = log of all samples of the run,

where x and x² stand for any learning curve and z for what other groups' samples do: what these explain of o is no
evidence. Runs differ by errors that their groups share, so the groups' y and o, freed of these sizes, are averaged run
by run, and β is judged by a t test with one observation a run. Nested runs posted by size leave nothing of o, and
nothing is said.

Shapes: R runs, G groups.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from scipy.special import stdtr

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.observations import Observations, Points, in_a_row
from app.planner.wording import Warning, percent

CHANCE = 1e-3
"""Of calling runs without drift drifting, were their errors normal and independent."""

LEAST_DRIFT = 0.02
"""A smaller share of the loss, from the first run to the last, is not worth a word."""

FREE = 0.15
"""A group of which the sizes leave less of the order's variance says nothing: size and time cannot be told apart."""

TOGETHER = 0.5
"""The groups' median drift must be this share of their mean: one group alone drifts for reasons of its own."""

LEAST_FREEDOM = 3
"""Fewer degrees of freedom let rounded values pass for a drift."""

NEWEST = 300
"""Of more runs the newest are judged, which bounds the memory."""

EXPLAINED = 1e-9
"""Of a sum of squares, this share is rounding."""


def drifts(observations: Observations, order: IntArray) -> list[Warning]:
    """The warning, where there is a drift. order [R]: the place of each of the observations' runs in time."""
    if observations.runs is None or observations.run_of is None:
        return []
    newest = np.argsort(order)[-NEWEST:]
    losses, holdouts = _by_run(observations.runs.shape, observations.run_of, observations.points)
    counts, losses, holdouts = observations.runs[newest], losses[newest], holdouts[newest]
    measured = ~np.isnan(losses)
    time = np.linspace(0.0, 1.0, len(newest))[:, None]
    y, o, parameters = _freed(counts, losses, np.where(measured, time, 0.0), holdouts, measured)
    some = (o**2).sum(axis=0) > 0.0
    runs = (measured & some).sum(axis=1)
    freedom = np.count_nonzero(runs) - parameters - len(np.unique(holdouts[runs > 0])) - 1
    mean_y, mean_o = (values[:, some].sum(axis=1) / np.maximum(runs, 1) for values in (y, o))
    square = float(mean_o @ mean_o)
    if freedom < LEAST_FREEDOM or not square:
        return []
    drift = float(mean_o @ mean_y) / square
    sd = np.sqrt(float(((mean_y - drift * mean_o) ** 2).sum()) / freedom / square)
    own = (o * y).sum(axis=0)[some] / (o**2).sum(axis=0)[some]
    likely = 2.0 * stdtr(freedom, -abs(drift) / max(sd, EXPLAINED * abs(drift))) if drift else 1.0
    if likely > CHANCE or abs(drift) < LEAST_DRIFT or np.median(own) / drift < TOGETHER:
        return []
    return [Warning("drifts", _drifts(drift, int(np.count_nonzero(runs))))]


def _by_run(
    shape: tuple[int, ...], run_of: Sequence[IntArray], points: Sequence[Points]
) -> tuple[FloatArray, IntArray]:
    """Losses [R, G], nan where a group was not measured, and the runs' holdouts [R]; shape: (R, G)."""
    losses, holdouts = np.full(shape, np.nan), np.zeros(shape[0], dtype=np.int64)
    group, measured = in_a_row(points)
    run = np.concatenate([np.zeros(0, dtype=np.int64), *run_of])
    losses[run, group], holdouts[run] = measured.losses, measured.holdouts
    return losses, holdouts


def _freed(
    counts: FloatArray, losses: FloatArray, time: FloatArray, holdouts: IntArray, measured: BoolArray
) -> tuple[FloatArray, FloatArray, int]:
    """y and o less what holdouts, x, x² and z explain [R, G], 0 for groups that say nothing; how many of these
    sizes do."""
    of_holdout = (holdouts[:, None] == np.unique(holdouts)).astype(np.float64)
    many = np.maximum(of_holdout.T @ measured, 1.0)

    def centred(values: FloatArray) -> FloatArray:
        values = np.where(measured, values, 0.0)
        return np.where(measured, values - of_holdout @ ((of_holdout.T @ values) / many), 0.0)

    def less(values: FloatArray, other: FloatArray) -> FloatArray:
        square = (other**2).sum(axis=0)
        return np.asarray(values - other * ((other * values).sum(axis=0) / np.where(square > 0.0, square, 1.0)))

    def kept(values: FloatArray, whole: FloatArray, share: float) -> FloatArray:
        return np.where((values**2).sum(axis=0) > share * (whole**2).sum(axis=0), values, 0.0)

    scale = np.where(measured, np.abs(losses), 0.0).sum(axis=0) / np.maximum(measured.sum(axis=0), 1)
    y, o = (centred(values) for values in (losses / np.where(scale > 0.0, scale, 1.0), time))
    left, parameters, explaining = o, 0, list[FloatArray]()
    own, total = (np.log(np.maximum(n, 1.0)) for n in (counts, counts.sum(axis=1, keepdims=True)))
    x = kept(centred(own), own, EXPLAINED)
    for whole in (x, x**2, np.broadcast_to(total, x.shape)):
        size = reduce(less, explaining, centred(whole))
        size = kept(size, whole, EXPLAINED)
        explaining.append(size)
        y, left, parameters = less(y, size), less(left, size), parameters + int(size.any())
    left = kept(left, o, FREE)
    return np.where(left.any(axis=0), y, 0.0), left, parameters


def _drifts(drift: float, runs: int) -> str:
    return (
        f"From the first to the last of {runs} runs, in the order they were observed, the groups' losses"
        f" {'rose' if drift > 0 else 'fell'} together by {percent(abs(drift))} beyond what their sizes explain: the"
        " test or the way of scoring may have changed. Score all runs on one holdout again, or name the holdouts apart."
    )
