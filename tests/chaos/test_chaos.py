"""kill -9 of the API, of workers and of database sessions at random moments: nothing acknowledged is lost or doubled,
and nothing is told that did not happen."""

import os
import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings
from app.store.db import Database
from tests.api_client import ACCURACY
from tests.chaos.buyers import GROUPS, Buyer, Simulator
from tests.chaos.fleet import Poster, at_work, connection, drained, fleet, listening
from tests.conftest import new_key
from tests.waiting import until

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
DRAIN_S = 300.0
"""Long enough for a worker that nobody followed to be given up, and for a lease of its to end."""

PROJECT = {"name": "chaos", "metric": ACCURACY, "budget": {"total": "1000", "rounds": 2}, "groups": GROUPS}


def test_kill_9_loses_nothing_and_invents_nothing(settings: Settings, database: Database, tmp_path: Path) -> None:
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311 -- moments to kill at, not secrets
    key = new_key(database)
    with fleet(settings, tmp_path) as service, ExitStack() as stack:
        posters = [Poster(stack.enter_context(connection(service, key))) for _ in range(2)]
        buyers = [Buyer(stack.enter_context(connection(service, key))) for _ in range(2)]
        simulator = Simulator(stack.enter_context(connection(service, key)))
        steady = stack.enter_context(listening(posters[0], stumbles=False))
        shaky = stack.enter_context(listening(posters[0], stumbles=True))
        for poster in posters:
            poster.project = f"/v1/projects/{poster.made('/v1/projects', PROJECT)['id']}"
        for number, buyer in enumerate(buyers):
            buyer.prepare(SEED + number)
        simulator.prepare()
        targets = (service.targets * KILLS)[:KILLS]
        chance.shuffle(targets)
        with at_work([*posters, *buyers, simulator]):
            for target in targets:
                if chance.random() < 0.8:
                    until(service.up)
                time.sleep(chance.uniform(0.0, 3.0))
                service.kill(target, database)
        until(lambda: all(client.settled() for client in (*buyers, simulator)), DRAIN_S)
        events = drained(posters[0], [steady, shaky], DRAIN_S)
        runs = {poster.project: poster.all_items(f"{poster.project}/observations") for poster in posters}
        for client in (*buyers, simulator):
            client.check()

    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    for poster in posters:
        mine = [event for event in events if event["project_id"] == poster.project.rpartition("/")[2]]
        told = [event for event in mine if event["type"] == "observations.accepted"]
        stored = {run["external_id"] for run in runs[poster.project]}
        # Every acknowledged change is stored and has its event, and there is an event for nothing else.
        assert poster.acknowledged.keys() == stored
        assert sum(event["data"]["accepted"] for event in told) == len(stored) == len(told)
        assert {event["data"]["data_version"] for event in told} == set(range(2, len(stored) + 2))
        # Refits ran through it all, each change was seen by one, and the first allocation was told once.
        assert [event["type"] for event in mine if event not in told] == ["allocation.changed"]
    for buyer in buyers:
        buyer.check_events(events)

    ids = {event["id"]: event["sequence"] for event in events}
    for listener in (steady, shaky):
        arrived = {one["id"]: one["sequence"] for one in listener.arrivals}
        assert arrived == ids
        assert listener.first_sequences() == sorted(ids.values())
    repeats = len(steady.arrivals) - len(ids)
    print(f"{len(ids)} events, {repeats} sent again to the steady receiver, {KILLS} kills: {Counter(targets)}")
    print(f"{sum(len(one.rounds) for one in buyers)} rounds, {sum(len(one.letters) for one in buyers)} webhooks, "
          f"{len(simulator.asked)} simulations")  # fmt: skip
