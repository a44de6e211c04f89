"""What is believed of a curve before its points: the grid's nodes, their weights, the discrepancy ahead (method.md 2).

Weights are log-linear in two covariates of the group, x = (log₁₀ of the level ȳ / span, log₁₀ n_ref), centred and
scaled. With every table zero, the default, all nodes weigh the same whatever the level: the flat form, for metrics
whose level has no common meaning.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import ndtr

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.random_streams import normal_sequence

COVARIATES = 2

BINS = 64
"""The density of ρ is constant in each of so many bins."""

_STEP, _STEPS, _BISECTIONS = 0.05, 130, 45


def _zero() -> FloatArray:
    return np.zeros(1)


@dataclass(frozen=True)
class Prior:
    """Nodes and log weights; N noise nodes (σ, κ), S shapes (c, δ), R knots of the floor ρ, F scales ahead κ_f.

    exponents c, offsets δ (shares of n_ref), crossed; floors (from 0 to 1); noises σ and discrepancies κ, in pairs; and
    forecasts κ_f (shares of ȳ). shape: broadcasts to [S, R], the log density of ρ at the floors, straight lines
    between them; noise: to [N].
    shape_tilt: broadcasts to [2, S], floor_tilt: to [2, R], noise_tilt: to [2, N], per unit of x.
    ahead: broadcasts to [2, N, F], log weights of κ_f given the noise node, for groups with few points and for those
    averaged into bins: many points leave the curve less freedom than the truth takes. widening: broadcasts
    to [2, N], factors of κ_f. centre, spread [2], reach: of the covariates; beyond ±reach they count as there.
    not_started: w₀, chance that a curve has not started at n_ref; starts: q, the share of those that ever does;
    start_exponent: h, of these (n/n_ref)^(−h) have not at n. They follow what LCDB's flat curves did later.
    strata: broadcasts to [J], log weights of what groups trained together have in common (`borrowing.strata`).
    rises: chance that the loss rises over the sizes measured; rise: scale of the half normal law of the share by which
    it then does per doubling. Of LCDB's curves at five sizes 5 % rise by a hundredth or more, by .06 on average.
    """

    exponents: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 0.8, 1.3, 2.2, 4.0)
    offsets: tuple[float, ...] = (0.0, 0.05, 0.25, 1.0, 4.0)
    floors: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
    noises: tuple[float, ...] = (0.004, 0.004, 0.004, 0.02, 0.06, 0.15)
    discrepancies: tuple[float, ...] = (0.004, 0.02, 0.06, 0.02, 0.06, 0.1)
    forecasts: tuple[float, ...] = (0.035,)
    shape: FloatArray = field(default_factory=_zero)
    noise: FloatArray = field(default_factory=_zero)
    shape_tilt: FloatArray = field(default_factory=_zero)
    floor_tilt: FloatArray = field(default_factory=_zero)
    noise_tilt: FloatArray = field(default_factory=_zero)
    ahead: FloatArray = field(default_factory=_zero)
    centre: FloatArray = field(default_factory=lambda: np.zeros(COVARIATES))
    spread: FloatArray = field(default_factory=lambda: np.ones(COVARIATES))
    reach: float = 2.5
    widening: FloatArray = field(default_factory=lambda: np.ones(1))
    strata: FloatArray = field(default_factory=_zero)
    not_started: float = 0.04
    starts: float = 1.0 / 3.0
    start_exponent: float = 0.6
    rises: float = 0.05
    rise: float = 0.075

    @cached_property
    def noise_nodes(self) -> tuple[FloatArray, FloatArray]:
        """σ and κ of the noise nodes, each [N]."""
        return np.array(self.noises), np.array(self.discrepancies)

    @cached_property
    def shape_nodes(self) -> tuple[FloatArray, FloatArray]:
        """c and δ of the shapes, each [S]."""
        return _crossed(self.exponents, self.offsets)

    @property
    def by_level(self) -> bool:
        """Whether shapes go with the level: a prior of metrics whose level has a common meaning."""
        return bool(np.any(self.shape_tilt))

    def covariates(self, level: FloatArray, n_ref: FloatArray) -> FloatArray:
        """x [groups, 2] of groups with ȳ / span `level` > 0 and largest count `n_ref` ≥ 1."""
        raw = np.log10(np.stack([level, n_ref], axis=1))
        x: FloatArray = np.clip((raw - self.centre) / self.spread, -self.reach, self.reach)
        return x

    def log_weights(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log weights of the noise nodes [groups, N] and, but for the floors', of the shapes [groups, S]; x
        [groups, 2]."""
        noise, noise_tilt, shape_tilt = self._log_weights
        return noise + _tilted(x, noise_tilt), _tilted(x, shape_tilt)

    @cached_property
    def _log_weights(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The tables of the noise nodes [N], their tilts [2, N] and the shapes' [2, S], in full."""
        n, s = len(self.noises), len(self.shape_nodes[0])
        noise_tilt, shape_tilt = (
            np.broadcast_to(tilt, (COVARIATES, size)) for tilt, size in ((self.noise_tilt, n), (self.shape_tilt, s))
        )
        return np.broadcast_to(self.noise, (n,)), noise_tilt, shape_tilt

    def log_density(self, shape: IntArray, group: IntArray, x: FloatArray, gamma: FloatArray) -> FloatArray:
        """Log density at ρ = 1 − γ; shape and group are numbers that broadcast with γ; x [groups, 2]; 0 ≤ γ < 1."""
        table, tilt = self._densities
        place = (gamma * BINS).astype(np.int64)
        found: FloatArray = table.take(place + BINS * shape)
        if tilt.any():
            found += _tilted(x, tilt).take(place + BINS * group)
        return found

    @cached_property
    def knots(self) -> FloatArray:
        """What turns values at the floors into those at the middles of the bins of ρ [R, BINS]."""
        at = (np.arange(BINS) + 0.5) / BINS
        return np.stack([np.interp(at, self.floors, row) for row in np.eye(len(self.floors))])

    @cached_property
    def _densities(self) -> tuple[FloatArray, FloatArray]:
        """Log density in each of the bins of γ [S BINS], and by how much it tilts [2, BINS]."""
        s, r = len(self.shape_nodes[0]), len(self.floors)
        knots = self.knots[:, ::-1]
        table = np.broadcast_to(self.shape, (s, r)) @ knots
        return table.ravel(), np.broadcast_to(self.floor_tilt, (COVARIATES, r)) @ knots

    def log_total(self, x: FloatArray) -> FloatArray:
        """Log of the prior's weight over all shapes and ρ [groups], which `log_weights` and `log_density` leave in; x
        [groups, 2]."""
        table, tilt = self._densities
        _, _, shape_tilt = self._log_weights
        shapes, bins = np.exp(_tilted(x, shape_tilt)), np.exp(_tilted(x, tilt))
        over_shapes = (shapes[:, None] @ np.exp(table.reshape(-1, BINS)))[:, 0]
        return np.asarray(np.log((over_shapes * bins).sum(axis=1) / BINS))

    @cached_property
    def ahead_variance(self) -> FloatArray:
        """E κ_f² given binning and noise node [2, N]."""
        found: FloatArray = (self.ahead_weights * self._scales**2).sum(axis=2)
        return found

    @cached_property
    def _scales(self) -> FloatArray:
        """κ_f given binning and noise node [2, N, F]."""
        widening = np.broadcast_to(self.widening, (2, len(self.noises)))
        return np.asarray(widening[:, :, None] * np.array(self.forecasts))

    def ahead_sequence(self, draws: int) -> FloatArray:
        """Quantiles of the discrepancy at 2 n_ref in units of ȳ, along the normal sequence that z₂ of `draws` draws is
        a window of [2 N, its length]: one row per noise node without binning, then one per node with."""
        return _ahead_sequence(*self._mixtures, draws)

    @cached_property
    def _mixtures(self) -> tuple[bytes, bytes, int]:
        """Scales and weights of κ_f, and how many there are to a mixture."""
        return self._scales.tobytes(), self.ahead_weights.tobytes(), len(self.forecasts)

    @cached_property
    def ahead_weights(self) -> FloatArray:
        """Probabilities of the scales ahead given binning and noise node [2, N, F]."""
        raw = np.broadcast_to(self.ahead, (2, len(self.noises), len(self.forecasts)))
        weights = np.exp(raw - raw.max(axis=2, keepdims=True))
        probabilities: FloatArray = weights / weights.sum(axis=2, keepdims=True)
        return probabilities


@lru_cache(maxsize=8)
def _mixture_quantiles(scales: bytes, weights: bytes, number: int) -> FloatArray:
    """Quantiles of mixtures of N(0, scale²) where the normal's are 0, _STEP, …, flat, by bisection; priors that pooling
    makes of one another share them."""
    sd, share = (np.frombuffer(values).reshape(-1, 1, number) for values in (scales, weights))
    z = _STEP * np.arange(_STEPS)
    low, high = np.zeros((len(sd), _STEPS)), np.full((len(sd), _STEPS), float(sd.max()) * z[-1])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        more = (share * ndtr(-middle[:, :, None] / sd)).sum(axis=2) > ndtr(-z)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    table: FloatArray = ((low + high) / 2.0).ravel()
    return table


def _ahead(scales: bytes, weights: bytes, number: int, mixture: IntArray, z: FloatArray) -> FloatArray:
    """Quantiles of the mixtures numbered `mixture` where the normal's are z, on straight lines in the table."""
    if number == 1:
        return np.asarray(np.frombuffer(scales).take(mixture) * z)
    at = np.minimum(np.abs(z) / _STEP, _STEPS - 1.001)
    below = at.astype(np.int64)
    start, table = mixture * _STEPS + below, _mixture_quantiles(scales, weights, number)
    low, high = table.take(start), table.take(start + 1)
    return np.asarray(np.copysign(low + (at - below) * (high - low), z))


@lru_cache(maxsize=8)
def _ahead_sequence(scales: bytes, weights: bytes, number: int, draws: int) -> FloatArray:
    """All mixtures' quantiles along the normal sequence of so many draws [mixtures, its length]."""
    mixture = np.arange(len(scales) // (8 * number))[:, None]
    return _ahead(scales, weights, number, mixture, normal_sequence(draws, 1))


def _crossed(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Every pair, the second running fastest."""
    return np.repeat(first, len(second)), np.tile(second, len(first))


def _tilted(x: FloatArray, tilt: FloatArray) -> FloatArray:
    """Σ_j x_j tilt_j [groups, ...]; written out, so that no group's sum depends on how many there are."""
    first, second = (x[:, j].reshape(-1, *(1,) * (tilt.ndim - 1)) for j in range(COVARIATES))
    total: FloatArray = first * tilt[0] + second * tilt[1]
    return total
