"""Every attempt of a job is watched: timed, counted, and told in one line of the log."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from prometheus_client import Histogram

from app.telemetry.metrics import Metrics
from app.telemetry.notes import JOB, JobNote

log = logging.getLogger("tranche.jobs")

BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
AGAIN = "again"
"""The outcome of an attempt that is followed by another."""


@dataclass(frozen=True)
class Attempted:
    """An attempt: which job, by its kind and id, and the how manieth. queue: None where the job was enqueued by an
    older version."""

    kind: str
    id: str | None
    queue: str | None
    attempt: int


class JobWatch:
    """Counts attempts by kind, queue and outcome: succeeded, failed, cancelled, again, skipped."""

    def __init__(self, metrics: Metrics) -> None:
        self.seconds = Histogram(
            "tranche_job_duration_seconds",
            "Attempts of jobs in this worker, such as refits (kind refit), by how they ended.",
            ["kind", "queue", "outcome"],
            buckets=BUCKETS,
            registry=metrics.registry,
        )

    def watch(self, attempted: Attempted, args: Mapping[str, Any], run: Callable[[], None]) -> None:
        """Run it. What it raises is raised, and means another attempt."""
        note = JobNote()
        before = JOB.set(note)
        started = perf_counter()
        try:
            run()
        except BaseException as error:
            note.outcome = AGAIN
            note.facts["error"] = type(error).__name__
            raise
        finally:
            JOB.reset(before)
            self.tell(attempted, args, note, perf_counter() - started)

    def tell(self, attempted: Attempted, args: Mapping[str, Any], note: JobNote, seconds: float) -> None:
        self.seconds.labels(attempted.kind, attempted.queue or "", note.outcome).observe(seconds)
        level = {"failed": logging.ERROR, AGAIN: logging.WARNING}.get(note.outcome, logging.INFO)
        if log.isEnabledFor(level):
            facts = {
                "kind": attempted.kind,
                "id": attempted.id,
                "queue": attempted.queue,
                "attempt": attempted.attempt,
                "duration_ms": round(1000 * seconds, 1),
                "outcome": note.outcome,
                # Of the arguments the ids alone: others may be long, or nobody's business here.
                **{name: one for name, one in args.items() if name.endswith("_id") and isinstance(one, str)},
                **note.facts,
            }
            log.log(level, "job", extra={"facts": {name: one for name, one in facts.items() if one is not None}})
