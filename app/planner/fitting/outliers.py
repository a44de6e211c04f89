"""Points that contradict the others of their group: doubted by the fit, then judged by a fit without them.

The curve then follows the others."""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Points
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import Lattice
from app.planner.fitting.batched_grid import GroupData, learn, standardised
from app.planner.fitting.binning import TYPICAL_NOISE, Table, doublings_below, table_of
from app.planner.fitting.checks import OUTLIER_SIGMAS, outlier
from app.planner.fitting.grid import Level
from app.planner.fitting.holdout_luck import luck_of
from app.planner.fitting.sampling import Learnt
from app.planner.wording import Warning

LEAST_POINTS_TO_DOUBT = 4
"""Without one of them, three must be left to contradict it."""

MISFIT, INFLATING = 3.0, 1.5
"""A residual is doubted beyond the first, or beyond the second where the point may have inflated the noise."""

WILD, WILD_PENALTY = 0.08, 50.0
"""κ above the first is given the weight exp(−50)."""


@dataclass(frozen=True)
class Strays:
    """Groups with a point that contradicts the others, ascending; that point, a row of the table, and its index in the
    group; how many sds of the others' prediction it lies off. All [strays]."""

    groups: IntArray
    points: IntArray
    index: IntArray
    sigmas: FloatArray

    def warnings(self, keys: tuple[str, ...], table: Table) -> list[Warning]:
        """One for each."""
        return [
            outlier(keys[g], int(i), float(table.counts[point]), float(table.losses[point]), float(sigmas))
            for g, i, point, sigmas in zip(self.groups, self.index, self.points, self.sigmas, strict=True)
        ]


def strays(data: GroupData, learnt: Learnt, residuals: FloatArray, prior: Prior, numbers: Lattice) -> Strays:
    """The points far from what the other points of their group say."""
    groups, points = _doubted(data.table, learnt, residuals)
    if not len(groups):
        return Strays(groups, points, points, np.zeros(0))
    sigmas = _sigmas_off(data, groups, points, prior, numbers)
    far = np.abs(sigmas) > OUTLIER_SIGMAS
    index = points - np.searchsorted(data.table.group, groups)
    return Strays(groups[far], points[far], index[far], sigmas[far])


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


def _sigmas_off(data: GroupData, groups: IntArray, points: IntArray, prior: Prior, numbers: Lattice) -> FloatArray:
    """How many predictive sds each of `points` lies from what the other points of its group say."""
    table = data.table
    others = table_of(without(table, groups, points))
    level = Level(data.level.mean[groups], data.level.sd[groups], data.level.upper[groups])
    units = data.units[groups]
    luck = luck_of(others, data.luck.span)
    covariates = data.covariates[groups]
    reduced = GroupData(others, luck, others.n_ref, data.held[groups], units, level, covariates)
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
    return replace(prior, noise=prior.noise - WILD_PENALTY * wild) if not wild.all() else prior


def _rms(table: Table, residuals: FloatArray) -> FloatArray:
    """Root mean square of each group's residuals [groups]: the grid's σ may be too small."""
    many = np.maximum(np.bincount(table.group, minlength=table.groups), 1)
    rms: FloatArray = np.sqrt(np.bincount(table.group, residuals**2, minlength=table.groups) / many)
    return rms


def without(table: Table, groups: IntArray, points: IntArray) -> list[Points]:
    """The groups' points but one of each."""
    found = []
    for first, last, point in zip(*np.searchsorted(table.group, [groups, groups + 1]), points, strict=True):
        keep = np.delete(np.arange(first, last), point - first)
        rows = table.row_pair[table.row[keep]]
        found.append(Points(table.counts[keep], table.losses[keep], table.stderrs[keep], rows))
    return found


def _loss(learnt: Learnt, n: FloatArray) -> FloatArray:
    """f at n ≥ 1 [groups, draws]."""
    base = (n[:, None] + learnt.offset) / learnt.anchor
    started = learnt.asymptote + learnt.excess * base**-learnt.exponent
    waiting = learnt.asymptote + learnt.excess * (n[:, None] < learnt.threshold)
    return np.where(learnt.threshold > 0.0, waiting, started)
