"""Who is told, by page: making, changing, testing and removing endpoints without the API."""

from typing import Any

import pytest

from app.services.webhooks.events import EVENT_TYPES
from app.settings import Settings
from app.store.db import Database
from app.web.endpoints import EVENTS
from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.jobs.deck import Deck
from tests.receivers import answers, receiving
from tests.web.browser_client import Pages, text_of

pytestmark = one_database
HOOK = "https://example.com/hook"
SLACK = "https://hooks.slack.com/services/T0/B0/a-secret"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_from": "tranche@example.com"})


def make(pages: Pages, kind: str, to: str, **more: Any) -> Any:
    pages.get("/endpoints")
    return pages.post("/endpoints", {"kind": kind, "to": to, "description": "", "project": "", **more})


def listed(api: Api, *, archived: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/webhook-endpoints", params={"archived": archived}).json()["items"]
    return found


def test_a_webhook_is_made_and_its_secret_shown_once(api: Api, pages: Pages) -> None:
    project = api.project(name="<b>One").rpartition("/")[2]
    answer = make(pages, "webhook", HOOK, event=["round.closed", "round.accepted"], project=project, description="d")
    assert answer.status_code == 200
    [made] = listed(api)
    assert (made["kind"], made["url"], made["description"]) == ("webhook", HOOK, "d")
    assert (made["event_types"], made["project_id"]) == (["round.accepted", "round.closed"], project)
    assert "whsec_" in text_of(answer)
    page = pages.get(f"/endpoints/{made['id']}")
    assert "whsec_" not in page.text
    assert "a round is accepted, a round is closed" in text_of(page)
    assert page.text.count('name="event"') == len(EVENT_TYPES)
    assert set(EVENT_TYPES) <= EVENTS.keys(), "every event has words"
    assert page.text.count(" checked>") == 2
    assert "nothing sent yet" in text_of(pages.get("/endpoints"))


def test_people_are_told_by_what_is_made_here(api: Api, pages: Pages) -> None:
    assert make(pages, "email", "ana@example.com, ben@example.com").status_code == 303
    assert make(pages, "slack", SLACK).status_code == 303
    mail, channel = listed(api)
    assert (mail["kind"], mail["url"]) == ("email", "mailto:ana@example.com,ben@example.com")
    assert (channel["kind"], channel["url"]) == ("slack", SLACK)
    page = pages.get("/endpoints")
    assert "ana@example.com, ben@example.com" in text_of(page)
    assert "hooks.slack.com/…" in page.text
    assert "a-secret" not in page.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "email", "to": "ana"}, "write each as ana@example.com"),
        ({"kind": "slack", "to": "http://example.com/x y"}, "percent-encode"),
        ({"kind": "pigeon", "to": HOOK}, "webhook"),
        ({"kind": "webhook", "to": HOOK, "event": ["round.lost"]}, "round.accepted"),
        ({"kind": "webhook", "to": HOOK, "project": "none"}, "project_id"),
    ],
)
def test_what_is_refused_is_shown_with_the_form_as_it_was(
    api: Api, pages: Pages, fields: dict[str, Any], said: str
) -> None:
    answer = make(pages, description="kept", **fields)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert 'value="kept"' in answer.text
    assert f'value="{fields["to"]}"' in answer.text
    assert listed(api) == []


def test_an_endpoint_is_changed_renewed_removed_and_brought_back(api: Api, pages: Pages) -> None:
    make(pages, "webhook", HOOK)
    [made] = listed(api)
    at = f"/endpoints/{made['id']}"
    form = {"to": HOOK + "/2", "description": "later", "event": ["round.closed"], "project": ""}
    assert pages.post(f"{at}/change", form).status_code == 303
    [changed] = listed(api)
    assert (changed["url"], changed["description"], changed["event_types"]) == (HOOK + "/2", "later", ["round.closed"])
    refused = pages.post(f"{at}/change", {"to": "x", "description": "lost?", "project": ""})
    assert refused.status_code == 422
    assert 'value="lost?"' in refused.text
    assert listed(api) == [changed]
    renewed = pages.post(f"{at}/rotate")
    assert "whsec_" in text_of(renewed)
    assert listed(api)[0]["previous_secret_expires_at"] is not None
    assert pages.post(f"{at}/remove").headers["location"] == "/endpoints"
    assert (listed(api), len(listed(api, archived=True))) == ([], 1)
    assert "Bring back" in text_of(pages.get("/endpoints"))
    assert pages.post(f"{at}/restore").status_code == 303
    assert len(listed(api)) == 1
    assert "It is back" in text_of(pages.get(at))


def test_a_channel_has_no_secret_to_renew(api: Api, pages: Pages) -> None:
    make(pages, "slack", SLACK)
    at = f"/endpoints/{listed(api)[0]['id']}"
    assert "Renew" not in text_of(pages.get(at))
    assert pages.post(f"{at}/rotate").status_code == 409


def test_a_test_arrives_and_is_seen_on_the_page(settings: Settings, database: Database, api: Api, pages: Pages) -> None:
    deck = Deck.of(api, settings, database)
    with receiving(answers(200, b"ok")) as receiver:
        make(pages, "slack", receiver.url)
        at = f"/endpoints/{listed(api)[0]['id']}"
        assert pages.post(f"{at}/test").status_code == 303
        deck.run()
    assert b"This is a test of Tranche" in receiver.requests[0].body
    assert "endpoint.test arrived 1" in text_of(pages.get(at))


def test_a_key_of_one_project_makes_endpoints_of_that_alone(api: Api, database: Database) -> None:
    mine, other = (api.project(name=name).rpartition("/")[2] for name in ("mine", "other"))
    visitor = Pages(api)
    visitor.sign_in(new_key(database, project_ids=[mine]))
    page = visitor.get("/endpoints")
    assert "all projects" not in page.text
    assert other not in page.text
    assert make(visitor, "slack", SLACK, project=other).status_code == 422
    assert make(visitor, "slack", SLACK).status_code == 422
    assert make(visitor, "slack", SLACK, project=mine).status_code == 303
