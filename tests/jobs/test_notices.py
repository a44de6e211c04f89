"""People are told: real calls to a channel and a mail server on loopback, on a clock that jumps from job to job."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from app.services.webhooks.retries import DELAYS_S
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api
from tests.conftest import one_database
from tests.jobs.deck import Deck
from tests.jobs.test_deliveries import attempts, endpoint, state
from tests.mailbox import Mailbox
from tests.receivers import answers, one_after_another, receiving

pytestmark = one_database
TO = "mailto:ana@example.com,ben@example.com"
PASSWORD = "a password of the mail server"
EVENT = "observations.accepted"


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def by_mail(api: Api, deck: Deck, box: Mailbox, **more: Any) -> None:
    """The service and its workers have a mail server."""
    given = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_from": "tranche@example.com", "smtp_tls": "none"}
    made = deck.context.settings.model_copy(update={**given, **more})
    deck.settle(api, made)


def test_a_channel_gets_the_sentence_and_no_signature(api: Api, deck: Deck) -> None:
    with receiving(answers(200, b"ok")) as receiver:
        made = endpoint(api, receiver.url, kind="slack", event_types=[EVENT])
        deck.record(accepted=3)
        deck.run()
    [request] = receiver.requests
    assert json.loads(request.body)["text"] == "3 training runs were stored in this workspace"
    assert request.headers["content-type"] == "application/json"
    assert not [name for name in request.headers if name.startswith("webhook-")]
    [attempt] = attempts(api, made)
    assert (attempt["state"], attempt["status"], attempt["answer"]) == ("succeeded", 200, "ok")


def test_what_is_no_slack_is_a_failure_that_says_so(api: Api, deck: Deck) -> None:
    """A page of a browser is an answer with 200 too."""
    with receiving(one_after_another(answers(200, b"<html>"), answers(200, b"ok\n"))) as receiver:
        made = endpoint(api, receiver.url, kind="slack", event_types=[EVENT])
        deck.record(accepted=3)
        deck.run()
    first, second = attempts(api, made)
    assert (first["state"], first["status"], first["error"]) == ("failed", 200, "bad_answer")
    assert "incoming webhook" in first["detail"]
    assert (second["state"], second["number"]) == ("succeeded", 2)
    assert len({request.body for request in receiver.requests}) == 1


def test_a_channel_that_has_too_much_is_left_alone_as_long_as_it_says(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(429, b"", more="Retry-After: 600\r\n"), answers(200, b"ok"))) as receiver:
        endpoint(api, receiver.url, kind="slack", event_types=[EVENT])
        deck.record(accepted=3)
        deck.run_for(seconds=599)
        assert len(receiver.requests) == 1
        deck.run_for(seconds=120)
    assert len(receiver.requests) == 2


def test_a_channel_that_is_archived_is_disabled(api: Api, deck: Deck) -> None:
    with receiving(answers(410, b"channel_is_archived")) as receiver:
        made = endpoint(api, receiver.url, kind="slack", event_types=[EVENT])
        deck.record(accepted=3)
        deck.run()
    assert state(api, made)["state"] == "disabled"


def test_a_channel_is_called_by_the_rules_of_calls_to_the_outside(api: Api, deck: Deck) -> None:
    made = endpoint(api, "https://nothing.invalid/hook", kind="slack", event_types=[EVENT])
    deck.record(accepted=3)
    deck.step()
    [attempt] = attempts(api, made)
    assert (attempt["status"], attempt["error"]) == (None, "name_not_found")
    with_address = api.post("/v1/webhook-endpoints", json={"kind": "slack", "url": "https://10.0.0.1/x"})
    assert with_address.json()["errors"][0]["pointer"] == "/url"


def test_a_mail_arrives_once_for_all_and_is_tried_again_as_the_same(api: Api, deck: Deck) -> None:
    with Mailbox() as box:
        by_mail(api, deck, box)
        made = endpoint(api, TO, kind="email", event_types=[EVENT])
        box.answers = {"MAIL": "451 later, please"}
        event = deck.record(accepted=3)
        deck.step()
        box.answers = {}
        deck.run()
    [mail] = box.mails
    assert mail["To"] == "ana@example.com, ben@example.com"
    assert mail["Subject"] == "3 training runs were stored in this workspace"
    assert str(event.id) in mail["Message-ID"]
    assert f"/endpoints/{made['id']}" in mail.get_content()
    first, second = attempts(api, made)
    assert (first["state"], first["status"], first["answer"]) == ("failed", 451, "later, please")
    assert (second["state"], second["status"], second["answer"]) == ("succeeded", 250, "taken as 42")
    assert second["delivery_state"] == "delivered"


def test_a_mail_server_that_is_away_is_asked_by_the_same_schedule(api: Api, deck: Deck) -> None:
    with Mailbox() as box:
        by_mail(api, deck, box)
        made = endpoint(api, TO, kind="email", event_types=[EVENT])
    deck.record(accepted=3)
    deck.run()
    tried = attempts(api, made)
    assert len(tried) == len(DELAYS_S) + 1
    assert {one["error"] for one in tried} == {"unreachable"}
    assert tried[-1]["delivery_state"] == "failed"


def test_no_mail_without_a_server(api: Api, deck: Deck) -> None:
    refused = api.post("/v1/webhook-endpoints", json={"kind": "email", "url": TO})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/kind", "detail": "no e-mail can be sent until the service's operator sets TRANCHE_SMTP_HOST"}
    ]
    with Mailbox() as box:
        by_mail(api, deck, box)
        made = endpoint(api, TO, kind="email", event_types=[EVENT])
        by_mail(api, deck, box, smtp_host=None)
        deck.record(accepted=3)
        deck.step()
    assert [one["error"] for one in attempts(api, made)] == ["no_mail_server"]


def test_the_password_of_the_mail_server_is_nowhere(
    api: Api, deck: Deck, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    with Mailbox({"AUTH": f"535 {PASSWORD} is wrong"}) as box:
        by_mail(api, deck, box, smtp_user="me", smtp_password=SecretStr(PASSWORD))
        made = endpoint(api, TO, kind="email", event_types=[EVENT])
        deck.record(accepted=3)
        deck.step()
    [attempt] = attempts(api, made)
    assert (attempt["status"], attempt["answer"]) == (535, "[hidden] is wrong")
    assert PASSWORD not in caplog.text
    assert PASSWORD not in "".join(capfd.readouterr())
