"""The job engine inside a worker: DBOS Transact, set up to run `WORKFLOWS`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import Engine

from app.jobs.client import QUEUE
from app.jobs.schema import SCHEMA
from app.jobs.workflows import Context, Workflow
from app.services.enqueue import QueueName
from app.settings import Settings
from app.store.db import connect_engine
from app.telemetry.jobs import Attempted, JobWatch
from app.telemetry.logs import quiet_engine

VERSION = "1"
"""Raise it only when a waiting job could not be run by the new code."""
POOL_SIZE = 20
AT_ONCE: Mapping[QueueName, int] = {"webhooks": 32, "rounds": 8, "refits": 1, "cpu": 1}
"""Jobs that one worker runs at a time: those that wait on others in numbers, those that compute one by one."""
ATTEMPTS, FIRST_WAIT_S, WAIT_GROWTH = 5, 1.0, 4.0
"""A job that raises is tried again after 1, 4, 16 and 64 seconds."""
MAX_RECOVERIES = 100
"""Starts after which a job that ends its worker every time is given up."""


@contextmanager
def running_engine(
    settings: Settings,
    executor_id: str,
    context: Context,
    workflows: Mapping[str, Workflow],
    grace_s: int,
    watch: JobWatch,
) -> Iterator[None]:
    """Runs jobs until the block ends, then waits up to `grace_s` seconds for those under way.

    What an earlier life of `executor_id` left unfinished is taken up first. One per process.
    """
    quiet_engine()
    tables = connect_engine(settings, POOL_SIZE)
    for name, workflow in workflows.items():
        register(name, workflow, context, watch)
    DBOS(config=configuration(settings, executor_id, tables))
    try:
        DBOS.launch()
        for queue in get_args(QueueName):
            DBOS.register_queue(
                queue,
                worker_concurrency=AT_ONCE[queue],
                polling_interval_sec=settings.job_poll_s,
                on_conflict="always_update",
            )
        yield
    finally:
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace_s)
        tables.dispose()


def configuration(settings: Settings, executor_id: str, tables: Engine) -> DBOSConfig:
    return {
        "name": "tranche",
        "system_database_url": settings.database_url,
        "system_database_engine": tables,
        "dbos_system_schema": SCHEMA,
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": VERSION,
        "executor_id": executor_id,
        "log_level": "WARNING",
        "run_migrations": False,
        # Nothing here waits for a notification, which the engine would look for a hundred times a second.
        "notification_coalesce_sec": 1.0,
    }


@dataclass(frozen=True)
class Bound:
    """A workflow with the context it runs in, watched."""

    name: str
    workflow: Workflow
    context: Context
    watch: JobWatch

    def __call__(self, args: dict[str, Any]) -> None:
        step = DBOS.step_status
        attempt = 1 + (step.current_attempt or 0 if step else 0)
        own = {name: one for name, one in args.items() if name != QUEUE}
        attempted = Attempted(self.name, DBOS.workflow_id, args.get(QUEUE), attempt)
        self.watch.watch(attempted, own, lambda: self.workflow(self.context, own))


def register(name: str, workflow: Workflow, context: Context, watch: JobWatch) -> None:
    bound = Bound(name, workflow, context, watch)
    DBOS.workflow(name=name, max_recovery_attempts=MAX_RECOVERIES)(retried(name, bound))


def retried(name: str, run: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def workflow(args: dict[str, Any]) -> None:
        DBOS.run_step(
            {
                "name": name,
                "retries_allowed": True,
                "max_attempts": ATTEMPTS,
                "interval_seconds": FIRST_WAIT_S,
                "backoff_rate": WAIT_GROWTH,
            },
            run,
            args,
        )

    return workflow
