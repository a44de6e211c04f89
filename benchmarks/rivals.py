"""Bounded least-squares fits the engine is compared with: SciPy's curve_fit, one curve at a time."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from app.planner.arrays import FloatArray

Family = Callable[..., FloatArray]


@dataclass(frozen=True)
class Rival:
    """A family in r = n / n_max, its parameters' bounds, and starts made from the last and first loss."""

    family: Family
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    starts: Callable[[float, float], list[tuple[float, ...]]]

    def with_starts(self, number: int) -> "Rival":
        """The same with the first so many starts alone."""
        return replace(self, starts=lambda last, first: self.starts(last, first)[:number])

    def fit(self, counts: FloatArray, losses: FloatArray) -> FloatArray:
        """The best parameters over the starts; the last loss carried on where no start converges."""
        last, first = max(float(losses[-1]), 1e-6), max(float(losses[0]), 1e-6)
        best, least = np.array([]), np.inf
        for start in self.starts(last, first):
            inside = np.clip(start, np.array(self.lower) + 1e-9, np.array(self.upper) - 1e-9)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", OptimizeWarning)
                    found, _ = curve_fit(
                        self.family, counts / counts[-1], losses, inside, bounds=(self.lower, self.upper), max_nfev=2000
                    )
            except RuntimeError:
                continue
            error = float(((self.family(counts / counts[-1], *found) - losses) ** 2).sum())
            if error < least:
                best, least = found, error
        return best

    def predict(self, counts: FloatArray, losses: FloatArray, at: float) -> float:
        parameters = self.fit(counts, losses)
        return float(self.family(at / counts[-1], *parameters)) if len(parameters) else float(losses[-1])


def _power3(r: FloatArray, a: float, b: float, c: float) -> FloatArray:
    return a + b * r**-c


def _power4(r: FloatArray, a: float, b: float, c: float, d: float) -> FloatArray:
    return a + b * ((r + d) / (1.0 + d)) ** -c


def _mmf(r: FloatArray, a: float, b: float, c: float, d: float) -> FloatArray:
    """Morgan, Mercer and Flodin: from d at 0 to a at infinity."""
    return (a * r**c + b * d) / (r**c + b)


SPLITS = ((0.5, 0.5), (0.1, 0.25), (0.9, 1.0))
"""Starts: the floor's share of the last loss, and the exponent. Squares of power laws have several valleys."""

RIVALS = {
    "power law, 3 parameters": Rival(
        _power3,
        (0, 0, 0.01),
        (1, 10, 5),
        lambda last, _: [(last * share, last * (1 - share), c) for share, c in SPLITS],
    ),
    "power law, 4 parameters": Rival(
        _power4,
        (0, 0, 0.01, 0),
        (1, 10, 5, 10),
        lambda last, _: [(last * share, last * (1 - share), c, 0.1) for share, c in SPLITS],
    ),
    "MMF": Rival(
        _mmf, (0, 1e-6, 0.01, 0), (1, 1e3, 5, 2), lambda last, first: [(last / 2, 0.5, 1.0, min(first * 1.5, 1.9))]
    ),
}
