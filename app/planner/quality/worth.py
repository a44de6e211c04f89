"""What is believed of a source's quality: stated, stated with doubt, or learned, on one grid (method.md 6, "Quality").

The grid runs from samples that harm the group they are of (below 0) to ones better than what is called clean (above 1).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from app.planner.arrays import FloatArray

STEP = 0.025
QUALITIES = np.linspace(-0.3, 1.5, 73)
"""Clean samples that one of the source may be worth."""

UNKNOWN_MEAN, UNKNOWN_SD = 0.7, 0.4
"""The normal law of a quality of which nothing is said."""

Z90 = 1.6448536269514722
"""Half the width of a normal law's 90 % interval, in its sds."""


@dataclass(frozen=True)
class Worth:
    """What is said of a quality: a normal law on the grid; sd 0: exactly `mean`, wherever it lies."""

    mean: float = UNKNOWN_MEAN
    sd: float = UNKNOWN_SD

    @classmethod
    def between(cls, p05: float, p95: float) -> "Worth":
        """With the 90 % interval from p05 to p95 ≥ p05."""
        return cls((p05 + p95) / 2.0, (p95 - p05) / (2.0 * Z90))

    @property
    def is_exact(self) -> bool:
        return self.sd == 0.0

    @cached_property
    def log_density(self) -> FloatArray:
        """On the grid, up to a constant [qualities]."""
        return np.asarray(-0.5 * ((QUALITIES - self.mean) / self.sd) ** 2)


@dataclass(frozen=True)
class Quality:
    """A source's quality over `values` [values], ascending, with `weights` that sum to 1; one value where it is exact.

    runs: how many said something of it.
    """

    values: FloatArray
    weights: FloatArray
    runs: int = 0

    @classmethod
    @lru_cache(maxsize=1024)
    def exact(cls, value: float) -> "Quality":
        """Known for sure; most sources are alike."""
        return cls(np.array([value]), np.ones(1))

    @classmethod
    def of(cls, worth: Worth, log_evidence: FloatArray | None = None, runs: int = 0) -> "Quality":
        """The posterior by the evidence at the grid's qualities [qualities]; None: what was said is all there is."""
        if worth.is_exact:
            return cls.exact(worth.mean)
        log = worth.log_density if log_evidence is None else worth.log_density + log_evidence
        weights = np.exp(log - log.max())
        return cls(QUALITIES, weights / weights.sum(), runs)

    @property
    def is_exact(self) -> bool:
        return len(self.values) == 1

    @property
    def mean(self) -> float:
        if self.is_exact:
            return float(self.values[0])
        return float(self.weights @ self.values)

    @property
    def variance(self) -> float:
        return float(self.weights @ (self.values - self.mean) ** 2)

    @property
    def p05(self) -> float:
        return self.quantile(0.05)

    @property
    def p95(self) -> float:
        return self.quantile(0.95)

    def quantile(self, level: float) -> float:
        """Each value's weight is spread evenly over the step that it is the middle of."""
        if self.is_exact:
            return float(self.values[0])
        ends = np.append(self.values - STEP / 2.0, self.values[-1] + STEP / 2.0)
        return float(np.interp(level, np.append(0.0, np.cumsum(self.weights)), ends))

    def worst(self, share: float) -> float:
        """The mean of the worst `share` (above 0, up to 1) of it."""
        if share >= 1.0 or self.is_exact:
            return self.mean
        kept = np.diff(np.minimum(np.append(0.0, np.cumsum(self.weights)), share))
        return float(kept @ self.values / kept.sum())
