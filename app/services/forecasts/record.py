"""What a run's forecasts and the record of earlier ones are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.curves import Posterior
from app.planner.forecasts import INTERVAL_LEVELS, LEAST_WIDTH, overpromised, promising_less, widening
from app.services.computing import Work, computed
from app.services.curves.fits import Fits, Fitted, Scored, State
from app.store import forecasts as store_of_forecasts
from app.store import observations as store
from app.store.models.observations import KeptRecord
from app.store.models.projects import Project

PROBABILITIES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
FEW = 1_000
"""Forecasts that are added up in less time than it takes to read again."""
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


def scored_of(rows: Sequence[Any]) -> Scored:
    """Forecasts, or rows with their numbers."""
    return Scored(
        quantiles=np.array([[row.quantiles[name] for name in NAMES] for row in rows]).reshape(-1, len(NAMES)),
        values=np.array([row.value for row in rows], dtype=np.float64),
        promised=np.array([row.promised or 0.0 for row in rows], dtype=np.float64),
        crps=np.array([row.crps for row in rows], dtype=np.float64),
        wis=np.array([row.wis for row in rows], dtype=np.float64),
    )


def record_of(session: Session, fits: Fits, project: Project) -> ForecastRecord:
    """The project's own record under its present recipe, of the forecasts that are made."""
    state = state_of(session, project)
    kept = store_of_forecasts.kept_record(session, *state)
    if kept is not None:
        return record_from(kept)
    found = scored(session, fits, state)
    if len(found.values) <= FEW:
        return record_of_scored(project, found)
    key = ("record", state, project.metric_goal)
    return computed(session, key, Work(len(found.values), lambda: record_of_scored(project, found)))


def state_of(session: Session, project: Project) -> State:
    """All that the record goes by."""
    last, voided = store_of_forecasts.last_forecast(session, project.id), store.last_voided(session, project.id)
    return State(project.id, project.recipe, last, voided)


def scored(session: Session, fits: Fits, state: State) -> Scored:
    """The scored forecasts of a state, of which only those are read that came since the last call."""
    known = fits.scored.find(state.project_id)
    if known is not None and known[0] == state:
        return known[1]
    grows = known is not None and (known[0].recipe, known[0].voided_version) == (state.recipe, state.voided_version)
    since = known[0].last_forecast_id if known is not None and grows else 0
    found = scored_of(store.record(session, state.project_id, state.recipe, since))
    if known is not None and grows:
        found = known[1].followed_by(found)
    fits.scored.keep(state.project_id, (state, found))
    return found


def to_be_kept(session: Session, fits: Fits, project: Project) -> KeptRecord:
    """The record as a row for those who ask later."""
    said = record_to_json(record_of(session, fits, project))
    return KeptRecord(**state_of(session, project)._asdict(), record=said)


def record_to_json(record: ForecastRecord) -> dict[str, Any]:
    return {**vars(record), "widening": record.widening.tolist()}


def record_from(said: Mapping[str, Any]) -> ForecastRecord:
    """What `record_to_json` said."""
    return ForecastRecord(**{**said, "coverage": tuple(said["coverage"]), "widening": np.array(said["widening"])})


def record_of_scored(project: Project, scored: Scored) -> ForecastRecord:
    if not len(scored.values):
        return ForecastRecord(0, None, None, (None,) * len(INTERVAL_LEVELS), 0.0, np.ones(len(INTERVAL_LEVELS)))
    table, values = scored.quantiles, scored.values
    low, median, high = table[:, [2, 1, 0]], table[:, 3], table[:, [4, 5, 6]]
    covered = (low <= values[:, None]) & (values[:, None] <= high)
    better = 1.0 if project.metric_goal == "maximize" else -1.0
    promised = scored.promised
    far, width = promised > LEAST_WIDTH, np.maximum(high - low, LEAST_WIDTH)[:, -1]
    share = overpromised(promised[far], better * (median - values)[far], width[far])
    # Widths are judged about the centre that is shown.
    moved = better * share * promised
    return ForecastRecord(
        count=len(values),
        crps=float(np.mean(scored.crps)),
        wis=float(np.mean(scored.wis)),
        coverage=tuple(covered.mean(axis=0).tolist()),
        overpromised=share,
        widening=widening(low - moved[:, None], median - moved, high - moved[:, None], values),
    )
