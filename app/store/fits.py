"""What jobs have fitted and added up, kept for all processes."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.models.observations import Forecast, KeptFit, KeptRecord


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
