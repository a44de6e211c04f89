"""From a group's raw points to the few averaged cells a fit works on (planner.md 1 and 2).

Exact replicates (same count, same holdout) are averaged and their scatter kept: together they say as much as the
raw points. What is then more than nine rows is averaged into half-octave bins of the count, which loses little;
the scatter about a line in each bin goes on to teach σ.
M [cells, rows] averages, and M y ~ N(s M φ, M V Mᵀ) is the model of the averaged data. Losses in units of ȳ.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.observations import Points

MAX_CELLS = 9
"""With more rows than this, half-octave bins (planner.md 2)."""

TYPICAL_NOISE = 0.05
"""The σ that sets the weights inside a bin; the likelihood is right for any weights."""

TINY = 1e-12
"""Below this, a bin's rows are at one size."""

SHARED_LIMIT = 1e3
"""An evaluation error of this many ȳ says nothing about the level; more would only cost digits."""


@dataclass(frozen=True)
class Cells:
    """Averaged data in units of ȳ.

    counts, losses [rows]: distinct (count, holdout) and their mean loss. average M [cells, rows].
    shared Σ_h s_h² 1_h 1_hᵀ and brownian K [cells, cells]; independent: the variance's share of σ² [cells].
    scatter, freedom, extra [k]: sums of squares of what averaging left out (exact replicates about their means,
    a bin's rows about their line), degrees of freedom, and the variance in them that is not σ².
    """

    counts: FloatArray
    losses: FloatArray
    n_ref: float
    average: FloatArray
    shared: FloatArray
    brownian: FloatArray
    independent: FloatArray
    scatter: FloatArray
    freedom: FloatArray
    extra: FloatArray

    def scatter_log_likelihood(self, sigma: FloatArray) -> FloatArray:
        """What the scatter inside the cells says of σ [N], up to a constant."""
        variance = sigma[:, None] ** 2 + self.extra
        terms: FloatArray = self.freedom * np.log(variance) + self.scatter / variance
        return np.asarray(-0.5 * terms.sum(axis=1))


def typical_loss(points: Points, floor: float) -> float:
    """ȳ: the mean loss at the two largest counts (planner.md 1), at least `floor` > 0."""
    largest = np.unique(points.counts)[-2:]
    means = [points.losses[points.counts == n].mean() for n in largest]
    return max(float(np.mean(means)), floor) if means else floor


def shared_errors(points: Points) -> FloatArray:
    """s_h of each point's holdout [points]: the rms of the known errors on it, 0 where none is known."""
    known = ~np.isnan(points.stderrs)
    _, index = np.unique(points.holdouts, return_inverse=True)
    squares = np.bincount(index, np.where(known, np.nan_to_num(points.stderrs) ** 2, 0.0))
    rms: FloatArray = np.sqrt(squares / np.maximum(np.bincount(index, known), 1.0))[index]
    return rms


def doublings_below(counts: FloatArray, n_ref: float) -> FloatArray:
    """t = log₂(n_ref / n) ≥ 0; counts below 1 count as 1."""
    return np.log2(n_ref / np.clip(counts, 1.0, n_ref))


def cells_of(points: Points, n_ref: float, unit: float) -> Cells:
    """Averages a group's points; `unit` is ȳ."""
    errors = np.minimum(shared_errors(points) / unit, SHARED_LIMIT)
    row, counts, holdout = _rows(points)
    size = np.bincount(row).astype(np.float64)
    losses = np.bincount(row, points.losses / unit) / np.maximum(size, 1.0)
    variance = np.zeros(len(size))
    variance[row] = errors**2
    cell = _half_octaves(counts, n_ref) if len(counts) > MAX_CELLS else np.arange(len(counts))
    average = _averages(cell, holdout, size, variance)
    sums = _sums_by_holdout(average, holdout)
    by_holdout = np.zeros(sums.shape[1])
    by_holdout[holdout] = variance
    doublings = doublings_below(counts, n_ref)
    t = average @ doublings
    inside = _scatter_in_bins(cell, doublings, losses, size)
    replicates = float(((points.losses / unit - losses[row]) ** 2).sum())
    return Cells(
        counts=counts,
        losses=losses,
        n_ref=n_ref,
        average=average,
        shared=(sums * by_holdout) @ sums.T,
        brownian=np.minimum(t[:, None], t[None, :]),
        independent=(average**2) @ (1.0 / size),
        scatter=np.append(inside[0], replicates),
        freedom=np.append(inside[1], float(len(row) - len(size))),
        extra=np.append(_variance_in_bins(cell, holdout, size, variance), 0.0),
    )


def _rows(points: Points) -> tuple[IntArray, FloatArray, IntArray]:
    """The row of each point, and each row's count and holdout (numbered from 0)."""
    counts, by_count = np.unique(points.counts, return_inverse=True)
    holdouts, by_holdout = np.unique(points.holdouts, return_inverse=True)
    many = max(len(holdouts), 1)
    codes, row = np.unique(by_count * many + by_holdout, return_inverse=True)
    return row, counts[codes // many], codes % many


def _half_octaves(counts: FloatArray, n_ref: float) -> IntArray:
    """The bin of each count, half-octaves down from n_ref; counts below 1 have their own."""
    bins = np.where(counts < 1.0, -1.0, np.floor(2.0 * doublings_below(counts, n_ref)))
    return np.asarray(np.unique(bins, return_inverse=True)[1], dtype=np.int64)


def _averages(cell: IntArray, holdout: IntArray, size: FloatArray, variance: FloatArray) -> FloatArray:
    """M [cells, rows]: weights by precision, the shared error counted once per holdout and cell."""
    pair = np.unique(cell * (holdout.max(initial=0) + 1) + holdout, return_inverse=True)[1]
    together = np.bincount(pair, size)[pair]
    weight = size / (together * variance + TYPICAL_NOISE**2)
    matrix = np.zeros((int(cell.max(initial=-1)) + 1, len(cell)))
    matrix[cell, np.arange(len(cell))] = weight / np.bincount(cell, weight)[cell]
    return matrix


def _sums_by_holdout(average: FloatArray, holdout: IntArray) -> FloatArray:
    """M's weight on each holdout [cells, holdouts]."""
    sums = np.zeros((len(average), int(holdout.max(initial=-1)) + 1))
    np.add.at(sums.T, holdout, average.T)
    return sums


def _scatter_in_bins(cell: IntArray, x: FloatArray, y: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum of squares of a bin's rows about their line in x, weighted by size, and degrees of freedom; each [cells]."""
    rows = np.bincount(cell)
    total = np.maximum(np.bincount(cell, size), 1.0)
    x = x - (np.bincount(cell, size * x) / total)[cell]
    y = y - (np.bincount(cell, size * y) / total)[cell]
    xx, xy = np.bincount(cell, size * x**2), np.bincount(cell, size * x * y)
    steep = np.where(xx > TINY, xy / np.maximum(xx, TINY), 0.0)
    scatter = np.bincount(cell, size * (y - steep[cell] * x) ** 2)
    freedom = np.maximum(rows - np.where(xx > TINY, 2.0, 1.0), 0.0)
    return np.where(freedom > 0.0, scatter, 0.0), freedom


def _variance_in_bins(cell: IntArray, holdout: IntArray, size: FloatArray, variance: FloatArray) -> FloatArray:
    """m/(m − 1) Σ_h s_h² q_h (1 − q_h): what a bin's different holdouts, of shares q_h, add to its m rows' variance."""
    codes = cell * (holdout.max(initial=0) + 1) + holdout
    _, first, pair = np.unique(codes, return_index=True, return_inverse=True)
    bins = cell[first]
    total = np.maximum(np.bincount(cell, size), 1.0)
    q = np.bincount(pair, size) / total[bins]
    spread = np.bincount(bins, variance[first] * q * (1.0 - q))
    return spread * total / np.maximum(total - 1.0, 1.0)
