"""Tables over the nodes of a prior's shapes [C, D, R]: exponents, offsets and the knots of the floor's share ρ.

δ and ρ belong to a group's n_ref: what is read or written is told at one reference size.
"""

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior


def plain(prior: Prior) -> FloatArray:
    """π₀ over the nodes and knots [C, D, R], where the covariates are at their centre."""
    size = len(prior.exponents), len(prior.offsets), len(prior.floors)
    density = np.broadcast_to(prior.shape, (size[0] * size[1], size[2])).reshape(size)
    weights = np.exp(density - density.max()) * prior.knots.sum(axis=1)
    return np.asarray(weights / weights.sum())


def at(prior: Prior, table: FloatArray, c: FloatArray, delta: FloatArray, rho: FloatArray) -> FloatArray:
    """Values of a table [C, D, R] at (c, δ, ρ): the nearest nodes', their logs straight lines between the knots."""
    c_at, delta_at, _ = nearest(prior, c, delta, rho)
    knots = np.array(prior.floors)
    below = np.clip(np.searchsorted(knots, rho, side="right") - 1, 0, len(knots) - 2)
    share = (rho - knots[below]) / (knots[below + 1] - knots[below])
    log_table = np.log(np.maximum(table, 1e-12))
    low, high = log_table[c_at, delta_at, below], log_table[c_at, delta_at, below + 1]
    return np.asarray(np.exp(low + share * (high - low)))


def told_at(
    posterior: Posterior, groups: IntArray, n_ref: float, draws: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """c, δ, ρ of the groups' first draws at the reference size n_ref, each [groups · draws]."""
    part = slice(0, draws)
    c, shift = posterior.exponent[groups, part], posterior.offset[groups, part]
    excess = posterior.excess[groups, part] * ((n_ref + shift) / posterior.anchor[groups, part]) ** -c
    floor = posterior.asymptote[groups, part]
    level = floor + excess
    rho = np.divide(floor, level, out=np.ones_like(level), where=level > 0.0)
    return c.ravel(), (shift / n_ref).ravel(), rho.ravel()


def nearest(prior: Prior, c: FloatArray, delta: FloatArray, rho: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Indices of the nodes nearest to (c, δ, ρ), in log c, √δ and ρ."""
    axes = (
        (np.log(prior.exponents), np.log(c)),
        (np.sqrt(prior.offsets), np.sqrt(delta)),
        (np.array(prior.floors), rho),
    )
    c_at, delta_at, rho_at = (np.searchsorted((nodes[1:] + nodes[:-1]) / 2.0, value) for nodes, value in axes)
    return c_at, delta_at, rho_at


def widened(mass: FloatArray, axis: int) -> FloatArray:
    """A quarter of each node's mass to each neighbour along the axis; what would leave the grid stays."""
    moved = np.moveaxis(mass, axis, 0)
    if len(moved) < 2:
        return mass
    after, before = np.zeros_like(moved), np.zeros_like(moved)
    after[1:], before[:-1] = moved[:-1], moved[1:]
    after[-1] += moved[-1]
    before[0] += moved[0]
    return np.moveaxis(0.5 * moved + 0.25 * (after + before), 0, axis)
