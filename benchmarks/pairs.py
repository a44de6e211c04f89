"""Two sides measured in turns, round by round, so that both meet the same machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from app.planner.simulation.paired import Estimate

Side = TypeVar("Side")


@dataclass(frozen=True)
class Ratio:
    """ratio: of the medians; low, high: within one paired standard error of it (nan for a single round)."""

    ratio: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Ratio":
        """ours, theirs [rounds]: positive, of the same rounds. The error is that of the mean of the rounds' log
        ratios: what slows a whole round down cancels."""
        logs = np.log(np.asarray(ours, float)) - np.log(np.asarray(theirs, float))
        ratio, error = float(np.median(ours) / np.median(theirs)), Estimate.of(logs).se
        return cls(ratio, float(ratio * np.exp(-error)), float(ratio * np.exp(error)))

    def __str__(self) -> str:
        return f"{self.ratio:.3g} ({self.low:.3g} to {self.high:.3g})"


def turns(sides: Sequence[Side], number: int) -> list[Side]:
    """The sides in the order of round `number`: who begins changes, so that it favours none."""
    at = number % len(sides)
    return [*sides[at:], *sides[:at]]
