"""What the rows averaged into cells say of σ: their scatter within the cells (method.md 2).

A cell's rows scatter about their line by σ² and, being scored on different holdouts, by what these differ. Where
holdouts return in cell after cell, their errors are taken out instead, as one constant per holdout: what is left
scatters by σ² alone, which then is known well however large the holdouts' errors are.

Shapes: T rows, C cells, G groups. Sums run over a group's own rows in their own order.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray

ONE_SIZE = 1e-12
"""Below this, a cell's rows are at one size."""

SWEEPS = 20
"""Rounds of taking out lines and constants in turn; one does where every holdout is in every cell."""

ENOUGH = 0.5
"""Holdouts are taken out where that leaves this share of the degrees of freedom."""


@dataclass(frozen=True)
class Scatter:
    """Sums of squares, their degrees of freedom, the variance in them that is not σ², and their groups; any length."""

    squares: FloatArray
    freedom: FloatArray
    extra: FloatArray
    owner: IntArray


@dataclass(frozen=True)
class Rows:
    """Rows [T] of averaged replicates: their cells, their (group, holdout) pairs, log-size x, loss, number of
    replicates, and s_h² of their holdouts. owner [C]: the cells' groups."""

    cell: IntArray
    pair: IntArray
    x: FloatArray
    y: FloatArray
    size: FloatArray
    variance: FloatArray
    owner: IntArray

    def select(self, keep: BoolArray) -> "Rows":
        """The rows of `keep`, a whole number of groups."""
        cell, pair = self.cell[keep], self.pair[keep]
        return Rows(cell, pair, self.x[keep], self.y[keep], self.size[keep], self.variance[keep], self.owner)


def scatter_of(rows: Rows, groups: int) -> Scatter:
    """The scatter of every cell, and for each group that of its rows less their holdouts' constants; one of the two
    has no degrees of freedom."""
    cells = len(rows.owner)
    squares, freedom = np.zeros(cells + groups), np.zeros(cells + groups)
    extra, owner = np.zeros(cells + groups), np.append(rows.owner, np.arange(groups))
    many = np.bincount(rows.cell, minlength=cells) > 1
    if many.any():
        alone = np.bincount(rows.owner, many, minlength=groups)[rows.owner] > 0
        some = rows.select(alone[rows.cell])
        squares[:cells], freedom[:cells] = _about_lines(some)
        extra[:cells] = _between_holdouts(some)
        squares[cells:], freedom[cells:] = _without_holdouts(some, groups)
        apart = freedom[cells:] >= ENOUGH * np.maximum(np.bincount(rows.owner, freedom[:cells], minlength=groups), 1.0)
        freedom[:cells] *= ~apart[rows.owner]
        freedom[cells:] *= apart
    return Scatter(np.where(freedom > 0.0, squares, 0.0), freedom, extra, owner)


def _lines(rows: Rows, y: FloatArray) -> FloatArray:
    """y less each cell's line in x, weighted by size [T]."""
    cells = len(rows.owner)
    total = np.maximum(np.bincount(rows.cell, rows.size, cells), 1.0)
    x = rows.x - (np.bincount(rows.cell, rows.size * rows.x, cells) / total)[rows.cell]
    y = y - (np.bincount(rows.cell, rows.size * y, cells) / total)[rows.cell]
    xx = np.bincount(rows.cell, rows.size * x**2, cells)
    steep = np.where(xx > ONE_SIZE, np.bincount(rows.cell, rows.size * x * y, cells) / np.maximum(xx, ONE_SIZE), 0.0)
    return np.asarray(y - steep[rows.cell] * x)


def _parameters(rows: Rows) -> FloatArray:
    """How many numbers describe each cell's line [C]: none without rows, one at one size, else two."""
    cells = len(rows.owner)
    number = np.bincount(rows.cell, minlength=cells)
    largest, smallest = np.full(cells, -np.inf), np.full(cells, np.inf)
    np.maximum.at(largest, rows.cell, rows.x)
    np.minimum.at(smallest, rows.cell, rows.x)
    return np.where(number > 0, np.where((largest - smallest) ** 2 > ONE_SIZE, 2.0, 1.0), 0.0)


def _about_lines(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Sum of squares of each cell's rows about their line, and degrees of freedom [C]."""
    cells = len(rows.owner)
    squares = np.bincount(rows.cell, rows.size * _lines(rows, rows.y) ** 2, cells)
    freedom = np.bincount(rows.cell, minlength=cells) - _parameters(rows)
    return np.asarray(squares, dtype=np.float64), np.asarray(np.maximum(freedom, 0.0))


def _without_holdouts(rows: Rows, groups: int) -> tuple[FloatArray, FloatArray]:
    """The same of each group's rows about lines and constants of the holdouts [G]."""
    pairs = int(rows.pair.max(initial=-1)) + 1
    total = np.maximum(np.bincount(rows.pair, rows.size, pairs), 1.0)
    left = _lines(rows, rows.y)
    for _ in range(SWEEPS):
        left = _lines(rows, left - (np.bincount(rows.pair, rows.size * left, pairs) / total)[rows.pair])
    group = rows.owner[rows.cell]
    used = np.unique(rows.pair, return_index=True)[1]
    numbers = np.bincount(rows.owner, _parameters(rows), groups) + np.bincount(group[used], minlength=groups)
    freedom = np.bincount(group, minlength=groups) - numbers + _pieces(rows, groups)
    squares = np.asarray(np.bincount(group, rows.size * left**2, groups), dtype=np.float64)
    return squares, np.asarray(np.maximum(freedom, 0.0))


def _pieces(rows: Rows, groups: int) -> FloatArray:
    """Into how many pieces a group's cells fall that no holdout joins [G]: each has a constant to spare."""
    cells = len(rows.owner)
    label, before = np.arange(cells), np.full(cells, -1)
    while not np.array_equal(label, before):
        before = label.copy()
        least = np.full(int(rows.pair.max(initial=-1)) + 1, cells)
        np.minimum.at(least, rows.pair, label[rows.cell])
        np.minimum.at(label, rows.cell, least[rows.pair])
    seen = np.unique(rows.cell)
    return np.bincount(rows.owner[seen[label[seen] == seen]], minlength=groups).astype(np.float64)


def _between_holdouts(rows: Rows) -> FloatArray:
    """m/(m − 1) Σ_h s_h² q_h (1 − q_h): what a cell's different holdouts, of shares q_h, add to its m rows' variance
    [C]."""
    cells = len(rows.owner)
    both, first, place = np.unique(
        rows.cell * (int(rows.pair.max()) + 1) + rows.pair, return_index=True, return_inverse=True
    )
    bins = rows.cell[first]
    total = np.maximum(np.bincount(rows.cell, rows.size, cells), 1.0)
    q = np.bincount(place, rows.size, len(both)) / total[bins]
    spread = np.bincount(bins, rows.variance[first] * q * (1.0 - q), cells)
    return np.asarray(spread * total / np.maximum(total - 1.0, 1.0))
