"""Curves that no one power law follows, and runs that stray at their ends: what speaks for them (planner.md 2).

A run that strays at the smallest or largest size looks like another curve, and a bend like noise: the posterior takes
in both. So for groups that it fits badly, each way to explain them is fitted and weighed beside the plain curve,

    f = a + b p(r),    p(r) = ((r + δ)/(1 + δ))^(−c),    r = n/n_ref,    t = −log₂ r,

which is that the loss leaves the curve by a smooth function of t (a Gaussian process: a bend), or that the first cell,
or the last, has a large error. A hypothesis is fitted by least squares (Levenberg and Marquardt) and its evidence is
Laplace's: the curve taken as linear about its best, its parameters integrated under wide normal priors, the error
summed over SIGMAS, as large everywhere or in proportion to the loss.

Shapes: B groups with K cells each, in units of ȳ; cells ascend in size. Four parameters: the logs of
a, b, c and δ/r_min.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.cells import Cells, summed
from app.planner.learn import Task

LEAST_CELLS = 6
"""Four parameters and a bend leave fewer cells nothing to contradict them with."""

SIGMAS = np.array([0.003, 0.01, 0.025, 0.06, 0.15])
"""Training errors σ, as shares of ȳ or of the loss."""

KAPPA = 0.004
"""The discrepancy that a curve is granted."""

WORKING = 0.015
"""The error, as a share of the loss, that least squares are weighted by; and how large a loss is at least taken for
that, in units of ȳ."""
LEAST = 0.5

CENTRE = np.log([0.3, 0.5, 0.5, 0.3])
SPREAD = np.array([1.5, 1.0, 0.7, 2.0])
"""Means and sds of the parameters."""

LOW = np.log([0.001, 0.001, 0.05, 0.003])
HIGH = np.log([20.0, 20.0, 6.0, 2000.0])
"""Least squares keep within these."""

STRAY = 1.0
"""The sd of a stray run's error, as a share of its loss."""

BEND, SMOOTH = 0.3, 0.15
"""The sd of a bend's departure from the curve, as a share of the loss, and over which share of the sizes' octaves, one
octave at least, it is alike."""

STEPS, SCREENING_STEPS = 20, 10
"""Steps of least squares."""

CLEAR = 2.0
"""Log odds, 7 to 1, from which a verdict is told."""

PROMISING = 0.5
"""Log evidence, by linear steps from the plain curve, from which the hypotheses are fitted."""


@dataclass(frozen=True)
class Data:
    """y, t, independent [B, K] and shared [B, K, K] as in `Cells`; single [B, 2]: whether the first and last cells are
    one run each."""

    y: FloatArray
    t: FloatArray
    independent: FloatArray
    shared: FloatArray
    single: BoolArray

    def select(self, groups: IntArray) -> "Data":
        """Those groups."""
        return Data(self.y[groups], self.t[groups], self.independent[groups], self.shared[groups], self.single[groups])

    @property
    def weighted(self) -> FloatArray:
        """The covariance by which least squares are weighted [B, K, K]."""
        level = np.maximum(self.y, LEAST)
        return self.covariance(((WORKING * level) ** 2)[:, None])[:, 0]

    def covariance(self, variance: FloatArray) -> FloatArray:
        """The covariance of the cells by their training errors' variance [B, any, K] → [B, any, K, K]."""
        fixed = self.shared + KAPPA**2 * np.minimum(self.t[:, :, None], self.t[:, None, :])
        found = np.repeat(fixed[:, None], variance.shape[1], axis=1)
        diagonal = np.arange(self.y.shape[1])
        found[:, :, diagonal, diagonal] += variance * self.independent[:, None]
        return found


@dataclass(frozen=True)
class Verdicts:
    """Log odds against the plain curve, −inf where not asked: of a bend [groups], and of a stray run at the smallest
    and at the largest size [groups, 2]."""

    bend: FloatArray
    ends: FloatArray

    @staticmethod
    def none(groups: int) -> "Verdicts":
        """Nothing speaks for anything."""
        return Verdicts(np.full(groups, -np.inf), np.full((groups, 2), -np.inf))


@dataclass(frozen=True)
class Judged:
    """Groups of which the evidence says that they bend, and whose smallest or largest size strays."""

    bend: IntArray
    ends: tuple[IntArray, IntArray]


def judged(task: Task, groups: IntArray) -> Judged:
    """What speaks most for each of `groups`, where it speaks clearly against the plain curve."""
    rows = np.bincount(task.table.row_group, minlength=task.table.groups)
    groups = groups[rows[groups] >= LEAST_CELLS]
    odds = _odds(task.cells, groups) if len(groups) else Verdicts.none(0)
    table = np.stack([odds.bend, odds.ends[:, 0], odds.ends[:, 1]], axis=1)
    way = np.where(table.max(axis=1) > CLEAR, table.argmax(axis=1), -1)
    return Judged(groups[way == 0], (groups[way == 1], groups[way == 2]))


def _odds(cells: Cells, groups: IntArray) -> Verdicts:
    """The verdicts on `groups`, in their order."""
    found = Verdicts.none(len(groups))
    sizes = np.diff(cells.start)[groups]
    for size in np.unique(sizes[sizes >= LEAST_CELLS]):
        at = np.flatnonzero(sizes == size)
        some = _judged(_data(cells, groups[at], int(size)))
        found.bend[at], found.ends[at] = some.bend, some.ends
    return found


def _data(cells: Cells, groups: IntArray, size: int) -> Data:
    at = cells.start[groups][:, None] + np.arange(size)
    place = np.full(len(cells.y), -1, dtype=np.int64)
    place[at] = np.arange(len(groups) * size).reshape(at.shape)
    row, column = place[cells.shared_row], place[cells.shared_column]
    mine = row >= 0
    entry = row[mine] * size + column[mine] % size
    shared = summed(entry, cells.shared[mine], len(groups) * size * size)
    ends = at[:, [0, -1]]
    single = np.isclose(cells.independent[ends], 1.0) & (cells.row_start[ends + 1] - cells.row_start[ends] == 1)
    return Data(cells.y[at], cells.t[at], cells.independent[at], shared.reshape(-1, size, size), single)


def _judged(data: Data) -> Verdicts:
    found = Verdicts.none(len(data.y))
    plain = _fitted(data, SCREENING_STEPS)
    level = np.maximum(plain.f, LEAST)
    odds = [_evidence(way, plain, level) for way in (data, *_ways(data, level))]
    promising = np.flatnonzero(np.max(odds[1:], axis=0) - odds[0] > PROMISING)
    if len(promising):
        some = data.select(promising)
        plain = _fitted(some, STEPS)
        level = np.maximum(plain.f, LEAST)
        alone = _evidence(some, plain, level)
        bend, first, last = (_evidence(way, _fitted(way, STEPS), level) - alone for way in _ways(some, level))
        found.bend[promising] = bend
        ends = np.stack([first, last], axis=1) - np.log(data.y.shape[1])
        found.ends[promising] = np.where(some.single, ends, -np.inf)
    return found


def _ways(data: Data, level: FloatArray) -> tuple[Data, Data, Data]:
    """The data with what each hypothesis adds to their covariance: a bend, a stray run at either end."""
    apart = data.t[:, :, None] - data.t[:, None, :]
    reach = np.maximum(SMOOTH * (data.t[:, :1] - data.t[:, -1:]), 1.0)[:, :, None]
    bent = (BEND * level)[:, :, None] * (BEND * level)[:, None, :] * np.exp(-0.5 * (apart / reach) ** 2)
    ends = []
    for cell in (0, -1):
        shared = data.shared.copy()
        shared[:, cell, cell] += (STRAY * level[:, cell]) ** 2
        ends.append(replace(data, shared=shared))
    return replace(data, shared=data.shared + bent), ends[0], ends[1]


@dataclass(frozen=True)
class Fit:
    """Parameters [B, 4], the curve f [B, K] there and its derivatives [B, K, 4]; misfit [B]: what is minimised."""

    parameters: FloatArray
    f: FloatArray
    slopes: FloatArray
    misfit: FloatArray

    def better(self, other: "Fit", mine: BoolArray) -> "Fit":
        """Where `mine`, this one's, else the other's."""
        return Fit(
            np.where(mine[:, None], self.parameters, other.parameters),
            np.where(mine[:, None], self.f, other.f),
            np.where(mine[:, None, None], self.slopes, other.slopes),
            np.where(mine, self.misfit, other.misfit),
        )


def _curve(parameters: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """f [B, K] and its derivatives by the parameters [B, K, 4]."""
    a, b, c, delta = (np.exp(parameters[:, i : i + 1]) for i in range(4))
    r = 2.0**-t
    delta = delta * r.min(axis=1, keepdims=True)
    steps = np.log((r + delta) / (1.0 + delta))
    p = np.exp(-c * steps)
    by_delta = -b * c * p * (1.0 / (r + delta) - 1.0 / (1.0 + delta)) * delta
    return a + b * p, np.stack([np.broadcast_to(a, p.shape), b * p, -b * c * steps * p, by_delta], axis=2)


def _fitted(data: Data, steps: int) -> Fit:
    """Least squares from two starts: a curve that falls from the first cell on, and one that falls late."""
    early = np.tile(CENTRE, (len(data.y), 1))
    late = early.copy()
    late[:, 3] = np.log(0.5) + np.log(2.0) * data.t.max(axis=1)
    metric = np.asarray(np.linalg.inv(data.weighted), dtype=np.float64)
    first, second = (_descended(data, metric, start, steps) for start in (early, late))
    return first.better(second, first.misfit <= second.misfit)


def _descended(data: Data, metric: FloatArray, start: FloatArray, steps: int) -> Fit:
    """Levenberg and Marquardt's steps."""

    def at(parameters: FloatArray) -> Fit:
        f, slopes = _curve(parameters, data.t)
        away = data.y - f
        misfit = np.einsum("bi,bij,bj->b", away, metric, away) + (((parameters - CENTRE) / SPREAD) ** 2).sum(axis=1)
        return Fit(parameters, f, slopes, misfit)

    found, damping, diagonal = at(start), np.full(len(start), 1e-2), np.arange(len(CENTRE))
    for _ in range(steps):
        turned = metric @ found.slopes
        curvature = found.slopes.swapaxes(1, 2) @ turned + np.diag(SPREAD**-2)
        downhill = np.einsum("bki,bk->bi", turned, data.y - found.f) - (found.parameters - CENTRE) / SPREAD**2
        curvature[:, diagonal, diagonal] *= 1.0 + damping[:, None]
        step = np.linalg.solve(curvature, downhill[:, :, None])[:, :, 0]
        tried = at(np.clip(found.parameters + step, LOW, HIGH))
        lower = tried.misfit < found.misfit
        found = tried.better(found, lower)
        damping *= np.where(lower, 0.1, 10.0)
    return found


def _evidence(data: Data, fit: Fit, level: FloatArray) -> FloatArray:
    """Log evidence [B], up to a constant of the data: the curve's linear part integrated, summed over the errors."""
    wide = fit.slopes * SPREAD
    away = data.y - fit.f - np.einsum("bki,bi->bk", fit.slopes, CENTRE - fit.parameters)
    even = np.broadcast_to((SIGMAS**2)[:, None], (len(data.y), len(SIGMAS), data.y.shape[1]))
    variance = np.concatenate([even, even * level[:, None] ** 2], axis=1)
    root = np.linalg.cholesky(data.covariance(variance) + (wide @ wide.swapaxes(1, 2))[:, None])
    white = np.linalg.solve(root, np.broadcast_to(away[:, None, :, None], (*root.shape[:3], 1)))[..., 0]
    diagonal = np.arange(data.y.shape[1])
    density = -np.log(root[:, :, diagonal, diagonal]).sum(axis=2) - 0.5 * (white**2).sum(axis=2)
    return np.asarray(np.logaddexp.reduce(density, axis=1))
