"""How good forecasts are: absolute error, CRPS, coverage."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray

INTERVALS = (0.5, 0.8, 0.9)


def crps(draws: FloatArray, truth: FloatArray) -> FloatArray:
    """Continuous ranked probability score of each forecast; draws [n, draws], truth [n]."""
    ordered = np.sort(draws, axis=1)
    k = ordered.shape[1]
    spread = ((2.0 * np.arange(1, k + 1) - k - 1.0) * ordered).sum(axis=1) / k**2
    return np.asarray(np.abs(ordered - truth[:, None]).mean(axis=1) - spread)


def coverage(draws: FloatArray, truth: FloatArray) -> list[float]:
    """Share of truths inside the central INTERVALS of their draws."""
    found = []
    for share in INTERVALS:
        low, high = np.quantile(draws, [(1.0 - share) / 2.0, (1.0 + share) / 2.0], axis=1)
        found.append(float(((truth >= low) & (truth <= high)).mean()))
    return found


@dataclass(frozen=True)
class Forecasts:
    """Draws of the curve and of the predictive law, and what came [n, draws], [n]."""

    curve: FloatArray
    band: FloatArray
    truth: FloatArray

    def select(self, keep: np.ndarray) -> "Forecasts":
        return Forecasts(self.curve[keep], self.band[keep], self.truth[keep])

    def row(self) -> dict[str, float]:
        """Number, mean absolute error of the median, CRPS, coverages."""
        error = np.abs(np.median(self.curve, axis=1) - self.truth).mean()
        covered = {f"cover{round(100 * s)}": c for s, c in zip(INTERVALS, coverage(self.band, self.truth), strict=True)}
        return {"n": len(self.truth), "mae": float(error), "crps": float(crps(self.band, self.truth).mean()), **covered}


def table(rows: list[dict[str, object]]) -> str:
    """Rows of equal keys as a Markdown table."""
    keys = list(rows[0])
    lines = [" | ".join(keys), " | ".join("---" for _ in keys)]
    cells = ([f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows)
    lines += [" | ".join(row) for row in cells]
    return "\n".join(f"| {line} |" for line in lines)
