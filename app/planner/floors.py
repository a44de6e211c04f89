"""The floor's share ρ, integrated at each node over the stretch where the data leave it weight.

With γ = 1 − ρ and the notation of `grid`, a = s ρ and b = s γ enter linearly. Without the bounds on ρ they would be
(â, b̂) at best, and a given γ falls short of that, in W²/P, by

    d(γ) = det (γ ŝ − b̂)² / P(γ),    det = pp oo − op²,    ŝ = â + b̂,

so that the stretch where d exceeds its least value on [0, 1] by no more than REACH ends at the roots of a square. It
is cut into CELLS equal cells, γ drawn evenly within a cell. So few stand for a grid far finer than any fixed one:
where runs are exact, γ is known to a thousandth, and a coarse grid would fit at none of its nodes.

Shapes: B groups, S shapes, N noise nodes; M nodes that count, sorted by group; C cells.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.grid import Level, Nodes, log_mass
from app.planner.prior import Prior

CELLS = 8
"""C, the cells of a stretch."""

REACH = 9.0
"""Twice the log of what the density falls by to the ends of a stretch: of a normal law, three sds. What is cut off and
what drawing evenly within cells adds leave its variance as it is, to 2 %."""

NARROWEST = 1e-9
"""The least width of a stretch."""

WORTH = 12.0
"""Twice the log of the share of the best node's mass below which a node does not count. At 16 no score on real curves
is better, and the work is more."""

SURE = 20.0
"""A level √20 sds inside its bounds at the best γ has all its mass there (to 4e-6)."""

LOST = -7.0
"""If the bounds leave less than exp(LOST) of a group's best weight, nodes that seemed not to count may."""

SINGULAR = 1e-11
"""A det of this share of pp oo is rounding."""


@dataclass(frozen=True)
class Floors:
    """Posterior of B groups at the cells of their nodes.

    nodes [M]. start [B + 1]: where each group's nodes begin. group, shape, noise [M]: the node's numbers.
    low, width [M]: the stretch of γ. weights [M, C]: of its cells, up to a factor of the group.
    """

    nodes: Nodes
    start: IntArray
    group: IntArray
    shape: IntArray
    noise: IntArray
    low: FloatArray
    width: FloatArray
    weights: FloatArray

    @property
    def cells(self) -> int:
        """C."""
        return int(self.weights.shape[1])

    @property
    def gamma(self) -> FloatArray:
        """γ at the middles of the cells [M, C]."""
        return _middles(self.low, self.width, self.cells)


def _middles(low: FloatArray, width: FloatArray, cells: int) -> FloatArray:
    return np.asarray(low[:, None] + width[:, None] * ((np.arange(cells) + 0.5) / cells))


def integrate(
    nodes: Nodes, level: Level, prior: Prior, covariates: FloatArray, cells: int = CELLS, worth: float = WORTH
) -> Floors:
    """The weights of γ at every node of `nodes` [B, N, S] that counts; covariates [B, 2]."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        keep, free = _worth(nodes, worth), np.zeros(len(nodes.pp), dtype=np.bool_)
        found, lost = _integrated(nodes, keep, free, level, prior, covariates, cells)
        if lost.any():
            # Losses far beyond the bounds of s: nodes and values of γ that seemed not to count may.
            found, _ = _integrated(nodes, keep | lost[:, None, None], lost, level, prior, covariates, cells)
    return found


def _worth(nodes: Nodes, worth: float) -> BoolArray:
    """Whether a node holds more than a negligible share of its group's mass, by its best γ [B, N, S]."""
    det, a, b = _unbounded(nodes)
    s = a + b
    inside = (nodes.py * b + nodes.oy * a) / det
    ends = np.maximum(np.maximum(nodes.py, 0.0) ** 2 / nodes.pp, np.maximum(nodes.oy, 0.0) ** 2 / nodes.oo)
    best = np.where(_is_inside(nodes, det, a, b), inside, ends)
    # A normal law of γ with variance P/(det ŝ²), or all of [0, 1], where P is hardly below oo.
    # Where all sizes are one, det is rounding of either sign.
    best += np.log(np.fmin(1.0 / nodes.oo, np.where(det > SINGULAR * nodes.pp * nodes.oo, det / (s * s), np.inf)))
    best += 2.0 * nodes.weight
    return np.asarray(best > best.max(axis=(1, 2), keepdims=True) - worth)


def _unbounded(nodes: Nodes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """det, det â and det b̂."""
    det = nodes.pp * nodes.oo - nodes.op * nodes.op
    b = nodes.oo * nodes.py - nodes.op * nodes.oy
    a = nodes.pp * nodes.oy - nodes.op * nodes.py
    return det, a, b


def _is_inside(nodes: Nodes, det: FloatArray, a: FloatArray, b: FloatArray) -> BoolArray:
    """Whether the best γ is known to lie inside (0, 1)."""
    return np.asarray((a > 0.0) & (b > 0.0) & (det > SINGULAR * nodes.pp * nodes.oo))


def _stretch(nodes: Nodes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best γ, and low end and width of the stretch of γ [M]."""
    det, a, b = _unbounded(nodes)
    s = a + b
    ends = np.maximum(nodes.py, 0.0) ** 2 * nodes.oo > np.maximum(nodes.oy, 0.0) ** 2 * nodes.pp
    gamma = np.where(_is_inside(nodes, det, a, b), b / s, ends)
    reach = det * REACH + (gamma * s - b) ** 2 / nodes.precision(gamma)
    # (γ s − b)² = reach P(γ)
    square = s**2 - reach * (nodes.pp - 2.0 * nodes.op + nodes.oo)
    line, rest = s * b + reach * (nodes.op - nodes.oo), b**2 - reach * nodes.oo
    root = np.sqrt(line**2 - square * rest)
    closed = (square > 0.0) & (s > 0.0) & (det > SINGULAR * nodes.pp * nodes.oo) & (root >= 0.0)
    low = np.where(closed, np.clip((line - root) / square, 0.0, 1.0 - NARROWEST), 0.0)
    high = np.where(closed, np.clip((line + root) / square, 0.0, 1.0), 1.0)
    return gamma, low, np.maximum(high - low, NARROWEST)


def _integrated(
    nodes: Nodes, keep: BoolArray, whole: BoolArray, level: Level, prior: Prior, covariates: FloatArray, cells: int
) -> tuple[Floors, BoolArray]:
    """The nodes of `keep` integrated, over all of [0, 1] in the groups of `whole` [B]; and whether the bounds of s
    leave next to nothing of a group's [B]."""
    groups, noises, shapes = keep.shape
    # Shape after shape, so that draws in the order of the nodes are even over the curves.
    rows = np.flatnonzero(keep.swapaxes(1, 2))
    group, noise = rows // (shapes * noises), rows % noises
    shape = rows // noises - group * shapes
    of_noise = group * noises + noise
    chosen, start = nodes.at(of_noise * shapes + shape, of_noise), np.searchsorted(group, np.arange(groups + 1))
    best, low, width = _stretch(chosen)
    if whole.any():
        low, width = np.where(whole[group], 0.0, low), np.where(whole[group], 1.0, width)
    log_weight = _log_weights(chosen, low, width, cells)
    log_weight += prior.log_density(shape, group, covariates, _middles(low, width, cells))
    free = np.maximum.reduceat(log_weight.ravel(), start[:-1] * cells)
    top = free
    if _bound(log_weight, chosen, best, _middles(low, width, cells), level.upper[group]):
        top = np.maximum.reduceat(log_weight.ravel(), start[:-1] * cells)
    log_weight -= top[group, None]
    np.exp(log_weight, out=log_weight)
    return Floors(chosen, start, group, shape, noise, low, width, log_weight), top < free + LOST


def _log_weights(nodes: Nodes, low: FloatArray, width: FloatArray, cells: int) -> FloatArray:
    """W²/2P − log √P, with the width and the nodes' weights, at the cells' middles [M, cells].

    P and W are a square and a line in the place within the stretch.
    """
    place = (np.arange(cells) + 0.5) / cells
    rho, more = 1.0 - low, nodes.op - nodes.oo
    line = 2.0 * width * (low * (nodes.pp - nodes.op) + rho * more)
    square = width**2 * ((nodes.pp - nodes.op) - more)
    precision = square[:, None] * place
    precision += line[:, None]
    precision *= place
    precision += nodes.precision(low)[:, None]
    found = (width * (nodes.py - nodes.oy))[:, None] * place
    found += nodes.weighted(low)[:, None]
    found *= found
    found /= precision
    found -= np.log(precision, out=precision)
    found *= 0.5
    found += (nodes.weight + np.log(width))[:, None]
    return np.asarray(found)


def _bound(log_weight: FloatArray, nodes: Nodes, best: FloatArray, gamma: FloatArray, upper: FloatArray) -> bool:
    """Adds log P(0 < s < upper), in place, where it may not be 0, and says whether it did; upper [M]."""
    precision = nodes.precision(best)
    mean = nodes.weighted(best) / precision
    least = np.minimum(mean, upper - mean)
    near = np.flatnonzero((least < 0.0) | (least**2 * precision < SURE))
    if len(near):
        some = nodes.at(near, near).columns()
        precision = some.precision(gamma[near])
        mean, bound = some.weighted(gamma[near]) / precision, np.broadcast_to(upper[near, None], precision.shape)
        log_weight[near] += log_mass(mean, precision**-0.5, bound)
    return len(near) > 0
