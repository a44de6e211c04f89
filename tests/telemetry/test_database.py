"""What waits in the database is read seldom, and a scrape does not wait for a database that is away."""

from threading import Event

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.errors import Unavailable
from app.main import create_app
from app.settings import Settings
from app.store.upkeep.backlog import Backlog, QueueState
from app.telemetry import database
from app.telemetry.database import DatabaseNumbers
from tests.telemetry.lines import logged
from tests.waiting import until

FOUND = Backlog({"cpu": QueueState(3, 1, 2.5, 4)}, 5, 1, 0.5, {"received": 6}, {"pending": 7}, 8, 9)


def exposed(numbers: DatabaseNumbers) -> str:
    registry = CollectorRegistry()
    registry.register(numbers)
    return generate_latest(registry).decode()


def test_it_is_read_once_for_many_that_ask() -> None:
    times = 0

    def read() -> Backlog:
        nonlocal times
        times += 1
        return FOUND

    numbers = DatabaseNumbers(read)
    said = {exposed(numbers) for _ in range(20)}
    assert times == 1
    [one] = said
    for line in (
        "tranche_database_up 1.0",
        'tranche_jobs_waiting{queue="cpu"} 3.0',
        'tranche_jobs_running{queue="cpu"} 1.0',
        'tranche_jobs_oldest_wait_seconds{queue="cpu"} 2.5',
        'tranche_jobs_failed_lately{queue="cpu"} 4.0',
        "tranche_jobs_delayed 5.0",
        "tranche_workers 1.0",
        "tranche_worker_last_heard_seconds 0.5",
        'tranche_vendor_deliveries{outcome="received"} 6.0',
        'tranche_webhook_deliveries{state="pending"} 7.0',
        "tranche_webhook_endpoints_disabled 8.0",
        "tranche_webhook_endpoints_behind 9.0",
    ):
        assert line in one.splitlines()


def test_a_database_that_hangs_holds_up_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_S", 0.01)
    answers, times = Event(), 0

    def read() -> Backlog:
        nonlocal times
        times += 1
        answers.wait()
        return FOUND

    numbers = DatabaseNumbers(read)
    for _ in range(3):
        said = exposed(numbers)
        assert "tranche_database_up 0.0" in said
        assert "tranche_jobs" not in said
    assert times == 1
    answers.set()
    until(lambda: "tranche_database_up 1.0" in exposed(numbers))


def test_what_was_read_long_ago_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = DatabaseNumbers(lambda: FOUND)
    exposed(numbers)
    monkeypatch.setattr(database, "STALE_S", -1.0)
    assert "tranche_jobs" not in exposed(numbers)


def test_a_database_that_is_away_is_told_and_asked_again_later() -> None:
    def read() -> Backlog:
        raise Unavailable("away")

    numbers = DatabaseNumbers(read)
    with logged() as lines:
        assert "tranche_database_up 0.0" in exposed(numbers)
    assert lines.json == []
    numbers.read, numbers.next_read = lambda: FOUND, 0.0
    assert "tranche_database_up 1.0" in exposed(numbers)


def test_what_fails_otherwise_is_logged() -> None:
    def read() -> Backlog:
        raise RuntimeError("unforeseen")

    with logged() as lines:
        assert "tranche_database_up 0.0" in exposed(DatabaseNumbers(read))
    assert "unforeseen" in lines.json[0]["exc_info"]


@pytest.mark.parametrize("url", ["sqlite:////nowhere/tranche.db", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_service_whose_database_is_away_still_tells_of_itself(url: str) -> None:
    app = create_app(Settings(database_url=url))
    said = generate_latest(app.state.metrics.registry).decode()
    app.state.webhooks.close()
    assert "tranche_database_up 0.0" in said
    assert "process_cpu_seconds_total" in said
    assert "tranche_http_requests_under_way 0.0" in said
