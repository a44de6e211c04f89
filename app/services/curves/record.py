"""What a run's forecasts and the record of earlier ones are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.curves import Posterior
from app.planner.forecasts import INTERVAL_LEVELS, LEAST_WIDTH, overpromised, promising_less, widening
from app.services.curves.fits import Fitted
from app.store import observations as store
from app.store.models.observations import Forecast
from app.store.models.projects import Project

PROBABILITIES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = tuple(f"p{round(100 * p):02d}" for p in PROBABILITIES)


@dataclass(frozen=True)
class ForecastRecord:
    """How the past forecasts fared: their number, mean scores, share covered per level, the share of promised gains
    that did not come, and the factors by which bands are widened since (0 and all 1 until enough are scored)."""

    count: int
    crps: float | None
    wis: float | None
    coverage: tuple[float | None, ...]
    overpromised: float
    widening: FloatArray

    def curves(self, fitted: Fitted) -> Posterior:
        """The curves as the record says they should be: of what they promise beyond the sizes measured, less what
        was overpromised."""
        points, assumed = fitted.observations.points, fitted.observations.assumed
        measured = [curve is None and len(one.counts) > 0 for one, curve in zip(points, assumed, strict=True)]
        return promising_less(
            fitted.posterior, fitted.observations.held, np.array(measured, np.bool_), self.overpromised
        )


def record_of(session: Session, project: Project) -> ForecastRecord:
    """The project's own record under its present recipe."""
    rows = store.record(session, project.id, project.recipe)
    if not rows:
        return ForecastRecord(0, None, None, (None,) * len(INTERVAL_LEVELS), 0.0, np.ones(len(INTERVAL_LEVELS)))
    low, median, high, values = arrays_of(rows)
    covered = (low <= values[:, None]) & (values[:, None] <= high)
    better = 1.0 if project.metric_goal == "maximize" else -1.0
    promised = np.array([row.promised or 0.0 for row in rows])
    far, width = promised > LEAST_WIDTH, np.maximum(high - low, LEAST_WIDTH)[:, -1]
    share = overpromised(promised[far], better * (median - values)[far], width[far])
    # Widths are judged about the centre that is shown.
    moved = better * share * promised
    return ForecastRecord(
        count=len(rows),
        crps=float(np.mean([row.crps for row in rows])),
        wis=float(np.mean([row.wis for row in rows])),
        coverage=tuple(covered.mean(axis=0).tolist()),
        overpromised=share,
        widening=widening(low - moved[:, None], median - moved, high - moved[:, None], values),
    )


def arrays_of(rows: Sequence[Forecast]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Lower ends [forecasts, levels], medians, upper ends, values, the levels as in `scoring.INTERVAL_LEVELS`."""
    table = np.array([[row.quantiles[name] for name in NAMES] for row in rows])
    return table[:, [2, 1, 0]], table[:, 3], table[:, [4, 5, 6]], np.array([row.value for row in rows])
