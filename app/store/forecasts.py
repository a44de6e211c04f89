"""The forecast ledger: written when a run is posted, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.models import Forecast, Group, Observation


@dataclass(frozen=True)
class ScoredForecast:
    """A forecast with the key of its group."""

    forecast: Forecast
    group: str


def forecasts_page(
    session: Session, project_id: UUID, group_id: int | None, after: int | None, limit: int
) -> Sequence[ScoredForecast]:
    query = select(Forecast, Group.key).join(Group, Group.id == Forecast.group_id)
    query = query.where(Forecast.project_id == project_id)
    if group_id is not None:
        query = query.where(Forecast.group_id == group_id)
    if after is not None:
        query = query.where(Forecast.id > after)
    rows = session.execute(query.order_by(Forecast.id).limit(limit))
    return [ScoredForecast(forecast, key) for forecast, key in rows]


def record(session: Session, project_id: UUID, recipe: str) -> Sequence[Forecast]:
    """The scored forecasts of the recipe's runs that are not voided, in the order they were made."""
    query = (
        select(Forecast)
        .join(Observation, Observation.id == Forecast.observation_id)
        .where(Forecast.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None))
    )
    return session.scalars(query.order_by(Forecast.id)).all()
