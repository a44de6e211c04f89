"""Draws of a batch of groups off their nodes (planner.md 2).

All that is drawn is made in the order of the nodes, where a node's draws lie side by side, and shuffled last.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.cells import summed
from app.planner.floors import Floors
from app.planner.grid import draw_level
from app.planner.prior import Prior
from app.planner.streams import Lattice

MOMENT_DRAWS = 64
"""So many draws (they are in random order) say where a point sits to an eighth of the curve's sd."""

ONE = 2.0**36
"""The weight of a group's best cell as a whole number: the sums over a batch stay far below 2⁶³."""


@dataclass(frozen=True)
class Learnt:
    """Draws of f(n) = a + A ((n + d)/m)^(−c) and of the discrepancy at 2 n_ref; arrays [groups, draws] in loss units.

    asymptote a, excess A, anchor m, exponent c, offset d. sigma, kappa, forecast [groups]: posterior rms of the scales,
    as shares of ȳ. mean, variance [rows]: of f at each row.
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


def empty(groups: int, draws: int, rows: int) -> Learnt:
    """Room for so many groups, draws and rows."""
    # In one piece, which the system maps in large pages.
    curves = np.empty((6, groups, draws))
    scales, moments = np.empty((3, groups)), np.empty((2, rows))
    return Learnt(*curves, *scales, *moments)


@dataclass(frozen=True)
class Frame:
    """What a batch's nodes leave open, arrays [B]: ȳ, n_ref, 1 where points were averaged into bins, the bound of s."""

    units: FloatArray
    n_ref: FloatArray
    binned: IntArray
    upper: FloatArray


def draw(learnt: Learnt, groups: IntArray, frame: Frame, floors: Floors, prior: Prior, lattice: Lattice) -> IntArray:
    """Writes the draws of `groups`, which ascend, into `learnt`; returns the shapes' numbers of the first
    [B, MOMENT_DRAWS]."""
    row, gamma = _picked(floors, lattice)
    excess, s = gamma, _levels(floors, row, gamma, frame.upper, lattice)
    s *= frame.units[:, None]
    excess *= s
    s -= excess
    found = (
        (learnt.excess, excess),
        (learnt.asymptote, s),
        (learnt.discrepancy, _ahead(floors, row, frame, prior, lattice)),
    )
    for out, values in found:
        _write(out, groups, values, lattice.place)
    c, delta = prior.shape_nodes
    n_ref, row = frame.n_ref.take(floors.group), row.take(lattice.place)
    offset = delta.take(floors.shape) * n_ref
    of_nodes = ((learnt.exponent, c.take(floors.shape)), (learnt.offset, offset), (learnt.anchor, offset + n_ref))
    for out, values in of_nodes:
        _write(out, groups, values, row)
    _scales(learnt, groups, floors, prior, frame.binned)
    return floors.shape.take(row[:, :MOMENT_DRAWS])


def _write(out: FloatArray, groups: IntArray, values: FloatArray, place: IntArray) -> None:
    """Writes the values at `place` [B, draws] into the groups' rows of `out`."""
    first, last = groups[0], groups[-1] + 1
    if last - first == len(groups):
        # "clip" alone writes straight into `out`; no place is outside.
        values.take(place, out=out[first:last], mode="clip")
    else:
        out[groups] = values.take(place)


def _levels(floors: Floors, row: IntArray, gamma: FloatArray, upper: FloatArray, lattice: Lattice) -> FloatArray:
    """s at nodes `row` and γ [B, draws], in units of ȳ."""
    nodes = floors.nodes
    rho = 1.0 - gamma
    # P = γ (γ pp + 2 ρ op) + ρ² oo and W = γ py + ρ oy, written out: what is taken of the nodes is used up in place.
    precision = nodes.pp.take(row)
    precision *= gamma
    mixed = (2.0 * nodes.op).take(row)
    mixed *= rho
    precision += mixed
    precision *= gamma
    nodes.oo.take(row, out=mixed, mode="clip")
    mixed *= rho
    mixed *= rho
    precision += mixed
    mean = nodes.py.take(row)
    mean *= gamma
    nodes.oy.take(row, out=mixed, mode="clip")
    mixed *= rho
    mean += mixed
    mean /= precision
    np.sqrt(precision, out=precision)
    return draw_level(mean, np.divide(1.0, precision, out=precision), upper[:, None], lattice.normals(0))


def _ahead(floors: Floors, row: IntArray, frame: Frame, prior: Prior, lattice: Lattice) -> FloatArray:
    """κ_f ȳ z at 2 n_ref [B, draws]."""
    table = prior.ahead_sequence(lattice.draws)
    mixture = floors.noise + len(prior.noises) * frame.binned.take(floors.group)
    at = (mixture * table.shape[1]).take(row)
    at += lattice.windows(1)[:, None] + np.arange(lattice.draws)
    found: FloatArray = table.take(at)
    found *= frame.units[:, None]
    return found


def _scales(learnt: Learnt, groups: IntArray, floors: Floors, prior: Prior, binned: IntArray) -> None:
    """Writes the posterior rms of σ, κ and κ_f of `groups`."""
    sigma, kappa = prior.noise_nodes
    place = floors.group * len(sigma) + floors.noise
    by_noise = summed(place, floors.weights.sum(axis=1), len(groups) * len(sigma)).reshape(len(groups), -1)
    by_noise /= by_noise.sum(axis=1, keepdims=True)
    learnt.sigma[groups] = np.sqrt((by_noise * sigma**2).sum(axis=1))
    learnt.kappa[groups] = np.sqrt((by_noise * kappa**2).sum(axis=1))
    learnt.forecast[groups] = np.sqrt((by_noise * prior.ahead_variance[binned]).sum(axis=1))


def _picked(floors: Floors, lattice: Lattice) -> tuple[IntArray, FloatArray]:
    """Nodes drawn by weight, and γ there [B, draws], in their order.

    The cumulated weights are inverted at the lattice's first coordinate; what is left of it places γ in its cell. They
    are cumulated as whole numbers, whose sums do not depend on other groups.
    """
    draws, cells = lattice.draws, floors.cells
    weights = floors.weights * ONE
    total = weights.astype(np.int64).cumsum()
    begin = np.append(0, total[floors.start[1:] * cells - 1])
    step = np.diff(begin) / draws
    # The strata's numbers are (i + shift) step: how many of them there are up to and with each cell.
    upto = total.reshape(weights.shape) - begin[floors.group, None]
    reached = upto * (1.0 / step)[floors.group, None]
    reached += (np.arange(0, len(step) * draws, draws)[:, None] - lattice.shift)[floors.group]
    ordered = np.ceil(reached, out=reached).astype(np.int64).ravel()
    ordered[1:] -= ordered[:-1].copy()
    cell = np.repeat(np.arange(len(total)), ordered).reshape(-1, draws)
    # In a cell that ends at `upto`, γ rises by `steep` per unit of the cumulated weight.
    steep = (floors.width / cells)[:, None] / np.maximum(weights, 1.0)
    start = floors.low[:, None] + (floors.width / cells)[:, None] * np.arange(1, cells + 1) - steep * upto
    gamma = (np.arange(draws) + lattice.shift) * step[:, None]
    gamma *= steep.take(cell)
    gamma += start.take(cell)
    cell //= cells
    return cell, np.clip(gamma, 0.0, 1.0, out=gamma)
