"""Posteriors of many groups on one grid, closed form where the curve is linear (planner.md 2).

Losses are measured in units of ȳ, the group's typical loss. With r = n / n_ref, a node (σ, κ, c, δ, ρ) says

    f = s φ,    φ(n) = ρ + (1 − ρ) p(n),    p(n) = ((r + δ) / (1 + δ))^(−c),
    y ~ N(s φ, V),    V = Σ_h s_h² 1_h 1_hᵀ + κ² K + σ² I,    K_ij = min(t_i, t_j),  t = log₂(n_ref / n),
    s ~ N(μ₀, τ²) truncated to (0, upper).

Shapes: B groups with K cells each; N noise nodes (σ, κ); S shapes (c, δ); R floors ρ; nodes are arrays [B, N, S, R].
V depends on N alone and p on S alone, so that one whitened inner product per (N, S) serves every ρ. No operation
mixes groups, and each group's matrix products have the same shape in any batch: a group's posterior is the same, to
the last bit, in any company.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri, ndtri_exp

from app.planner.arrays import BoolArray, FloatArray
from app.planner.prior import Prior

CERTAIN = 5.5
"""A level this many sds inside its bounds has all its mass there (to 4e-8)."""

NEGLIGIBLE = 1e-10
"""Nodes of this share of the weight need no exact mass of the level."""


@dataclass(frozen=True)
class Level:
    """The prior of the level s in units of ȳ, arrays [B]: N(mean, sd²) truncated to (0, upper)."""

    mean: FloatArray
    sd: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Batch:
    """Averaged data of B groups with K cells each, in units of ȳ.

    y, t, independent [B, K], shared [B, K, K]: as in `Cells`. p [B, K, S]: the shapes at the cells.
    scatter [B, N]: log likelihood of the scatter inside the cells. log_prior [B, N], [B, S, R]: up to a constant.
    """

    y: FloatArray
    t: FloatArray
    independent: FloatArray
    shared: FloatArray
    p: FloatArray
    scatter: FloatArray
    log_noise: FloatArray
    log_shape: FloatArray
    level: Level


@dataclass(frozen=True)
class Grid:
    """Posterior at the nodes [B, N, S, R].

    weights: sum to 1 per group. mean, precision: s there is N(mean, 1/precision) on (0, upper).
    """

    weights: FloatArray
    mean: FloatArray
    precision: FloatArray
    level: Level


def shape_values(counts: FloatArray, n_ref: FloatArray, c: FloatArray, delta: FloatArray) -> FloatArray:
    """p at `counts` [T] of groups with `n_ref` [T], for every shape → [T, S]; below n = 1 by the tangent at 1."""
    offsets, of_offset = np.unique(delta, return_inverse=True)
    r = (np.maximum(counts, 1.0) / n_ref)[:, None]
    steps = np.log((r + offsets) / (1.0 + offsets))
    p: FloatArray = np.exp(-c * steps[:, of_offset])
    below = counts < 1.0
    if below.any():
        base = r[below] + delta
        p[below] *= 1.0 + c * (1.0 - counts[below, None]) / (base * n_ref[below, None])
    return p


def node_posterior(batch: Batch, prior: Prior) -> Grid:
    """Weights and posterior of s at every node of every group (K = 0: the prior)."""
    fixed, white = _whitened(batch, prior)
    squares, products = _inner_products(white)
    precision, mean = _level_posterior(squares, products, np.asarray(prior.floors), batch.level)
    log_weight = _log_evidence(precision, mean, batch, fixed)
    weights = np.exp(log_weight - log_weight.max(axis=(1, 2, 3), keepdims=True), dtype=np.float32, casting="same_kind")
    exact = weights.astype(np.float64)
    exact /= np.sqrt(precision)
    _mass_inside(exact, log_weight, mean, precision, batch.level)
    exact /= _total(exact)
    return Grid(exact, mean, precision, batch.level)


def _total(nodes: FloatArray) -> FloatArray:
    """Each group's sum [B, 1, 1, 1]."""
    sums: FloatArray = nodes.reshape(len(nodes), -1).sum(axis=1)
    return sums[:, None, None, None]


def _whitened(batch: Batch, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Log density's part that depends on the noise alone [B, N], and L⁻¹ (1, y, p) [B, N, K, 2 + S], V = L Lᵀ."""
    sigma, kappa = prior.noise_nodes()
    b, k = batch.y.shape
    brownian = np.minimum(batch.t[:, :, None], batch.t[:, None, :])
    covariance = batch.shared[:, None] + (kappa**2)[:, None, None] * brownian[:, None]
    diagonal = np.arange(k)
    covariance[:, :, diagonal, diagonal] += (sigma**2)[:, None] * batch.independent[:, None]
    root = np.linalg.cholesky(covariance)
    inverse = _inverse_triangular(root).reshape(b, -1, k)
    basis = np.concatenate([np.ones((b, k, 1)), batch.y[:, :, None], batch.p], axis=2)
    white = (inverse @ basis).reshape(b, len(sigma), k, basis.shape[2])
    log_det = np.log(root[:, :, diagonal, diagonal]).sum(axis=2)
    return batch.scatter - log_det - 0.5 * (white[:, :, :, 1] ** 2).sum(axis=2), white


def _inverse_triangular(root: FloatArray) -> FloatArray:
    """Inverses of lower triangular matrices [B, N, K, K], by forward substitution."""
    k = root.shape[-1]
    inverse = np.zeros_like(root)
    for i in range(k):
        inverse[:, :, i, i] = 1.0
        for j in range(i):
            inverse[:, :, i, : j + 1] -= root[:, :, i, j, None] * inverse[:, :, j, : j + 1]
        inverse[:, :, i, : i + 1] /= root[:, :, i, i, None]
    return inverse


def _inner_products(white: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(1·1, 1·p, p·p) [B, N·S, 3] and (1·y, y·p) [B, N·S, 2] in the metric V⁻¹."""
    b, n, _, columns = white.shape
    one, y, p = white[:, :, :, :1], white[:, :, :, 1:2], white[:, :, :, 2:]
    squares, products = np.empty((b, n, columns - 2, 3)), np.empty((b, n, columns - 2, 2))
    squares[..., 0] = (one**2).sum(axis=2)
    squares[..., 1] = (one * p).sum(axis=2)
    squares[..., 2] = (p**2).sum(axis=2)
    products[..., 0] = (one * y).sum(axis=2)
    products[..., 1] = (y * p).sum(axis=2)
    return squares, products


def _level_posterior(
    squares: FloatArray, products: FloatArray, rho: FloatArray, level: Level
) -> tuple[FloatArray, FloatArray]:
    """Precision and mean of s [B, N, S, R]: φᵀV⁻¹φ + τ⁻² and (φᵀV⁻¹y + μ₀ τ⁻²) over it."""
    rest = 1.0 - rho
    precision = squares @ np.stack([rho**2, 2.0 * rho * rest, rest**2])
    mean = products @ np.stack([rho, rest])
    np.maximum(precision, 0.0, out=precision)
    prior_precision = (level.sd**-2)[:, None, None, None]
    precision += prior_precision
    mean += level.mean[:, None, None, None] * prior_precision
    mean /= precision
    return precision, mean


def _log_evidence(precision: FloatArray, mean: FloatArray, batch: Batch, fixed: FloatArray) -> FloatArray:
    """Log of prior × marginal likelihood × √precision at every node, the level not yet truncated."""
    log_weight = mean * mean
    log_weight *= precision
    log_weight *= 0.5
    log_weight += (fixed + batch.log_noise)[:, :, None, None]
    log_weight += batch.log_shape[:, None]
    return log_weight


def _mass_inside(
    weights: FloatArray, log_weight: FloatArray, mean: FloatArray, precision: FloatArray, level: Level
) -> None:
    """Multiplies the weights, in place, by P(0 < s < upper) at their nodes.

    Most nodes lie well inside. Where the others might be all that counts, everything is done again by logarithms.
    """
    upper = level.upper[:, None, None, None]
    distance = np.minimum(mean, upper - mean)
    near = (distance * distance * precision < CERTAIN**2) | (distance < 0.0)
    near &= weights > NEGLIGIBLE * _total(weights)
    if not near.any():
        return
    before = _total(weights)
    weights[near] *= np.exp(_log_mass_at(near, mean, precision, level))
    lost = (_total(weights) < 1e-3 * before).ravel()
    if lost.any():
        everywhere = np.ones(mean[lost].shape, dtype=np.bool_)
        part = Level(level.mean[lost], level.sd[lost], level.upper[lost])
        mass = _log_mass_at(everywhere, mean[lost], precision[lost], part).reshape(mean[lost].shape)
        whole = log_weight[lost] + mass - 0.5 * np.log(precision[lost])
        weights[lost] = np.exp(whole - whole.max(axis=(1, 2, 3), keepdims=True))


def _log_mass_at(nodes: BoolArray, mean: FloatArray, precision: FloatArray, level: Level) -> FloatArray:
    """log P(0 < s < upper) at the nodes marked."""
    group = np.nonzero(nodes)[0]
    return log_mass(mean[nodes], precision[nodes] ** -0.5, level.upper[group])


def log_mass(mean: FloatArray, sd: FloatArray, upper: FloatArray) -> FloatArray:
    """log P(0 < s < upper) for s ~ N(mean, sd²), in the tail where it is accurate."""
    low, high = -mean / sd, (upper - mean) / sd
    mirror = low > 0.0
    top = log_ndtr(np.where(mirror, -low, high))
    bottom = log_ndtr(np.where(mirror, -high, low))
    mass: FloatArray = top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-16)))
    return mass


def draw_level(mean: FloatArray, sd: FloatArray, upper: FloatArray, uniform: FloatArray) -> FloatArray:
    """s of N(mean, sd²) truncated to (0, upper), by inverting its distribution at `uniform` ∈ (0, 1); any one shape."""
    s: FloatArray = mean + sd * ndtri(uniform)
    near = (mean < CERTAIN * sd) | (upper - mean < CERTAIN * sd)
    if near.any():
        s[near] = _draw_truncated(mean[near], sd[near], upper[near], uniform[near])
    return np.clip(s, 0.0, upper)


def _draw_truncated(mean: FloatArray, sd: FloatArray, upper: FloatArray, uniform: FloatArray) -> FloatArray:
    low, high = -mean / sd, (upper - mean) / sd
    # From whichever tail holds the interval: there Φ keeps its relative precision.
    mirror = low > 0.0
    start = log_ndtr(np.where(mirror, -high, low))
    end = log_ndtr(np.where(mirror, -low, high))
    share = np.where(mirror, 1.0 - uniform, uniform)
    z = ndtri_exp(np.logaddexp(np.log(share) + end, np.log1p(-share) + start))
    drawn: FloatArray = mean + sd * np.where(mirror, -z, z)
    return drawn
