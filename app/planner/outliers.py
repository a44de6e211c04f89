"""Points that contradict the others of their group: doubted by the fit, then judged by a fit without them."""

from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.cells import TYPICAL_NOISE, Table, doublings_below, table_of
from app.planner.checks import OUTLIER_SIGMAS, outlier
from app.planner.drawing import Learnt
from app.planner.grid import Level
from app.planner.learn import Task, learn, standardised
from app.planner.observations import Points
from app.planner.prior import Prior
from app.planner.streams import Lattice
from app.planner.warnings import Warning

LEAST_POINTS_TO_DOUBT = 4
"""Without one of them, three must be left to contradict it."""

MISFIT, INFLATING = 3.0, 1.5
"""A residual is doubted beyond the first, or beyond the second where the point may have inflated the noise."""

WILD, UNLIKELY = 0.08, 50.0
"""κ above the first is given the weight exp(−50)."""


def outliers(
    keys: tuple[str, ...], task: Task, learnt: Learnt, residuals: FloatArray, prior: Prior, numbers: Lattice
) -> list[Warning]:
    """A warning for each group whose worst point lies far from what its other points say."""
    groups, points = _doubted(task.table, learnt, residuals)
    if not len(groups):
        return []
    sigmas = _sigmas_off(task, groups, points, prior, numbers)
    found = []
    for g, point, distance in zip(groups, points, sigmas, strict=True):
        if abs(distance) > OUTLIER_SIGMAS:
            index = int(point - np.searchsorted(task.table.group, g))
            loss, count = float(task.table.losses[point]), float(task.table.counts[point])
            found.append(outlier(keys[int(g)], index, count, loss, float(distance)))
    return found


def _doubted(table: Table, learnt: Learnt, residuals: FloatArray) -> tuple[IntArray, IntArray]:
    """Groups with a point worth a second fit without it, and that point: the worst fitted."""
    size = np.abs(residuals)
    worst = np.zeros(table.groups)
    np.maximum.at(worst, table.group, size)
    enough = np.bincount(table.group, minlength=table.groups) >= LEAST_POINTS_TO_DOUBT
    inflated = (worst > INFLATING) & (learnt.sigma > TYPICAL_NOISE)
    groups = np.flatnonzero(enough & ((worst > MISFIT) | inflated))
    at = np.flatnonzero(size == worst[table.group])
    owners, first = np.unique(table.group[at], return_index=True)
    points = at[first]
    return groups, points[np.searchsorted(owners, groups)]


def _sigmas_off(task: Task, groups: IntArray, points: IntArray, prior: Prior, numbers: Lattice) -> FloatArray:
    """How many predictive sds each of `points` lies from what the other points of its group say."""
    table = task.table
    others = table_of([_without(table, int(g), int(point)) for g, point in zip(groups, points, strict=True)])
    level = Level(task.level.mean[groups], task.level.sd[groups], task.level.upper[groups])
    units = task.units[groups]
    reduced = replace(
        task, table=others, n_ref=others.n_ref, units=units, level=level, covariates=task.covariates[groups]
    )
    learnt = learn(reduced, _following(prior), numbers.select(groups))
    n, n_ref = table.counts[points], others.n_ref
    f = _loss(learnt, np.maximum(n, 1.0))
    beyond = learnt.forecast**2 * np.log2(np.maximum(n / n_ref, 1.0))
    noise = (learnt.sigma**2 + learnt.kappa**2 * doublings_below(n, n_ref) + beyond) * units**2
    sd = np.sqrt(f.var(axis=1) + table.shared[points] ** 2 + noise)
    distances: FloatArray = (table.losses[points] - f.mean(axis=1)) / sd
    return distances / np.maximum(1.0, _rms(others, standardised(reduced, learnt)))


def _following(prior: Prior) -> Prior:
    """The prior that the others follow a curve: for points that may lie anywhere, none lies astray."""
    wild = np.array(prior.discrepancies) > WILD
    return replace(prior, noise=prior.noise - UNLIKELY * wild) if not wild.all() else prior


def _rms(table: Table, residuals: FloatArray) -> FloatArray:
    """Root mean square of each group's residuals [groups]: the grid's σ may be too small."""
    many = np.maximum(np.bincount(table.group, minlength=table.groups), 1)
    rms: FloatArray = np.sqrt(np.bincount(table.group, residuals**2, minlength=table.groups) / many)
    return rms


def _without(table: Table, group: int, point: int) -> Points:
    """The group's points but one."""
    first, last = np.searchsorted(table.group, [group, group + 1])
    keep = np.delete(np.arange(first, last), point - first)
    return Points(table.counts[keep], table.losses[keep], table.stderrs[keep], table.row_pair[table.row[keep]])


def _loss(learnt: Learnt, n: FloatArray) -> FloatArray:
    """f at n ≥ 1 [groups, draws]."""
    base = (n[:, None] + learnt.offset) / learnt.anchor
    losses: FloatArray = learnt.asymptote + learnt.excess * base**-learnt.exponent
    return losses
