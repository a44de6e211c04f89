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

MIDDLES = (np.arange(CELLS) + 0.5) / CELLS

REACH = 12.0
"""Twice the log of what the density falls by to the ends of a stretch."""

NARROWEST = 1e-9
"""The least width of a stretch."""

WORTH = 18.0
"""Twice the log of the share of the best node's mass below which a node does not count."""

SURE = 49.0
"""A level seven sds inside its bounds at the best ρ is well inside them all over the stretch."""

LOST = -7.0
"""If the bounds leave less than exp(LOST) of a group's best weight, nodes that seemed not to count may."""

SINGULAR = 1e-11
"""A det of this share of pp oo is rounding."""


@dataclass(frozen=True)
class Floors:
    """Posterior of B groups at the cells of their nodes.

    nodes [M]. start [B + 1]: where each group's nodes begin. shape, noise [M]: the node's numbers. low, width [M]: the
    stretch of γ. weights [M, C]: of its cells, up to a factor of the group.
    """

    nodes: Nodes
    start: IntArray
    shape: IntArray
    noise: IntArray
    low: FloatArray
    width: FloatArray
    weights: FloatArray


def integrate(nodes: Nodes, level: Level, prior: Prior, covariates: FloatArray) -> Floors:
    """The weights of γ at every node of `nodes` [B, S, N] that counts; covariates [B, 2]."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        keep = _worth(nodes)
        found, lost = _integrated(nodes, keep, level, prior, covariates)
        if lost.any():
            # Losses far beyond the bounds of s: nodes that seemed not to count may.
            found, _ = _integrated(nodes, keep | lost[:, None, None], level, prior, covariates)
    return found


def _worth(nodes: Nodes) -> BoolArray:
    """Whether a node holds more than a negligible share of its group's mass, by its best γ [B, S, N]."""
    gamma, det, _, s = _best(nodes)
    precision, weighted = nodes.precision(gamma), np.maximum(nodes.weighted(gamma), 0.0)
    # A normal law of γ with variance P/(det ŝ²), or all of [0, 1].
    volume = np.fmin(1.0 / precision, det / s**2)
    mass = weighted**2 / precision + np.log(volume) + 2.0 * nodes.weight
    return np.asarray(mass > mass.max(axis=(1, 2), keepdims=True) - WORTH)


def _best(nodes: Nodes) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The likeliest γ in [0, 1], det, det b̂ and det ŝ."""
    det = nodes.pp * nodes.oo - nodes.op**2
    b = nodes.oo * nodes.py - nodes.op * nodes.oy
    s = b + nodes.pp * nodes.oy - nodes.op * nodes.py
    gamma = np.clip(np.where(s != 0.0, b / s, 0.5), 0.0, 1.0)
    negative = s < 0.0
    if negative.any():
        # The best level is below 0; of those above it, the likeliest has γ at an end.
        ends = [np.maximum(nodes.weighted(end), 0.0) ** 2 / nodes.precision(end) for end in (np.zeros(1), np.ones(1))]
        gamma = np.where(negative, np.where(ends[1] > ends[0], 1.0, 0.0), gamma)
    return gamma, det, b, s


def _stretch(nodes: Nodes) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best γ, and low end and width of the stretch of γ [M]."""
    gamma, det, b, s = _best(nodes)
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
    nodes: Nodes, keep: BoolArray, level: Level, prior: Prior, covariates: FloatArray
) -> tuple[Floors, BoolArray]:
    """The nodes of `keep` integrated; and whether the bounds of s leave next to nothing of a group's [B]."""
    groups, shapes, noises = keep.shape
    rows = np.flatnonzero(keep)
    group, node = np.divmod(rows, shapes * noises)
    shape, noise = np.divmod(node, noises)
    chosen, start = nodes.at(rows), np.searchsorted(group, np.arange(groups + 1))
    best, low, width = _stretch(chosen)
    gamma = low[:, None] + width[:, None] * MIDDLES
    column = chosen.columns()
    precision = column.precision(gamma)
    log_weight = column.weighted(gamma) ** 2 / precision
    log_weight -= np.log(precision)
    log_weight *= 0.5
    log_weight += (chosen.weight + np.log(width))[:, None]
    log_weight += prior.log_density(shape, group, covariates, gamma)
    free = np.maximum.reduceat(log_weight.max(axis=1), start[:-1])
    _bound(log_weight, chosen, best, gamma, level.upper[group])
    top = np.maximum.reduceat(log_weight.max(axis=1), start[:-1])
    weights = np.exp(log_weight - top[group, None])
    return Floors(chosen, start, shape, noise, low, width, weights), top < free + LOST


def _bound(log_weight: FloatArray, nodes: Nodes, best: FloatArray, gamma: FloatArray, upper: FloatArray) -> None:
    """Adds log P(0 < s < upper), in place, where it is not sure to be 0; upper [M]."""
    precision = nodes.precision(best)
    mean = nodes.weighted(best) / precision
    least = np.minimum(mean, upper - mean)
    near = np.flatnonzero((least < 0.0) | (least**2 * precision < SURE))
    if len(near):
        some = nodes.at(near).columns()
        precision = some.precision(gamma[near])
        mean, bound = some.weighted(gamma[near]) / precision, np.broadcast_to(upper[near, None], precision.shape)
        log_weight[near] += log_mass(mean, precision**-0.5, bound)
