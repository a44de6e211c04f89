"""Attempts of jobs are told in a line each, and counted by how they ended."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import generate_latest

from app.errors import Conflict
from app.jobs import engine
from app.jobs.tracked import Progress, tracked
from app.jobs.workflows import Context, Workflow
from app.services.jobs.jobs import JobCancelled, start_job
from app.settings import Settings
from app.store.db import Database
from app.telemetry.jobs import Attempted, JobWatch
from app.telemetry.metrics import Metrics
from app.telemetry.notes import note_ids, note_outcome
from tests.api_client import RUNS, Api
from tests.conftest import new_workspace, one_database
from tests.jobs.worker import working
from tests.telemetry.lines import Lines, logged
from tests.waiting import until

ATTEMPTED = Attempted("refit", "j1", "cpu", 2)


@contextmanager
def watched(metrics: Metrics) -> Iterator[tuple[JobWatch, Lines]]:
    with logged() as lines:
        yield JobWatch(metrics), lines


def test_a_line_says_what_was_done_for_whom_and_how_long_it_took() -> None:
    metrics = Metrics()
    args = {"project_id": "p1", "secret": "s3cr3t", "n": 3, "long_id": [1, 2], "queue": "cpu"}
    with watched(metrics) as (watch, lines):
        watch.watch(ATTEMPTED, args, lambda: note_ids(workspace_id="w1", connection_id=None))
    [line] = lines.of("tranche.jobs")
    assert line.pop("duration_ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "INFO", "logger": "tranche.jobs", "message": "job", "kind": "refit", "id": "j1", "queue": "cpu",
        "attempt": 2, "outcome": "succeeded", "project_id": "p1", "workspace_id": "w1",
    }  # fmt: skip
    counted = 'tranche_job_duration_seconds_count{kind="refit",outcome="succeeded",queue="cpu"} 1.0'
    assert counted in generate_latest(metrics.registry).decode()


def fail() -> None:
    raise RuntimeError("not yet")


def test_what_raises_is_tried_again_and_what_failed_for_good_is_an_error() -> None:
    with watched(Metrics()) as (watch, lines):
        with pytest.raises(RuntimeError):
            watch.watch(ATTEMPTED, {}, fail)
        watch.watch(ATTEMPTED, {}, lambda: note_outcome("failed"))
        watch.watch(ATTEMPTED, {}, lambda: None)
    told = [(line["level"], line["outcome"], line.get("error")) for line in lines.of("tranche.jobs")]
    assert told == [("WARNING", "again", "RuntimeError"), ("ERROR", "failed", None), ("INFO", "succeeded", None)]
    # Outside of a job there is nothing to note.
    note_outcome("failed")
    note_ids(x=1)


def test_a_worker_tells_the_end_of_every_attempt(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_WAIT_S", 0.01)
    left = [RuntimeError("not yet")]

    def job(context: Context, args: Mapping[str, Any]) -> None:
        if left:
            raise left.pop()

    with logged() as lines, working(settings, {"job": job}) as context:
        with context.database.writing() as session:
            context.enqueue(session, "job", {"endpoint_id": "e1"}, "one", queue="webhooks")
        until(lambda: len(lines.of("tranche.jobs")) == 2)
    told = [(line["attempt"], line["outcome"]) for line in lines.of("tranche.jobs")]
    assert told == [(1, "again"), (2, "succeeded")]
    for line in lines.of("tranche.jobs"):
        assert {"kind": "job", "id": "one", "queue": "webhooks", "endpoint_id": "e1"}.items() <= line.items()


@one_database
@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "succeeded"), (JobCancelled(), "cancelled"), (Conflict("no"), "failed")]
)
def test_jobs_that_users_watch_end_as_their_record_says(
    settings: Settings, database: Database, error: Exception | None, outcome: str
) -> None:
    def run(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        if error is not None:
            raise error
        return {}

    workflows: dict[str, Workflow] = {"kind": tracked(run)}
    with logged() as lines, working(settings, workflows) as context:
        with context.database.writing() as session:
            workspace_id = new_workspace(session)
            job = start_job(session, workspace_id, None, "kind", {}, context.clock(), context.enqueue)
        until(lambda: lines.of("tranche.jobs"))
    [line] = lines.of("tranche.jobs")
    assert (line["outcome"], line["id"], line["workspace_id"]) == (outcome, str(job.id), str(workspace_id))


@one_database
def test_a_refit_is_told_with_its_project(api: Api, settings: Settings) -> None:
    path = api.project()
    with logged() as lines, working(settings):
        api.post(f"{path}/observations", json={"observations": RUNS})
        until(lambda: lines.of("tranche.jobs"))
    [line] = lines.of("tranche.jobs")
    assert (line["kind"], line["queue"], line["outcome"]) == ("refit", "refits", "succeeded")
    assert UUID(line["project_id"]) == UUID(path.rpartition("/")[2])
