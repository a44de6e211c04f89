"""The forecast ledger: what was forecast of each run before it was posted, and how that fared."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.http.etags import forecasts_tag
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, reads
from app.api.observations.curves import Quantiles
from app.services.forecasts.record import NAMES, ForecastRecord, record_of
from app.services.projects.changes import get_member
from app.store.forecasts import runs_due
from app.store.models.observations import Forecast
from app.store.models.projects import Group
from app.store.observations import listed_forecasts

router = APIRouter(prefix="/v1/projects/{project_id}/forecasts", tags=["forecasts"], route_class=Route)


class ByLevel(Answer):
    """A number for each central interval: 50 %, 80 % and 90 %."""

    level_50: float | None
    level_80: float | None
    level_90: float | None


class RecordOut(Answer):
    """How the project's forecasts fared under its present recipe: mean scores, the share of runs that fell into each
    interval, the share of the gains promised beyond the sizes measured that was overpromised, by which curves promise
    less since (below 0: more; 0 until 20 such forecasts are scored), and the factors by which bands are widened (1
    until 20 forecasts are scored)."""

    count: int
    crps: float | None
    wis: float | None
    coverage: ByLevel
    overpromised: float
    widening: ByLevel


class ForecastOut(Quantiles):
    """What the posterior from before a run said that it would measure, and what it did: quantiles in the metric's own
    units, the continuous ranked probability score and the weighted interval score (less is better)."""

    observation: UUID
    group: str
    count: int
    value: float
    crps: float
    wis: float
    created_at: datetime


class ForecastsOut(Page[ForecastOut]):
    """`due`: so many runs were posted whose forecasts are still to be made; the worker makes them, as their posts came
    in. `record` goes by those that are made."""

    record: RecordOut
    due: int


def forecast_shape(scored: tuple[Forecast, str]) -> ForecastOut:
    row, group = scored
    quantiles = {name: row.quantiles[name] for name in NAMES}
    return ForecastOut.of(row, observation=row.observation_id, group=group, **quantiles)


def record_shape(record: ForecastRecord) -> RecordOut:
    widening = by_level(tuple(record.widening.tolist()))
    return RecordOut.of(record, coverage=by_level(record.coverage), widening=widening)


def by_level(numbers: tuple[float | None, ...]) -> ByLevel:
    level_50, level_80, level_90 = numbers
    return ByLevel(level_50=level_50, level_80=level_80, level_90=level_90)


@router.get("", summary="Read how past forecasts fared")
def list_forecasts(
    project_id: str,
    call: Annotated[Call, reads("read")],
    group: Annotated[str | None, Query(max_length=200, description="Only this group's")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ForecastsOut:
    """Each run of a group measured before is forecast from the runs before it and scored, by the worker, soon after it
    was posted. Runs of one request are forecast from the requests before."""
    project = call.project(project_id)
    only = None if group is None else get_member(call.session, project, Group, group).id
    call.unless_matched(forecasts_tag(project))
    found = page(call, cursor, limit, listed_forecasts(call.session, project.id, only), forecast_shape)
    record = record_shape(record_of(call.session, call.runtime.fits, project))
    due = runs_due(call.session, project.id) if project.forecasts_due else 0
    return ForecastsOut(items=found.items, next_cursor=found.next_cursor, record=record, due=due)
