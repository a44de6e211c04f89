"""What is old goes in batches; what an open question needs stays."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.services.retention import pruning
from app.services.retention.pruning import count_due, prune
from app.settings import Settings
from app.store.db import Database
from app.store.models.jobs import Job
from app.store.models.metadata import metadata
from app.store.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from app.store.upkeep.retention import RULES
from tests.api_client import NOW, Api, run
from tests.conftest import new_key
from tests.services.retention.rows import counts, fill

KEPT_WITH_THE_PROJECT = frozenset(
    {"observations", "forecasts", "rounds", "orders", "deliveries", "ledger_entries", "manifests", "vendor_items"}
)
FOR_EVER = {name: 0.0 for name in Settings.model_fields if name.endswith("_retention_days")}
ALL_DAYS = dict.fromkeys(FOR_EVER, 1.0)


def chosen(settings: Settings, **days: float) -> Settings:
    return settings.model_copy(update={**FOR_EVER, **days})


def pruned(database: Database, settings: Settings, days: float) -> dict[str, int]:
    return prune(database, settings, NOW + timedelta(days=days), lambda: True)[0]


def ended_rows(session: Session, mark: str) -> dict[str, Any]:
    """A row in every table, none of which anything is still to be done with."""
    keys = fill(session, mark)
    ends = {"job": "succeeded", "webhook_deliveries": "delivered", "vendor_deliveries": "applied"}
    session.execute(update(metadata.tables["jobs"]).values(state=ends["job"]))
    session.execute(update(metadata.tables["webhook_deliveries"]).values(state=ends["webhook_deliveries"]))
    session.execute(update(metadata.tables["vendor_deliveries"]).values(outcome=ends["vendor_deliveries"]))
    session.execute(update(metadata.tables["webhook_endpoints"]).values(sequence=1_000_000))
    session.execute(update(metadata.tables["events"]).values(sequence=5))
    session.execute(update(metadata.tables["webhook_deliveries"]).values(sequence=5))
    session.execute(update(metadata.tables["workspaces"]).values(pruned_sequence=0))
    session.execute(update(metadata.tables["orders"]).values(closed_at=NOW))
    return keys


def test_what_the_ledger_curves_and_rounds_are_made_of_outlives_every_setting(
    database: Database, settings: Settings
) -> None:
    with database.writing() as session:
        ended_rows(session, "old")
        before = counts(session)
    due = count_due(database, chosen(settings, **ALL_DAYS), NOW + timedelta(days=36_000))
    done = pruned(database, chosen(settings, **ALL_DAYS), 36_000)
    assert done == due
    with database.reading() as session:
        after = counts(session)
    gone = {name for name in before if name not in after}
    assert gone == {
        "audit_entries", "events", "idempotent_calls", "jobs", "page_sessions", "simulation_parts", "simulations",
        "vendor_deliveries", "vendor_reconciliations", "webhook_attempts", "webhook_deliveries",
    }  # fmt: skip
    assert set(after) >= KEPT_WITH_THE_PROJECT


def test_0_is_for_ever(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        ended_rows(session, "old")
    done = pruned(database, chosen(settings), 36_000)
    assert set(done) == {"idempotent_calls", "page_sessions"}


@pytest.mark.parametrize("name", list(RULES))
def test_each_setting_is_of_its_own_tables(database: Database, settings: Settings, name: str) -> None:
    with database.writing() as session:
        ended_rows(session, "old")
        if name == "vendor_quarantine_retention_days":
            session.execute(update(metadata.tables["vendor_deliveries"]).values(outcome="quarantined"))
        if name == "job_retention_days":
            session.execute(update(metadata.tables["simulations"]).values(job_id=other_job(session)))
    young, old = chosen(settings, **{name: 40.0}), chosen(settings, **{name: 39.0})
    always = {"idempotent_calls", "page_sessions"}
    assert set(pruned(database, young, 39.9)) <= always
    done = set(pruned(database, old, 39.9)) - always
    tables = {rule.kind.__tablename__ for rule in RULES[name]} - {"recoveries"}
    hanging = {column.class_.__tablename__ for rule in RULES[name] for column in rule.hanging}
    assert done == tables | hanging


def other_job(session: Session) -> UUID:
    row = session.query(Job).one()
    values = {one.name: getattr(row, one.name) for one in Job.__table__.columns}
    other = Job(**{**values, "id": UUID(int=1), "ended_at": None})
    session.add(other)
    session.flush()
    return other.id


def test_what_waits_is_never_pruned(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        ended_rows(session, "open")
        session.execute(update(metadata.tables["jobs"]).values(state="running", ended_at=None))
        session.execute(update(metadata.tables["webhook_deliveries"]).values(state="pending"))
        session.execute(update(metadata.tables["vendor_deliveries"]).values(outcome="received"))
        session.execute(update(metadata.tables["webhook_attempts"]).values(attempted_at=NOW + timedelta(days=36_000)))
        session.execute(update(metadata.tables["orders"]).values(closed_at=None))
    done = pruned(database, chosen(settings, **ALL_DAYS), 36_000)
    assert set(done) == {"idempotent_calls", "page_sessions", "audit_entries", "vendor_reconciliations"}


def test_a_turn_that_is_over_says_that_more_is_left(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        ended_rows(session, "old")
    turns = count()
    done, whole = prune(database, chosen(settings, **ALL_DAYS), NOW + timedelta(days=400), lambda: next(turns) < 1)
    assert not whole
    assert sum(done.values()) <= 2


# Events


def events_of(api: Api, **query: Any) -> dict[str, Any]:
    answer = api.get("/v1/events", params=query)
    found: dict[str, Any] = answer.json()
    return found | {"status": answer.status_code}


@pytest.fixture
def told(api: Api, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twelve events, a day apart; batches of five."""
    monkeypatch.setattr(pruning, "BATCH", 5)
    path = api.project()
    for number in range(12):
        api.clock.now = NOW + timedelta(days=number)
        said = run(number, {"A": 10 + number, "B": 10}, A=0.5, B=0.5)
        answer = api.post(f"{path}/observations", json={"observations": [said]})
        assert answer.status_code == 201, answer.text
    return path


def test_a_reader_of_events_who_is_too_late_is_told_where_to_go_on(
    api: Api, told: str, database: Database, settings: Settings
) -> None:
    old = chosen(settings, event_retention_days=10)
    due = count_due(database, old, NOW + timedelta(days=17.5))
    assert pruned(database, old, 17.5)["events"] == due["events"] == 8
    late = events_of(api, after=3)
    assert (late["status"], late["type"]) == (410, "urn:tranche:problem:events-pruned")
    assert "after=8" in late["detail"]
    for after in (0, 8):
        assert [one["sequence"] for one in events_of(api, after=after)["items"]] == [9, 10, 11, 12]
    assert events_of(api, after=12)["items"] == []


def test_events_that_an_endpoint_has_ahead_of_it_stay(
    api: Api, told: str, database: Database, settings: Settings
) -> None:
    with database.writing() as session:
        [workspace] = session.scalars(update(Event).values(version=1).returning(Event.workspace_id)).unique()
        endpoint = WebhookEndpoint(
            id=UUID(int=7), workspace_id=workspace, kind="webhook", url="https://example.org", state="paused",
            secret="", sequence=4, created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        session.add(endpoint)
    old = chosen(settings, event_retention_days=1)
    assert pruned(database, old, 100)["events"] == 4
    with database.writing() as session:
        endpoint = session.get_one(WebhookEndpoint, UUID(int=7))
        endpoint.sequence = 12
        session.add(delivery(endpoint, session, 9))
    assert pruned(database, old, 100)["events"] == 4
    # With its message goes what kept the event.
    both = chosen(settings, event_retention_days=1, webhook_delivery_retention_days=1)
    due = count_due(database, both, NOW + timedelta(days=100))
    done = pruned(database, both, 100)
    assert (done["events"], done["webhook_deliveries"]) == (due["events"], due["webhook_deliveries"]) == (4, 1)


def delivery(endpoint: WebhookEndpoint, session: Session, sequence: int) -> WebhookDelivery:
    event = session.query(Event).filter_by(sequence=sequence).one()
    return WebhookDelivery(
        id=UUID(int=9), endpoint_id=endpoint.id, event_id=event.id, event_type=event.type, sequence=sequence,
        occurred_at=event.created_at, state="failed", attempts=5, created_at=event.created_at,
    )  # fmt: skip


def test_another_workspace_keeps_its_own(api: Api, told: str, database: Database, settings: Settings) -> None:
    other = api.as_key(new_key(database, workspace_name="other"))
    other.project()
    pruned(database, chosen(settings, event_retention_days=1), 100)
    assert events_of(other, after=0)["status"] == 200
    assert events_of(api, after=1)["status"] == 410


def test_the_rules_name_settings_that_there_are() -> None:
    assert set(RULES) <= set(FOR_EVER)


def test_instants_are_counted_back_from_now(settings: Settings) -> None:
    now = datetime(2026, 11, 30, tzinfo=NOW.tzinfo)
    before = pruning.instants(settings, now)
    assert before["job_retention_days"] == now - timedelta(days=14)
    assert "audit_retention_days" not in before
