"""The floor's share ρ, integrated at each node over the stretch where the data leave it weight.

With γ = 1 − ρ and the notation of `grid`, s and b = s γ enter linearly. Without the bounds on ρ they would be (ŝ, b̂) at
best, and a given γ falls short of that, in W²/P, by

    d(γ) = oo e (γ ŝ − b̂)² / P(γ),    e = qq − oq²/oo,

so that the stretch where d exceeds its least value on [0, 1] by no more than DENSITY_FALL ends at the roots of a
square. It is cut into CELLS equal cells, γ drawn evenly in each. So few stand for a grid far finer than any fixed one:
where runs are exact, γ is known to a thousandth, and a coarse grid would fit at none of its nodes.

Shapes: B groups, S shapes, N noise nodes; M nodes that count, sorted by group; C cells. Arrays [C, M] keep the nodes
side by side: what is known of a node then meets each of its cells in one pass.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.prior import Prior
from app.planner.fitting.grid import Level, Nodes, log_mass

CELLS = 8
"""C, the cells of a stretch."""

DENSITY_FALL = 9.0
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
"""An e of this share of qq is rounding."""


@dataclass(frozen=True)
class Floors:
    """Posterior of B groups at the cells of their nodes.

    nodes [M]. start [B + 1]: where each group's nodes begin. group, shape, noise [M]: the node's numbers.
    low, width [M]: the stretch of γ. weights [C, M]: of its cells, up to a factor of the group, whose log is top [B].
    """

    nodes: Nodes
    start: IntArray
    group: IntArray
    shape: IntArray
    noise: IntArray
    low: FloatArray
    width: FloatArray
    weights: FloatArray
    top: FloatArray

    @property
    def cells(self) -> int:
        """C."""
        return len(self.weights)

    @property
    def gamma(self) -> FloatArray:
        """γ at the middles of the cells [C, M]."""
        return _middles(self.low, self.width, self.cells)


@dataclass(frozen=True)
class Best:
    """The best of each node; arrays [B, N, S], or what is chosen of them.

    e, 0 where it is rounding; b̂ and ŝ, of no use there. inside: whether the best γ is known to lie inside (0, 1); if
    not, it is an end: full, whether that is 1.
    """

    e: FloatArray
    b: FloatArray
    s: FloatArray
    inside: BoolArray
    full: BoolArray

    def at(self, places: IntArray) -> "Best":
        """Those at `places`, indices into the nodes in their order."""
        return Best(*(getattr(self, name).take(places) for name in ("e", "b", "s", "inside", "full")))


def _middles(low: FloatArray, width: FloatArray, cells: int) -> FloatArray:
    found = ((np.arange(cells) + 0.5) / cells)[:, None] * width
    found += low
    return np.asarray(found)


def integrate(
    nodes: Nodes, level: Level, prior: Prior, covariates: FloatArray, cells: int = CELLS, worth: float = WORTH
) -> Floors:
    """The weights of γ at every node of `nodes` [B, N, S] that counts; covariates [B, 2]."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        best, mass = _best(nodes)
        keep = mass > mass.max(axis=(1, 2), keepdims=True) - worth
        free = np.zeros(len(keep), dtype=np.bool_)
        found, lost = _integrated(nodes, best, keep, free, level, prior, covariates, cells)
        if lost.any():
            # Losses far beyond the bounds of s: nodes and values of γ that seemed not to count may.
            keep |= lost[:, None, None]
            found, _ = _integrated(nodes, best, keep, lost, level, prior, covariates, cells)
    return found


def _best(nodes: Nodes) -> tuple[Best, FloatArray]:
    """The best of every node, and twice the log of about the mass it holds, up to a constant of the group [B, N, S]."""
    each = 1.0 / nodes.oo
    s = nodes.oq * each
    spare = s * nodes.oq
    e = nodes.qq - spare
    # Where all sizes are one, e is rounding of either sign.
    np.copyto(e, 0.0, where=e <= np.multiply(nodes.qq, SINGULAR, out=spare))
    b = nodes.qy - np.multiply(s, nodes.oy, out=spare)
    b /= e
    s *= b
    np.subtract(nodes.oy * each, s, out=s)
    inside = b > 0.0
    inside &= b < s
    # W²/P at γ = 1 and at γ = 0.
    mass = nodes.qy + nodes.oy
    np.maximum(mass, 0.0, out=mass)
    mass *= mass
    np.multiply(nodes.oq, 2.0, out=spare)
    spare += nodes.qq
    spare += nodes.oo
    mass /= spare
    none = np.maximum(nodes.oy, 0.0) ** 2 * each
    full = mass > none
    np.maximum(mass, none, out=mass)
    # At the best γ.
    np.multiply(e, b, out=spare)
    spare *= b
    spare += nodes.oy**2 * each
    mass = np.where(inside, spare, mass)
    # A normal law of γ with variance P/(oo e ŝ²), or all of [0, 1], where P is hardly below oo.
    np.multiply(e, s, out=spare)
    spare *= s
    np.fmax(spare, 1.0, out=spare)
    mass -= np.log(spare, out=spare)
    mass += 2.0 * nodes.noise + np.log(each)
    mass += 2.0 * nodes.shape
    return Best(e, b, s, inside, full), mass


def _stretch(nodes: Nodes, best: Best) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The best γ, and low end and width of the stretch of γ [M]."""
    gamma = np.where(best.inside, best.b / best.s, best.full)
    det = nodes.oo * best.e
    reach = DENSITY_FALL + det * (gamma * best.s - best.b) ** 2 / nodes.precision(gamma)
    # det (γ ŝ − b̂)² = reach P(γ)
    square, line = det * best.s**2 - reach * nodes.qq, det * best.s * best.b + reach * nodes.oq
    root = np.sqrt(line**2 - square * (det * best.b**2 - reach * nodes.oo))
    closed = (square > 0.0) & (best.s > 0.0) & (best.e > 0.0) & (root >= 0.0)
    low = np.where(closed, np.clip((line - root) / square, 0.0, 1.0 - NARROWEST), 0.0)
    high = np.where(closed, np.clip((line + root) / square, 0.0, 1.0), 1.0)
    return gamma, low, np.maximum(high - low, NARROWEST)


def _integrated(
    nodes: Nodes,
    best: Best,
    keep: BoolArray,
    whole: BoolArray,
    level: Level,
    prior: Prior,
    covariates: FloatArray,
    cells: int,
) -> tuple[Floors, BoolArray]:
    """The nodes of `keep` integrated, over all of [0, 1] in the groups of `whole` [B]; and whether the bounds of s
    leave next to nothing of a group's [B]."""
    groups, noises, shapes = keep.shape
    # Shape after shape, so that draws in the order of the nodes are even over the curves.
    rows = np.flatnonzero(keep.swapaxes(1, 2))
    of_shape, noise = np.divmod(rows, noises)
    group, shape = np.divmod(of_shape, shapes)
    of_noise = group * noises + noise
    places, start = of_noise * shapes + shape, np.searchsorted(group, np.arange(groups + 1))
    chosen = nodes.at(places, of_noise, of_shape)
    middle, low, width = _stretch(chosen, best.at(places))
    if whole.any():
        low, width = np.where(whole[group], 0.0, low), np.where(whole[group], 1.0, width)
    gamma = _middles(low, width, cells)
    log_weight = _log_weights(chosen, gamma, width)
    log_weight += prior.log_density(shape, group, covariates, gamma)
    top = free = np.maximum.reduceat(log_weight.max(axis=0), start[:-1])
    if _bound(log_weight, chosen, middle, gamma, level.upper[group]):
        top = np.maximum.reduceat(log_weight.max(axis=0), start[:-1])
    log_weight -= top[group]
    np.exp(log_weight, out=log_weight)
    return Floors(chosen, start, group, shape, noise, low, width, log_weight, top), top < free + LOST


def _log_weights(nodes: Nodes, gamma: FloatArray, width: FloatArray) -> FloatArray:
    """W²/2P − log √P at γ [C, M], with the width and the nodes' weights."""
    precision, found = nodes.precision(gamma), nodes.weighted(gamma)
    found *= found
    found /= precision
    found -= np.log(precision, out=precision)
    found *= 0.5
    found += nodes.weight + np.log(width)
    return found


def _bound(log_weight: FloatArray, nodes: Nodes, best: FloatArray, gamma: FloatArray, upper: FloatArray) -> bool:
    """Adds log P(0 < s < upper), in place, where it may not be 0, and says whether it did; upper [M]."""
    precision = nodes.precision(best)
    mean = nodes.weighted(best) / precision
    least = np.minimum(mean, upper - mean)
    near = np.flatnonzero((least < 0.0) | (least**2 * precision < SURE))
    if len(near):
        some, gamma = nodes.at(near, near, near), gamma[:, near]
        precision = some.precision(gamma)
        mean = some.weighted(gamma) / precision
        log_weight[:, near] += log_mass(mean, precision**-0.5, np.broadcast_to(upper[near], mean.shape))
    return len(near) > 0
