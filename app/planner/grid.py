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
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri, ndtri_exp

from app.planner.arrays import FloatArray
from app.planner.prior import Prior

CERTAIN = 5.5
"""A level this many sds inside its bounds has all its mass there (to 4e-8)."""

STEEPEST = 28.0
"""Log of the largest p: a loss of 10¹² times the level rules a node out as well as a larger one, and can be squared."""

NEGLIGIBLE = np.float32(1e-8)
"""Nodes of this share of the largest weight need no exact mass of the level."""

LOST = 1e-3
"""If the bounds leave less than this of a group's weights, nodes that seemed negligible may not be."""


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

    weights: in single precision, to within a factor per group. mean, precision: s there is N(mean, 1/precision) on
    (0, upper). log_evidence [B]: log marginal likelihood of the group's data, up to a constant of the data's size,
    the prior's weights taken as they stand.
    """

    weights: NDArray[np.float32]
    mean: FloatArray
    precision: FloatArray
    level: Level
    log_evidence: FloatArray


def shape_values(counts: FloatArray, n_ref: FloatArray, c: FloatArray, delta: FloatArray) -> FloatArray:
    """p at `counts` [T] of groups with `n_ref` [T], for every shape → [T, S]; below n = 1 by the tangent at 1."""
    # δ runs fastest over the shapes, so its distinct values come first.
    offsets, of_offset = delta[: _period(delta)], np.arange(len(delta)) % _period(delta)
    r = (np.maximum(counts, 1.0) / n_ref)[:, None]
    steps = np.log((r + offsets) / (1.0 + offsets))
    p: FloatArray = np.exp(np.minimum(-c * steps[:, of_offset], STEEPEST))
    below = counts < 1.0
    if below.any():
        base = r[below] + delta
        p[below] *= 1.0 + c * (1.0 - counts[below, None]) / (base * n_ref[below, None])
    return p


def _period(delta: FloatArray) -> int:
    """After how many shapes δ repeats itself."""
    again = np.flatnonzero(delta[1:] == delta[0])
    return int(again[0]) + 1 if len(again) else len(delta)


def node_posterior(batch: Batch, prior: Prior) -> Grid:
    """Weights and posterior of s at every node of every group (K = 0: the prior)."""
    fixed, white = _whitened(batch, prior)
    squares, products = _inner_products(white)
    precision, mean, explained = _level_posterior(squares, products, np.asarray(prior.floors), batch.level)
    explained += 2.0 * (fixed + batch.log_noise)[:, :, None, None]
    explained += 2.0 * batch.log_shape[:, None]
    top = explained.reshape(len(explained), -1).max(axis=1)
    explained -= top[:, None, None, None]
    with np.errstate(over="ignore"):
        weights, root = explained.astype(np.float32), precision.astype(np.float32)
    weights *= np.float32(0.5)
    np.exp(weights, out=weights)
    weights /= np.sqrt(root, out=root)
    top += _mass_inside(weights, explained, mean, precision, batch.level)
    return Grid(weights, mean, precision, batch.level, 0.5 * top + _log_total(weights, batch.level))


def _log_total(weights: NDArray[np.float32], level: Level) -> FloatArray:
    """Log of each group's sum of weights, and what the level's prior density leaves out of them [B]."""
    total = np.log(weights.reshape(len(weights), -1).sum(axis=1, dtype=np.float64))
    density = 0.5 * (level.mean / level.sd) ** 2 + np.log(level.sd) + log_mass(level.mean, level.sd, level.upper)
    return np.asarray(total - density)


def _whitened(batch: Batch, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Log density's part that depends on the noise alone [B, N], and L⁻¹ (1, y, p) [B, N, K, 2 + S], V = L Lᵀ."""
    sigma, kappa = prior.noise_nodes
    b, k = batch.y.shape
    brownian = np.minimum(batch.t[:, :, None], batch.t[:, None, :])
    covariance = batch.shared[:, None] + (kappa**2)[:, None, None] * brownian[:, None]
    diagonal = np.arange(k)
    covariance[:, :, diagonal, diagonal] += (sigma**2)[:, None] * batch.independent[:, None]
    root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    inverse = _inverse_triangular(root).reshape(b, len(sigma) * k, k)
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
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision P = φᵀV⁻¹φ + τ⁻² and mean (φᵀV⁻¹y + μ₀ τ⁻²) / P of s, and P mean² [B, N, S, R]."""
    rest, prior_precision = 1.0 - rho, (level.sd**-2)[:, None, None, None]
    # ρ² + 2ρ(1 − ρ) + (1 − ρ)² = ρ + (1 − ρ) = 1: what is added to every product is added to each sum.
    squares += prior_precision
    products += level.mean[:, None, None, None] * prior_precision
    precision = squares @ np.stack([rho**2, 2.0 * rho * rest, rest**2])
    weighted = products @ np.stack([rho, rest])
    mean = weighted / precision
    weighted *= mean
    return precision, mean, weighted


def _mass_inside(
    weights: NDArray[np.float32], explained: FloatArray, mean: FloatArray, precision: FloatArray, level: Level
) -> FloatArray:
    """Multiplies the weights, in place, by P(0 < s < upper) at their nodes; returns what to add to 2 log(scale) [B].

    Most nodes that count lie well inside. Where the mass is so small that others may be all that counts, a group is
    done again by logarithms.
    """
    flat = weights.reshape(len(weights), -1)
    at = np.flatnonzero(flat > NEGLIGIBLE * flat.max(axis=1, keepdims=True))
    group = at // flat.shape[1]
    inside, upper = mean.ravel()[at], level.upper[group]
    sd = precision.ravel()[at] ** -0.5
    near = np.minimum(inside, upper - inside) < CERTAIN * sd
    added = np.zeros(len(weights))
    if not near.any():
        return added
    before = flat.sum(axis=1)
    weights.ravel()[at[near]] *= np.exp(log_mass(inside[near], sd[near], upper[near]))
    for b in np.flatnonzero(flat.sum(axis=1) < LOST * before):
        part = np.full(mean[b].shape, level.upper[b])
        whole = 0.5 * explained[b] - 0.5 * np.log(precision[b]) + log_mass(mean[b], precision[b] ** -0.5, part)
        weights[b] = np.exp(whole - whole.max())
        added[b] = 2.0 * whole.max()
    return added


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
