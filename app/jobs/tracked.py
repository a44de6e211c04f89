"""Jobs that users watch: what happens to them is told as it happens."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import UUID

from app.errors import TrancheError, Unavailable
from app.jobs.workflows import Context, Workflow
from app.services.jobs import jobs
from app.services.jobs.jobs import JobCancelled
from app.store.models.jobs import Job
from app.telemetry.notes import note_ids, note_outcome

REPORT_EVERY_S = 0.2

log = logging.getLogger(__name__)

Progress = Callable[[float], None]
TrackedWorkflow = Callable[[Context, Mapping[str, Any], Progress], Mapping[str, Any]]
"""Tells its progress from 0 to 1 now and then, which raises JobCancelled when it is no longer wanted. Returns the
job's result, as JSON."""


def sparingly(note: Progress) -> Progress:
    """`note` for an inner loop: most calls do nothing."""
    due = 0.0

    def told(share: float) -> None:
        nonlocal due
        if monotonic() >= due:
            due = monotonic() + REPORT_EVERY_S
            note(share)

    return told


def tracked(run: TrackedWorkflow) -> Workflow:
    def workflow(context: Context, args: Mapping[str, Any]) -> None:
        job_id = UUID(args["job_id"])
        with context.database.writing() as session:
            wanted = jobs.begin(session, job_id, context.clock())
            note_job(session.get(Job, job_id), wanted)
        if wanted:
            attempt = Attempt(context, job_id)
            with attempt:
                attempt.result = run(context, args, sparingly(attempt.report))

    return workflow


def note_job(job: Job | None, wanted: bool) -> None:
    """For the line of the log: whose job it is, and whether there is anything to do for it."""
    if job is not None:
        note_ids(workspace_id=job.workspace_id, project_id=job.project_id)
    if not wanted:
        note_outcome("failed" if job is not None and job.state == "failed" else "skipped")


@dataclass
class Attempt:
    """One run of a job. At its end the job has succeeded, failed or been cancelled, or is queued to be tried again;
    only the last lets the exception through, to the engine that tries again."""

    context: Context
    job_id: UUID
    result: Mapping[str, Any] | None = None

    def report(self, progress: float) -> None:
        with self.context.database.writing() as session:
            jobs.report(session, self.job_id, progress)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        now = self.context.clock()
        with self.context.database.writing() as session:
            if error is None:
                jobs.succeed(session, self.job_id, self.result or {}, now)
            elif isinstance(error, JobCancelled):
                note_outcome("cancelled")
                jobs.stop(session, self.job_id, now)
            elif isinstance(error, TrancheError) and not isinstance(error, Unavailable):
                note_outcome("failed")
                jobs.fail(session, self.job_id, error.detail, now)
            elif jobs.release(session, self.job_id):
                return False
            else:
                note_outcome("failed")
                log.error("job %s has failed for the last time", self.job_id, exc_info=error)
                jobs.fail(session, self.job_id, "Something failed on our side; the worker's log says what.", now)
        return True
