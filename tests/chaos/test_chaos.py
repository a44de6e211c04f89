"""kill -9 of the API and of workers at random moments: nothing acknowledged is lost, and nothing is told that did not
happen."""

import os
import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings
from app.store.db import Database
from tests.api_client import ACCURACY
from tests.chaos.fleet import Client, connection, drained, fleet, listening
from tests.conftest import new_key
from tests.waiting import until

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
DRAIN_S = 300.0
"""Long enough for a worker that nobody followed to be given up, and for a lease of its to end."""

PROJECT = {
    "name": "chaos",
    "metric": ACCURACY,
    "budget": {"total": "1000", "rounds": 2},
    "groups": [
        {"key": "A", "initial_count": 200, "unit_cost": "1"},
        {"key": "B", "initial_count": 100, "unit_cost": "2"},
    ],
}


def test_kill_9_loses_nothing_and_invents_nothing(settings: Settings, database: Database, tmp_path: Path) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311 -- moments to kill at, not secrets
    key = new_key(database)
    with fleet(settings, tmp_path) as service, ExitStack() as stack:
        clients = [Client(stack.enter_context(connection(service, key))) for _ in range(2)]
        for client in clients:
            client.project = f"/v1/projects/{client.call('POST', '/v1/projects', json=PROJECT).json()['id']}"
        steady = stack.enter_context(listening(clients[0], stumbles=False))
        shaky = stack.enter_context(listening(clients[0], stumbles=True))
        threads = [threading.Thread(target=client.post_runs) for client in clients]
        for thread in threads:
            thread.start()
        killed = []
        for _ in range(KILLS):
            if chance.random() < 0.8:
                until(service.up)
            time.sleep(chance.uniform(0.0, 3.0))
            killed.append(service.kill_one(chance))
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join()
        events = drained(clients[0], [steady, shaky], DRAIN_S)
        runs = {client.project: client.all_items(f"{client.project}/observations") for client in clients}
    assert len(killed) == KILLS
    assert set(killed) >= set(service.commands)

    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    for client in clients:
        assert client.refused == []
        mine = [event for event in events if event["project_id"] == client.project.rpartition("/")[2]]
        told = [event for event in mine if event["type"] == "observations.accepted"]
        stored = {run["external_id"] for run in runs[client.project]}
        # Every acknowledged change is stored and has its event, and there is an event for nothing else.
        assert client.acknowledged.keys() == stored
        assert sum(event["data"]["accepted"] for event in told) == len(stored) == len(told)
        assert {event["data"]["data_version"] for event in told} == set(range(2, len(stored) + 2))
        # Refits ran through it all, each change was seen by one, and the first allocation was told once.
        assert [event["type"] for event in mine if event not in told] == ["allocation.changed"]

    ids = {event["id"]: event["sequence"] for event in events}
    for listener in (steady, shaky):
        arrived = {one["id"]: one["sequence"] for one in listener.arrivals}
        assert arrived == ids
        assert listener.first_sequences() == sorted(ids.values())
    repeats = len(steady.arrivals) - len(ids)
    print(f"{len(ids)} events, {repeats} sent again to the steady receiver, {KILLS} kills: {sorted(killed)}")
