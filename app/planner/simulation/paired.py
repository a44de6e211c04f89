"""How players compare: paired over the worlds that all of them met (simulations.md)."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.simulation.game import GameResult


@dataclass(frozen=True)
class Estimate:
    """A mean over worlds with its standard error; the error is nan for a single world."""

    mean: float
    se: float

    @classmethod
    def of(cls, values: FloatArray) -> "Estimate":
        """values [worlds]."""
        count = len(values)
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan"))


def difference(one: GameResult, other: GameResult) -> Estimate:
    """Final utility of `one` less that of `other`, paired."""
    return Estimate.of(one.final - other.final)


def chance_better(one: GameResult, other: GameResult) -> float:
    """Share of the worlds in which `one` ends with a higher utility than `other`, ties half."""
    return float(np.mean((one.final > other.final) + 0.5 * (one.final == other.final)))


def regret(one: GameResult, oracle: GameResult) -> float:
    """Σ (U_oracle − U) / Σ (U_oracle − U_start) over the worlds; 0 is the oracle's, 1 buying nothing."""
    gain = float((oracle.final - oracle.utility[:, 0]).sum())
    return float((oracle.final - one.final).sum()) / gain if gain > 0.0 else float("nan")


def money_per_benefit(one: GameResult) -> float:
    """Money, in millionths, per unit of the weighted mean benefit gained, over all worlds; inf where nothing was."""
    gained = float((one.benefit[:, -1] - one.benefit[:, 0]).sum())
    return float(one.spent.sum()) / gained if gained > 0.0 else float("inf")
