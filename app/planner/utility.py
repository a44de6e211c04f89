"""What a set of counts is worth (planner.md 3).

Notation, arrays [groups] unless said otherwise: n counts, w weights summing to 1, ℓ = max(f(n), 0) / unit the loss on
the common scale [groups, draws] (unit: the metric's span, or the reference loss where a bound is open), m the benefit,
1 − ℓ or, with an open bound, −ℓ. V(n) = E φ(m) is a group's value, V'(n) its slope; U = Σ w V, for maximin min V.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.objective import Objective
from app.planner.posterior import Posterior

LEAST_BENEFIT = 1e-3
"""m₀: φ is continued by its tangent below it, and beyond the loss 1/m₀ where the bound is open."""


@dataclass(frozen=True)
class Terms:
    """V and V' at some counts, equal shapes."""

    value: FloatArray
    slope: FloatArray


@dataclass(frozen=True)
class Utility:
    """U over the posterior's draws. weights sum to 1; unit > 0; bounded: both of the metric's bounds are given."""

    objective: Objective
    weights: FloatArray
    unit: FloatArray
    bounded: bool
    posterior: Posterior

    @property
    def is_level(self) -> bool:
        """Whether U is the least value instead of the weighted sum."""
        return self.objective.kind == "maximin"

    @cached_property
    def counted(self) -> BoolArray:
        """The groups U depends on [groups]."""
        return self.weights > 0

    @cached_property
    def emphasis(self) -> FloatArray:
        """What a group's value counts for at the margin: its weight, or 1 for every counted group of maximin."""
        return self.counted.astype(np.float64) if self.is_level else self.weights

    def terms(self, counts: FloatArray) -> Terms:
        """V and V' at counts [groups] or [groups, sizes]."""
        loss, slope = self.posterior.loss_and_slope(counts)
        fall = np.where(loss > 0.0, -slope, 0.0)
        scaled, unit = self._scaled(loss)
        value, worth = self._phi(scaled)
        return Terms(value.mean(axis=-1), (worth * fall).mean(axis=-1) / unit)

    def total(self, value: FloatArray) -> float:
        """U from the groups' values."""
        if self.is_level:
            return float(value[self.counted].min())
        return float((self.weights * value).sum())

    def at(self, counts: FloatArray) -> float:
        """U at counts [groups]."""
        return self.total(self.terms(counts).value)

    def draws(self, counts: FloatArray) -> FloatArray:
        """U in every draw [draws]; for maximin the benefit of the group that is worst in expectation."""
        value, _ = self._phi(self._scaled(self.posterior.loss(counts))[0])
        if not self.is_level:
            return np.asarray((self.weights[:, None] * value).sum(axis=0))
        worst = int(np.argmin(np.where(self.counted, value.mean(axis=1), np.inf)))
        return np.asarray(value[worst])

    def select(self, indices: IntArray) -> "Utility":
        """The same utility's terms for the groups at `indices` alone."""
        posterior = self.posterior.select(indices)
        return replace(self, weights=self.weights[indices], unit=self.unit[indices], posterior=posterior)

    def _scaled(self, loss: FloatArray) -> tuple[FloatArray, FloatArray]:
        unit = self.unit if loss.ndim == 2 else self.unit[:, None]
        return np.maximum(loss, 0.0) / unit[..., None], unit

    def _phi(self, scaled: FloatArray) -> tuple[FloatArray, FloatArray]:
        """φ and −dφ/dℓ at ℓ, elementwise; both continued by the tangent beyond the trusted range."""
        aversion = 0.0 if self.objective.kind != "isoelastic" else self.objective.aversion
        if aversion == 0.0:
            # φ(m) = m is shifted to m − 1 by the isoelastic form.
            shift = 1.0 if self.bounded and self.objective.kind != "isoelastic" else 0.0
            return shift - scaled, np.ones_like(scaled)
        limit = 1.0 - LEAST_BENEFIT if self.bounded else 1.0 / LEAST_BENEFIT
        inside = np.minimum(scaled, limit)
        value, worth = (_prioritarian if self.bounded else _power)(inside, aversion)
        return value - worth * (scaled - inside), worth


def _prioritarian(scaled: FloatArray, aversion: float) -> tuple[FloatArray, FloatArray]:
    """φ(m) = (m^(1−ε) − 1)/(1−ε), log m at ε = 1, and φ'(m), at m = 1 − ℓ."""
    log = np.log1p(-scaled)
    power = 1.0 - aversion
    value = log if power == 0.0 else np.expm1(power * log) / power
    return value, np.exp(-aversion * log)


def _power(scaled: FloatArray, aversion: float) -> tuple[FloatArray, FloatArray]:
    """−ℓ^(1+ε)/(1+ε) and ℓ^ε."""
    worth = scaled**aversion
    return -worth * scaled / (1.0 + aversion), worth
