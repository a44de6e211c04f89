"""What orders are worth by another problem's measure, draw by draw, so that answers to varied problems compare."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.relax import with_base


@dataclass(frozen=True)
class Gain:
    """By how much one utility exceeds another over the same draws: mean, 5 % and 95 % quantile, and the share of the
    draws in which it does, ties half."""

    mean: float
    p05: float
    p95: float
    p_better: float

    @classmethod
    def of(cls, utility: FloatArray, other: FloatArray) -> "Gain":
        """`utility` over `other`, both [draws]."""
        gain = utility - other
        p05, p95 = np.quantile(gain, (0.05, 0.95))
        better = float(((gain > 0.0) + 0.5 * (gain == 0.0)).mean())
        return cls(mean=float(gain.mean()), p05=float(p05), p95=float(p95), p_better=better)


@dataclass(frozen=True)
class UtilityMeasure:
    """A problem's objective, weights and targets as a measure of other problems of the same groups.

    base [vectors]: regret's best values V*, those of this problem throughout.
    """

    problem: Problem
    base: FloatArray

    @classmethod
    def of(cls, problem: Problem) -> "UtilityMeasure":
        """The measure that the problem is solved by."""
        return cls(problem, with_base(Canonical.of(problem)).utility.base)

    def draws(self, problem: Problem, orders: Mapping[str, int]) -> FloatArray:
        """U [draws] once `orders` of the sources of `problem` have come, on the curves of `problem`."""
        form = Canonical.of(replace(self.problem, posterior=problem.posterior, sources=problem.sources, limits=()))
        form = replace(form, utility=form.utility.with_base(self.base))
        ordered = np.array([orders.get(source.key, 0) for source in form.sources], dtype=np.float64)
        counts = form.held + form.market.added(ordered)
        return form.values.moved(counts).draws(counts)
