"""What waits is counted as it is, up to a bound, and along indexes alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text, update

from app.services.ids import new_id
from app.store.db import Database
from app.store.jobs import shared_now
from app.store.models.access import Workspace
from app.store.models.jobs import Job, Worker
from app.store.models.vendors import VendorConnection, VendorDelivery
from app.store.models.webhooks import WebhookDelivery, WebhookEndpoint
from app.store.upkeep import backlog as module
from app.store.upkeep.backlog import QueueState, backlog
from tests.api_client import NOW
from tests.conftest import new_workspace

QUEUES = ("webhooks", "cpu")


def engine_job(database: Database, id: str, queue: str, status: str, age_s: float, **times: float) -> None:
    """A row of the job engine, made so many seconds ago; other times in seconds from now."""
    table = "dbos.workflow_status" if database.engine.dialect.name == "postgresql" else "workflow_status"
    with database.writing() as session:
        now = 1000 * shared_now(session).timestamp()
        session.execute(
            text(
                f"INSERT INTO {table} (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,"  # noqa: S608
                " delay_until_epoch_ms, completed_at) VALUES (:id, :status, 'x', :queue, :made, :made, 0, :due, :ended)"
            ),
            {"id": id, "status": status, "queue": queue, "made": int(now - 1000 * age_s)}
            | {name: int(now + 1000 * times[name]) if name in times else None for name in ("due", "ended")},
        )


def add(database: Database, *rows: Any) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def endpoint(workspace_id: UUID, sequence: int, state: str = "active") -> WebhookEndpoint:
    return WebhookEndpoint(
        id=new_id(), workspace_id=workspace_id, kind="webhook", url="https://x", state=state, secret="",
        sequence=sequence, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def test_nothing_waits_in_an_empty_database(database: Database) -> None:
    found = backlog(database, QUEUES)
    assert found.queues == dict.fromkeys(QUEUES, QueueState(0, 0, 0.0, 0))
    assert (found.delayed, found.workers, found.heard_s) == (0, 0, None)
    assert (found.vendor_deliveries, found.webhook_deliveries) == (
        {"received": 0, "quarantined": 0},
        {"pending": 0, "failed": 0},
    )
    assert (found.endpoints_disabled, found.endpoints_behind) == (0, 0)


def test_jobs_are_counted_by_queue_and_state(database: Database) -> None:
    engine_job(database, "1", "cpu", "ENQUEUED", 50)
    engine_job(database, "2", "cpu", "ENQUEUED", 500, due=-20)
    engine_job(database, "3", "cpu", "PENDING", 100)
    engine_job(database, "4", "cpu", "DELAYED", 900, due=60)
    engine_job(database, "5", "webhooks", "ERROR", 30, ended=-10)
    engine_job(database, "6", "webhooks", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", 30, ended=-10)
    engine_job(database, "7", "webhooks", "ERROR", 8000, ended=-7000)
    engine_job(database, "8", "webhooks", "SUCCESS", 30, ended=-10)
    engine_job(database, "9", "webhooks", "CANCELLED", 30, ended=-10)
    found = backlog(database, QUEUES)
    cpu = found.queues["cpu"]
    assert (cpu.waiting, cpu.running, cpu.failed, found.delayed) == (2, 1, 0, 1)
    # The second was not due before.
    assert 50 <= cpu.oldest_s < 400
    assert found.queues["webhooks"] == QueueState(0, 0, 0.0, 2)


def test_a_job_that_failed_by_its_own_record_counts_for_its_queue(database: Database) -> None:
    with database.writing() as session:
        workspace_id, now = new_workspace(session), shared_now(session)
    for state, ended in (("failed", now), ("failed", now - timedelta(hours=2)), ("succeeded", now), ("queued", None)):
        job = Job(
            id=new_id(), workspace_id=workspace_id, kind="refit", state=state, progress=0.0, attempts=1,
            created_at=now, ended_at=ended,
        )  # fmt: skip
        add(database, job)
        engine_job(database, str(job.id), "cpu", "SUCCESS", 30, ended=-10)
    assert backlog(database, QUEUES).queues["cpu"].failed == 1


def test_workers_are_heard_of(database: Database) -> None:
    with database.writing() as session:
        now = shared_now(session)
    for number, silence in enumerate((3, 30, 300)):
        seen = now - timedelta(seconds=silence)
        add(database, Worker(id=f"w{number}", life=new_id(), host="h", pid=1, started_at=seen, seen_at=seen))
    found = backlog(database, QUEUES)
    assert found.workers == 2
    assert found.heard_s is not None
    assert 3 <= found.heard_s < 25


def test_deliveries_are_counted_over_all_connections_and_endpoints(database: Database) -> None:
    with database.writing() as session:
        workspace_id = new_workspace(session)
        session.execute(update(Workspace).values(last_sequence=5))
    for number in range(3):
        connection = VendorConnection(
            id=new_id(), workspace_id=workspace_id, name="v", kind="generic", config={}, group_map={},
            token_hash=str(number), sealed={}, state="active", created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        add(database, connection)
        for at, outcome in enumerate(("received", "quarantined", "quarantined", "applied", "ignored")):
            add(
                database,
                VendorDelivery(
                    connection_id=connection.id, delivery_id=str(at), headers={}, body="", received_at=NOW,
                    outcome=outcome, events=0,
                ),
            )  # fmt: skip
    archived = endpoint(workspace_id, 0)
    archived.archived_at = NOW
    rows = [endpoint(workspace_id, 5), endpoint(workspace_id, 4), endpoint(workspace_id, 1, "disabled"), archived]
    add(database, *rows)
    for row in rows[:2]:
        for state in ("pending", "failed", "failed", "succeeded"):
            add(
                database,
                WebhookDelivery(
                    id=new_id(), endpoint_id=row.id, event_id=new_id(), event_type="t", occurred_at=NOW, state=state,
                    attempts=1, created_at=NOW,
                ),
            )  # fmt: skip
    found = backlog(database, QUEUES)
    assert found.vendor_deliveries == {"received": 3, "quarantined": 6}
    assert found.webhook_deliveries == {"pending": 2, "failed": 4}
    assert (found.endpoints_disabled, found.endpoints_behind) == (1, 1)


def test_nothing_is_counted_beyond_the_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    for number in range(5):
        engine_job(database, str(number), "cpu", "ENQUEUED", 100 - number)
    found = backlog(database, QUEUES).queues["cpu"]
    assert found.waiting == 3
    assert found.oldest_s >= 100


def test_no_question_reads_a_whole_table_that_grows(database: Database) -> None:
    """As each database would go about it, told to read no table from end to end where it can help it."""
    growing = ("workflow_status", "vendor_deliveries", "webhook_deliveries", "jobs")
    with noted(database) as statements:
        backlog(database, QUEUES)
    server = database.engine.dialect.name == "postgresql"
    with database.engine.connect() as connection:
        if server:
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in statements:
            if not statement.lstrip().startswith("SELECT"):
                continue
            explain = "EXPLAIN " if server else "EXPLAIN QUERY PLAN "
            plan = [" ".join(map(str, row)) for row in connection.exec_driver_sql(explain + statement, parameters)]
            for line in plan:
                for table in growing:
                    assert f"Seq Scan on {table}" not in line, plan
                    assert not (f"SCAN {table}" in line and "USING" not in line), plan
        connection.rollback()


@contextmanager
def noted(database: Database) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)
