"""Workers come back to their seat, and what a dead one left is resumed once, however often it is noticed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.jobs.client import JobClient
from app.jobs.reaper import hand_back, reap
from app.jobs.upkeep import purge
from app.jobs.workflows import Context
from app.services.jobs import jobs
from app.services.jobs.workers import MAX_RECOVERIES, SILENT, Process, Seat, give_up_silent, take_seat
from app.settings import Settings
from app.store import jobs as store
from app.store.db import Database
from app.store.jobs import job_by_id
from tests.api_client import NOW
from tests.conftest import new_workspace
from tests.jobs.test_enqueue import Seen
from tests.jobs.worker import job_context, working
from tests.waiting import until


@pytest.fixture
def context(settings: Settings) -> Iterator[Context]:
    with job_context(settings) as made:
        yield made


@pytest.fixture
def client(context: Context) -> Iterator[JobClient]:
    made = JobClient(context.database)
    yield made
    made.close()


def process(pid: int, *alive: int, host: str = "one") -> Process:
    return Process(host, pid, "now", lambda other, began: began == "now" and other in alive)


def seat(database: Database, who: Process, late: timedelta = timedelta(0)) -> Seat:
    with database.writing() as session:
        return take_seat(session, "w", who, store.shared_now(session) + late)


def test_a_restarted_worker_takes_its_seat_again_and_a_second_one_another(database: Database) -> None:
    first = seat(database, process(1))
    assert first.id == "w"
    assert seat(database, process(2, 1)).id == "w-2"
    assert seat(database, process(3, 1, 2)).id == "w-3"
    # Process 2 has ended; process 1 of another host cannot be asked.
    assert seat(database, process(4, 1, 3)).id == "w-2"
    assert seat(database, process(1, host="two")).id == "w-4"


def test_a_process_with_the_number_of_the_holder_is_its_successor(database: Database) -> None:
    seat(database, process(7, 7))
    assert seat(database, process(7, 7)).id == "w"


def test_two_hosts_of_one_name_leave_each_other_alone(database: Database) -> None:
    """Containers of one image may even have the same process ids."""
    first = seat(database, process(7, 7, host="one"))
    second = seat(database, process(7, 7, host="two"))
    assert (first.id, second.id) == ("w", "w-2")
    with database.writing() as session:
        assert store.heard_of(session, first.id, first.life, store.shared_now(session))
    # kill -9 on each: its next life takes up what it left, at once.
    assert seat(database, process(8, 8, host="two")).id == "w-2"
    assert seat(database, process(8, 8, host="one")).id == "w"


def test_a_number_that_is_used_again_is_no_sign_of_life(database: Database) -> None:
    seat(database, Process("one", 7, "before", lambda *_: True))
    assert seat(database, process(8, 7, 8)).id == "w"


def test_of_a_worker_of_an_older_version_nothing_is_known_but_its_silence(database: Database) -> None:
    """It left its host's name alone."""
    seat(database, Process("w", 7, "", lambda *_: True))
    assert seat(database, process(7, 7)).id == "w-2"
    assert seat(database, process(8, 8), SILENT * 1.1).id == "w"


def test_a_silent_worker_of_another_host_loses_its_seat_and_notices(database: Database) -> None:
    old = seat(database, process(1, host="two"))
    new = seat(database, process(1), SILENT * 1.1)
    assert new.id == old.id
    with database.writing() as session:
        assert not store.heard_of(session, old.id, old.life, NOW)
        assert store.heard_of(session, new.id, new.life, NOW)


def leave_behind(context: Context, seat: Seat, job_id: str) -> None:
    """A job that the holder of the seat was running when it died."""
    with context.database.writing() as session:
        if job_id == "left":
            context.enqueue(session, "seen", {"n": job_id}, job_id, queue="webhooks")
        schema = "" if session.get_bind().dialect.name == "sqlite" else "dbos."
        session.execute(
            text(f"UPDATE {schema}workflow_status SET status = 'PENDING', executor_id = :seat"  # noqa: S608
                 " WHERE workflow_uuid = :id"),
            {"seat": seat.id, "id": job_id},
        )  # fmt: skip


def fall_silent(context: Context, seat: Seat) -> None:
    with context.database.writing() as session:
        long_ago = store.shared_now(session) - SILENT * 2
        session.execute(
            text("UPDATE workers SET seen_at = :at WHERE id = :id"),
            {"at": long_ago.replace(tzinfo=None), "id": seat.id},
        )


def states(client: JobClient) -> dict[str, tuple[str, str | None]]:
    return {job.workflow_id: (job.status, job.queue_name) for job in client.engine.list_workflows()}


def test_the_jobs_of_a_host_that_never_comes_back_run_on_another(
    settings: Settings, context: Context, client: JobClient
) -> None:
    dead = seat(context.database, process(1, host="gone"))
    leave_behind(context, dead, "left")
    reap(context.database, client)
    assert states(client)["left"][0] == "PENDING"
    fall_silent(context, dead)
    reap(context.database, client)
    assert states(client)["left"] == ("ENQUEUED", "webhooks")
    with context.database.reading() as session:
        assert store.worker_by_id(session, dead.id) is None
    seen = Seen()
    with working(settings, {"seen": seen}):
        until(lambda: bool(seen.args))
        reap(context.database, client)
    assert seen.args == [{"n": "left"}]


def test_two_reapers_do_not_take_the_same_worker(context: Context) -> None:
    dead = seat(context.database, process(1, host="gone"))
    fall_silent(context, dead)
    with context.database.writing() as session:
        assert [one.id for one in give_up_silent(session, store.shared_now(session))] == [dead.id]
    with context.database.writing() as session:
        assert give_up_silent(session, store.shared_now(session)) == []
    # The first reaper died before it was through: the next finds the worker silent once more.
    with context.database.writing() as session:
        assert len(give_up_silent(session, store.shared_now(session) + SILENT * 1.1)) == 1


def test_a_job_that_ends_worker_after_worker_is_given_up(context: Context, client: JobClient) -> None:
    with context.database.writing() as session:
        watched = jobs.start_job(session, new_workspace(session), None, "seen", {}, NOW, context.enqueue).id
        jobs.begin(session, watched, NOW)

    def die() -> str:
        dead = seat(context.database, process(1, host="gone"))
        leave_behind(context, dead, str(watched))
        fall_silent(context, dead)
        reap(context.database, client)
        return states(client)[str(watched)][0]

    assert [die() for _ in range(MAX_RECOVERIES)] == ["ENQUEUED"] * MAX_RECOVERIES
    assert die() == "CANCELLED"
    with context.database.reading() as session:
        job = job_by_id(session, watched)
        assert job is not None
        assert job.state == "failed"


def test_what_is_under_way_at_a_stop_is_put_back_however_often(context: Context, client: JobClient) -> None:
    with context.database.writing() as session:
        watched = jobs.start_job(session, new_workspace(session), None, "seen", {}, NOW, context.enqueue).id
    for _ in range(MAX_RECOVERIES + 1):
        stopping = seat(context.database, process(1))
        with context.database.writing() as session:
            assert jobs.begin(session, watched, NOW)
        leave_behind(context, stopping, str(watched))
        hand_back(context.database, client, stopping)
        assert states(client)[str(watched)] == ("ENQUEUED", "cpu")
    with context.database.reading() as session:
        job = job_by_id(session, watched)
        assert job is not None
        assert job.state == "queued"
        assert store.worker_by_id(session, "w") is None


def test_what_ended_long_ago_is_deleted_and_nothing_else(
    settings: Settings, context: Context, client: JobClient
) -> None:
    seen = Seen()
    with working(settings, {"seen": seen}):
        with context.database.writing() as session:
            context.enqueue(session, "seen", {"n": 1}, "done")
            context.enqueue(session, "seen", {"n": 2}, "later", delay_s=1000)
        until(lambda: states(client)["done"][0] == "SUCCESS")
    purge(context.database, client, settings.model_copy(update={"job_retention_days": 1}))
    assert states(client).keys() == {"done", "later"}
    purge(context.database, client, settings.model_copy(update={"job_retention_days": 1e-9}))
    assert states(client).keys() == {"later"}
