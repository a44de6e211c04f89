"""Webhook endpoints over HTTP: making, changing, pausing, testing, replaying."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.services.webhooks.endpoints import MAX_ENDPOINTS
from app.services.webhooks.events import EVENT_TYPES, FOR_PEOPLE
from app.settings import Settings
from app.store.db import Database
from tests.api_client import NOW, Api
from tests.conftest import new_key
from tests.jobs.deck import Deck
from tests.receivers import answers, one_after_another, receiving

PATH = "/v1/webhook-endpoints"
URL = "https://example.com/hook"


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def make(api: Api, url: str = URL, **more: Any) -> dict[str, Any]:
    answer = api.post(PATH, json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(api: Api) -> None:
    answer = api.post(PATH, json={"url": "https://BÜCHER.example/hook", "event_types": ["round.closed"]})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{PATH}/{made['id']}"
    assert made["url"] == "https://xn--bcher-kva.example/hook"
    assert made["secret_shown"] is False
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) >= 24
    read = api.get(f"{PATH}/{made['id']}")
    assert made["secret"] not in read.text
    assert {name: made[name] for name in read.json()} == read.json()
    assert read.headers["ETag"] == answer.headers["ETag"]
    assert api.get(PATH).json() == {"items": [read.json()], "next_cursor": None}


def test_a_channel_has_no_secret_and_needs_no_key_to_keep_one_with(settings: Settings, database: Database) -> None:
    bare = Api(settings.model_copy(update={"secret_keys": ()}), new_key(database))
    made = make(bare, kind="slack")
    assert (made["secret"], made["secret_shown"], made["kind"]) == (None, False, "slack")
    refused = bare.post(f"{PATH}/{made['id']}/rotate")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "This endpoint has no secret: only webhooks are signed.",
    )
    bare.close()


def test_people_are_told_of_what_waits_for_them_unless_they_choose(api: Api) -> None:
    usual = set(FOR_PEOPLE) & set(EVENT_TYPES)
    made = make(api, kind="slack")
    assert set(made["event_types"]) == usual
    place = f"{PATH}/{made['id']}"
    assert api.patch(place, json={"event_types": ["round.closed"]}).json()["event_types"] == ["round.closed"]
    assert set(api.patch(place, json={"event_types": None}).json()["event_types"]) == usual
    assert make(api)["event_types"] is None
    assert api.patch(place, json={"kind": "webhook"}).status_code == 422
    assert api.patch(place, json={"url": "mailto:ana@example.com"}).status_code == 422


@pytest.mark.parametrize("path", ["", "/rotate"])
def test_a_repeated_request_does_not_show_the_secret_again(api: Api, path: str) -> None:
    place = PATH if not path else f"{PATH}/{make(api)['id']}{path}"
    options: dict[str, Any] = {"headers": {"Idempotency-Key": "k"}} | ({} if path else {"json": {"url": URL}})
    first, again = api.post(place, **options), api.post(place, **options)
    assert first.json()["secret"].startswith("whsec_")
    assert again.status_code == first.status_code
    assert again.json() == first.json() | {"secret": None, "secret_shown": True}
    assert again.headers["ETag"] == first.headers["ETag"]


def test_without_a_secret_key_none_is_made_and_the_problem_says_what_to_do(
    settings: Settings, database: Database
) -> None:
    bare = Api(settings.model_copy(update={"secret_keys": ()}), new_key(database))
    answer = bare.post(PATH, json={"url": URL})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("secret-key-missing")
    assert "tranche secret-key create" in answer.json()["detail"]
    assert bare.get(PATH).json()["items"] == []
    bare.close()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "https://user:secret@example.com/"}, "/url"),
        ({"url": "https://169.254.169.254/latest"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://0x7f.1/"}, "/url"),
        ({"url": "x"}, "/url"),
        ({"url": ""}, "/url"),
        ({}, "/url"),
        ({"url": URL, "event_types": []}, "/event_types"),
        ({"url": URL, "event_types": ["no.such"]}, "/event_types/0"),
        ({"url": URL, "project_id": str(uuid4())}, "/project_id"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
    ],
)
def test_bad_endpoints_are_refused_with_the_place_and_make_nothing(
    api: Api, body: dict[str, Any], pointer: str
) -> None:
    answer = api.post(PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert api.get(PATH).json()["items"] == []


def test_a_url_of_plain_http_is_refused_where_no_network_is_allowed(settings: Settings, database: Database) -> None:
    strict = Api(settings.model_copy(update={"outbound_allow": ()}), new_key(database))
    for url in ("http://example.com/", "http://127.0.0.1/", "https://127.0.0.1/"):
        assert strict.post(PATH, json={"url": url}).status_code == 422
    strict.close()


def test_patch_changes_what_it_names_under_if_match(api: Api) -> None:
    made = make(api, event_types=["round.closed"])
    place = f"{PATH}/{made['id']}"
    tag = api.get(place).headers["ETag"]
    changed = api.patch(place, json={"event_types": None, "description": "new"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert (changed.json()["event_types"], changed.json()["description"], changed.json()["url"]) == (None, "new", URL)
    assert api.patch(place, json={"description": "x"}, headers={"If-Match": tag}).status_code == 412
    assert api.patch(place, json={"url": "https://10.0.0.1/"}).status_code == 422
    assert api.delete(place, headers={"If-Match": tag}).status_code == 412
    assert api.get(place).json() == changed.json()


def test_an_archived_endpoint_is_hidden_gets_nothing_and_comes_back(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers())) as receiver:
        made = make(api, receiver.url)
        place = f"{PATH}/{made['id']}"
        deck.record()
        deck.run_for(seconds=1)
        assert api.delete(place).status_code == 204
        deck.record()
        deck.run()
        assert len(receiver.requests) == 1
        assert api.get(place).status_code == 404
        assert api.get(PATH).json()["items"] == []
        assert [one["id"] for one in api.get(PATH, params={"archived": True}).json()["items"]] == [made["id"]]
        assert api.post(f"{place}/restore").json()["archived_at"] is None
        deck.record()
        deck.run()
        assert [json.loads(one.body)["sequence"] for one in receiver.requests] == [1, 3]


def test_endpoints_are_listed_by_pages(api: Api) -> None:
    made = [make(api)["id"] for _ in range(3)]
    first = api.get(PATH, params={"limit": 2}).json()
    rest = api.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


def test_there_is_an_end_to_the_number_of_endpoints(api: Api) -> None:
    for _ in range(MAX_ENDPOINTS):
        last = make(api)
    assert api.post(PATH, json={"url": URL}).status_code == 409
    api.delete(f"{PATH}/{last['id']}")
    make(api)


def test_a_key_of_one_project_sees_and_makes_endpoints_of_that_project_alone(api: Api, database: Database) -> None:
    mine, other = (api.project().rsplit("/")[-1] for _ in range(2))
    limited = api.as_key(new_key(database, project_ids=[mine]))
    for_all, for_other = make(api), make(api, project_id=other)
    made = make(limited, project_id=mine)
    assert [one["id"] for one in limited.get(PATH).json()["items"]] == [made["id"]]
    for hidden in (for_all, for_other):
        assert limited.get(f"{PATH}/{hidden['id']}").status_code == 404
        assert limited.post(f"{PATH}/{hidden['id']}/rotate").status_code == 404
    for body in ({"url": URL}, {"url": URL, "project_id": other}):
        assert limited.post(PATH, json=body).status_code == 422
    assert limited.patch(f"{PATH}/{made['id']}", json={"project_id": None}).status_code == 422


def test_pausing_and_resuming_may_be_repeated(api: Api, deck: Deck) -> None:
    place = f"{PATH}/{make(api)['id']}"
    for _ in range(2):
        assert api.post(f"{place}/pause").json()["state"] == "paused"
    for _ in range(2):
        assert api.post(f"{place}/resume").json()["state"] == "active"
    deck.run()


def test_a_disabled_endpoint_cannot_be_paused(api: Api, deck: Deck) -> None:
    with receiving(answers(410)) as receiver:
        place = f"{PATH}/{make(api, receiver.url)['id']}"
        deck.record()
        deck.run()
    assert api.post(f"{place}/pause").status_code == 409
    assert api.post(f"{place}/resume").json()["disabled_reason"] is None


def test_a_test_event_goes_to_this_endpoint_alone_even_while_paused(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver, receiving(answers()) as other:
        place = f"{PATH}/{make(api, receiver.url, event_types=['round.closed'])['id']}"
        make(api, other.url)
        api.post(f"{place}/pause")
        sent = api.post(f"{place}/test")
        assert sent.status_code == 202
        deck.run()
        [request] = receiver.requests
        assert other.requests == []
    body = json.loads(request.body)
    assert (body["type"], body["id"], body["sequence"]) == ("endpoint.test", sent.json()["event_id"], None)
    [attempt] = api.get(f"{place}/attempts").json()["items"]
    assert (attempt["event_type"], attempt["delivery_state"]) == ("endpoint.test", "failed")
    assert api.get(place).json()["failing_since"] is None
    assert api.get("/v1/events").json()["items"] == []


def test_attempts_are_filtered_by_state_type_and_time(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers())) as receiver:
        place = f"{PATH}/{make(api, receiver.url)['id']}"
        deck.record("round.closed")
        deck.run_for(minutes=1)
        api.clock.now = later = NOW + timedelta(hours=1)
        deck.record("round.accepted")
        deck.run()

    def listed(**wanted: Any) -> list[tuple[str, str]]:
        items = api.get(f"{place}/attempts", params=wanted).json()["items"]
        return [(one["event_type"], one["state"]) for one in items]

    newest_first = [("round.accepted", "succeeded"), ("round.closed", "succeeded"), ("round.closed", "failed")]
    assert listed() == newest_first
    assert listed(state="failed") == newest_first[2:]
    assert listed(type="round.closed") == newest_first[1:]
    assert listed(since=later.isoformat()) == newest_first[:1]
    assert listed(until=later.isoformat(), state="succeeded") == newest_first[1:2]
    assert listed(since=later.replace(tzinfo=None).isoformat()) == newest_first[:1], "without an offset it is UTC"
    assert api.get(f"{place}/attempts", params={"since": "1763632800"}).status_code == 422
    first = api.get(f"{place}/attempts", params={"limit": 2}).json()
    rest = api.get(f"{place}/attempts", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [(one["event_type"], one["state"]) for one in first["items"] + rest["items"]] == newest_first


def test_one_attempt_or_event_is_sent_again_on_request(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        place = f"{PATH}/{make(api, receiver.url, event_types=['round.closed'])['id']}"
        deck.record("round.closed")
        unwanted = deck.record("round.accepted")
        deck.run()
        [attempt] = api.get(f"{place}/attempts").json()["items"]
        again = api.post(f"{place}/replay", json={"attempt_id": attempt["id"]})
        assert (again.status_code, again.json()) == (202, {"deliveries": 1})
        deck.run()
        assert api.post(f"{place}/replay", json={"event_id": attempt["event_id"]}).status_code == 202
        assert api.post(f"{place}/replay", json={"event_id": str(unwanted.id)}).status_code == 202
        deck.run()
        assert [json.loads(one.body)["sequence"] for one in receiver.requests] == [1, 1, 1, 2]
        assert len({one.headers["webhook-id"] for one in receiver.requests[:3]}) == 1


def test_all_that_failed_since_an_instant_is_sent_again_in_order(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        place = f"{PATH}/{make(api, receiver.url)['id']}"
        for _ in range(2):
            deck.record()
        deck.run_for(days=4)
        since = api.clock.now
        for _ in range(3):
            deck.record()
        deck.run_for(seconds=1)
        receiver.behaviour = answers()
        receiver.requests.clear()
        assert api.post(f"{place}/replay", json={"failed_since": since.isoformat()}).json() == {"deliveries": 3}
        deck.run()
        assert [json.loads(one.body)["sequence"] for one in receiver.requests] == [3, 4, 5]
        everything = {"failed_since": NOW.isoformat()}
        assert api.post(f"{place}/replay", json=everything).json() == {"deliveries": 2}
        deck.run()
        assert [json.loads(one.body)["sequence"] for one in receiver.requests[3:]] == [1, 2]
        assert api.post(f"{place}/replay", json=everything).json() == {"deliveries": 0}
        assert not deck.cards


def test_replays_that_make_no_sense_are_refused(api: Api, deck: Deck) -> None:
    place = f"{PATH}/{make(api)['id']}"
    waiting = deck.record()
    nobody = str(uuid4())
    for body in ({}, {"event_id": nobody}, {"attempt_id": nobody}, {"event_id": nobody, "attempt_id": nobody}):
        assert api.post(f"{place}/replay", json=body).status_code == 422, body
    assert api.post(f"{place}/replay", json={"event_id": str(waiting.id)}).status_code == 409
    api.post(f"{place}/pause")
    assert api.post(f"{place}/replay", json={"failed_since": NOW.isoformat()}).status_code == 409


def test_a_new_url_starts_the_five_days_anew(api: Api, deck: Deck) -> None:
    with receiving(answers(500)) as receiver:
        place = f"{PATH}/{make(api, receiver.url)['id']}"
        deck.record()
        deck.run_for(days=1)
        assert api.get(place).json()["failing_since"] is not None
        assert api.patch(place, json={"description": "same place"}).json()["failing_since"] is not None
        assert api.patch(place, json={"url": URL}).json()["failing_since"] is None
