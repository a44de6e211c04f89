"""Jobs of workers that died: found and resumed."""

import logging
from collections.abc import Sequence
from uuid import UUID

from dbos import WorkflowStatus

from app.jobs.client import JobClient
from app.services.ids import as_uuid
from app.services.jobs import jobs
from app.services.jobs.workers import MAX_RECOVERIES, Seat, give_up_silent
from app.store import jobs as store
from app.store.db import Database

log = logging.getLogger(__name__)


def reap(database: Database, client: JobClient) -> None:
    """Resume what workers left that have been silent for long."""
    with database.writing() as session:
        dead = give_up_silent(session, store.shared_now(session))
    for seat in dead:
        log.warning("worker %s has not been heard of for long; its jobs are resumed", seat.id)
        for job in under_way(client, seat):
            recover(database, client, job)
        leave(database, seat)


def hand_back(database: Database, client: JobClient, seat: Seat) -> None:
    """Put what is under way at a stop in order back into its queues, and give the seat up."""
    for job in under_way(client, seat):
        with database.writing() as session:
            watched = id_of_watched(job)
            if watched is not None:
                jobs.put_back(session, watched)
        resume(client, job)
    leave(database, seat)


def leave(database: Database, seat: Seat) -> None:
    with database.writing() as session:
        store.forget_worker(session, seat.id, seat.life)


def under_way(client: JobClient, seat: Seat) -> Sequence[WorkflowStatus]:
    return client.engine.list_workflows(status="PENDING", executor_id=seat.id, load_input=False, load_output=False)


def recover(database: Database, client: JobClient, job: WorkflowStatus) -> None:
    """Resume a job whose worker died, unless too many have."""
    with database.writing() as session:
        now = store.shared_now(session)
        times = store.count_recovery(session, job.workflow_id, now)
        watched = id_of_watched(job)
        if times > MAX_RECOVERIES and watched is not None:
            jobs.fail(session, watched, f"It was under way in {MAX_RECOVERIES} workers that died.", now)
    if times > MAX_RECOVERIES:
        log.error("job %s (%s) outlived %d workers; it is given up", job.workflow_id, job.name, MAX_RECOVERIES)
        client.engine.cancel_workflow(job.workflow_id)
    else:
        resume(client, job)


def resume(client: JobClient, job: WorkflowStatus) -> None:
    # Without its queue it would go to one that obeys no limits.
    client.engine.resume_workflow(job.workflow_id, queue_name=job.queue_name)


def id_of_watched(job: WorkflowStatus) -> UUID | None:
    """The id under which users may watch the job; those that nobody watches have other names."""
    return as_uuid(job.workflow_id)
