"""Jobs as users see them."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, select, text, update
from sqlalchemy.orm import Session

from app.store.models.jobs import Job, KeptPlan, PlanWatch, Recovery, Worker
from app.store.reading import Listing

# Asked for by every post: made once.
BY_ID = select(Job).where(Job.id == bindparam("job"))
TO_BE_CHANGED = BY_ID.with_for_update()
WATCH = select(PlanWatch).where(PlanWatch.project_id == bindparam("project")).with_for_update()


def job_by_id(session: Session, job_id: UUID, lock: bool = False) -> Job | None:
    return session.scalar(TO_BE_CHANGED if lock else BY_ID, {"job": job_id})


def listed_jobs(
    session: Session,
    workspace_id: UUID,
    only: Collection[str] | None,
    project_id: UUID | None,
    state: str | None,
) -> Listing[Job]:
    """Newest first; `only` are the ids of the projects a key is limited to."""
    query: Select[Job] = select(Job).where(Job.workspace_id == workspace_id)
    if only is not None:
        query = query.where(Job.project_id.in_([UUID(project) for project in only]))
    if project_id is not None:
        query = query.where(Job.project_id == project_id)
    if state is not None:
        query = query.where(Job.state == state)
    return Listing(session, query, Job.id, newest_first=True)


def count_under_way(session: Session, workspace_id: UUID, kind: str) -> int:
    """The workspace's jobs of the kind that wait or run."""
    query = select(func.count()).where(Job.workspace_id == workspace_id, Job.kind == kind, Job.ended_at.is_(None))
    return session.execute(query).scalar_one()


def plan_watch(session: Session, project_id: UUID) -> PlanWatch | None:
    """Locked until this transaction ends."""
    return session.scalar(WATCH, {"project": project_id})


def kept_plan(session: Session, project_id: UUID) -> KeptPlan | None:
    return session.get(KeptPlan, project_id)


def keep_plan(session: Session, project_id: UUID, key: str, answer: dict[str, Any]) -> None:
    session.merge(KeptPlan(project_id=project_id, key=key, answer=answer))
    session.flush()


def is_under_way(session: Session, project_id: UUID, kind: str) -> bool:
    """Whether a job of the kind waits or runs for the project."""
    query = select(Job.id).where(Job.project_id == project_id, Job.kind == kind, Job.ended_at.is_(None)).limit(1)
    return session.scalar(query) is not None


def shared_now(session: Session) -> datetime:
    """The time by the one clock that all workers share: the server's, or the host's of an SQLite file."""
    if session.get_bind().dialect.name != "postgresql":
        return datetime.now(UTC)
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def seat_one_by_one(session: Session) -> None:
    """Workers that look for a seat wait for each other until this transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE"))


def worker_by_id(session: Session, worker_id: str) -> Worker | None:
    return session.get(Worker, worker_id)


def heard_of(session: Session, worker_id: str, life: UUID, now: datetime) -> bool:
    """Note that this life of the worker goes on; False where it was given up or replaced."""
    seen = update(Worker).where(Worker.id == worker_id, Worker.life == life).values(seen_at=now)
    return session.execute(seen.returning(Worker.id)).first() is not None


def silent_workers(session: Session, before: datetime, limit: int = 10) -> Sequence[Worker]:
    """Those last heard of before that instant; those that another reaper takes at this moment are left out."""
    query = select(Worker).where(Worker.seen_at < before).order_by(Worker.seen_at).limit(limit)
    return session.scalars(query.with_for_update(skip_locked=True)).all()


def any_worker_since(session: Session, instant: datetime) -> bool:
    """Whether any was heard of since then."""
    return session.scalar(select(Worker.id).where(Worker.seen_at >= instant).limit(1)) is not None


def forget_worker(session: Session, worker_id: str, life: UUID) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id, Worker.life == life))


def count_recovery(session: Session, workflow_id: str, now: datetime) -> int:
    """How often the job has been recovered, this time included."""
    row = session.get(Recovery, workflow_id)
    if row is None:
        row = Recovery(workflow_id=workflow_id, count=0, recovered_at=now)
        session.add(row)
    row.count += 1
    row.recovered_at = now
    return row.count
