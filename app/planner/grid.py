"""Posteriors of many groups on one grid, closed form where the curve is linear (planner.md 2).

Losses are measured in units of ȳ, the group's typical loss. With r = n / n_ref, a node (σ, κ, c, δ) and a floor ρ say

    f = s φ,    φ(n) = ρ + γ p(n),    γ = 1 − ρ,    p(n) = ((r + δ) / (1 + δ))^(−c),
    y ~ N(s φ, V),    V = Σ_h s_h² 1_h 1_hᵀ + κ² K + σ² I,    K_ij = min(t_i, t_j),  t = log₂(n_ref / n),
    s ~ N(μ₀, τ²) truncated to (0, upper).

s given ρ is N(W/P, 1/P), and ρ weighs exp(W²/2P)/√P, with P a square and W a line in ρ: five inner products in the
metric V⁻¹ say all there is to say of a node, whatever ρ.

Shapes: B groups with K cells each; S shapes (c, δ); N noise nodes (σ, κ); nodes are arrays [B, N, S]. No operation
mixes groups, and each group's matrix products have the same shape in any batch: a group's posterior is the same, to
the last bit, in any company.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri_exp

from app.planner.arrays import FloatArray, IntArray
from app.planner.prior import Prior

CERTAIN = 5.5
"""A level this many sds inside its bounds has all its mass there (to 4e-8); no draw's normal number is larger."""

ROUNDED = 1e-5
"""A smaller difference of two chances is not accurate."""

STEEPEST = 28.0
"""Log of the largest p: a loss of 10¹² times the level rules a node out as well as a larger one, and can be squared."""


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
    scatter [B, N]: log likelihood of the scatter inside the cells. log_noise [B, N], log_shape [B, S]: the prior's log
    weights, but for those of the floors, up to a constant.
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
class Nodes:
    """What the data and the prior of s say at each node, arrays of one shape; oo and oy may have one column for all S.

    P(γ) = φᵀV⁻¹φ + τ⁻² = γ² pp + 2 γ ρ op + ρ² oo and W(γ) = φᵀV⁻¹y + μ₀ τ⁻² = γ py + ρ oy, ρ = 1 − γ: as
    γ² + 2 γ ρ + ρ² = γ + ρ = 1, what the prior adds is added to each product.
    weight: log of the prior's weight of the node and of what the noise alone says, up to a constant of the group.
    """

    pp: FloatArray
    op: FloatArray
    oo: FloatArray
    py: FloatArray
    oy: FloatArray
    weight: FloatArray

    def at(self, rows: IntArray, noises: IntArray) -> "Nodes":
        """Those at `rows`, indices into the nodes in their order; `noises`: indices into oo and oy."""
        pp, op, py, weight = (getattr(self, name).take(rows) for name in ("pp", "op", "py", "weight"))
        return Nodes(pp, op, self.oo.take(noises), py, self.oy.take(noises), weight)

    def columns(self) -> "Nodes":
        """The same as columns, to be asked at many ρ each."""
        return Nodes(*(getattr(self, field.name)[:, None] for field in fields(self)))

    def precision(self, gamma: FloatArray) -> FloatArray:
        """P; γ broadcasts with the nodes."""
        rho = 1.0 - gamma
        return np.asarray((gamma * self.pp + 2.0 * rho * self.op) * gamma + rho * rho * self.oo)

    def weighted(self, gamma: FloatArray) -> FloatArray:
        """W; γ broadcasts with the nodes."""
        return np.asarray(gamma * self.py + (1.0 - gamma) * self.oy)


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


def nodes_of(batch: Batch, prior: Prior) -> Nodes:
    """The nodes [B, N, S] of every group (K = 0: the prior)."""
    log_det, white = _whitened(batch, prior)
    p = white[:, :, :, 2:]
    # 1·1, 1·y, 1·p and y·1, y·y, y·p in the metric V⁻¹.
    products = white[:, :, :, :2].swapaxes(2, 3) @ white
    noise = batch.scatter - log_det - 0.5 * products[:, :, 1, 1]
    precision = (batch.level.sd**-2)[:, None, None]
    weighted = batch.level.mean[:, None, None] * precision
    return Nodes(
        pp=np.einsum("bnks,bnks->bns", p, p) + precision,
        op=products[:, :, 0, 2:] + precision,
        oo=products[:, :, 0, :1] + precision,
        py=products[:, :, 1, 2:] + weighted,
        oy=products[:, :, 0, 1:2] + weighted,
        weight=(noise + batch.log_noise)[:, :, None] + batch.log_shape[:, None],
    )


def _whitened(batch: Batch, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """log det L [B, N] and L⁻¹ (1, y, p) [B, N, K, 2 + S], V = L Lᵀ."""
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
    return np.asarray(np.log(root[:, :, diagonal, diagonal]).sum(axis=2)), white


def _inverse_triangular(root: FloatArray) -> FloatArray:
    """Inverses of lower triangular matrices [B, N, K, K], by forward substitution."""
    # One entry of all matrices after the other: each step then runs through its numbers in their order.
    root = np.ascontiguousarray(np.moveaxis(root, (2, 3), (0, 1)))
    inverse = np.zeros_like(root)
    for i in range(len(root)):
        inverse[i, i] = 1.0
        for j in range(i):
            inverse[i, : j + 1] -= root[i, j] * inverse[j, : j + 1]
        inverse[i, : i + 1] /= root[i, i]
    return np.ascontiguousarray(np.moveaxis(inverse, (0, 1), (2, 3)))


def log_mass(mean: FloatArray, sd: FloatArray, upper: FloatArray) -> FloatArray:
    """log P(0 < s < upper) for s ~ N(mean, sd²), in the tail where it is accurate."""
    low, high = -mean / sd, (upper - mean) / sd
    inside = ndtr(high) - ndtr(low)
    far = inside < ROUNDED
    found: FloatArray = np.log(np.where(far, 1.0, inside))
    if far.any():
        found[far] = _log_tail(low[far], high[far])
    return found


def _log_tail(low: FloatArray, high: FloatArray) -> FloatArray:
    """log (Φ(high) − Φ(low)), from the tail that holds both."""
    mirror = low > 0.0
    top = log_ndtr(np.where(mirror, -low, high))
    bottom = log_ndtr(np.where(mirror, -high, low))
    return np.asarray(top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-16))))


def draw_level(mean: FloatArray, sd: FloatArray, upper: FloatArray, normal: FloatArray) -> FloatArray:
    """s of N(mean, sd²) truncated to (0, upper), by inverting its distribution at Φ(`normal`); |normal| ≤ CERTAIN."""
    s: FloatArray = mean + sd * normal
    room = CERTAIN * sd
    near = np.minimum(mean, upper - mean) < room
    if near.any():
        bound = np.broadcast_to(upper, s.shape)[near]
        s[near] = np.clip(_draw_truncated(mean[near], sd[near], bound, normal[near]), 0.0, bound)
    return s


def _draw_truncated(mean: FloatArray, sd: FloatArray, upper: FloatArray, normal: FloatArray) -> FloatArray:
    low, high = -mean / sd, (upper - mean) / sd
    # From whichever tail holds the interval: there Φ keeps its relative precision.
    mirror = low > 0.0
    start = log_ndtr(np.where(mirror, -high, low))
    end = log_ndtr(np.where(mirror, -low, high))
    share = np.where(mirror, -normal, normal)
    z = ndtri_exp(np.logaddexp(log_ndtr(share) + end, log_ndtr(-share) + start))
    drawn: FloatArray = mean + sd * np.where(mirror, -z, z)
    return drawn
