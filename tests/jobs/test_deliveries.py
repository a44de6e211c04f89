"""Events reach their receivers: real calls to loopback, on a clock that jumps from job to job."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from app.services.webhooks.retries import DELAYS_S, RETRY_AFTER_MAX_S
from app.settings import Settings
from app.store.db import Database
from app.store.models.webhooks import WebhookDelivery
from tests import receivers
from tests.api_client import Api
from tests.jobs.deck import Deck
from tests.receivers import Receiver, Request, answers, one_after_another, receiving

HOUR = 3_600


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def endpoint(api: Api, url: str, **more: Any) -> dict[str, Any]:
    answer = api.post("/v1/webhook-endpoints", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made | {"path": f"/v1/webhook-endpoints/{made['id']}"}


def attempts(api: Api, made: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """Oldest first."""
    answer = api.get(f"{made['path']}/attempts", params={"limit": 500, **wanted})
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["items"]
    return listed[::-1]


def sequences(receiver: Receiver) -> list[int]:
    return [json.loads(request.body)["sequence"] for request in receiver.requests]


def state(api: Api, made: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = api.get(made["path"]).json()
    return read


def test_an_event_arrives_signed_thin_and_once(api: Api, deck: Deck) -> None:
    with receiving(answers(204, b"")) as receiver:
        made = endpoint(api, receiver.url)
        event = deck.record(accepted=3)
        deck.run()
    [request] = receiver.requests
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == str(event.id)
    body = json.loads(request.body)
    assert body == {
        "type": "observations.accepted",
        "version": 1,
        "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
        "id": str(event.id),
        "sequence": event.sequence,
        "project_id": None,
        "data": {"url": "/v1/somewhere", "accepted": 3},
    }
    [attempt] = attempts(api, made)
    assert (attempt["state"], attempt["status"], attempt["number"]) == ("succeeded", 204, 1)
    assert (attempt["delivery_state"], attempt["next_attempt_at"]) == ("delivered", None)
    assert attempt["event_id"] == str(event.id)


def test_the_published_library_verifies_what_arrives(api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    api.clock.now = datetime.now(UTC)
    with receiving(answers()) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run()
        rotated = api.post(f"{made['path']}/rotate").json()
        deck.record()
        deck.run()
        api.clock.now += timedelta(hours=23, minutes=59)
        deck.record()
        deck.run()
        api.clock.now += timedelta(minutes=2)
        deck.record()
        deck.run()
    old, both, still, new = (set(one.headers["webhook-signature"].split()) for one in receiver.requests)
    assert [len(one) for one in (old, both, still, new)] == [1, 2, 2, 1]
    first, second = receiver.requests[:2]
    assert made["secret"] != rotated["secret"]
    Webhook(made["secret"]).verify(first.body, first.headers)
    Webhook(made["secret"]).verify(second.body, second.headers)
    Webhook(rotated["secret"]).verify(second.body, second.headers)
    assert signs(receiver.requests[2], made["secret"])
    assert signs(receiver.requests[3], rotated["secret"])
    assert not signs(receiver.requests[3], made["secret"])


def signs(request: Request, secret: str) -> bool:
    """Whether the secret made one of the signatures; the library would mind the time."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(request.headers["webhook-id"], at, request.body.decode())
    return expected in request.headers["webhook-signature"].split()


def test_first_attempts_come_in_order_and_a_retry_holds_nobody_back(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers(200))) as receiver:
        endpoint(api, receiver.url)
        for _ in range(4):
            deck.record()
        deck.run()
    assert sequences(receiver) == [1, 2, 3, 4, 1]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 4
    assert receiver.requests[0].body == receiver.requests[4].body
    assert receiver.requests[0].headers["webhook-id"] == receiver.requests[4].headers["webhook-id"]


def test_retries_keep_to_the_schedule_then_end(api: Api, deck: Deck, database: Database) -> None:
    with receiving(answers(500)) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run()
    made_at = [datetime.fromisoformat(one["attempted_at"]) for one in attempts(api, made)]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(made_at)]
    assert len(receiver.requests) == len(DELAYS_S) + 1
    assert list(DELAYS_S) == [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    for wait, planned in zip(waits, DELAYS_S, strict=True):
        assert planned <= wait < planned * 1.1 + 1
    assert [one["number"] for one in attempts(api, made)] == list(range(1, 11))
    with database.reading() as session:
        [delivery] = session.scalars(select(WebhookDelivery))
    assert (delivery.state, delivery.next_attempt_at) == ("failed", None)
    assert state(api, made)["state"] == "active"


def test_what_failed_together_is_not_tried_again_together(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        made = endpoint(api, receiver.url)
        for _ in range(20):
            deck.record()
        deck.run_for(minutes=1)
    waits = {one["next_attempt_at"] for one in attempts(api, made) if one["number"] == 2}
    assert len(waits) == 20


@pytest.mark.parametrize(("asked", "waited"), [("120", 120), ("1", 5), ("9999999", RETRY_AFTER_MAX_S), ("soon", 5)])
def test_retry_after_is_honoured_up_to_a_day(api: Api, deck: Deck, asked: str, waited: float) -> None:
    behaviour = one_after_another(answers(429, more=f"Retry-After: {asked}\r\n"), answers())
    with receiving(behaviour) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run()
    first, second = attempts(api, made)
    wait = datetime.fromisoformat(second["attempted_at"]) - datetime.fromisoformat(first["attempted_at"])
    assert waited <= wait.total_seconds() <= waited * 1.1 + 1
    assert second["state"] == "succeeded"


def test_redirects_are_failures_and_not_followed(api: Api, deck: Deck) -> None:
    with receiving(answers()) as target, receiving(answers(301, more=f"Location: {target.url}\r\n")) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run_for(minutes=1)
        assert target.connections == 0
    assert [(one["status"], one["state"]) for one in attempts(api, made)] == [(301, "failed")] * 2


def test_gone_disables_at_once_and_an_event_says_so(api: Api, deck: Deck) -> None:
    with receiving(answers(410)) as receiver, receiving(answers()) as watching:
        made = endpoint(api, receiver.url)
        endpoint(api, watching.url, event_types=["endpoint.disabled"])
        for _ in range(3):
            deck.record()
        deck.run()
        assert len(receiver.requests) == 1
        [told] = watching.requests
    assert json.loads(told.body)["data"] == {"url": made["path"], "reason": "it answered 410 Gone"}
    read = state(api, made)
    assert (read["state"], read["disabled_reason"]) == ("disabled", "it answered 410 Gone")
    [event] = api.get("/v1/events", params={"type": "endpoint.disabled"}).json()["items"]
    assert event["data"]["url"] == made["path"]


def test_five_days_without_a_success_disable(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run_for(days=4)
        assert state(api, made)["failing_since"] is not None
        deck.record()
        deck.run_for(hours=23)
        assert state(api, made)["state"] == "active"
        deck.run_for(hours=36)
        read = state(api, made)
        assert (read["state"], read["disabled_reason"]) == ("disabled", "every call has failed for 5 days")
        called = len(receiver.requests)
        deck.record()
        deck.run()
        assert len(receiver.requests) == called


def test_one_success_starts_the_five_days_anew(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run_for(days=4)
        receiver.behaviour = answers(200)
        deck.record()
        deck.run_for(minutes=1)
        assert state(api, made)["failing_since"] is None
        receiver.behaviour = answers(500)
        deck.record()
        deck.run_for(days=3)
        assert state(api, made)["state"] == "active"


@pytest.mark.parametrize("stopped", ["paused", "disabled"])
def test_what_waited_is_sent_in_order_when_resumed(api: Api, deck: Deck, stopped: str) -> None:
    with receiving(answers(500)) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.run_for(minutes=1)
        if stopped == "paused":
            api.post(f"{made['path']}/pause")
        else:
            receiver.behaviour = answers(410)
            deck.run_for(minutes=10)
        assert state(api, made)["state"] == stopped
        before = len(receiver.requests)
        for _ in range(3):
            deck.record()
        deck.run_for(days=2)
        assert len(receiver.requests) == before
        receiver.behaviour = answers(200)
        assert api.post(f"{made['path']}/resume").json()["state"] == "active"
        deck.run_for(minutes=1)
        again = sequences(receiver)[before:]
    assert sorted(again)[:4] == [1, 2, 3, 4]
    assert [one for one in again if one in (2, 3, 4)] == [2, 3, 4]


def test_an_endpoint_gets_what_it_asked_for_and_nothing_from_before(api: Api, deck: Deck) -> None:
    deck.record("round.closed")
    with receiving(answers()) as receiver:
        endpoint(api, receiver.url, event_types=["round.closed", "target.reached"])
        for type in ("observations.accepted", "target.reached", "order.placed", "round.closed"):
            deck.record(type)  # type: ignore[arg-type]
        deck.run()
        assert [json.loads(one.body)["type"] for one in receiver.requests] == ["target.reached", "round.closed"]


def test_a_project_filter_keeps_other_projects_away(api: Api, deck: Deck) -> None:
    here, there = api.project(), api.project()
    with receiving(answers()) as receiver:
        endpoint(api, receiver.url, project_id=here.rsplit("/")[-1], event_types=["observations.accepted"])
        for path in (there, here, there):
            run = {"external_id": "r", "counts": {"A": 1, "B": 1}, "metrics": {"A": {"value": 0.5, "stderr": 0.1}}}
            assert api.post(f"{path}/observations", json={"observations": [run]}).status_code == 201
        deck.record()
        deck.run()
        [request] = receiver.requests
    assert json.loads(request.body)["data"]["url"].startswith(here)


def test_a_job_that_runs_twice_or_starts_over_sends_nothing_out_of_order(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers())) as receiver:
        endpoint(api, receiver.url)
        for _ in range(5):
            deck.record()
        again = list(deck.cards)
        deck.run()
        deck.cards = again
        deck.run()
    assert sequences(receiver) == [1, 2, 3, 4, 5, 1]


def test_a_retry_that_runs_twice_is_made_once(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        endpoint(api, receiver.url)
        deck.record()
        deck.step()
        [retry] = deck.cards
        deck.step()
        deck.cards.append(retry)
        deck.run_for(seconds=20)
        assert len(receiver.requests) == 2


def test_many_events_at_once_need_one_job(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        endpoint(api, receiver.url)
        for _ in range(50):
            deck.record()
        assert len(deck.cards) == 1
        deck.run()
        deck.record()
        assert len(deck.cards) == 1
        deck.run()
        assert sequences(receiver) == list(range(1, 52))


def test_a_job_that_got_lost_is_sent_again_by_the_next_event(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        endpoint(api, receiver.url)
        deck.record()
        deck.cards.clear()
        deck.record()
        assert not deck.cards
        api.clock.now += timedelta(minutes=2)
        deck.record()
        deck.run()
        assert sequences(receiver) == [1, 2, 3]


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (receivers.hangs_up, "bad_answer"),
        (receivers.speaks_no_http, "bad_answer"),
        (receivers.says_nothing, "timed_out"),
        (receivers.drips_headers, "timed_out"),
    ],
)
def test_what_is_no_answer_is_a_failed_attempt_with_a_reason(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch, behaviour: receivers.Behaviour, error: str
) -> None:
    monkeypatch.setattr("app.jobs.webhooks.TIMEOUT_S", 0.3)
    with receiving(behaviour) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.step()
        receiver.behaviour = answers()
        deck.run()
    failed, succeeded = attempts(api, made)
    assert (failed["status"], failed["error"], failed["state"]) == (None, error, "failed")
    assert failed["detail"]
    assert succeeded["state"] == "succeeded"


def test_a_receiver_that_is_down_gets_it_when_it_is_back(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        made = endpoint(api, receiver.url)
        receiver.go_down()
        deck.record()
        deck.run_for(minutes=1)
        assert [one["error"] for one in attempts(api, made)] == ["unreachable"] * 2
        receiver.come_up()
        deck.run()
        assert sequences(receiver) == [1]


@pytest.mark.parametrize("behaviour", [receivers.never_closes, receivers.drips_body, receivers.sends_a_gigabyte])
def test_an_answer_without_end_is_cut_short_and_its_status_counts(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch, behaviour: receivers.Behaviour
) -> None:
    monkeypatch.setattr("app.jobs.webhooks.TIMEOUT_S", 0.5)
    with receiving(behaviour) as receiver:
        made = endpoint(api, receiver.url)
        deck.record()
        deck.step()
    [attempt] = attempts(api, made)
    assert attempt["state"] == "succeeded"
    assert 0 < len(attempt["answer"]) <= 2_048
    assert attempt["duration_ms"] < 5_000
