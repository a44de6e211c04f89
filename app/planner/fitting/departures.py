"""Where losses depart from every falling power law: bends, and sizes at which the loss rose.

Shapes: G groups; B of them with K cells each; L levels, a level being all points of a group at one size.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc, stdtr

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.fitting.batched_grid import GroupData, shared_covariance
from app.planner.fitting.binning import TYPICAL_NOISE, Table, cells_of, runs, summed
from app.planner.fitting.grid import LARGEST_LOG_P
from app.planner.fitting.holdout_luck import luck_of

BENT_SIZES, FOUR_FROM = 7, 10
"""Fewer sizes do not tell a bend from noise; fewer cells than the second do not bear a derivative by δ as well."""

MIDDLE, CURVE_REACH = np.log([0.5, 10.0]), np.array([2.1, 5.8])
"""The curves that a bend is told from: logs of c and of δ as a share of the smallest size, from so much below the
middle to so much above."""

CURVE_NODES = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 7)] * 2), axis=2).reshape(-1, 2)
CURVE_ROUNDS, SHRINK = 3, 1.0 / 3.0
"""The nearest is looked for among seven c by seven δ, then among as many about it that are closer, and so on."""

WAVES = (3, 4)
"""Half waves over the sizes; the curve itself serves slower ones."""

BEND_CHANCE, LEAST_BEND = 0.02, 0.01
"""Chance of calling a power law bent, and the least departure from it, as a share of the loss, that is called so."""

KINK_SIZES, KINK_CHANCE = 8, 0.005
"""Of so few cells, waves leave a kink in the middle to what noise is told by: slopes that change at one size are asked
for as well. That takes so much of the chance of calling a power law bent. With more cells it would call clean ones so,
of which the curve that is asked beside is but near."""

FALL, FALL_CHANCE = 4.0, 5e-3
"""Standard errors by which the metric must get worse, and the chance that noise alone does so in a group."""

NEXT = 1.1
"""Sizes of a smaller ratio are not told apart."""

PRIOR_FREEDOM, INDEPENDENT = 3.0, 0.5
"""How many observations' worth σ = TYPICAL_NOISE is known before the scatter about neighbours is seen; and how many
degrees of freedom one size's distance from its neighbours is worth, as each takes part in three."""

GROUP_BATCH = 200
"""Groups worked on at once, which bounds the memory."""

VARIANCE_ROUNDING, LEAST_DIVISOR = 1e-10, 1e-300
"""This share of each variance keeps a covariance positive; the least divisor."""


class Fall(NamedTuple):
    """From size `smaller` to `larger`, the next, the mean loss rose by `sigmas` standard errors."""

    group: int
    smaller: float
    larger: float
    before: float
    after: float
    sigmas: float


def bent(data: GroupData, sigma: FloatArray) -> IntArray:
    """Groups of seven sizes or more that no power law follows, ascending; sigma [G]: σ as a share of ȳ.

    By the F test of slow waves in log n beside the nearest curve (Seber and Wild, Nonlinear Regression, 1989, 5.9), and
    of few cells by that of a kink at any inner one.
    """
    # Luck taken for a constant per holdout, the form in which it looks most like a bend.
    table = data.table
    cells = cells_of(table, luck_of(table, None), data.units)
    many, sizes = np.diff(cells.start), np.bincount(table.row_group[table.new_size], minlength=table.groups)
    found = [np.zeros(0, dtype=np.int64)]
    # Many sizes close to each other are averaged into few cells.
    enough = np.minimum(many, sizes) >= BENT_SIZES
    for size in np.unique(many[enough]).tolist():
        alike = np.flatnonzero(enough & (many == size))
        for groups in np.array_split(alike, 1 + len(alike) // GROUP_BATCH):
            own = runs(cells.start, groups)
            y, t, independent = (of[own].reshape(-1, size) for of in (cells.y, cells.t, cells.independent))
            level = np.sqrt(np.maximum(y, 0.5))
            variance = independent * (sigma[groups, None] * level) ** 2
            covariance = shared_covariance(cells, groups, size) + variance[:, :, None] * np.eye(size)
            covariance *= 1.0 + VARIANCE_ROUNDING * np.eye(size)
            found.append(groups[_bent(y, 2.0**-t, level, covariance)])
    return np.sort(np.concatenate(found))


def _bent(y: FloatArray, r: FloatArray, level: FloatArray, covariance: FloatArray) -> BoolArray:
    """True where waves, or a kink, in proportion to `level` explain what the nearest curve leaves [B]; y, r = n / n_ref
    [B, K], ascending."""
    root = np.linalg.cholesky(covariance)
    whiten = np.linalg.inv(root)
    white = whiten @ y[:, :, None]
    curve = _derivatives(r, *_nearest(whiten, white, r))[: 3 if y.shape[1] < FOUR_FROM else 4]
    x = np.pi * np.log(r) / np.minimum(np.log(r.min(axis=1, keepdims=True)), -LEAST_DIVISOR)

    def explain(shapes: list[FloatArray], chance: float) -> BoolArray:
        return _explain(
            [level * shape for shape in shapes], curve, white, np.asarray(root), np.asarray(whiten), level, chance
        )

    if y.shape[1] > KINK_SIZES:
        return explain([np.cos(k * x) for k in WAVES], BEND_CHANCE)
    found = explain([np.cos(k * x) for k in WAVES], BEND_CHANCE - KINK_CHANCE)
    inner = range(2, y.shape[1] - 2)
    for at in inner:
        found |= explain([np.maximum(x[:, at, None] - x, 0.0)], KINK_CHANCE / len(inner))
    return found


def _explain(
    shapes: list[FloatArray],
    curve: list[FloatArray],
    white: FloatArray,
    root: FloatArray,
    whiten: FloatArray,
    level: FloatArray,
    chance: float,
) -> BoolArray:
    """Whether `shapes` [B, K] beside the derivatives `curve` [B, K] explain so much of the whitened losses `white`
    [B, K, 1] as noise does with less than `chance` [B]; root, whiten: the covariance's root and its inverse."""
    basis = whiten @ np.stack([*curve, *shapes], axis=2)
    q = np.linalg.qr(basis / np.maximum(np.linalg.norm(basis, axis=1, keepdims=True), LEAST_DIVISOR))[0]
    along = q.swapaxes(1, 2) @ white
    rest = ((white - q @ along) ** 2).sum(axis=(1, 2))
    waves = along[:, len(curve) :]
    freedom = q.shape[1] - q.shape[2]
    ratio = (waves**2).mean(axis=(1, 2)) * freedom / np.maximum(rest, LEAST_DIVISOR)
    departure = (root @ q[:, :, len(curve) :] @ waves)[:, :, 0] / level
    large = (departure**2).mean(axis=1) > LEAST_BEND**2
    return np.asarray(large & (fdtrc(len(shapes), freedom, ratio) < chance))


def _nearest(whiten: FloatArray, white: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """c and δ [B, 1] of the curve a + b p, b ≥ 0, that is nearest to the whitened losses."""
    one = whiten.sum(axis=2)[:, :, None]
    one = one / np.linalg.norm(one, axis=1, keepdims=True)
    smallest = r.min(axis=1, keepdims=True)
    centre = np.tile(MIDDLE, (len(r), 1, 1))
    for k in range(CURVE_ROUNDS):
        nodes = centre + SHRINK**k * CURVE_REACH * CURVE_NODES
        c, delta = np.exp(nodes[:, :, 0]), smallest * np.exp(nodes[:, :, 1])
        p = (r[:, :, None] + delta[:, None]) / (1.0 + delta[:, None])
        p = whiten @ np.exp(np.minimum(-c[:, None] * np.log(p), LARGEST_LOG_P))
        p -= one * (one.swapaxes(1, 2) @ p)
        explained = np.maximum((white.swapaxes(1, 2) @ p)[:, 0], 0.0) ** 2 / np.maximum(
            (p**2).sum(axis=1), LEAST_DIVISOR
        )
        best = explained.argmax(axis=1)[:, None]
        centre = np.take_along_axis(nodes, best[:, :, None], axis=1)
    return np.take_along_axis(c, best, axis=1), np.take_along_axis(delta, best, axis=1)


def _derivatives(r: FloatArray, c: FloatArray, delta: FloatArray) -> list[FloatArray]:
    """Of a + b ((r + δ)/(1 + δ))^(−c) by a, b, c and δ, each up to a factor [B, K]."""
    steps = np.log((r + delta) / (1.0 + delta))
    p = np.exp(np.minimum(-c * steps, LARGEST_LOG_P))
    return [np.ones(p.shape), p, steps * p, p * (1.0 - r) * (r.min(axis=1, keepdims=True) + delta) / (r + delta)]


@dataclass(frozen=True)
class Levels:
    """group, size, mean loss, number of points [L]; stated: the variance of the mean by the points' standard errors,
    those on one holdout counted as one error; scatter: sum of squares of the points about the mean; scale: the loss,
    at least ȳ/4, with whose root σ is taken to go: between errors alike at all sizes and errors in proportion."""

    group: IntArray
    size: FloatArray
    loss: FloatArray
    many: FloatArray
    stated: FloatArray
    scatter: FloatArray
    scale: FloatArray

    def sums(self, values: FloatArray) -> FloatArray:
        """Of each group's levels [G]."""
        return summed(self.group, values)


def falls(table: Table, units: FloatArray) -> list[Fall]:
    """Where groups got significantly worse from one size to the next, one for each: at their largest size, or else
    the clearest. `units` is ȳ [G].

    The variance is the larger of what the standard errors state, as if no two sizes shared a holdout's error, and of
    what the group's other sizes scatter by; a t test, for all of the group's pairs (Bonferroni).
    """
    levels = _levels(table, units)
    next_size = (levels.group[1:] == levels.group[:-1]) & (levels.size[1:] >= NEXT * levels.size[:-1])
    before = np.flatnonzero(next_size)
    after, group = before + 1, levels.group[before]
    seen, freedom = _seen(levels, before)
    stated = levels.stated[before] + levels.stated[after]
    sd = np.sqrt(np.maximum(np.maximum(seen, stated), LEAST_DIVISOR))
    sigmas = (levels.loss[after] - levels.loss[before]) / sd
    worse = np.flatnonzero(sigmas >= FALL)
    freedom = np.where(seen > stated, freedom, np.inf)[worse]
    worse = worse[stdtr(freedom, -sigmas[worse]) * np.bincount(group)[group[worse]] < FALL_CHANCE]
    largest = np.append(levels.group[1:] != levels.group[:-1], True)[after]
    chosen = {group[i]: i for i in worse[np.lexsort((sigmas[worse], largest[worse]))]}
    ends = np.stack([levels.size[before], levels.size[after], levels.loss[before], levels.loss[after], sigmas], axis=1)
    return [Fall(int(g), *ends[i].tolist()) for g, i in sorted(chosen.items())]


def _levels(table: Table, units: FloatArray) -> Levels:
    new = table.new_size
    of_row = np.cumsum(new) - 1
    of_point = of_row[table.row]
    many = np.bincount(of_point).astype(np.float64)
    loss = np.bincount(of_point, table.losses) / many
    squares = np.where(np.isnan(table.stderrs), table.shared, table.stderrs) ** 2
    stated = np.bincount(of_row, np.bincount(table.row, squares) * np.bincount(table.row)) / many**2
    scatter = summed(of_point, (table.losses - loss[of_point]) ** 2)
    group = table.row_group[new]
    return Levels(group, table.row_count[new], loss, many, stated, scatter, np.maximum(loss, 0.25 * units[group]))


def _seen(levels: Levels, before: IntArray) -> tuple[FloatArray, FloatArray]:
    """The variance of each pair's difference by the scatter of the group's other levels, and its degrees of freedom."""
    after, group, many = before + 1, levels.group[before], levels.many
    scale = np.sqrt(levels.scale[before] * levels.scale[after])
    square, inner = _about_neighbours(levels)
    squares = levels.sums(square + levels.scatter / levels.scale)[group] - square[before] - square[after]
    number = levels.sums(inner)[group] - inner[before] - inner[after]
    freedom = levels.sums(many - 1.0)[group] + PRIOR_FREEDOM
    variance = (np.maximum(squares, 0.0) + PRIOR_FREEDOM * TYPICAL_NOISE**2 * scale) / (freedom + number)
    return variance * scale * (1.0 / many[before] + 1.0 / many[after]), freedom + INDEPENDENT * number


def _about_neighbours(levels: Levels) -> tuple[FloatArray, FloatArray]:
    """σ²/scale as each level says by how far 2 √loss lies from the line between its neighbours (Gasser, Sroka and
    Jennen-Steinmetz, 1986, eq. 2), and 1 where it has two, else 0 [L]."""
    x, y, many = np.log(np.maximum(levels.size, 1.0)), 2.0 * np.sqrt(levels.scale), levels.many
    at = np.flatnonzero(levels.group[2:] == levels.group[:-2]) + 1
    w = (x[at + 1] - x[at]) / np.maximum(x[at + 1] - x[at - 1], LEAST_DIVISOR)
    away = y[at] - w * y[at - 1] - (1.0 - w) * y[at + 1]
    square, inner = np.zeros((2, len(y)))
    square[at] = away**2 / (1.0 / many[at] + w**2 / many[at - 1] + (1.0 - w) ** 2 / many[at + 1])
    inner[at] = 1.0
    return square, inner
