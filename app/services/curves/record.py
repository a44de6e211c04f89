"""What a run's forecasts and the record of earlier ones are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.forecasts import INTERVAL_LEVELS, widening
from app.store import observations as store
from app.store.models.observations import Forecast
from app.store.models.projects import Project

PROBABILITIES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = tuple(f"p{round(100 * p):02d}" for p in PROBABILITIES)


@dataclass(frozen=True)
class ForecastRecord:
    """How the past forecasts fared: their number, mean scores, share covered per level, and the factors by which
    bands are widened since (all 1 until enough are scored)."""

    count: int
    crps: float | None
    wis: float | None
    coverage: tuple[float | None, ...]
    widening: FloatArray


def record_of(session: Session, project: Project) -> ForecastRecord:
    """The project's own record under its present recipe."""
    rows = store.record(session, project.id, project.recipe)
    if not rows:
        return ForecastRecord(0, None, None, (None,) * len(INTERVAL_LEVELS), np.ones(len(INTERVAL_LEVELS)))
    low, median, high, values = arrays_of(rows)
    covered = (low <= values[:, None]) & (values[:, None] <= high)
    return ForecastRecord(
        count=len(rows),
        crps=float(np.mean([row.crps for row in rows])),
        wis=float(np.mean([row.wis for row in rows])),
        coverage=tuple(covered.mean(axis=0).tolist()),
        widening=widening(low, median, high, values),
    )


def arrays_of(rows: Sequence[Forecast]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Lower ends [forecasts, levels], medians, upper ends, values, the levels as in `scoring.INTERVAL_LEVELS`."""
    table = np.array([[row.quantiles[name] for name in NAMES] for row in rows])
    return table[:, [2, 1, 0]], table[:, 3], table[:, [4, 5, 6]], np.array([row.value for row in rows])
