"""Who else judges a plan: stakeholders with objectives and weights of their own (method.md 5)."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.utility.objective import Objective, ObjectiveError, WeightVector


@dataclass(frozen=True)
class Stakeholder:
    """One that judges a plan by `objective`. weights [groups, in the order of the problem's], not all 0; None: the
    problem's own.
    """

    name: str
    objective: Objective
    weights: WeightVector | None = None

    def __post_init__(self) -> None:
        """Raises ObjectiveError where the objective is a compromise itself."""
        if self.objective.kind == "compromise":
            raise ObjectiveError(f"{self.name} cannot want a compromise; name an objective of its own")

    def weighing(self, weights: FloatArray) -> FloatArray:
        """Its weights [groups], or the problem's."""
        return weights if self.weights is None else np.array(self.weights, dtype=np.float64)
