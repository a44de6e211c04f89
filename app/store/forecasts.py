"""Forecasts that are still to be made, and what jobs have fitted and added up, kept for all processes."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from app.store.models.observations import Forecast, ForecastTask, KeptFit, KeptRecord, Observation


def add_task(session: Session, project_id: UUID, data_version: int, basis: bytes | None) -> None:
    session.add(ForecastTask(project_id=project_id, data_version=data_version, basis=basis))


def is_due(session: Session, project_id: UUID, data_version: int) -> bool:
    query = exists().where(ForecastTask.project_id == project_id, ForecastTask.data_version == data_version)
    return bool(session.scalar(select(query)))


def tasks_due(session: Session, project_id: UUID) -> list[tuple[int, bytes | None]]:
    """Data versions in their order, each with its basis, None where it is the one before's."""
    query = select(ForecastTask.data_version, ForecastTask.basis).where(ForecastTask.project_id == project_id)
    return [(version, basis) for version, basis in session.execute(query.order_by(ForecastTask.data_version))]


def runs_due(session: Session, project_id: UUID) -> int:
    """How many runs the requests that are due have brought."""
    first = select(func.min(ForecastTask.data_version)).where(ForecastTask.project_id == project_id).scalar_subquery()
    query = select(func.count()).where(Observation.project_id == project_id, Observation.data_version >= first)
    return session.execute(query).scalar_one()


def task_done(session: Session, project_id: UUID, data_version: int) -> bool:
    """Take a request off the list, its basis going to the next one if that has none; False where it is off already."""
    mine = (ForecastTask.project_id == project_id) & (ForecastTask.data_version == data_version)
    found = session.execute(select(ForecastTask.basis).where(mine)).one_or_none()
    if found is None:
        return False
    if found.basis is not None:
        following = select(func.min(ForecastTask.data_version)).where(
            ForecastTask.project_id == project_id, ForecastTask.data_version > data_version
        )
        session.execute(
            update(ForecastTask)
            .where(
                ForecastTask.project_id == project_id,
                ForecastTask.data_version == following.scalar_subquery(),
                ForecastTask.basis.is_(None),
            )
            .values(basis=found.basis)
        )
    session.execute(delete(ForecastTask).where(mine))
    return True


def kept_fit(session: Session, project_id: UUID, data_version: int, stamp: str) -> bytes | None:
    """The content of the fit at just this data version, by just this code."""
    query = select(KeptFit.content).where(
        KeptFit.project_id == project_id, KeptFit.data_version == data_version, KeptFit.stamp == stamp
    )
    return session.scalar(query)


def keep_fit(session: Session, project_id: UUID, data_version: int, stamp: str, content: bytes) -> None:
    session.merge(KeptFit(project_id=project_id, data_version=data_version, stamp=stamp, content=content))
    session.flush()


def last_forecast(session: Session, project_id: UUID) -> int:
    """The number of the project's newest forecast; 0 for none."""
    return session.scalar(select(func.max(Forecast.id)).where(Forecast.project_id == project_id)) or 0


def kept_record(
    session: Session, project_id: UUID, recipe: str, last_forecast_id: int, voided_version: int
) -> dict[str, Any] | None:
    """How the forecasts fared, where it was added up to just these."""
    query = select(KeptRecord.record).where(
        KeptRecord.project_id == project_id,
        KeptRecord.recipe == recipe,
        KeptRecord.last_forecast_id == last_forecast_id,
        KeptRecord.voided_version == voided_version,
    )
    return session.scalar(query)


def keep_record(session: Session, row: KeptRecord) -> None:
    """In the place of an older one."""
    session.merge(row)
    session.flush()
