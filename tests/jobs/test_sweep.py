"""Jobs that got lost for good are made up for."""

from datetime import timedelta

import pytest

from app.services.webhooks.sweep import OVERDUE_AFTER, send_what_is_late
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api
from tests.jobs.deck import Deck
from tests.jobs.test_deliveries import endpoint, sequences, state
from tests.receivers import answers, one_after_another, receiving


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def sweep(deck: Deck) -> int:
    with deck.context.database.writing() as session:
        send_what_is_late(session, deck.clock.now, deck.enqueue)
    return len(deck.cards)


def test_events_whose_job_is_gone_are_sent_after_a_minute(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        endpoint(api, receiver.url)
        deck.record()
        deck.cards.clear()
        assert sweep(deck) == 0
        deck.clock.now += timedelta(seconds=61)
        assert sweep(deck) == 1
        assert sweep(deck) == 1
        deck.run()
        assert sequences(receiver) == [1]
        deck.clock.now += timedelta(hours=1)
        assert sweep(deck) == 0


def test_a_retry_whose_job_is_gone_is_made_once_it_is_overdue(api: Api, deck: Deck) -> None:
    with receiving(one_after_another(answers(500), answers())) as receiver:
        endpoint(api, receiver.url)
        deck.record()
        deck.step()
        deck.cards.clear()
        deck.clock.now += timedelta(seconds=30)
        assert sweep(deck) == 0
        deck.clock.now += OVERDUE_AFTER
        assert sweep(deck) == 1
        deck.run()
        assert sequences(receiver) == [1, 1]
        assert sweep(deck) == 0


def test_endpoints_that_receive_nothing_now_are_left_alone(api: Api, deck: Deck) -> None:
    with receiving(answers()) as receiver:
        made = endpoint(api, receiver.url)
        api.post(f"{made['path']}/pause")
        deck.record()
        deck.clock.now += timedelta(days=1)
        assert sweep(deck) == 0
        assert state(api, made)["state"] == "paused"
