"""Requests of runs whose forecasts are still to be made."""

from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from app.store.models.observations import ForecastTask, Observation


def add(session: Session, project_id: UUID, data_version: int, basis: bytes | None) -> None:
    session.add(ForecastTask(project_id=project_id, data_version=data_version, basis=basis))


def is_due(session: Session, project_id: UUID, data_version: int) -> bool:
    query = exists().where(ForecastTask.project_id == project_id, ForecastTask.data_version == data_version)
    return bool(session.scalar(select(query)))


def due(session: Session, project_id: UUID) -> list[tuple[int, bytes | None]]:
    """Data versions in their order, each with its basis, None where it is the one before's."""
    query = select(ForecastTask.data_version, ForecastTask.basis).where(ForecastTask.project_id == project_id)
    return [(version, basis) for version, basis in session.execute(query.order_by(ForecastTask.data_version))]


def runs_due(session: Session, project_id: UUID) -> int:
    """How many runs the requests that are due have brought."""
    first = select(func.min(ForecastTask.data_version)).where(ForecastTask.project_id == project_id).scalar_subquery()
    query = select(func.count()).where(Observation.project_id == project_id, Observation.data_version >= first)
    return session.execute(query).scalar_one()


def done(session: Session, project_id: UUID, data_version: int) -> bool:
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
