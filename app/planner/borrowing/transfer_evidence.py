"""How well effective sizes explain a group's points: the evidence for transfer weights (method.md 3, "Transfer").

With own counts n, other groups' counts x_h and a candidate (w, κ), a point's effective size is

    n_eff = n + Σ_h gain(w_h, x_h, κ),    gain = w x / (1 + x/κ) for w ≥ 0,  w x for w < 0.

On these sizes the curve is a + b p(n_eff), p the shape of a node (c, δ) as in `grid`, and with losses in units of ȳ

    y ~ N(a 1 + b p, V),    V = σ² I + Σ_h s_h² 1_h 1_hᵀ,    a, b ~ N(½, ½²), both above 0.

Level and floor are integrated in closed form; V is diagonal plus one direction per holdout, so no matrix is factored
and no point is binned: evidences of different candidates compare the same data.
Shapes: B candidates, P points, S shapes (c, δ), N noises σ, H holdouts, k groups.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, logsumexp

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Points
from app.planner.curves.transfer import gain
from app.planner.fitting.binning import SHARED_LIMIT

SHAPE_EXPONENTS = np.array([0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5])
SHAPE_OFFSETS = np.array([0.0, 0.03, 0.1, 0.3, 1.0, 3.0])
NOISE_NODES = np.geomspace(0.004, 0.5, 8)

VARIANCE_GROWTH = 0.5
"""The variance of a point grows by this share of σ² per halving of its effective size: small runs scatter more, and the
curve is known to hold less well far from where it is pinned."""

COEFFICIENT = 0.5
"""Prior mean and sd of a and of b, in units of ȳ."""


@dataclass(frozen=True)
class Compositions:
    """A group's points with everything that was trained on.

    own [P]: the group's counts. others [P, k]: all groups' counts, the group's own column 0. losses [P] and the
    holdouts' errors s_h [H] are in units of ȳ; holdout [P] numbers the holdouts from 0.
    """

    own: FloatArray
    others: FloatArray
    losses: FloatArray
    holdout: IntArray
    errors: FloatArray

    @classmethod
    def of(cls, points: Points, others: FloatArray, unit: float) -> "Compositions":
        """`unit` is ȳ."""
        _, holdout = np.unique(points.holdouts, return_inverse=True)
        known = ~np.isnan(points.stderrs)
        squares = np.bincount(holdout, np.where(known, np.nan_to_num(points.stderrs), 0.0) ** 2)
        errors = np.minimum(np.sqrt(squares / np.maximum(np.bincount(holdout, known), 1.0)) / unit, SHARED_LIMIT)
        return cls(points.counts, others, points.losses / unit, np.asarray(holdout, dtype=np.int64), errors)

    def thinned(self, most: int) -> "Compositions":
        """At most `most` of the points, evenly spread over them, the first and the last included."""
        if len(self.own) <= most:
            return self
        kept = np.round(np.linspace(0, len(self.own) - 1, most)).astype(np.int64)
        return replace(
            self, own=self.own[kept], others=self.others[kept], losses=self.losses[kept], holdout=self.holdout[kept]
        )


def effective_counts(data: Compositions, weights: FloatArray, kappa: FloatArray) -> FloatArray:
    """n_eff [B, P] of candidates: weights [B, k], κ [B]."""
    worth = gain(weights[:, None, :], data.others, kappa[:, None, None])
    return np.asarray(data.own + worth.sum(axis=2))


def log_evidence(data: Compositions, weights: FloatArray, kappa: FloatArray) -> FloatArray:
    """log p(y | w, κ) [B], averaged over the shapes and noises."""
    sizes = effective_counts(data, weights, kappa)
    doublings = np.log2(np.maximum(sizes.max(axis=1), 1.0)[:, None] / np.maximum(sizes, 1.0))
    nodes = _integrated(_Products.of(data, _shapes(sizes), 1.0 + VARIANCE_GROWTH * doublings), len(data.own))
    return np.asarray(logsumexp(nodes, axis=(1, 2)))


def _shapes(sizes: FloatArray) -> FloatArray:
    """p [B, P, S] at sizes [B, P], each candidate pinned at its own largest size."""
    largest = np.maximum(sizes.max(axis=1), 1.0)[:, None]
    n = np.maximum(sizes, 1.0)
    base = n[:, :, None] / largest[:, :, None] + SHAPE_OFFSETS
    log_base = np.log(base / (1.0 + SHAPE_OFFSETS))
    p = np.exp(-log_base[:, :, None, :] * SHAPE_EXPONENTS[:, None])
    below = sizes < 1.0
    if below.any():
        steep = SHAPE_EXPONENTS[:, None] / (base * largest[:, :, None])[:, :, None, :]
        p = np.where(below[:, :, None, None], p * (1.0 + steep * (1.0 - sizes)[:, :, None, None]), p)
    # Beyond this a shape explains nothing; the cap keeps squares finite.
    return np.asarray(np.minimum(p, 1e60).reshape(*sizes.shape, -1))


@dataclass(frozen=True)
class _Products:
    """uᵀV⁻¹v for u, v among 1, y and p, and log det V; arrays broadcasting to [B, N, S]."""

    one_one: FloatArray
    one_y: FloatArray
    y_y: FloatArray
    one_p: FloatArray
    p_y: FloatArray
    p_p: FloatArray
    log_det: FloatArray

    @classmethod
    def of(cls, data: Compositions, p: FloatArray, spread: FloatArray) -> "_Products":
        """p [B, P, S], spread D [B, P]: V⁻¹ = (D⁻¹ − Σ_h τ_h D⁻¹1_h 1_hᵀD⁻¹)/σ²,
        τ_h = s_h²/(σ² + m_h s_h²), m_h = 1_hᵀD⁻¹1_h.
        """
        variance, holdouts = NOISE_NODES[:, None] ** 2, len(data.errors)
        member = (data.holdout[:, None] == np.arange(holdouts)) / spread[:, :, None]
        size, y_sum = member.sum(axis=1), np.einsum("bph,p->bh", member, data.losses)
        p_sum = np.matmul(member.swapaxes(1, 2), p)
        tau = data.errors**2 / (variance + size[:, None, :] * data.errors**2)
        scaled_p = p / spread[:, :, None]

        def product(plain: FloatArray, shared: FloatArray) -> FloatArray:
            return np.asarray((plain.reshape(len(p), 1, -1) - np.matmul(tau, shared)) / variance)

        inflation = np.log1p(size[:, None, :] * data.errors**2 / variance).sum(axis=2)
        log_det = len(data.own) * np.log(variance[:, 0]) + np.log(spread).sum(axis=1)[:, None] + inflation
        return cls(
            one_one=product((1.0 / spread).sum(axis=1), (size**2)[:, :, None]),
            one_y=product(y_sum.sum(axis=1), (size * y_sum)[:, :, None]),
            y_y=product((data.losses**2 / spread).sum(axis=1), (y_sum**2)[:, :, None]),
            one_p=product(p_sum.sum(axis=1), size[:, :, None] * p_sum),
            p_y=product(np.einsum("p,bps->bs", data.losses, scaled_p), y_sum[:, :, None] * p_sum),
            p_p=product(np.einsum("bps,bps->bs", p, scaled_p), p_sum**2),
            log_det=log_det[:, :, None],
        )


def _integrated(products: _Products, points: int) -> FloatArray:
    """log p(y | node) [B, N, S]: a and b integrated over their normal prior, cut to the positive quadrant.

    The cut is the product of the two marginal chances, exact where a and b are independent or one is well known.
    """
    prior = COEFFICIENT**-2
    aa, bb, ab = products.one_one + prior, products.p_p + prior, products.one_p
    det = np.maximum(aa * bb - ab**2, 1e-12 * aa * bb)
    ya, yb = products.one_y + prior * COEFFICIENT, products.p_y + prior * COEFFICIENT
    a, b = (bb * ya - ab * yb) / det, (aa * yb - ab * ya) / det
    fit = ya * a + yb * b - 2.0 - products.y_y
    cut = log_ndtr(a * np.sqrt(det / bb)) + log_ndtr(b * np.sqrt(det / aa)) - 2.0 * log_ndtr(1.0)
    scale = products.log_det + np.log(det) - 2.0 * np.log(prior) + points * np.log(2.0 * np.pi)
    return np.asarray(0.5 * (fit - scale) + cut)
