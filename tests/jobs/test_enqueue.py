"""A job is enqueued with the change it belongs to, runs to its end, and runs once however often it is enqueued."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

import pytest

from app.jobs import engine
from app.jobs.workflows import Context
from app.services.ids import new_id
from app.settings import Settings
from app.store.models.access import Workspace
from tests.api_client import NOW
from tests.jobs.worker import job_context, working
from tests.waiting import until


class Seen:
    """A job that notes what it was given, after failing as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.args: list[Mapping[str, Any]] = []
        self.failures = failures
        self.lock = Lock()

    def __call__(self, context: Context, args: Mapping[str, Any]) -> None:
        with self.lock:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("not yet")
            self.args.append(args)


def test_a_job_runs_with_its_arguments_once_however_often_it_is_enqueued(settings: Settings) -> None:
    seen = Seen()
    with working(settings, {"seen": seen}) as context:
        for _ in range(3):
            with context.database.writing() as session:
                context.enqueue(session, "seen", {"n": 1}, "same-id")
        with context.database.writing() as session:
            context.enqueue(session, "seen", {"n": 2}, "other-id", queue="cpu")
        until(lambda: len(seen.args) == 2)
    assert sorted(args["n"] for args in seen.args) == [1, 2]


def test_a_transaction_rolled_back_leaves_no_job_and_one_committed_leaves_both(settings: Settings) -> None:
    def change_and_fail(context: Context) -> None:
        with context.database.writing() as session:
            session.add(Workspace(id=new_id(), name="never", created_at=NOW))
            context.enqueue(session, "seen", {"n": 1}, "never")
            raise RuntimeError

    seen = Seen()
    with job_context(settings) as context, pytest.raises(RuntimeError):
        change_and_fail(context)
    with working(settings, {"seen": seen}) as context:
        with context.database.writing() as session:
            session.add(Workspace(id=new_id(), name="kept", created_at=NOW))
            context.enqueue(session, "seen", {"n": 2}, "kept")
        until(lambda: bool(seen.args))
    assert seen.args == [{"n": 2}]


def test_a_delayed_job_waits(settings: Settings) -> None:
    seen = Seen()
    with working(settings, {"seen": seen}) as context:
        with context.database.writing() as session:
            context.enqueue(session, "seen", {"n": "late"}, "late", delay_s=1.5)
            context.enqueue(session, "seen", {"n": "soon"}, "soon")
        until(lambda: len(seen.args) == 2)
    assert [args["n"] for args in seen.args] == ["soon", "late"]


def test_a_job_that_raises_is_tried_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_WAIT_S", 0.01)
    seen = Seen(failures=2)
    with working(settings, {"seen": seen}) as context:
        with context.database.writing() as session:
            context.enqueue(session, "seen", {"n": 1}, "stubborn")
        until(lambda: bool(seen.args))
    assert seen.failures == 0


def test_the_engine_says_nothing_while_all_is_well(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), working(settings, {}):
        pass
    assert [record.message for record in caplog.records if record.name.startswith("dbos")] == []
