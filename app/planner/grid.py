"""One group's posterior on a grid, closed form where the curve is linear (planner.md 2).

Losses are measured in units of ȳ, the group's typical loss. With r = n / n_ref, a node (σ, κ, c, δ, ρ) says

    f = s φ,    φ(n) = ρ + (1 − ρ) p(n),    p(n) = ((r + δ) / (1 + δ))^(−c),
    y ~ N(s φ, V),    V = Σ_h s_h² 1_h 1_hᵀ + κ² K + σ² I,    K_ij = min(t_i, t_j),  t = log₂(n_ref / n),
    s ~ N(μ₀, τ²) truncated to (0, upper).

Shapes: N noise nodes (σ, κ); S shapes (c, δ); R floors ρ; nodes are arrays [N, S, R]. V depends on N alone and p
on S alone, so that one whitened inner product per (N, S) serves every ρ.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from app.planner.arrays import FloatArray
from app.planner.cells import Cells


def _flat() -> FloatArray:
    return np.ones((1, 1, 1))


@dataclass(frozen=True)
class Prior:
    """The grid's nodes and their weights; the defaults are the flat prior, for metrics of any level.

    exponents c, offsets δ (shares of n_ref), floors ρ, noises σ and discrepancies κ (shares of ȳ).
    forecast: κ_f, the discrepancy's scale beyond n_ref. weights: broadcast to [N, S, R], need not sum to 1.
    """

    exponents: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
    offsets: tuple[float, ...] = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)
    floors: tuple[float, ...] = (
        *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        *(0.925, 0.95, 0.965, 0.98, 0.99, 1.0),
    )
    noises: tuple[float, ...] = (0.01, 0.03, 0.08, 0.25)
    discrepancies: tuple[float, ...] = (0.0, 0.02, 0.08)
    forecast: float = 0.035
    weights: FloatArray = field(default_factory=_flat)

    def noise_nodes(self) -> tuple[FloatArray, FloatArray]:
        """σ and κ of the noise nodes, each [N]."""
        sigma, kappa = np.meshgrid(self.noises, self.discrepancies, indexing="ij")
        return sigma.ravel(), kappa.ravel()

    def shape_nodes(self) -> tuple[FloatArray, FloatArray]:
        """c and δ of the shapes, each [S]."""
        c, delta = np.meshgrid(self.exponents, self.offsets, indexing="ij")
        return c.ravel(), delta.ravel()


@dataclass(frozen=True)
class Level:
    """The prior of the level s in units of ȳ: N(mean, sd²) truncated to (0, upper)."""

    mean: float
    sd: float
    upper: float


@dataclass(frozen=True)
class Grid:
    """A group's posterior at the nodes [N, S, R].

    log_weight: log of prior weight × marginal likelihood. mean, sd, upper: s there is N(mean, sd²) on (0, upper).
    """

    log_weight: FloatArray
    mean: FloatArray
    sd: FloatArray
    upper: float

    def weights(self) -> FloatArray:
        """Posterior probabilities of the nodes [N, S, R]."""
        raw = np.exp(self.log_weight - self.log_weight.max())
        probabilities: FloatArray = raw / raw.sum()
        return probabilities


def shape_values(counts: FloatArray, n_ref: float, c: FloatArray, delta: FloatArray) -> FloatArray:
    """p at `counts` [points] for every shape → [points, S]; below n = 1 by the tangent at 1."""
    n = np.maximum(counts, 1.0)[:, None]
    base = n / n_ref + delta
    p = (base / (1.0 + delta)) ** -c
    return p * (1.0 - c * (np.minimum(counts, 1.0)[:, None] - 1.0) / (base * n_ref))


def node_posterior(cells: Cells, prior: Prior, level: Level) -> Grid:
    """Marginal likelihood and posterior of s at every node, for one group's cells (no cell: the prior)."""
    sigma, kappa = prior.noise_nodes()
    p = shape_values(cells.counts, cells.n_ref, *prior.shape_nodes())
    basis = cells.average @ np.column_stack([np.ones(len(p)), cells.losses, p])
    covariance = cells.shared + (kappa**2)[:, None, None] * cells.brownian
    covariance += (sigma**2)[:, None, None] * np.diag(cells.independent)
    root = np.linalg.cholesky(covariance)
    white = np.linalg.solve(root, basis[None])
    log_det = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    fixed = -0.5 * (log_det + (white[:, :, 1] ** 2).sum(axis=1) + len(basis) * np.log(2.0 * np.pi))
    fixed += cells.scatter_log_likelihood(sigma)
    precision, weighted = _normal_equations(white, np.asarray(prior.floors))
    grid = _integrate_level(precision, weighted, level)
    log_prior = np.log(np.maximum(prior.weights, 1e-300))
    return Grid(fixed[:, None, None] + grid.log_weight + log_prior, grid.mean, grid.sd, level.upper)


def _normal_equations(white: FloatArray, floors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """φᵀV⁻¹φ and φᵀV⁻¹y [N, S, R] from the whitened columns 1, y, p (white [N, cells, 2 + S])."""
    one, y, p = white[:, :, 0], white[:, :, 1], white[:, :, 2:]
    rho, rest = floors, 1.0 - floors
    one_p = (one[:, :, None] * p).sum(axis=1)[:, :, None]
    y_p = (y[:, :, None] * p).sum(axis=1)[:, :, None]
    p_p = (p**2).sum(axis=1)[:, :, None]
    one_one = (one**2).sum(axis=1)[:, None, None]
    one_y = (one * y).sum(axis=1)[:, None, None]
    return rho**2 * one_one + 2.0 * rho * rest * one_p + rest**2 * p_p, rho * one_y + rest * y_p


def _integrate_level(precision: FloatArray, weighted: FloatArray, level: Level) -> Grid:
    """Posterior of s and the part of the log marginal likelihood that depends on it."""
    total = np.maximum(precision, 0.0) + level.sd**-2
    mean = (weighted + level.mean / level.sd**2) / total
    sd = total**-0.5
    evidence = 0.5 * (total * mean**2 - np.log(total) - (level.mean / level.sd) ** 2) - np.log(level.sd)
    evidence += _log_mass(mean, sd, level.upper)
    evidence -= _log_mass(np.array([level.mean]), np.array([level.sd]), level.upper)
    return Grid(evidence, mean, sd, level.upper)


def _log_mass(mean: FloatArray, sd: FloatArray, upper: float) -> FloatArray:
    """log P(0 < s < upper) for s ~ N(mean, sd²)."""
    low, high = -mean / sd, (upper - mean) / sd
    mass = np.zeros(mean.shape)
    near = (low > -9.0) | (high < 9.0)
    mass[near] = _log_interval(low[near], high[near])
    return mass


def _log_interval(low: FloatArray, high: FloatArray) -> FloatArray:
    """log(Φ(high) − Φ(low)), low < high, in the tail where it is accurate."""
    mirror = low > 0.0
    top = log_ndtr(np.where(mirror, -low, high))
    bottom = log_ndtr(np.where(mirror, -high, low))
    log_mass: FloatArray = top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-16)))
    return log_mass


def draw_level(mean: FloatArray, sd: FloatArray, upper: float, uniform: FloatArray) -> FloatArray:
    """s of N(mean, sd²) truncated to (0, upper), by inverting its distribution at `uniform` ∈ (0, 1)."""
    low, high = -mean / sd, (upper - mean) / sd
    # From whichever tail holds the interval: there Φ keeps its relative precision.
    mirror = low > 0.0
    start = log_ndtr(np.where(mirror, -high, low))
    end = log_ndtr(np.where(mirror, -low, high))
    share = np.where(mirror, 1.0 - uniform, uniform)
    z = ndtri_exp(np.logaddexp(np.log(share) + end, np.log1p(-share) + start))
    s: FloatArray = np.clip(mean + sd * np.where(mirror, -z, z), 0.0, upper)
    return s
