"""The metric's own units, and losses for which lower is better (method.md 1)."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray


class MetricError(ValueError):
    """The metric's goal and bounds do not fit together."""


@dataclass(frozen=True)
class Metric:
    """How a group's performance is measured; an absent bound is None.

    `maximize` needs `upper`: loss = upper − value. `minimize` needs `lower`: loss = value − lower.
    """

    goal: Literal["maximize", "minimize"]
    lower: float | None
    upper: float | None

    def __post_init__(self) -> None:
        """Raises MetricError where the goal is unknown or its bound is missing or wrong."""
        if self.goal not in ("maximize", "minimize"):
            raise MetricError(f"the metric's goal is {self.goal!r}; it must be 'maximize' or 'minimize'")
        needed = "upper" if self.goal == "maximize" else "lower"
        if getattr(self, needed) is None:
            raise MetricError(f"a metric to {self.goal} needs its {needed} bound")
        if not all(bound is None or isfinite(bound) for bound in (self.lower, self.upper)):
            raise MetricError("the metric's bounds must be finite; leave an open one out")
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise MetricError(f"the metric's lower bound {self.lower} must lie below its upper bound {self.upper}")

    @property
    def span(self) -> float | None:
        """upper − lower, or None where a bound is open."""
        if self.lower is None or self.upper is None:
            return None
        return self.upper - self.lower

    def to_loss(self, values: FloatArray) -> FloatArray:
        """Metric values of any shape as losses; nan stays nan."""
        return self._turn(values)

    def to_metric(self, losses: FloatArray) -> FloatArray:
        """Losses of any shape in the metric's own units, never beyond its bounds; nan stays nan."""
        return self.within(self._turn(losses, back=True))

    def within(self, values: FloatArray) -> FloatArray:
        """Metric values of any shape, never beyond the bounds."""
        return np.clip(values, self.lower, self.upper)

    def _turn(self, numbers: FloatArray, back: bool = False) -> FloatArray:
        numbers = np.asarray(numbers, dtype=np.float64)
        if self.upper is not None and self.goal == "maximize":
            return self.upper - numbers
        lower = self.lower or 0.0
        return numbers + lower if back else numbers - lower
