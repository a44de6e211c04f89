"""From all groups' raw points to the few averaged cells a fit works on (method.md 1 and 2).

One flat table holds every group's points, so that the cost per group is a few passes over its own numbers.
Exact replicates (same count, same holdout) are averaged into rows and their scatter kept: together they say as
much as the raw points. A group with more than nine rows is averaged into half-octave bins of the count, which
loses little; the scatter about a line in each bin goes on to teach σ. Row weights w make the averages, and
M y ~ N(s M φ, M V Mᵀ) is the model of the averaged data. Losses in units of ȳ.

Shapes: P points, L levels (group, count), T rows (group, count, holdout), C cells, G groups. Sums run over a
group's own numbers in their own order: no group changes another's, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.observations import Points, in_a_row
from app.planner.fitting.noise import Rows, scatter_of

MAX_CELLS = 9
"""With more rows than this, half-octave bins (method.md 2)."""

TYPICAL_NOISE = 0.05
"""The σ that sets the weights inside a bin; the likelihood is right for any weights."""

SHARED_LIMIT = 1e3
"""An evaluation error of this many ȳ says nothing about the level; more would only cost digits."""


@dataclass(frozen=True)
class Table:
    """All groups' points, group after group in their own order.

    group, counts, losses, stderrs [P] as posted; row [P]: each point's row. Rows [T] are sorted by group, count and
    holdout: row_group, row_count, row_pair (its (group, holdout), numbered from 0). errors [pairs]: s_h, the rms of
    the known errors on a holdout, 0 where none is known. n_ref [G]: the largest count, at least 1. most_cells: groups
    with more rows are binned.
    """

    groups: int
    group: IntArray
    counts: FloatArray
    losses: FloatArray
    stderrs: FloatArray
    row: IntArray
    row_group: IntArray
    row_count: FloatArray
    row_pair: IntArray
    errors: FloatArray
    n_ref: FloatArray
    most_cells: int = MAX_CELLS

    @cached_property
    def shared(self) -> FloatArray:
        """s_h of each point [P]."""
        return self.errors[self.row_pair[self.row]]

    @cached_property
    def binned(self) -> IntArray:
        """1 for groups whose rows are too many to stand alone, else 0 [G]."""
        rows = np.bincount(self.row_group, minlength=self.groups)
        return (rows > self.most_cells).astype(np.int64)

    @cached_property
    def new_size(self) -> BoolArray:
        """True at the first row of each of a group's sizes [T]."""
        return _changes(self.row_group, self.row_count)

    @cached_property
    def last(self) -> FloatArray:
        """The mean loss at each group's two largest counts, 0 without points [G]."""
        new = self.new_size
        level = (np.cumsum(new) - 1)[self.row]
        owner = self.row_group[new]
        means = np.bincount(level, self.losses) / np.maximum(np.bincount(level), 1)
        from_top = np.cumsum(np.bincount(owner, minlength=self.groups))[owner] - np.arange(len(owner))
        top = from_top <= 2
        sums = np.bincount(owner[top], means[top], minlength=self.groups)
        n = np.bincount(owner[top], minlength=self.groups)
        found: FloatArray = sums / np.maximum(n, 1)
        return found

    @cached_property
    def pair_group(self) -> IntArray:
        """The group of each (group, holdout) [pairs]."""
        owner = np.zeros(len(self.errors), dtype=np.int64)
        owner[self.row_pair] = self.row_group
        return owner


def table_of(points: Sequence[Points], most_cells: int = MAX_CELLS) -> Table:
    """The flat table of `points`, one entry per group."""
    group, every = in_a_row(points)
    counts, losses, stderrs = every.counts, every.losses, every.stderrs
    pair = _numbered((every.holdouts, group))
    row = _numbered((pair, counts, group))
    first = _first_of(row)
    known = ~np.isnan(stderrs)
    squares = np.bincount(pair, np.where(known, stderrs, 0.0) ** 2)
    n_ref = np.ones(len(points))
    np.maximum.at(n_ref, group, counts)
    return Table(
        groups=len(points),
        group=group,
        counts=counts,
        losses=losses,
        stderrs=stderrs,
        row=row,
        row_group=group[first],
        row_count=counts[first],
        row_pair=pair[first],
        errors=np.sqrt(squares / np.maximum(np.bincount(pair, known), 1.0)),
        n_ref=n_ref,
        most_cells=most_cells,
    )


def summed(index: IntArray, values: FloatArray, size: int = 0) -> FloatArray:
    """The sum of the values of each index [at least size], in their order."""
    return np.asarray(np.bincount(index, values, minlength=size), dtype=np.float64)


def runs(starts: IntArray, groups: IntArray) -> IntArray:
    """The indices start[g] … start[g + 1] − 1 of the groups, one after the other."""
    lengths = starts[groups + 1] - starts[groups]
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts[groups] - before, lengths) + np.arange(int(lengths.sum()))


def _numbered(keys: tuple[FloatArray | IntArray, ...]) -> IntArray:
    """Numbers from 0 in sorted order of the distinct keys (the last key is the primary one)."""
    order = np.lexsort(keys)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(_changes(*(key[order] for key in keys))) - 1
    return numbers


def _changes(*columns: FloatArray | IntArray | BoolArray) -> BoolArray:
    """True where a sorted table's row differs from the one before it."""
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _first_of(numbers: IntArray) -> IntArray:
    """Where each number first occurs [largest + 1]."""
    first = np.full(int(numbers.max(initial=-1)) + 1, len(numbers), dtype=np.int64)
    np.minimum.at(first, numbers, np.arange(len(numbers)))
    return first


def typical_losses(table: Table, floors: FloatArray) -> FloatArray:
    """ȳ of each group [G]: its `last` losses (method.md 1), at least `floors` > 0 [G]."""
    return np.maximum(table.last, floors)


def doublings_below(counts: FloatArray, n_ref: FloatArray) -> FloatArray:
    """t = log₂(n_ref / n) ≥ 0; counts below 1 count as 1."""
    return np.log2(n_ref / np.clip(counts, 1.0, n_ref))


@dataclass(frozen=True)
class Luck:
    """How holdouts' errors enter the fit.

    losses [P]: drawn in. level [T]: the loss that the luck goes with, from a smooth curve through all. sd [pairs]: of
    the holdout's luck as a share of that, where the group has others to differ from. common [G]: v̄, what they have in
    common; examples [G]: M, inf where no error is known. Without bounds luck is a constant: level 1, sd s_h, and
    nothing is taken out.
    """

    losses: FloatArray
    level: FloatArray
    sd: FloatArray
    common: FloatArray
    examples: FloatArray
    span: float | None


@dataclass(frozen=True)
class Cells:
    """Averaged data in units of ȳ, cells sorted by group.

    start [G + 1]: where each group's cells begin; row_start [C + 1], group_rows [G + 1]: where a cell's and a
    group's rows begin. weight [T]: w. y, t, independent [C]: averaged loss and log₂(n_ref/n), and the variance's
    share of σ². shared_row, shared_column, shared: Σ_h v_h f_h f_hᵀ, summands with their cells, group by group from
    shared_start [G + 1]. common [C]: √v̄ f, whose square is taken out of that.
    scatter, freedom, extra, owner: sums of squares of what averaging left out (exact replicates about their means,
    and `scatter_of` the rows), degrees of freedom, the variance in them that is not σ², and their group.
    """

    start: IntArray
    row_start: IntArray
    group_rows: IntArray
    weight: FloatArray
    y: FloatArray
    t: FloatArray
    independent: FloatArray
    shared_start: IntArray
    shared_row: IntArray
    shared_column: IntArray
    shared: FloatArray
    common: FloatArray
    scatter: FloatArray
    freedom: FloatArray
    extra: FloatArray
    owner: IntArray

    def scatter_log_likelihood(self, sigmas: FloatArray) -> FloatArray:
        """What the scatter inside the cells says of σ [G, sigmas], up to a constant."""
        found = np.zeros((len(self.start) - 1, len(sigmas)))
        used = self.freedom > 0.0
        if used.any():
            variance = sigmas**2 + self.extra[used, None]
            terms = self.freedom[used, None] * np.log(variance) + self.scatter[used, None] / variance
            np.add.at(found, self.owner[used], -0.5 * terms)
        return found


def cells_of(table: Table, luck: Luck, units: FloatArray) -> Cells:
    """Averages every group's points; `units` is ȳ [G]."""
    size = np.bincount(table.row).astype(np.float64)
    unit = units[table.row_group]
    y = np.bincount(table.row, luck.losses) / np.maximum(size, 1.0) / unit
    level = luck.level / unit
    shift = np.minimum(luck.sd[table.row_pair] * level, SHARED_LIMIT)
    variance = shift**2
    t = doublings_below(table.row_count, table.n_ref[table.row_group])
    new = _changes(table.row_group, _bins(table, t))
    cell = np.cumsum(new) - 1
    owner = table.row_group[new]
    weight = _weights(cell, table.row_pair, size, variance)
    replicates = (luck.losses / units[table.group] - y[table.row]) ** 2
    within = scatter_of(Rows(cell, table.row_pair, t, y, size, variance, owner), table.groups)
    shared = _shared(cell, table.row_pair, weight * shift)
    rows = np.bincount(table.row_group, minlength=table.groups)
    spare = np.bincount(table.group, minlength=table.groups) - rows
    return Cells(
        start=_starts(np.bincount(owner, minlength=table.groups)),
        row_start=np.append(np.flatnonzero(new), len(new)),
        group_rows=_starts(rows),
        weight=weight,
        y=summed(cell, weight * y),
        t=summed(cell, weight * t),
        independent=summed(cell, weight**2 / size),
        shared_start=np.searchsorted(owner[shared[0]], np.arange(table.groups + 1)),
        shared_row=shared[0],
        shared_column=shared[1],
        shared=shared[2],
        common=np.sqrt(luck.common[owner]) * summed(cell, weight * level),
        scatter=np.append(within.squares, np.bincount(table.group, replicates, minlength=table.groups)),
        freedom=np.append(within.freedom, spare),
        extra=np.append(within.extra, np.zeros(table.groups)),
        owner=np.append(within.owner, np.arange(table.groups)),
    )


def _starts(sizes: IntArray) -> IntArray:
    return np.append(0, np.cumsum(sizes))


def _bins(table: Table, t: FloatArray) -> FloatArray:
    """What the rows of one cell have in common [T]: half-octaves down from n_ref, one row each where rows are few."""
    half_octave = np.where(table.row_count < 1.0, -1.0, np.floor(2.0 * t))
    return np.where(table.binned[table.row_group] == 1, half_octave, np.arange(len(t)))


def _weights(cell: IntArray, pair: IntArray, size: FloatArray, variance: FloatArray) -> FloatArray:
    """w [T], summing to 1 in each cell: by precision, the shared error counted once per holdout and cell."""
    both = _numbered((pair, cell))
    together = np.bincount(both, size)[both]
    weight = size / (together * variance + TYPICAL_NOISE**2)
    return weight / np.bincount(cell, weight)[cell]


def _shared(cell: IntArray, pair: IntArray, shift: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """q_ih q_jh for all cells i, j that share a holdout h, q_ih the sum of the shifts in i by its luck; sorted by
    group."""
    both = _numbered((cell, pair))
    first = _first_of(both)
    q, i, h = np.bincount(both, shift), cell[first], pair[first]
    many = np.bincount(h)
    mates = many[h]
    left = np.repeat(np.arange(len(h)), mates)
    within = np.arange(len(left)) - np.repeat(_starts(mates)[:-1], mates)
    right = np.repeat(_starts(many)[h], mates) + within
    return i[left], i[right], q[left] * q[right]
