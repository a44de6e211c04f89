"""What is told of a job is what became of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from app.errors import Conflict, Unavailable
from app.jobs import tracked as tracking
from app.jobs.tracked import Progress, TrackedWorkflow, tracked
from app.jobs.workflows import Context
from app.services.jobs import jobs
from app.services.jobs.jobs import MAX_ATTEMPTS, JobCancelled
from app.settings import Settings
from app.store.jobs import job_by_id
from app.store.models.jobs import Job
from tests.api_client import NOW
from tests.conftest import new_workspace
from tests.jobs.worker import job_context


@pytest.fixture
def job(context: Context) -> UUID:
    with context.database.writing() as session:
        workspace = new_workspace(session)
        return jobs.start_job(session, workspace, None, "count", {"n": 1}, NOW, context.enqueue).id


@pytest.fixture
def context(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tracking, "REPORT_EVERY_S", 0.0)
    with job_context(settings, lambda: NOW) as made:
        yield made


def state_of(context: Context, job_id: UUID) -> Job:
    with context.database.reading() as session:
        job = job_by_id(session, job_id)
        assert job is not None
        return job


def attempt(context: Context, job_id: UUID, run: TrackedWorkflow) -> None:
    tracked(run)(context, {"job_id": str(job_id)})


def succeed(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    progress(0.5)
    return {"n": 2}


def break_down(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    raise ZeroDivisionError("the secret is 42")


def never(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    raise AssertionError("must not run")


def test_a_job_goes_from_queued_over_running_to_its_result(context: Context, job: UUID) -> None:
    seen: list[tuple[str, float]] = []

    def look(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        for share in (0.25, 0.75):
            progress(share)
            now = state_of(context, job)
            seen.append((now.state, now.progress))
        return {"n": 2}

    assert state_of(context, job).state == "queued"
    attempt(context, job, look)
    assert seen == [("running", 0.25), ("running", 0.75)]
    done = state_of(context, job)
    assert (done.state, done.progress, done.result, done.started_at, done.ended_at) == (
        "succeeded", 1.0, {"n": 2}, NOW, NOW)  # fmt: skip


def test_a_job_that_was_cancelled_while_it_waited_does_not_run(context: Context, job: UUID) -> None:
    with context.database.writing() as session:
        waiting = job_by_id(session, job)
        assert waiting is not None
        jobs.cancel_job(waiting, NOW)
    attempt(context, job, never)
    assert state_of(context, job).state == "cancelled"


def test_a_running_job_is_cancelled_when_it_next_reports(context: Context, job: UUID) -> None:
    def cancelled_midway(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        progress(0.1)
        with context.database.writing() as session:
            running = job_by_id(session, job)
            assert running is not None
            jobs.cancel_job(running, NOW)
            assert running.state == "running"
        with pytest.raises(JobCancelled):
            progress(0.2)
        progress(0.3)
        return {}

    attempt(context, job, cancelled_midway)
    assert state_of(context, job).state == "cancelled"
    assert state_of(context, job).result is None


def test_what_has_ended_cannot_be_cancelled_or_run_again(context: Context, job: UUID) -> None:
    attempt(context, job, succeed)
    attempt(context, job, never)
    with pytest.raises(Conflict, match="succeeded"):
        jobs.cancel_job(state_of(context, job), NOW)


def test_a_refusal_fails_the_job_with_its_words(context: Context, job: UUID) -> None:
    def refuse(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        raise Conflict("Add a source first.")

    attempt(context, job, refuse)
    assert (state_of(context, job).state, state_of(context, job).error) == ("failed", "Add a source first.")


@pytest.mark.parametrize("error", [ZeroDivisionError("the secret is 42"), Unavailable("busy")])
def test_a_breakdown_is_tried_again_and_then_told_without_its_words(
    context: Context, job: UUID, error: Exception
) -> None:
    def fail(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        raise error

    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(type(error)):
            attempt(context, job, fail)
        assert state_of(context, job).state == "queued"
    attempt(context, job, fail)
    failed = state_of(context, job)
    assert failed.state == "failed"
    assert "42" not in (failed.error or "")
    attempt(context, job, never)


def test_a_job_that_ends_its_worker_every_time_is_failed(context: Context, job: UUID) -> None:
    for _ in range(MAX_ATTEMPTS):
        with context.database.writing() as session:
            assert jobs.begin(session, job, NOW)
    attempt(context, job, never)
    assert state_of(context, job).state == "failed"


def test_of_two_workers_that_run_it_the_first_to_end_counts(context: Context, job: UUID) -> None:
    def overtaken(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        attempt(context, job, succeed)
        return {"n": 3}

    attempt(context, job, overtaken)
    assert state_of(context, job).result == {"n": 2}


def test_progress_is_told_now_and_then_however_often_it_is_reported(
    context: Context, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inner_loop(context: Context, args: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        for step in range(1000):
            progress(step / 1000)
        return {"told": state_of(context, job).progress}

    monkeypatch.setattr(tracking, "REPORT_EVERY_S", 3600.0)
    attempt(context, job, inner_loop)
    assert state_of(context, job).result == {"told": 0.0}


def test_being_put_back_is_no_attempt(context: Context, job: UUID) -> None:
    for _ in range(2 * MAX_ATTEMPTS):
        with context.database.writing() as session:
            assert jobs.begin(session, job, NOW)
            jobs.put_back(session, job)
        assert state_of(context, job).state == "queued"
    attempt(context, job, succeed)
    assert state_of(context, job).state == "succeeded"
