"""One group's curve learnt from its points: draws off the grid, and how the points sit with them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray
from app.planner.cells import TYPICAL_NOISE, cells_of, doublings_below, shared_errors
from app.planner.grid import Grid, Level, Prior, draw_level, node_posterior, shape_values
from app.planner.observations import Points

LEAST_POINTS_TO_DOUBT = 4
"""Without one of them, three must be left to contradict it."""


@dataclass(frozen=True)
class Learnt:
    """Draws of f(n) = s (ρ + (1 − ρ) p(n)) and z; arrays [draws], s in loss units.

    unit: ȳ. sigma, kappa: posterior rms of the noise scales, as shares of ȳ; forecast: κ_f.
    """

    s: FloatArray
    rho: FloatArray
    c: FloatArray
    delta: FloatArray
    z: FloatArray
    n_ref: float
    unit: float
    sigma: float
    kappa: float
    forecast: float

    def loss(self, counts: FloatArray) -> FloatArray:
        """f at counts [points] → [points, draws]."""
        return self.s * (self.rho + (1.0 - self.rho) * shape_values(counts, self.n_ref, self.c, self.delta))


def learn(points: Points, prior: Prior, level: Level, n_ref: float, unit: float, uniforms: FloatArray) -> Learnt:
    """Posterior draws given `points` (none: prior draws); `uniforms` in (0, 1) [3, draws] pick node, s and z."""
    grid = node_posterior(cells_of(points, n_ref, unit), prior, level)
    weights = grid.weights()
    shape, floor, s = _pick(grid, weights, uniforms)
    sigma, kappa = prior.noise_nodes()
    c, delta = prior.shape_nodes()
    by_noise = weights.sum(axis=(1, 2))
    return Learnt(
        s=s * unit,
        rho=np.asarray(prior.floors)[floor],
        c=c[shape],
        delta=delta[shape],
        z=ndtri(uniforms[2]),
        n_ref=n_ref,
        unit=unit,
        sigma=float(np.sqrt(by_noise @ sigma**2)),
        kappa=float(np.sqrt(by_noise @ kappa**2)),
        forecast=prior.forecast,
    )


def _pick(grid: Grid, weights: FloatArray, uniforms: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Nodes by weight, then the level: shape and floor index and s in units of ȳ, each [draws]."""
    # Shapes in the slow order: then the strata hold each shape's share of the draws steady, also between fits.
    by_shape = np.moveaxis(weights, 0, -1)
    cumulated = np.cumsum(by_shape)
    node = np.searchsorted(cumulated, uniforms[0] * cumulated[-1], side="right")
    node = np.minimum(node, weights.size - 1)
    shape, floor, noise = np.unravel_index(node, by_shape.shape)
    s = draw_level(grid.mean[noise, shape, floor], grid.sd[noise, shape, floor], grid.upper, uniforms[1])
    return np.asarray(shape, dtype=np.int64), np.asarray(floor, dtype=np.int64), s


def stratified(rng: np.random.Generator, draws: int) -> FloatArray:
    """Three independent uniforms in (0, 1) per draw [3, draws], one in each of `draws` equal strata.

    Strata cut the Monte Carlo error of means and quantiles; the permutations keep draws of different groups, and
    the three numbers of one draw, independent.
    """
    strata = np.stack([rng.permutation(draws) for _ in range(3)])
    uniforms: FloatArray = (strata + rng.uniform(1e-9, 1.0 - 1e-9, size=(3, 1))) / draws
    return uniforms


def standardised(points: Points, learnt: Learnt) -> FloatArray:
    """(y − E f) / sd of each point [points]; the sd has curve, evaluation error, σ and the discrepancy."""
    f = learnt.loss(points.counts)
    inside = learnt.kappa**2 * doublings_below(points.counts, learnt.n_ref)
    beyond = learnt.forecast**2 * np.log2(np.maximum(points.counts / learnt.n_ref, 1.0))
    noise = (learnt.sigma**2 + inside + beyond) * learnt.unit**2
    sd = np.sqrt(f.var(axis=1) + shared_errors(points) ** 2 + noise)
    residuals: FloatArray = (points.losses - f.mean(axis=1)) / sd
    return residuals


def suspect(residuals: FloatArray, learnt: Learnt) -> int | None:
    """The point worth a second fit without it: the worst fitted, if that is bad or inflated the noise."""
    if len(residuals) < LEAST_POINTS_TO_DOUBT:
        return None
    worst = int(np.argmax(np.abs(residuals)))
    size = abs(residuals[worst])
    return worst if size > 3.0 or (size > 1.5 and learnt.sigma > TYPICAL_NOISE) else None


def without(points: Points, index: int) -> Points:
    """The points but one."""
    keep = np.arange(len(points.counts)) != index
    return Points(points.counts[keep], points.losses[keep], points.stderrs[keep], points.holdouts[keep])
