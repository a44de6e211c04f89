"""Draws of a batch of groups off their nodes (method.md 2).

The cells are drawn in their order, where they are even over the curves, and shuffled; the rest is made in the order of
the draws, in place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import Lattice
from app.planner.fitting.binning import summed
from app.planner.fitting.floor_integral import Floors
from app.planner.fitting.grid import draw_level
from app.planner.fitting.holdout_luck import without_luck

MOMENT_DRAWS = 64
"""So many draws (they are in random order) say where a point sits to an eighth of the curve's sd."""

LEARNT = ("asymptote", "excess", "anchor", "exponent", "offset", "discrepancy")
"""What is drawn of each curve: the posterior's fields but for the knot, which is the same in all."""

ONE = 2.0**36
"""The weight of a group's best cell as a whole number: the sums over a batch stay far below 2⁶³."""


@dataclass(frozen=True)
class Learnt:
    """Draws of f(n) = a + A ((n + d)/m)^(−c) and of the discrepancy at 2 n_ref; arrays [groups, draws] in loss units.

    asymptote a, excess A, anchor m, exponent c, offset d. sigma, kappa, forecast [groups]: posterior rms of the scales,
    as shares of ȳ. mean, variance [rows]: of f at each row. node [groups, draws]: each draw's noise node. threshold
    [groups, draws]: n₀ of those that have not started, else 0; not_started [groups]: the chance of that.
    """

    asymptote: FloatArray
    excess: FloatArray
    anchor: FloatArray
    exponent: FloatArray
    offset: FloatArray
    discrepancy: FloatArray
    sigma: FloatArray
    kappa: FloatArray
    forecast: FloatArray
    mean: FloatArray
    variance: FloatArray
    node: NDArray[np.int8]
    threshold: FloatArray
    not_started: FloatArray


def empty(groups: int, draws: int, rows: int) -> Learnt:
    """Room for so many groups, draws and rows."""
    # In one piece, which the system maps in large pages.
    curves = dict(zip(LEARNT, np.empty((len(LEARNT), groups, draws)), strict=True))
    sigma, kappa, forecast = np.empty((3, groups))
    mean, variance = np.empty((2, rows))
    node = np.empty((groups, draws), dtype=np.int8)
    return Learnt(
        **curves,
        sigma=sigma,
        kappa=kappa,
        forecast=forecast,
        mean=mean,
        variance=variance,
        node=node,
        threshold=np.zeros((groups, draws)),
        not_started=np.zeros(groups),
    )


@dataclass(frozen=True)
class Frame:
    """What a batch's nodes leave open, arrays [B]: ȳ, n_ref, 1 where points were averaged into bins, the bound of s and
    the examples M that the holdouts are worth."""

    units: FloatArray
    n_ref: FloatArray
    binned: IntArray
    upper: FloatArray
    examples: FloatArray


def draw(learnt: Learnt, groups: IntArray, frame: Frame, floors: Floors, prior: Prior, lattice: Lattice) -> IntArray:
    """Writes the draws of `groups`, which ascend, into `learnt`; returns the shapes' numbers of the first
    [B, MOMENT_DRAWS]."""
    row, gamma = _picked(floors, lattice)
    seen = _levels(floors, row, gamma, frame.upper, lattice)
    s = without_luck(seen, frame.upper[:, None], frame.examples[:, None], lattice.normals(2))
    s *= frame.units[:, None]
    first, last = groups[0], groups[-1] + 1
    beside = last - first == len(groups)
    # Where the groups lie side by side, all is written straight to its place.
    asymptote, excess, anchor, exponent, offset, discrepancy = (
        getattr(learnt, name)[first:last] if beside else np.empty(s.shape) for name in LEARNT
    )
    np.multiply(gamma, s, out=excess)
    np.subtract(s, excess, out=asymptote)
    c, delta = prior.shape_nodes
    n_ref = frame.n_ref[:, None]
    # "clip" alone writes straight into `out`; no place is outside.
    c.take(floors.shape).take(row, out=exponent, mode="clip")
    (delta.take(floors.shape) * frame.n_ref.take(floors.group)).take(row, out=offset, mode="clip")
    np.add(offset, n_ref, out=anchor)
    _ahead(discrepancy, floors, row, frame, prior, lattice)
    node = learnt.node[first:last] if beside else np.empty(s.shape, dtype=np.int8)
    floors.noise.astype(np.int8).take(row, out=node, mode="clip")
    if not beside:
        learnt.node[groups] = node
        for name, values in zip(LEARNT, (asymptote, excess, anchor, exponent, offset, discrepancy), strict=True):
            getattr(learnt, name)[groups] = values
    _scales(learnt, groups, floors, prior, frame.binned)
    return floors.shape.take(row[:, :MOMENT_DRAWS])


def _levels(floors: Floors, row: IntArray, gamma: FloatArray, upper: FloatArray, lattice: Lattice) -> FloatArray:
    """s at nodes `row` and γ [B, draws], in units of ȳ."""
    nodes = floors.nodes
    # P = oo + γ (2 oq + γ qq) and W = oy + γ qy, written out: what is taken of the nodes is used up in place.
    root, some = nodes.qq.take(row), (2.0 * nodes.oq).take(row)
    root *= gamma
    root += some
    root *= gamma
    root += nodes.oo.take(row, out=some, mode="clip")
    np.sqrt(root, out=root)
    ratio = nodes.qy.take(row)
    ratio *= gamma
    ratio += nodes.oy.take(row, out=some, mode="clip")
    ratio /= root
    return draw_level(ratio, root, upper[:, None], lattice.normals(0))


def _ahead(out: FloatArray, floors: Floors, row: IntArray, frame: Frame, prior: Prior, lattice: Lattice) -> None:
    """Writes κ_f ȳ z at 2 n_ref [B, draws]."""
    table = prior.ahead_sequence(lattice.draws)
    mixture = floors.noise + len(prior.noises) * frame.binned.take(floors.group)
    at = (mixture * table.shape[1]).take(row)
    at += lattice.places(1)
    table.take(at, out=out, mode="clip")
    out *= frame.units[:, None]


def _scales(learnt: Learnt, groups: IntArray, floors: Floors, prior: Prior, binned: IntArray) -> None:
    """Writes the posterior rms of σ, κ and κ_f of `groups`."""
    sigma, kappa = prior.noise_nodes
    place = floors.group * len(sigma) + floors.noise
    by_noise = summed(place, floors.weights.sum(axis=0), len(groups) * len(sigma)).reshape(len(groups), -1)
    by_noise /= by_noise.sum(axis=1, keepdims=True)
    learnt.sigma[groups] = np.sqrt((by_noise * sigma**2).sum(axis=1))
    learnt.kappa[groups] = np.sqrt((by_noise * kappa**2).sum(axis=1))
    learnt.forecast[groups] = np.sqrt((by_noise * prior.ahead_variance[binned]).sum(axis=1))


def _picked(floors: Floors, lattice: Lattice) -> tuple[IntArray, FloatArray]:
    """Nodes drawn by weight, and γ there [B, draws].

    The cumulated weights are inverted at the lattice's first coordinate; what is left of it places γ in its cell. They
    are cumulated as whole numbers, whose sums do not depend on other groups.
    """
    draws, (cells, number) = lattice.draws, floors.weights.shape
    weights = np.floor(floors.weights * ONE)
    upto = np.empty(weights.shape)
    upto[0] = weights[0]
    for cell in range(1, cells):
        np.add(upto[cell - 1], weights[cell], out=upto[cell])
    after = upto[-1].astype(np.int64).cumsum()
    begin = np.append(0, after[floors.start[1:] - 1])
    # What comes before each node in its group.
    upto += (after - begin.take(floors.group)).astype(np.float64) - upto[-1]
    step = np.diff(begin) / draws
    # The strata's numbers are (i + shift) step: how many of them there are up to and with each cell.
    reached = upto * (1.0 / step).take(floors.group)
    reached += (np.arange(0, len(step) * draws, draws) - lattice.shift[:, 0]).take(floors.group)
    np.ceil(reached, out=reached)
    # A stratum is in the cell whose number is how many cells it has left behind.
    behind = np.bincount(reached.ravel().astype(np.int64), minlength=len(step) * draws)
    drawn = behind[: len(step) * draws].cumsum().take(lattice.place)
    row = drawn // cells
    # In a cell that ends at `upto`, γ rises by `steep` per unit of the cumulated weight.
    each = floors.width / cells
    steep = each / np.maximum(weights, 1.0, out=weights)
    upto *= steep
    start = each * np.arange(1.0, cells + 1)[:, None]
    start += floors.low
    start -= upto
    gamma = lattice.order.astype(np.float64)
    gamma += lattice.shift
    gamma *= step[:, None]
    # As [C, M], cell c of node m is number c M + m.
    drawn -= cells * row
    drawn *= number
    drawn += row
    gamma *= steep.take(drawn)
    gamma += start.take(drawn)
    return row, np.clip(gamma, 0.0, 1.0, out=gamma)
