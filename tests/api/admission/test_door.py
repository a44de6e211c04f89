"""Keys that are none are refused without a look at the database, and lock nobody out who was here."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.api.admission.door import MOST_KNOWN, Door, network_of
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api, Clock
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of


@pytest.fixture
def limited(settings: Settings, database: Database) -> Iterator[Api]:
    """The service with limits of three failures and five calls a minute."""
    bounds = settings.model_copy(update={"failures_per_minute": 3, "calls_per_minute": 5})
    made = Api(bounds, new_key(database))
    yield made
    made.close()


def statements(api: Api) -> list[str]:
    """What the service will ask its database from now on."""
    asked: list[str] = []

    @event.listens_for(api.app.state.runtime.database.engine, "before_cursor_execute")
    def note(*about: Any) -> None:
        asked.append(about[2])

    return asked


def wrong(number: int) -> str:
    return f"tranche_{number:016x}_secret{number}"


def test_after_so_many_wrong_keys_an_address_is_refused_without_a_look(
    limited: Api, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    assert limited.get("/v1/projects").status_code == 200
    tried = [limited.as_key(wrong(number)).get("/v1/projects") for number in range(3)]
    assert [one.status_code for one in tried] == [401] * 3
    asked = statements(limited)
    refused = limited.as_key(wrong(4)).get("/v1/projects")
    assert (refused.status_code, refused.headers["Retry-After"], asked) == (429, "60", [])
    assert refused.json()["type"] == "urn:tranche:problem:rate-limited"
    assert limited.get("/v1/projects").status_code == 200, "a key that is known stays welcome"
    newcomer = limited.as_key(new_key(database, "read"))
    assert newcomer.get("/v1/projects").status_code == 429
    limited.clock.now += timedelta(seconds=60)
    assert newcomer.get("/v1/projects").status_code == 200
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING and one.name == "tranche"]
    assert warnings[0] == "API key 0000000000000000 from 127.0.0.1 is unknown, expired or revoked"
    assert warnings[3:] == ["too many unknown keys from 127.0.0.1: more are refused for a minute"]
    assert not any("secret" in one for one in warnings)


def test_no_key_at_all_is_told_so_without_a_look_and_is_no_failure(limited: Api) -> None:
    asked = statements(limited)
    answers = [limited.as_key(None).get("/v1/projects").status_code for _ in range(10)]
    assert (answers, asked) == ([401] * 10, [])
    assert limited.get("/v1/projects").status_code == 200


def test_a_key_has_so_many_calls_a_minute_and_every_answer_says_what_is_left(limited: Api, database: Database) -> None:
    answers = [limited.get("/v1/projects"), limited.get("/v1/projects/none"), limited.post("/v1/projects", json={})]
    assert [(one.status_code, one.headers["RateLimit"]) for one in answers] == [
        (200, '"calls";r=4;t=60'),
        (404, '"calls";r=3;t=60'),
        (422, '"calls";r=2;t=60'),
    ]
    assert {one.headers["RateLimit-Policy"] for one in answers} == {'"calls";q=5;w=60'}
    limited.clock.now += timedelta(seconds=30)
    limited.get("/v1/projects")
    limited.get("/v1/projects")
    asked = statements(limited)
    refused = limited.get("/v1/projects")
    assert (refused.status_code, refused.headers["Retry-After"], asked) == (429, "30", [])
    assert refused.headers["RateLimit"] == '"calls";r=0;t=30'
    assert limited.as_key(new_key(database, "read")).get("/v1/projects").status_code == 200
    assert limited.get("/healthz").status_code == 200


def test_a_revoked_key_is_a_stranger(limited: Api, database: Database) -> None:
    other = limited.as_key(new_key(database, "read"))
    assert other.get("/v1/projects").status_code == 200
    key_id = str(other.key).split("_")[1]
    assert limited.delete(f"/v1/api-keys/{key_id}").status_code == 204
    assert [other.get("/v1/projects").status_code for _ in range(5)] == [401, 401, 401, 401, 429]


def test_wrong_keys_on_the_sign_in_page_and_wrong_sessions_are_counted(limited: Api) -> None:
    pages = Pages(limited)
    assert [pages.sign_in(wrong(number)).status_code for number in range(3)] == [401] * 3
    refused = pages.sign_in(wrong(4))
    assert refused.status_code == 429
    assert "Too many unknown keys came from this address" in text_of(refused)
    stranger = Pages(limited)
    stranger.cookies.set("tranche-session", "none of ours", domain="127.0.0.1")
    assert stranger.get("/").status_code == 429
    limited.clock.now += timedelta(seconds=60)
    assert pages.sign_in(str(limited.key)).headers["location"] == "/"
    away = stranger.get("/")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in")
    assert stranger.cookie("session") is None, "it is not sent again"


def test_a_session_stays_welcome_and_counts_for_its_key(limited: Api) -> None:
    pages = Pages(limited)
    pages.sign_in(str(limited.key))
    assert pages.get("/").headers["RateLimit"] == '"calls";r=3;t=60'
    for number in range(4):
        limited.as_key(wrong(number)).get("/v1/projects")
    assert pages.get("/").status_code == 200


def test_unknown_webhook_addresses_are_counted_and_known_ones_go_on(limited: Api) -> None:
    made = limited.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()
    hook = made["hook_url"][made["hook_url"].index("/v1/") :]
    vendor = limited.as_key(None)
    assert vendor.post(hook, json={}).status_code == 401, "known, and not signed"
    tried = [vendor.post(f"/v1/hooks/{number}", json={}).status_code for number in range(4)]
    assert tried == [404, 404, 404, 429]
    assert vendor.post(hook, json={}).status_code == 401


def test_what_is_known_is_bounded_and_holds_no_secret(settings: Settings) -> None:
    door = Door(settings, Clock())
    for number in range(MOST_KNOWN + 10):
        door.remember(wrong(number), "name")
    assert len(door.known) == MOST_KNOWN
    assert (door.name_of(wrong(1)), door.name_of(wrong(MOST_KNOWN))) == (None, "name")
    assert all(isinstance(one, bytes) and len(one) == 16 for one in door.known)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a name", "a name"),
    ],
)
def test_ipv6_counts_by_the_network_of_one_customer(address: str, network: str) -> None:
    assert network_of(address) == network
