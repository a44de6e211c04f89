"""First attempts are in order whoever makes them, however many at once, and whatever becomes of them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event as Signal
from typing import Any
from uuid import UUID

import pytest

from app.jobs import webhooks
from app.jobs.registry import WORKFLOWS
from app.services.webhooks.attempts import record_attempt
from app.services.webhooks.dispatch import LEASE, take_next
from app.services.webhooks.dispatch_jobs import DISPATCH
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api, run
from tests.jobs.deck import Deck
from tests.receivers import Receiver, answers, one_after_another, receiving, slow
from tests.waiting import PATIENCE_S


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def endpoint(api: Api, receiver: Receiver) -> str:
    made: str = api.post("/v1/webhook-endpoints", json={"url": receiver.url}).json()["id"]
    return made


def sightings(receiver: Receiver) -> list[int]:
    seen = [json.loads(request.body)["sequence"] for request in receiver.requests]
    return list(dict.fromkeys(seen))


def test_many_dispatchers_at_once_and_events_meanwhile(api: Api, deck: Deck) -> None:
    """Six jobs race for one endpoint while events are recorded; whoever is turned away, no event is left behind."""
    with receiving(slow(0.002, answers())) as receiver:
        endpoint_id = endpoint(api, receiver)
        recorded = Signal()

        def race(number: int) -> None:
            while not recorded.is_set():
                webhooks.dispatch(deck.context, {"endpoint_id": endpoint_id, "holder": f"racer-{number}"})

        def record() -> None:
            for _ in range(60):
                deck.record()
            recorded.set()

        with ThreadPoolExecutor(7) as pool:
            runs = [pool.submit(race, number) for number in range(6)] + [pool.submit(record)]
            for one in runs:
                one.result(timeout=PATIENCE_S)
        deck.run()
        assert sightings(receiver) == list(range(1, 61))
        assert len(receiver.requests) == 60


def test_no_event_is_left_behind_however_jobs_and_events_interleave(api: Api, deck: Deck) -> None:
    """Events recorded by several threads while their jobs run in others: when all jobs ended all is sent, in order."""
    with receiving(answers()) as receiver:
        endpoint(api, receiver)

        def work(seed: int) -> None:
            for turn in range(15):
                if (3 * seed + 7 * turn) % 10 < 6:
                    deck.record()
                try:
                    card = deck.cards.pop()
                except IndexError:
                    continue
                WORKFLOWS[card.name](deck.context, card.args)

        with ThreadPoolExecutor(4) as pool:
            for one in [pool.submit(work, seed) for seed in range(4)]:
                one.result(timeout=PATIENCE_S)
        for card in list(deck.cards):
            deck.cards.remove(card)
            WORKFLOWS[card.name](deck.context, card.args)
        newest = api.get("/v1/events", params={"limit": 500}).json()["items"][-1]["sequence"]
        assert sightings(receiver) == list(range(1, newest + 1))


def test_a_dispatcher_is_followed_when_its_lease_ends_and_does_no_harm_when_it_wakes(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers())) as receiver:
        endpoint_id = UUID(endpoint(api, receiver))
        for _ in range(3):
            deck.record()
        context = deck.context
        with context.database.writing() as session:
            [stalled] = take_next(session, endpoint_id, "sleeper", deck.clock.now, deck.enqueue)
        deck.run_for(seconds=10)
        assert receiver.requests == []
        deck.run_for(seconds=LEASE.total_seconds())
        assert sightings(receiver) == [1, 2, 3]
        late = webhooks.call(context, stalled)
        with context.database.writing() as session:
            record_attempt(session, stalled, late, deck.clock.now, deck.enqueue)
            assert take_next(session, endpoint_id, "sleeper", deck.clock.now, deck.enqueue) == []
        deck.run()
        assert sightings(receiver) == [1, 2, 3]
        listed = api.get(f"/v1/webhook-endpoints/{endpoint_id}/attempts").json()["items"]
        assert {one["delivery_state"] for one in listed} == {"delivered"}


def test_a_stalled_failure_does_not_undo_a_success(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        endpoint_id = UUID(endpoint(api, receiver))
        deck.record()
        with deck.context.database.writing() as session:
            [stalled] = take_next(session, endpoint_id, "sleeper", deck.clock.now, deck.enqueue)
        deck.run_for(minutes=1)
        receiver.behaviour = answers(500)
        late = webhooks.call(deck.context, stalled)
        with deck.context.database.writing() as session:
            record_attempt(session, stalled, late, deck.clock.now, deck.enqueue)
        deck.run()
        assert len(receiver.requests) == 2
        read = api.get(f"/v1/webhook-endpoints/{endpoint_id}").json()
        assert read["failing_since"] is None


def test_a_long_backlog_is_handed_on_so_that_other_endpoints_get_their_turn(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TURN_S", 0.0)
    with receiving(answers()) as busy, receiving(answers()) as other:
        endpoint(api, busy)
        endpoint(api, other)
        for _ in range(4):
            deck.record()
        for _ in range(4):
            deck.step()
        assert [len(busy.requests), len(other.requests)] == [2, 2]
        deck.run()
        assert sightings(busy) == sightings(other) == [1, 2, 3, 4]


def test_a_worker_killed_between_taking_and_recording_sends_again(api: Api, deck: Deck) -> None:
    """The job starts over under its own name: it is not held up by the lease it took before."""
    with receiving(answers()) as receiver:
        endpoint_id = UUID(endpoint(api, receiver))
        deck.record()
        [card] = deck.cards
        with deck.context.database.writing() as session:
            [taken] = take_next(session, endpoint_id, card.args["holder"], deck.clock.now, deck.enqueue)
        webhooks.call(deck.context, taken)
        deck.step()
        assert [json.loads(one.body)["sequence"] for one in receiver.requests] == [1, 1]
        assert len({one.headers["webhook-id"] for one in receiver.requests}) == 1


def test_events_of_an_open_transaction_are_not_missed_by_resuming(api: Api, deck: Deck, settings: Settings) -> None:
    """A change that saw the endpoint paused, and commits after it was resumed, is sent all the same."""
    with receiving(answers()) as receiver:
        place = f"/v1/webhook-endpoints/{endpoint(api, receiver)}"
        api.post(f"{place}/pause")
        deck.record()
        with ThreadPoolExecutor(2) as pool:
            recording = pool.submit(deck.record)
            resuming = pool.submit(api.post, f"{place}/resume")
            recording.result(timeout=PATIENCE_S)
            assert resuming.result(timeout=PATIENCE_S).status_code == 200
        deck.run()
        assert sightings(receiver) == [1, 2]


def test_changes_of_a_project_and_what_tells_of_its_endpoints_do_not_lock_each_other_out(api: Api, deck: Deck) -> None:
    """Each needs the project and the number of the next event; taken in one order, both get them."""
    path = api.project()
    with receiving(answers(410)) as receiver:
        for _ in range(8):
            body = {"url": receiver.url, "project_id": path.rsplit("/")[-1], "event_types": ["observations.accepted"]}
            assert api.post("/v1/webhook-endpoints", json=body).status_code == 201

        def change(number: int) -> int:
            body = {"observations": [run(number, {"A": number, "B": 1}, A=0.5)]}
            return api.post(f"{path}/observations", json=body).status_code

        def make(_: int) -> int:
            body = {"url": receiver.url, "project_id": path.rsplit("/")[-1]}
            return api.post("/v1/webhook-endpoints", json=body).status_code

        assert change(1) == 201
        disabling = [card for card in deck.cards if card.name == DISPATCH]
        deck.cards.clear()
        with ThreadPoolExecutor(3) as pool:
            changing = pool.map(change, range(2, 10))
            making = pool.map(make, range(8))
            jobs = pool.map(lambda card: WORKFLOWS[card.name](deck.context, card.args), disabling)
            assert set(changing) == set(making) == {201}
            assert list(jobs) == [None] * 8
    told = api.get("/v1/events", params={"type": "endpoint.disabled"}).json()["items"]
    assert len(told) == 8


def test_a_secret_that_cannot_be_read_fails_the_attempt_and_sends_nothing(
    api: Api, deck: Deck, settings: Settings
) -> None:
    with receiving(answers()) as receiver:
        place = f"/v1/webhook-endpoints/{endpoint(api, receiver)}"
        deck.record()
        keyless = settings.model_copy(update={"secret_keys": ()})
        whole, deck.context = deck.context, replace(deck.context, settings=keyless)
        deck.step()
        [attempt] = api.get(f"{place}/attempts").json()["items"]
        assert (attempt["error"], receiver.requests) == ("secret_unreadable", [])
        deck.context = whole
        deck.run()
        assert sightings(receiver) == [1]


def test_the_address_is_judged_again_at_each_call(api: Api, deck: Deck, settings: Settings) -> None:
    with receiving(answers()) as receiver:
        place = f"/v1/webhook-endpoints/{endpoint(api, receiver)}"
        deck.record()
        deck.context = replace(deck.context, settings=settings.model_copy(update={"outbound_allow": ()}))
        deck.step()
        [attempt] = api.get(f"{place}/attempts").json()["items"]
        assert attempt["error"] == "refused"
        assert "TRANCHE_OUTBOUND_ALLOW" in attempt["detail"]
        assert receiver.connections == 0


def test_the_job_of_an_event_waits_in_the_transaction_of_the_event(api: Api, settings: Settings) -> None:
    """With the real engine: an event that is rolled back leaves no job, one that is kept leaves one."""
    with receiving(answers()) as receiver:
        path = api.project()
        endpoint(api, receiver)
        bad = {"observations": [{"counts": {"A": 1, "nobody": 1}, "metrics": {}}]}
        assert api.post(f"{path}/observations", json=bad).status_code == 422
        assert jobs_waiting(api, settings) == 0
        good = {"observations": [{"counts": {"A": 1, "B": 1}, "metrics": {"A": {"value": 0.5, "stderr": 0.1}}}]}
        assert api.post(f"{path}/observations", json=good).status_code == 201
        assert jobs_waiting(api, settings) == 1


def jobs_waiting(api: Api, settings: Settings) -> int:
    table = "workflow_status" if settings.database_url.startswith("sqlite") else "dbos.workflow_status"
    with api.app.state.runtime.database.reading() as session:
        counted = session.connection().exec_driver_sql(
            f"SELECT count(*) FROM {table} WHERE name = '{DISPATCH}'"  # noqa: S608
        )
        return int(counted.scalar_one())


def test_the_lease_outlasts_a_call() -> None:
    assert timedelta(seconds=webhooks.TIMEOUT_S) * 1.5 < LEASE


# Several with one commit


def test_a_backlog_is_sent_in_order_on_one_connection_and_every_attempt_is_kept(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        receiver.more = 1_000
        endpoint_id = endpoint(api, receiver)
        for _ in range(100):
            deck.record()
        deck.run()
        assert [json.loads(request.body)["sequence"] for request in receiver.requests] == list(range(1, 101))
        assert receiver.connections == 1
    listed = api.get(f"/v1/webhook-endpoints/{endpoint_id}/attempts", params={"limit": 500}).json()["items"]
    assert [(one["sequence"], one["number"]) for one in reversed(listed)] == [(n, 1) for n in range(1, 101)]


def test_a_failure_among_many_is_recorded_before_the_next_is_sent(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(*[answers()] * 5, answers(500), answers())) as receiver:
        endpoint_id = endpoint(api, receiver)
        for _ in range(20):
            deck.record()
        deck.run()
        assert sightings(receiver) == list(range(1, 21))
        assert [json.loads(request.body)["sequence"] for request in receiver.requests].count(6) == 2
    listed = api.get(f"/v1/webhook-endpoints/{endpoint_id}/attempts", params={"limit": 500}).json()["items"]
    assert [one["state"] for one in listed].count("failed") == 1
    assert {one["delivery_state"] for one in listed} == {"delivered"}


def test_nothing_is_sent_after_a_receiver_said_that_it_is_gone(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(*[answers()] * 5, answers(410), answers())) as receiver:
        place = f"/v1/webhook-endpoints/{endpoint(api, receiver)}"
        for _ in range(20):
            deck.record()
        deck.run()
        assert sightings(receiver) == [1, 2, 3, 4, 5, 6]
    assert api.get(place).json()["state"] == "disabled"


def test_a_slow_receiver_has_each_attempt_recorded_before_the_next(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOMENT_S", 0.0)
    sizes: list[int] = []
    recorded = webhooks.record_attempts

    def counted(session: Any, endpoint_id: UUID, made: list[Any], *rest: Any) -> None:
        sizes.append(len(made))
        recorded(session, endpoint_id, made, *rest)

    monkeypatch.setattr(webhooks, "record_attempts", counted)
    with receiving(answers()) as receiver:
        endpoint(api, receiver)
        for _ in range(6):
            deck.record()
        deck.run()
        assert sightings(receiver) == [1, 2, 3, 4, 5, 6]
    assert sizes == [1] * 6


def test_a_worker_killed_before_recording_many_sends_them_all_again_in_order(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(answers()) as receiver:
        endpoint_id = endpoint(api, receiver)
        for _ in range(10):
            deck.record()
        [card] = deck.cards
        recorded = webhooks.record_attempts

        def killed(session: Any, endpoint_id: UUID, made: list[Any], *rest: Any) -> None:
            recorded(session, endpoint_id, made, *rest)
            if len(made) == 4:
                raise OSError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(webhooks, "record_attempts", killed)
            with pytest.raises(OSError, match="killed"):
                WORKFLOWS[card.name](deck.context, card.args)
        assert [json.loads(request.body)["sequence"] for request in receiver.requests] == list(range(1, 8))
        deck.run()
        told = [json.loads(request.body)["sequence"] for request in receiver.requests]
        assert told == [*range(1, 8), *range(4, 11)]
    listed = api.get(f"/v1/webhook-endpoints/{endpoint_id}/attempts", params={"limit": 500}).json()["items"]
    assert len(listed) == 10
