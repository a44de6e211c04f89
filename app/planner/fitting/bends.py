"""Curves that no one power law follows, and runs that stray at their ends: what speaks for them (planner.md 2).

A run that strays at the smallest or largest size looks like another curve, and a bend like noise: the posterior takes
in both. So for groups that it fits badly, each way to explain them is fitted and weighed beside the plain curve,

    f = a + b p(r),    p(r) = ((r + δ)/(1 + δ))^(−c),    r = n/n_ref,    t = −log₂ r,

which is that the loss leaves the curve by a smooth function of t (a Gaussian process: a bend), or that the first cell,
or the last, has a large error. A hypothesis is fitted by least squares (Levenberg and Marquardt) and its evidence is
Laplace's: the curve taken as linear about its best, its parameters integrated under wide normal priors, the training
error the likeliest of SIGMAS: summed over them, what explains noise would count for more than noise.

Shapes: B groups with K cells each, in units of ȳ; cells ascend in size. Four parameters: the logs of
a, b, c and δ/r_min.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.fitting.batched_grid import GroupData
from app.planner.fitting.binning import Cells, runs, summed

LEAST_CELLS, BENT_CELLS = 6, 7
"""Four parameters leave fewer cells nothing to contradict a run with, nor to tell a bend from noise by."""

SIGMAS = np.array([0.003, 0.01, 0.025, 0.06, 0.15, 0.4])
"""Training errors σ, as shares of √(ȳ loss): between errors alike at all sizes and errors in proportion to the loss,
either of which they serve."""

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

ROUNDING = 1e-10
"""This share of each variance keeps a covariance positive."""

STRAY = 1.0
"""The sd of a stray run's error, as a share of its loss."""

BEND, SMOOTH = 0.15, 0.2
"""The sd of a bend's departure from the curve, as a share of the loss, and over which share of the sizes' octaves, one
and a half times the cells' distance at least, it is alike."""

STEPS, SCREENING_STEPS = 20, 8
"""Steps of least squares, and as many where the plain curve alone is asked."""

CACHED_VALUES = 60_000
"""Numbers of the covariances worked on at once, which bounds the memory."""

CLEAR_BEND, CLEAR_END = 3.0, 2.0
"""Log odds from which a bend, and a stray run at an end, is told: false for less than one curve in twenty at any noise
up to a fifth of the loss (tests/planner/fitting/test_bends.py)."""

PROMISING = 1.0
"""Log odds, by linear steps from the plain curve, from which the hypotheses are fitted."""


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

    def stacked(self, others: "tuple[Data, ...]") -> "Data":
        """These groups, then those of the others."""
        parts = (self, *others)
        return Data(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(self)))

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


def judged(task: GroupData, groups: IntArray) -> Judged:
    """What speaks most for each of `groups`, where it speaks clearly against the plain curve."""
    rows = np.bincount(task.table.row_group, minlength=task.table.groups)
    groups = groups[rows[groups] >= LEAST_CELLS]
    if not len(groups):
        return Judged(groups, (groups, groups))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        odds = _odds(task.cells, groups)
    table = np.stack([odds.bend - CLEAR_BEND, odds.ends[:, 0] - CLEAR_END, odds.ends[:, 1] - CLEAR_END], axis=1)
    way = np.where(table.max(axis=1) > 0.0, table.argmax(axis=1), -1)
    return Judged(groups[way == 0], (groups[way == 1], groups[way == 2]))


def _odds(cells: Cells, groups: IntArray) -> Verdicts:
    """The verdicts on `groups`, in their order."""
    found = Verdicts.none(len(groups))
    sizes = np.diff(cells.start)[groups]
    for size in np.unique(sizes[sizes >= LEAST_CELLS]).tolist():
        alike = np.flatnonzero(sizes == size)
        step = max(1, CACHED_VALUES // size**2)
        for at in (alike[first : first + step] for first in range(0, len(alike), step)):
            some = _judged(_data(cells, groups[at], size))
            found.bend[at], found.ends[at] = some.bend, some.ends
    return found


def _data(cells: Cells, groups: IntArray, size: int) -> Data:
    at = cells.start[groups][:, None] + np.arange(size)
    pairs = runs(cells.shared_start, groups)
    owner = np.repeat(np.arange(len(groups)), cells.shared_start[groups + 1] - cells.shared_start[groups])
    row, column = (of[pairs] - at[owner, 0] for of in (cells.shared_row, cells.shared_column))
    shared = summed((owner * size + row) * size + column, cells.shared[pairs], len(groups) * size * size)
    ends = at[:, [0, -1]]
    single = np.isclose(cells.independent[ends], 1.0) & (cells.row_start[ends + 1] - cells.row_start[ends] == 1)
    return Data(cells.y[at], cells.t[at], cells.independent[at], shared.reshape(-1, size, size), single)


def _judged(data: Data) -> Verdicts:
    found = Verdicts.none(len(data.y))
    plain = _descended(data, _start(data, 0.3), SCREENING_STEPS)
    level = np.maximum(plain.f, LEAST)
    alone, *odds = (_evidence(way, plain, level) for way in _ways(data, level))
    promising = np.flatnonzero(np.max(odds, axis=0) - alone > PROMISING)
    if len(promising):
        some = data.select(promising)
        plain = _fitted(some)
        level = np.maximum(plain.f, LEAST)
        _, *ways = _ways(some, level)
        stacked = ways[0].stacked(tuple(ways[1:]))
        evidence = _evidence(stacked, _fitted(stacked), np.tile(level, (len(ways), 1)))
        bend, first, last = evidence.reshape(len(ways), -1) - _evidence(some, plain, level)
        found.bend[promising] = bend if data.y.shape[1] >= BENT_CELLS else -np.inf
        ends = np.stack([first, last], axis=1) - np.log(data.y.shape[1])
        found.ends[promising] = np.where(some.single, ends, -np.inf)
    return found


def _ways(data: Data, level: FloatArray) -> tuple[Data, Data, Data, Data]:
    """The data as they are, and with what each hypothesis adds to their covariance: a bend, a stray run at either
    end."""
    apart = data.t[:, :, None] - data.t[:, None, :]
    octaves, cells = data.t[:, :1] - data.t[:, -1:], data.y.shape[1]
    reach = (np.maximum(SMOOTH, 1.5 / (cells - 1)) * np.maximum(octaves, 1.0))[:, :, None]
    bent = (BEND * level)[:, :, None] * (BEND * level)[:, None, :] * np.exp(-0.5 * (apart / reach) ** 2)
    ends = []
    for cell in (0, -1):
        shared = data.shared.copy()
        shared[:, cell, cell] += (STRAY * level[:, cell]) ** 2
        ends.append(replace(data, shared=shared))
    return data, replace(data, shared=data.shared + bent), ends[0], ends[1]


@dataclass(frozen=True)
class Fit:
    """Parameters [B, 4], the curve f [B, K] there and its derivatives [B, K, 4]; away [B, K]: the whitened
    misfits; misfit [B]: what is minimised."""

    parameters: FloatArray
    f: FloatArray
    slopes: FloatArray
    away: FloatArray
    misfit: FloatArray

    def better(self, other: "Fit", mine: BoolArray) -> "Fit":
        """Where `mine`, this one's, else the other's."""
        return Fit(
            np.where(mine[:, None], self.parameters, other.parameters),
            np.where(mine[:, None], self.f, other.f),
            np.where(mine[:, None, None], self.slopes, other.slopes),
            np.where(mine[:, None], self.away, other.away),
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


def _fitted(data: Data) -> Fit:
    """Least squares from two starts: a curve that falls from the first cell on, and one that falls late."""
    starts = np.concatenate([_start(data, 0.0), _start(data, 1.0)])
    found = _descended(data.stacked((data,)), starts, STEPS)
    early, late = (
        Fit(*(getattr(found, field.name)[half] for field in fields(found)))
        for half in np.split(np.arange(len(starts)), 2)
    )
    return early.better(late, early.misfit <= late.misfit)


def _start(data: Data, late: float) -> FloatArray:
    """The means of the parameters, with δ from that of a curve that falls from the first cell on (`late` 0) to half
    of n_ref (1)."""
    start = np.tile(CENTRE, (len(data.y), 1))
    start[:, 3] += late * (np.log(0.5) + np.log(2.0) * data.t.max(axis=1) - CENTRE[3])
    return start


def _descended(data: Data, start: FloatArray, steps: int) -> Fit:
    """Levenberg and Marquardt's steps."""
    level = np.maximum(data.y, LEAST)
    root = _root(data.covariance(((WORKING * level) ** 2)[:, None])[:, 0])
    whiten = np.asarray(np.linalg.inv(root), dtype=np.float64)

    def at(parameters: FloatArray) -> Fit:
        f, slopes = _curve(parameters, data.t)
        away = (whiten @ (data.y - f)[:, :, None])[:, :, 0]
        misfit = (away**2).sum(axis=1) + (((parameters - CENTRE) / SPREAD) ** 2).sum(axis=1)
        return Fit(parameters, f, slopes, away, misfit)

    found, damping, diagonal = at(start), np.full(len(start), 1e-2), np.arange(len(CENTRE))
    for _ in range(steps):
        white = whiten @ found.slopes
        turned = white.swapaxes(1, 2)
        curvature = turned @ white + np.diag(SPREAD**-2)
        downhill = (turned @ found.away[:, :, None])[:, :, 0] - (found.parameters - CENTRE) / SPREAD**2
        curvature[:, diagonal, diagonal] *= 1.0 + damping[:, None]
        step = np.linalg.solve(curvature, downhill[:, :, None])[:, :, 0]
        tried = at(np.clip(found.parameters + step, LOW, HIGH))
        lower = tried.misfit < found.misfit
        found = tried.better(found, lower)
        damping *= np.where(lower, 0.1, 10.0)
    return found


def _root(covariance: FloatArray) -> FloatArray:
    """The Cholesky factors of covariances that rounding may leave short of positive."""
    diagonal = np.arange(covariance.shape[-1])
    covariance[..., diagonal, diagonal] *= 1.0 + ROUNDING
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def _evidence(data: Data, fit: Fit, level: FloatArray) -> FloatArray:
    """Log evidence [B], up to a constant of the data: the curve's linear part integrated, σ the likeliest."""
    wide = fit.slopes * SPREAD
    away = data.y - fit.f - (fit.slopes @ (CENTRE - fit.parameters)[:, :, None])[:, :, 0]
    variance = (SIGMAS**2)[:, None] * level[:, None]
    root = _root(data.covariance(variance) + (wide @ wide.swapaxes(1, 2))[:, None])
    white, density = np.empty(root.shape[:3]), np.zeros(root.shape[:2])
    for cell in range(data.y.shape[1]):
        known = (root[:, :, cell, :cell] * white[:, :, :cell]).sum(axis=2)
        white[:, :, cell] = (away[:, None, cell] - known) / root[:, :, cell, cell]
        density -= np.log(root[:, :, cell, cell]) + 0.5 * white[:, :, cell] ** 2
    return np.asarray(density.max(axis=1))
