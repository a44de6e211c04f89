"""Jobs that users can watch: what is known of each, and the steps from `queued` to its end.

queued → running → succeeded, failed or cancelled; back to queued where it is to be tried again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue, QueueName
from app.services.ids import as_uuid, new_id
from app.store import jobs as store
from app.store.models.jobs import Job

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("succeeded", "failed", "cancelled")
MAX_ATTEMPTS = 5


class JobCancelled(Exception):
    """The user wants no more of this job."""


def start_job(
    session: Session,
    workspace_id: UUID,
    project_id: UUID | None,
    kind: str,
    args: Mapping[str, Any],
    now: datetime,
    enqueue: Enqueue,
    *,
    delay_s: float = 0.0,
    queue: QueueName = "cpu",
) -> Job:
    """Enqueue work that users can watch. kind: the name of its workflow, which gets `args` and `job_id`."""
    job = Job(
        id=new_id(),
        workspace_id=workspace_id,
        project_id=project_id,
        kind=kind,
        state="queued",
        progress=0.0,
        attempts=0,
        created_at=now,
    )
    session.add(job)
    session.flush()
    enqueue(session, kind, {**args, "job_id": str(job.id)}, str(job.id), delay_s=delay_s, queue=queue)
    return job


def get_job(session: Session, caller: Caller, job_id: str, *, lock: bool = False) -> Job:
    """The caller's job. Raises NotFound for what is not there, or another workspace's or project's."""
    key = as_uuid(job_id)
    job = store.job_by_id(session, key, lock) if key is not None else None
    if job is None or job.workspace_id != caller.workspace_id or not caller.may_see(job.project_id):
        raise NotFound("There is no such job in this workspace.")
    return job


def cancel_job(job: Job, now: datetime) -> None:
    """A job that waits is cancelled at once, one that runs when it next reports. Raises Conflict for an ended one."""
    if job.state in ENDED:
        raise Conflict(f"The job has {job.state} already; there is nothing left to cancel.")
    job.cancel_requested_at = job.cancel_requested_at or now
    if job.state == "queued":
        end(job, "cancelled", now)


def end(job: Job, state: State, now: datetime) -> None:
    job.state = state
    job.ended_at = now


def begin(session: Session, job_id: UUID, now: datetime) -> bool:
    """Note that a worker starts on the job, anew perhaps. False where there is nothing to do any more."""
    job = store.job_by_id(session, job_id, lock=True)
    if job is None or job.state in ENDED:
        return False
    if job.attempts >= MAX_ATTEMPTS:
        fail(session, job_id, f"It was cut short {job.attempts} times; the workers' logs may say why.", now)
        return False
    if job.cancel_requested_at:
        end(job, "cancelled", now)
        return False
    job.attempts += 1
    job.state = "running"
    job.progress = 0.0
    job.started_at = job.started_at or now
    return True


def report(session: Session, job_id: UUID, progress: float) -> None:
    """Note how far the job is, from 0 to 1. Raises JobCancelled where it is no longer wanted."""
    job = store.job_by_id(session, job_id, lock=True)
    if job is None or job.state != "running" or job.cancel_requested_at:
        raise JobCancelled
    job.progress = min(max(progress, 0.0), 1.0)


def succeed(session: Session, job_id: UUID, result: Mapping[str, Any], now: datetime) -> None:
    job = running(session, job_id)
    if job is not None:
        job.result = dict(result)
        job.progress = 1.0
        end(job, "succeeded", now)


def fail(session: Session, job_id: UUID, error: str, now: datetime) -> None:
    job = running(session, job_id)
    if job is not None:
        job.error = error
        end(job, "failed", now)


def stop(session: Session, job_id: UUID, now: datetime) -> None:
    job = running(session, job_id)
    if job is not None:
        end(job, "cancelled", now)


def release(session: Session, job_id: UUID) -> bool:
    """Back to `queued` after an attempt that failed for a reason that may pass; False where none is left."""
    job = running(session, job_id)
    if job is None or job.attempts >= MAX_ATTEMPTS:
        return False
    job.state = "queued"
    return True


def put_back(session: Session, job_id: UUID) -> None:
    """Back to `queued`, as if it had not begun: its worker had to stop, and it is not to blame."""
    job = running(session, job_id)
    if job is not None and job.state == "running":
        job.state = "queued"
        job.attempts -= 1


def running(session: Session, job_id: UUID) -> Job | None:
    """The job unless it has ended: of two workers that ran it, the first to end it counts."""
    job = store.job_by_id(session, job_id, lock=True)
    return None if job is None or job.state in ENDED else job
