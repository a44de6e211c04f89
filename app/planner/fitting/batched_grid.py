"""Draws of many groups' curves off the grid, and how each group's points sit with them.

Groups with the same number of cells are worked on together, a few at a time: few enough for their grids to stay in
the processor's cache, which also bounds the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import Lattice
from app.planner.fitting.binning import Cells, Luck, Table, cells_of, doublings_below, runs, summed
from app.planner.fitting.floor_integral import integrate
from app.planner.fitting.grid import Batch, Level, Nodes, nodes_of, shape_values
from app.planner.fitting.not_started import flat_enough, put, still
from app.planner.fitting.sampling import MOMENT_DRAWS, Frame, Learnt, draw, empty

CACHED_NODES = 48000
"""Nodes of the groups worked on at once."""

CACHED_VALUES = 400_000
"""Numbers of the groups' shapes and draws worked on at once, where groups have many rows."""


@dataclass(frozen=True)
class GroupData:
    """Groups to fit: their points, their holdouts' luck, n_ref (for groups without points, what stands for it), the
    counts held, ȳ, the prior of s."""

    table: Table
    luck: Luck
    n_ref: FloatArray
    held: FloatArray
    units: FloatArray
    level: Level
    covariates: FloatArray

    @cached_property
    def cells(self) -> Cells:
        """The points, averaged."""
        return cells_of(self.table, self.luck, self.units)


def learn(data: GroupData, prior: Prior, lattice: Lattice) -> Learnt:
    """Posterior draws of every group, made of the numbers of `lattice`."""
    learnt = empty(len(data.units), lattice.draws, len(data.table.row_group))
    able = flat_enough(data.table, data.luck.examples)
    for groups, rows, p, nodes, level in grids(data, prior, lattice.draws):
        floors = integrate(nodes, level, prior, data.covariates[groups])
        examples = data.luck.examples[groups]
        frame = Frame(data.units[groups], data.n_ref[groups], data.table.binned[groups], level.upper, examples)
        numbers = lattice.select(groups)
        shape = draw(learnt, groups, frame, floors, prior, numbers)
        found = still(nodes, floors, level, prior, data.covariates[groups], able[groups])
        put(learnt, groups, frame, nodes, found, data.held[groups] >= data.n_ref[groups], prior, numbers)
        owner = np.searchsorted(groups, data.table.row_group[rows])
        _moments(learnt, groups, rows, owner, p, shape)
    return learnt


def grids(data: GroupData, prior: Prior, draws: int) -> Iterator[tuple[IntArray, IntArray, FloatArray, Nodes, Level]]:
    """Batches of groups, their rows, the shapes there [rows, S], the nodes and the prior of s.

    `draws` is how many will be taken of each group; it only bounds the batches' memory.
    """
    cells = data.cells
    scatter = cells.scatter_log_likelihood(np.asarray(prior.noises))
    for groups in _batches(cells, prior, draws):
        rows = runs(cells.group_rows, groups)
        of_group = data.table.row_group[rows]
        p = shape_values(data.table.row_count[rows], data.n_ref[of_group], prior)
        batch = _batch(data, cells, prior, groups, p, scatter[groups])
        yield groups, rows, p, nodes_of(batch, prior), batch.level


def _batches(cells: Cells, prior: Prior, draws: int) -> Iterator[IntArray]:
    """Groups to work on together, in ascending order: alike in cells, and few enough."""
    sizes, rows = np.diff(cells.start), np.diff(cells.group_rows)
    shapes = len(prior.exponents) * len(prior.offsets)
    nodes = len(prior.noises) * shapes
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        most = max(1, int(rows[alike].max()))
        step = max(1, min(CACHED_NODES // nodes, CACHED_VALUES // (most * (shapes + draws))))
        for first in range(0, len(alike), step):
            yield alike[first : first + step]


def _batch(data: GroupData, cells: Cells, prior: Prior, groups: IntArray, p: FloatArray, scatter: FloatArray) -> Batch:
    """The batch of `groups`, all with the same number of cells; p [their rows, S]."""
    b, k = len(groups), int(cells.start[groups[0] + 1] - cells.start[groups[0]])
    own = runs(cells.start, groups)
    log_noise, log_shape = prior.log_weights(data.covariates[groups])
    return Batch(
        y=cells.y[own].reshape(b, k),
        t=cells.t[own].reshape(b, k),
        independent=cells.independent[own].reshape(b, k),
        shared=shared_covariance(cells, groups, k),
        p=_averaged(cells, groups, own, p).reshape(b, k, p.shape[1]),
        scatter=scatter,
        log_noise=log_noise,
        log_shape=log_shape,
        level=Level(data.level.mean[groups], data.level.sd[groups], data.level.upper[groups]),
    )


def _averaged(cells: Cells, groups: IntArray, own: IntArray, p: FloatArray) -> FloatArray:
    """M p: the shapes averaged over each cell's rows."""
    if len(own) == len(p):
        return p
    sizes = cells.row_start[own + 1] - cells.row_start[own]
    weighted = cells.weight[runs(cells.group_rows, groups)][:, None] * p
    averaged: FloatArray = np.add.reduceat(weighted, np.cumsum(sizes) - sizes, axis=0)
    return averaged


def shared_covariance(cells: Cells, groups: IntArray, k: int) -> FloatArray:
    """Σ_h v_h f_h f_hᵀ − v̄ f fᵀ of groups with k cells each [B, K, K]."""
    at = runs(cells.shared_start, groups)
    position = np.repeat(np.arange(len(groups)), cells.shared_start[groups + 1] - cells.shared_start[groups])
    start = cells.start[groups][position]
    entry = (position * k + cells.shared_row[at] - start) * k + cells.shared_column[at] - start
    found = summed(entry, cells.shared[at], len(groups) * k * k).reshape(len(groups), k, k)
    common = cells.common[runs(cells.start, groups)].reshape(len(groups), k)
    return found - common[:, :, None] * common[:, None]


def _moments(learnt: Learnt, groups: IntArray, rows: IntArray, owner: IntArray, p: FloatArray, shape: IntArray) -> None:
    """Mean and variance over MOMENT_DRAWS draws of f at rows of `groups`; owner [rows]: their place in the batch."""
    excess = learnt.excess[groups, :MOMENT_DRAWS]
    at = shape.take(owner, axis=0)
    at += np.arange(0, p.size, p.shape[1])[:, None]
    f = p.take(at)
    waiting = learnt.threshold[groups, :MOMENT_DRAWS] > 0.0
    if waiting.any():
        # What has not started is at its level at every size measured.
        f[waiting.take(owner, axis=0)] = 1.0
    f *= excess.take(owner, axis=0)
    f += learnt.asymptote[groups, :MOMENT_DRAWS].take(owner, axis=0)
    mean = f.mean(axis=1)
    f -= mean[:, None]
    learnt.mean[rows] = mean
    learnt.variance[rows] = np.einsum("ij,ij->i", f, f) / f.shape[1]


def standardised(data: GroupData, learnt: Learnt) -> FloatArray:
    """(y − E f) / sd of each point [P]; the sd has curve, evaluation error, σ and the discrepancy."""
    table = data.table
    group, unit = table.group, data.units[table.group]
    inside = learnt.kappa[group] ** 2 * doublings_below(table.counts, data.n_ref[group])
    noise = (learnt.sigma[group] ** 2 + inside) * unit**2
    sd = np.sqrt(learnt.variance[table.row] + table.shared**2 + noise)
    residuals: FloatArray = (table.losses - learnt.mean[table.row]) / sd
    return residuals
