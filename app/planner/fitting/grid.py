"""Posteriors of many groups on one grid, closed form where the curve is linear (method.md 2).

Losses are measured in units of ȳ, the group's typical loss. With r = n / n_ref, a node (σ, κ, c, δ) and a floor ρ say

    f = s φ,    φ(n) = ρ + γ p(n),    γ = 1 − ρ,    p(n) = ((r + δ) / (1 + δ))^(−c),
    y ~ N(s φ, V),    V = Σ_h s_h² 1_h 1_hᵀ + κ² K + σ² I,    K_ij = min(t_i, t_j),  t = log₂(n_ref / n),
    s ~ N(μ₀, τ²) truncated to (0, upper).

s given ρ is N(W/P, 1/P), and ρ weighs exp(W²/2P)/√P. With φ = 1 + γ q, q = p − 1, P is a square and W a line in γ: five
inner products in the metric V⁻¹ say all there is to say of a node, whatever ρ. As q vanishes at n_ref, sizes that tell
nothing of the shape leave its products 0, not a difference of large numbers.

Shapes: B groups with K cells each; S shapes (c, δ); N noise nodes (σ, κ); nodes are arrays [B, N, S]. No operation
mixes groups, and each group's matrix products have the same shape in any batch: a group's posterior is the same, to
the last bit, in any company.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri_exp

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.prior import Prior

CERTAIN_SDS = 5.5
"""A level this many sds inside its bounds has all its mass there (to 4e-8); no draw's normal number is larger."""

ROUNDED = 1e-5
"""A smaller difference of two chances is not accurate."""

LARGEST_LOG_P = 28.0
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
    """What the data and the prior of s say at each node; arrays [B, N, S], but oo, oy and noise [B, N, 1], and shape
    [B, 1, S]; or what is chosen of them, all of one shape.

    P(γ) = φᵀV⁻¹φ + τ⁻² = oo + 2 γ oq + γ² qq and W(γ) = φᵀV⁻¹y + μ₀ τ⁻² = oy + γ qy.
    noise, shape: logs of the prior's weights, and of what the noise alone says, up to a constant of the group.
    """

    oo: FloatArray
    oq: FloatArray
    qq: FloatArray
    oy: FloatArray
    qy: FloatArray
    noise: FloatArray
    shape: FloatArray

    @property
    def weight(self) -> FloatArray:
        """Log weight of the nodes, up to a constant of the group."""
        return self.noise + self.shape

    def at(self, places: IntArray, noises: IntArray, shapes: IntArray) -> "Nodes":
        """Those at `places`, indices into the nodes in their order; `noises` and `shapes`: into what has one column or
        one row."""
        oq, qq, qy = (values.take(places) for values in (self.oq, self.qq, self.qy))
        oo, oy, noise = (values.take(noises) for values in (self.oo, self.oy, self.noise))
        return Nodes(oo, oq, qq, oy, qy, noise, self.shape.take(shapes))

    def precision(self, gamma: FloatArray) -> FloatArray:
        """P; γ broadcasts with the nodes."""
        found = gamma * self.qq
        found += 2.0 * self.oq
        found *= gamma
        found += self.oo
        return np.asarray(found)

    def weighted(self, gamma: FloatArray) -> FloatArray:
        """W; γ broadcasts with the nodes."""
        found = gamma * self.qy
        found += self.oy
        return np.asarray(found)


def shape_values(counts: FloatArray, n_ref: FloatArray, prior: Prior) -> FloatArray:
    """p at `counts` [T] of groups with `n_ref` [T], for every shape → [T, S]; below n = 1 by the tangent at 1."""
    c, delta = prior.shape_nodes
    offsets = np.array(prior.offsets)
    r = (np.maximum(counts, 1.0) / n_ref)[:, None]
    steps = np.log((r + offsets) / (1.0 + offsets))
    # The offsets run fastest over the shapes.
    p = steps.take(np.arange(len(delta)) % len(offsets), axis=1)
    p *= -c
    np.exp(np.minimum(p, LARGEST_LOG_P, out=p), out=p)
    below = counts < 1.0
    if below.any():
        base = r[below] + delta
        p[below] *= 1.0 + c * (1.0 - counts[below, None]) / (base * n_ref[below, None])
    return np.asarray(p)


def nodes_of(batch: Batch, prior: Prior) -> Nodes:
    """The nodes [B, N, S] of every group (K = 0: the prior)."""
    (b, k), n = batch.y.shape, len(prior.noises)
    log_det, inverse = _inverse_roots(batch, prior)
    one = inverse.sum(axis=1)
    y = (inverse * batch.y.T[:, None]).sum(axis=1)
    # Rows of L⁻¹, then 1ᵀV⁻¹ and yᵀV⁻¹: times q, with q's square, all that depends on the shape.
    rows = np.empty((b, k + 2, n, k))
    rows[:, :k] = inverse.transpose(3, 0, 2, 1)
    for at, column in ((k, one), (k + 1, y)):
        rows[:, at] = (inverse * column[:, None]).sum(axis=0).transpose(2, 1, 0)
    products = (rows.reshape(b, (k + 2) * n, k) @ (batch.p - 1.0)).reshape(b, k + 2, n, batch.p.shape[2])
    white = products[:, :k]
    precision = batch.level.sd**-2
    oo, oy = (one * one).sum(axis=0) + precision, (one * y).sum(axis=0) + batch.level.mean * precision
    noise = (batch.scatter + batch.log_noise).T - log_det - 0.5 * (y * y).sum(axis=0)
    return Nodes(
        oo=_columns(oo),
        oq=products[:, k],
        qq=np.einsum("bkns,bkns->bns", white, white),
        oy=_columns(oy),
        qy=products[:, k + 1],
        noise=_columns(noise),
        shape=batch.log_shape[:, None],
    )


def _columns(values: FloatArray) -> FloatArray:
    """[N, B] as [B, N, 1]."""
    return np.ascontiguousarray(values.T)[:, :, None]


def _inverse_roots(batch: Batch, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """log det L [N, B] and L⁻¹ [K, K, N, B], V = L Lᵀ, by elimination.

    One entry of all matrices after the other: each step then runs through its numbers in their order.
    """
    sigma, kappa = prior.noise_nodes
    b, k = batch.y.shape
    t, diagonal = np.ascontiguousarray(batch.t.T), np.arange(k)
    # V beside 1: what makes V triangular makes 1 the inverse of its root.
    left = np.zeros((k, 2 * k, len(sigma), b))
    left[:, :k] = batch.shared.transpose(1, 2, 0)[:, :, None]
    left[:, :k] += (kappa**2)[:, None] * np.minimum(t[:, None], t)[:, :, None]
    left[diagonal, diagonal] += (sigma**2)[:, None] * batch.independent.T[:, None]
    left[diagonal, k + diagonal] = 1.0
    for i in range(k):
        # Columns before i are done with, and those beyond k + i still 0 in this row.
        row = left[i, i + 1 : k + i + 1]
        left[i + 1 :, i + 1 : k + i + 1] -= (left[i + 1 :, i] / left[i, i])[:, None] * row
    pivots = np.sqrt(left[diagonal, diagonal])
    return np.log(pivots).sum(axis=0), left[:, k:] / pivots[:, None]


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


def draw_level(ratio: FloatArray, root: FloatArray, upper: FloatArray, normal: FloatArray) -> FloatArray:
    """s of N(`ratio`/`root`, `root`⁻²) truncated to (0, upper), by inverting its distribution at Φ(`normal`), in place
    of `ratio`; |normal| ≤ CERTAIN_SDS."""
    at = np.flatnonzero((ratio < CERTAIN_SDS) | (ratio + CERTAIN_SDS > upper * root))
    some = [values.take(at) for values in (ratio, root, np.broadcast_to(upper, ratio.shape), normal)]
    ratio += normal
    ratio /= root
    if len(at):
        np.put(ratio, at, np.clip(_draw_truncated(*some), 0.0, some[2]))
    return ratio


def _draw_truncated(ratio: FloatArray, root: FloatArray, upper: FloatArray, normal: FloatArray) -> FloatArray:
    low, high = -ratio, upper * root - ratio
    # From whichever tail holds the interval: there Φ keeps its relative precision.
    mirror = low > 0.0
    start = log_ndtr(np.where(mirror, -high, low))
    end = log_ndtr(np.where(mirror, -low, high))
    share = np.where(mirror, -normal, normal)
    z = ndtri_exp(np.logaddexp(log_ndtr(share) + end, log_ndtr(-share) + start))
    drawn: FloatArray = (ratio + np.where(mirror, -z, z)) / root
    return drawn
