"""The service with its workers as processes, delivering to receivers on loopback."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import httpx
import pytest
from sqlalchemy import create_engine, inspect, text

from app.settings import Settings
from app.store.db import Database
from tests import receivers
from tests.api_client import run
from tests.conftest import new_key
from tests.e2e.test_worker import Process, children, serving, tranche
from tests.receivers import Receiver, Request, answers, one_after_another, receiving
from tests.waiting import until


def environment(settings: Settings) -> dict[str, str]:
    return {
        "TRANCHE_SECRET_KEY": settings.secret_keys[0].get_secret_value(),
        "TRANCHE_OUTBOUND_ALLOW": "127.0.0.0/8",
        "TRANCHE_JOB_POLL_S": "0.05",
    }


@pytest.fixture
def equipped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that processes started by the test get too."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    return settings


@contextmanager
def worker(settings: Settings, name: str) -> Iterator[Process]:
    process = tranche(settings, "worker", TRANCHE_WORKER_ID=name)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.said()


def project(client: httpx.Client) -> str:
    groups = [{"key": "A", "unit_cost": "1"}, {"key": "B", "unit_cost": "2"}]
    body = {"name": "p", "metric": {"upper": 1.0}, "budget": {"total": "1000"}, "groups": groups}
    return f"/v1/projects/{client.post('/v1/projects', json=body).json()['id']}"


def change(client: httpx.Client, path: str, number: int) -> None:
    """A change that leaves an event."""
    body = {"observations": [run(number, {"A": number, "B": number}, A=0.5)]}
    answer = client.post(f"{path}/observations", json=body)
    assert answer.status_code == 201, answer.text


def endpoint(client: httpx.Client, url: str, **more: object) -> dict[str, str]:
    answer = client.post("/v1/webhook-endpoints", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def sightings(receiver: Receiver) -> list[int]:
    """Sequences in the order in which they were first seen."""
    seen = [json.loads(request.body)["sequence"] for request in receiver.requests]
    return list(dict.fromkeys(seen))


def test_every_event_arrives_in_order_although_a_worker_is_killed(equipped: Settings, database: Database) -> None:
    """On PostgreSQL two workers share the work; on SQLite the one that was killed comes back."""
    with (
        receiving(receivers.slow(0.02, answers())) as receiver,
        serving(equipped, new_key(database), "--no-worker") as (_, client),
    ):
        endpoint(client, receiver.url, event_types=["observations.accepted"])
        path = project(client)
        other = "other" if "postgresql" in equipped.database_url else "victim-2"
        with worker(equipped, "victim") as victim, worker(equipped, other):
            for number in range(1, 31):
                change(client, path, number)
                if number == 15:
                    until(lambda: len(receiver.requests) >= 5)
                    os.kill(victim.pid, signal.SIGKILL)
                    victim.wait()
            with worker(equipped, "victim"):
                events = client.get("/v1/events", params={"type": "observations.accepted", "limit": 500}).json()
                sequences = [event["sequence"] for event in events["items"]]
                until(lambda: set(sightings(receiver)) == set(sequences))
        assert len(sequences) == 30
        assert sightings(receiver) == sequences


def test_receivers_that_misbehave_do_not_hold_up_the_api_or_each_other(equipped: Settings, database: Database) -> None:
    bad = [receivers.never_closes, receivers.says_nothing, receivers.sends_a_gigabyte, receivers.drips_headers]
    with (
        receiving(answers()) as good,
        receiving(bad[0]) as one,
        receiving(bad[1]) as two,
        receiving(bad[2]) as three,
        receiving(bad[3]) as four,
        serving(equipped, new_key(database)) as (process, client),
    ):
        for receiver in (one, two, three, four, good):
            endpoint(client, receiver.url, event_types=["observations.accepted"])
        path = project(client)
        for number in range(1, 6):
            change(client, path, number)
            assert client.get(path, timeout=5).status_code == 200
        until(lambda: len(sightings(good)) == 5)
        assert all(len(sightings(receiver)) < 5 for receiver in (one, two, four))
        # A stop in order would wait for the calls that hang.
        for pid in children(process):
            os.kill(pid, signal.SIGKILL)
        process.kill()


def echoes(connection: socket, request: Request) -> None:
    """A receiver that answers with all it was sent."""
    said = json.dumps({"headers": request.headers, "body": request.body.decode()}).encode()
    answers(200, said)(connection, request)


def dump(url: str) -> str:
    """All rows of all tables, the job engine's too."""
    engine = create_engine(url)
    found: list[str] = []
    with engine.connect() as connection:
        for schema in [None, "dbos"] if engine.dialect.name == "postgresql" else [None]:
            for name in inspect(connection).get_table_names(schema):
                place = f'"{name}"' if schema is None else f'"{schema}"."{name}"'
                found += [str(row) for row in connection.execute(text(f"SELECT * FROM {place}"))]  # noqa: S608
    engine.dispose()
    return "\n".join(found)


def test_no_secret_is_in_the_database_the_logs_the_events_or_a_later_answer(
    equipped: Settings, database: Database
) -> None:
    key = new_key(database)
    with (
        receiving(one_after_another(echoes, answers(500, b"no"), echoes)) as receiver,
        serving(equipped, key) as (process, client),
    ):
        made = endpoint(client, f"{receiver.url}?token=in-the-url")
        place = f"/v1/webhook-endpoints/{made['id']}"
        path = project(client)
        rotated = client.post(f"{place}/rotate", headers={"Idempotency-Key": "once"}).json()
        for number in range(1, 4):
            change(client, path, number)
        client.post(f"{place}/test")
        until(lambda: len(receiver.requests) >= 5)
        until(lambda: len(client.get(f"{place}/attempts").json()["items"]) >= 5)
        again = client.post(f"{place}/rotate", headers={"Idempotency-Key": "once"})
        later = [again, *(client.get(one) for one in (place, "/v1/webhook-endpoints", f"{place}/attempts"))]
        later += [client.get(one) for one in ("/v1/events", "/v1/jobs", "/v1/api-keys", path)]
        stored = dump(equipped.database_url)
        process.send_signal(signal.SIGTERM)
        logged = process.said()
    assert made["id"] in stored
    assert made["id"] in later[1].text
    signatures = [one for request in receiver.requests for one in request.headers["webhook-signature"].split()]
    secrets = [made["secret"], rotated["secret"], key, equipped.secret_keys[0].get_secret_value(), *signatures]
    for secret in secrets:
        bare = secret.removeprefix("whsec_").removeprefix("v1,").split("_")[-1]
        for where, kept in {"database": stored, "log": logged, "answers": "".join(one.text for one in later)}.items():
            assert bare not in kept, where
    assert "in-the-url" not in logged
    assert "Traceback" not in logged
