"""A worker in this process, and the context that jobs get in it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from app.api.planning.allocations import allocation_json
from app.jobs.client import JobClient
from app.jobs.engine import running_engine
from app.jobs.registry import WORKFLOWS
from app.jobs.workflows import Context, Workflow
from app.services.curves.fits import Fits
from app.settings import Settings
from app.store.db import connect
from app.telemetry.jobs import JobWatch
from app.telemetry.metrics import Metrics


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def job_context(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Iterator[Context]:
    database = connect(settings)
    client = JobClient(database)
    yield Context(settings, database, clock, Fits(10_000_000), client.enqueue, allocation_json)
    client.close()
    database.close()


@contextmanager
def working(
    settings: Settings, workflows: Mapping[str, Workflow] = WORKFLOWS, clock: Callable[[], datetime] = utc_now
) -> Iterator[Context]:
    """Runs jobs, polling fast, until the block ends."""
    fast = settings.model_copy(update={"job_poll_s": 0.02})
    watch = JobWatch(Metrics())
    with job_context(fast, clock) as context, running_engine(fast, "test", context, workflows, 0, watch):
        yield context


def run_waiting(context: Context) -> list[str]:
    """Runs every job that waits, delayed or not, here and once; the names of those run, in order of their ids."""
    client = JobClient(context.database)
    waiting = client.engine.list_workflows(status=["ENQUEUED", "DELAYED"])
    for job in waiting:
        client.engine.delete_workflow(job.workflow_id)
    for job in sorted(waiting, key=lambda job: job.workflow_id):
        assert job.input is not None
        WORKFLOWS[job.name](context, job.input["args"][0])
    client.close()
    return sorted(job.name for job in waiting)
