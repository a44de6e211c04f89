"""Jobs as users see them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from app.store.models import Job
from app.store.simulation_models import Simulation


def job_by_id(session: Session, job_id: UUID, lock: bool = False) -> Job | None:
    query = select(Job).where(Job.id == job_id)
    return session.scalar(query.with_for_update() if lock else query)


def jobs_page(
    session: Session,
    workspace_id: UUID,
    only: Collection[str] | None,
    project_id: UUID | None,
    state: str | None,
    after: str | None,
    limit: int,
) -> Sequence[Job]:
    """Newest first; `only` are the ids of the projects a key is limited to."""
    query: Select[Job] = select(Job).where(Job.workspace_id == workspace_id)
    if only is not None:
        query = query.where(Job.project_id.in_([UUID(project) for project in only]))
    if project_id is not None:
        query = query.where(Job.project_id == project_id)
    if state is not None:
        query = query.where(Job.state == state)
    if after is not None:
        query = query.where(Job.id < UUID(after))
    return session.scalars(query.order_by(Job.id.desc()).limit(limit)).all()


def forget_jobs_ended_before(session: Session, instant: datetime) -> None:
    """A simulation's job stays: it says what became of it."""
    kept = select(Simulation.job_id)
    session.execute(delete(Job).where(Job.ended_at < instant, Job.id.not_in(kept)))
