"""Runs whose loss exploded: set aside before the fit where a bound is open (method.md 2, "Runs that exploded").

With both bounds given, the span says how large a loss can be. With one open, a single loss of 10⁶ among losses of 100
would be the scale of everything. Run i explodes beside run j where

    y_i > REACH · y_j · max(1, n_j / n_i)^c,    c = max(STEEP_START, RELIEF · c_j),

c_j the slope of −log y in log n from j to the next larger size (at the largest, from the next smaller), i left out:
where the others fall steeply, a steep start is no explosion. A run is set aside where most of the others say so, or two
of larger size; at the group's largest size two must, as one run alone may itself be the wrong one.

Shapes: P points of a group.
"""

from dataclasses import replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.wording import Warning

REACH = 3.0
"""Noise multiplies a loss by less. With a first run 20 times too large two thirds are found, at 100 times 95 %."""

STEEP_START, RELIEF = 1.5, 2.0
"""The steepest fall that needs no witness, and how much steeper than seen beside it a curve may start. With these and
REACH fewer than 1 % of power laws up to n^−2, of perplexities and of measured error curves lose a run."""

SLOPE_APART = 1.4
"""Sizes of a smaller ratio show no slope."""

WITNESSES = 2
"""So many larger runs are enough, and so many are needed at the largest size."""

MOST_ASKED = 64
"""Of more runs so many, evenly spread over the sizes, are asked."""


def exploded(points: Points) -> BoolArray:
    """True at each run whose loss is far beyond what the others can give [P]."""
    found = np.zeros(len(points.counts), dtype=np.bool_)
    while True:
        sane = np.flatnonzero(~found)
        more = _beyond_the_others(points.counts[sane], points.losses[sane])
        if not more.any():
            return found
        # Without them, slopes beside the others may show what they hid.
        found[sane[more]] = True


def set_aside(observations: Observations) -> tuple[BoolArray, ...]:
    """For each group, True at the points to leave out: with both bounds given, or the curve stated, none."""
    free = [observations.span is None and curve is None for curve in observations.assumed]
    return tuple(
        exploded(points) if one else np.zeros(len(points.counts), dtype=np.bool_)
        for points, one in zip(observations.points, free, strict=True)
    )


def without(observations: Observations, aside: tuple[BoolArray, ...]) -> Observations:
    """The observations less the points where `aside`, one array per group, is True."""
    if not _concerned(aside):
        return observations
    points = tuple(
        Points(one.counts[~gone], one.losses[~gone], one.stderrs[~gone], one.holdouts[~gone])
        for one, gone in zip(observations.points, aside, strict=True)
    )
    run_of = observations.run_of and tuple(run[~gone] for run, gone in zip(observations.run_of, aside, strict=True))
    return replace(observations, points=points, run_of=run_of)


def _concerned(aside: tuple[BoolArray, ...]) -> list[int]:
    """The groups with a point to leave out."""
    if not np.concatenate([np.zeros(0, dtype=np.bool_), *aside]).any():
        return []
    return [g for g, gone in enumerate(aside) if gone.any()]


def fitted_part(observations: Observations) -> Observations:
    """The observations that `fit_together` fits: less the runs that exploded."""
    return without(observations, set_aside(observations))


def restored(posterior: Posterior, observations: Observations, aside: tuple[BoolArray, ...]) -> Posterior:
    """The posterior of `without`, with residuals of all points and an `outlier` for each that was set aside.

    Such a residual is the distance from the others' curve in sds of the curve and of one run's error.
    """
    residuals, warnings = list(posterior.residuals), list(posterior.warnings)
    for g in _concerned(aside):
        gone = aside[g]
        points, index = observations.points[g], np.flatnonzero(gone)
        f = posterior.select(np.array([g])).loss(points.counts[None, index])[0]
        away = (points.losses[index] - f.mean(axis=1)) / np.hypot(f.std(axis=1), posterior.noise[g])
        residuals[g] = np.insert(residuals[g], index - np.arange(len(index)), away)
        warnings += [_outlier(posterior.keys[g], points, int(i)) for i in index]
    told = replace(posterior, residuals=tuple(residuals), warnings=tuple(warnings))
    return replace(told, warnings=told.select(np.arange(len(told.keys))).warnings)


def _beyond_the_others(counts: FloatArray, losses: FloatArray) -> BoolArray:
    """`exploded`, once over [P]."""
    found = np.zeros(len(losses), dtype=np.bool_)
    above = losses > 0.0
    if len(losses) < 2 or not above.any() or losses.max() <= REACH * losses[above].min():
        return found
    order = np.lexsort((losses, counts))
    n, above = np.log(np.maximum(counts[order], 1.0)), above[order]
    y = np.log(np.where(above, losses[order], 1.0))
    if not _doubtful(n[above], y[above]):
        return found
    asked = np.unique(np.linspace(0, len(n) - 1, min(len(n), MOST_ASKED)).astype(np.int64))
    steep = np.maximum(STEEP_START, RELIEF * _slopes(n, y, asked))
    allowed = np.log(REACH) + y[asked] + steep * np.maximum(n[asked] - n[:, None], 0.0)
    # A loss of 0, or below, says nothing of scales.
    beyond = above[:, None] & above[asked] & (y[:, None] > allowed)
    many, larger = beyond.sum(axis=1), (beyond & (n[asked] > n[:, None])).sum(axis=1)
    enough = (2 * many > len(asked) - np.isin(np.arange(len(n)), asked)) | (larger >= WITNESSES)
    found[order] = enough & (many >= np.where(n < n[-1], 1, WITNESSES))
    return found


def _doubtful(n: FloatArray, y: FloatArray) -> bool:
    """Whether any run explodes beside any other where c is least; log n and log y sorted by both. Seldom, and quick."""
    level = y + STEEP_START * n
    drop = (np.maximum.accumulate(level) - level).max()
    rise = (y - np.minimum.accumulate(y)).max()
    return bool(max(drop, rise) > np.log(REACH))


def _slopes(n: FloatArray, y: FloatArray, asked: IntArray) -> FloatArray:
    """c_j of the witnesses `asked` without run i [P, witnesses]; log sizes n and log losses y sorted by both [P]."""
    i, last = np.arange(len(n))[:, None], len(n) - 1
    above = np.searchsorted(n, n[asked] + np.log(SLOPE_APART))[None, :]
    above = above + (above == i)
    below = np.searchsorted(n, n[asked] - np.log(SLOPE_APART), side="right") - 1
    # Of several runs at the next smaller size, that of the least loss.
    least = np.searchsorted(n, n[np.maximum(below, 0)])[None, :]
    below = np.where(below < 0, -1, np.where(least != i, least, np.where(below != i, below, i - 1)))
    up, at = above <= last, asked[None, :]
    other = np.where(up, np.minimum(above, last), np.maximum(below, 0))
    run = np.where(up | (below >= 0), n[other] - n[at], np.inf)
    return np.asarray((y[at] - y[other]) / np.where(run == 0.0, np.inf, run))


def _outlier(key: str, points: Points, index: int) -> Warning:
    detail = (
        f"Point {index} (count {points.counts[index]:g}, loss {points.losses[index]:.4g}) exploded: no learning curve"
        " through the other runs reaches such a loss there, so it is left out and the curve follows the others. Check"
        " that run and post it again."
    )
    return Warning("outlier", detail, key)
