"""What orders are worth by another problem's measure, draw by draw, so that answers to varied problems compare."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.problem import Problem
from app.planner.task import Task


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


def worth_by(measure: Problem, problem: Problem, orders: Mapping[str, int]) -> FloatArray:
    """U of `measure` [draws] once `orders` of the sources of `problem` have come, on the curves of `problem`.

    The two have the same groups; `measure` lends its objective, weights and targets.
    """
    task = Task.of(replace(measure, posterior=problem.posterior, sources=problem.sources, limits=()))
    ordered = np.array([orders.get(source.key, 0) for source in task.sources], dtype=np.float64)
    return task.utility.draws(task.held + task.market.added(ordered))
