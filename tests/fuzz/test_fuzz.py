"""Mutated requests to every operation and page: no answer of 500 or off the contract, and what is wrong is found.

`make test-fuzz` sends many more (FUZZ_REQUESTS, FUZZ_SEED)."""

import asyncio
import os
import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Clock
from tests.conftest import new_key, one_database
from tests.fuzz.asking import Answer, Request, ask
from tests.fuzz.campaign import MOST_KINDS, Campaign, Found

QUICK, LONG = 2_000, 100_000


def played(settings: Settings, database: Database, seed: int, requests: int, plant: "Plant | None" = None) -> Found:
    app = create_app(settings, Clock())
    asked = app if plant is None else Planted(app, plant)
    most = MOST_KINDS if plant is None else 1
    try:
        return asyncio.run(Campaign(asked, new_key(database), seed).run(requests, most))
    finally:
        app.state.webhooks.close()
        app.state.runtime.database.close()


def test_no_request_is_answered_off_the_contract(settings: Settings, database: Database) -> None:
    found = played(settings, database, int(os.environ.get("FUZZ_SEED", "1")), QUICK)
    assert not found.faults, found.report()
    assert len(found.operations) > 60, sorted(found.operations)


@pytest.mark.slow
def test_no_request_of_many_is(settings: Settings, database: Database) -> None:
    seed, requests = int(os.environ.get("FUZZ_SEED", "1")), int(os.environ.get("FUZZ_REQUESTS", LONG))
    found = played(settings, database, seed, requests)
    assert not found.faults, found.report()


Plant = Callable[[Answer], None]
"""Changes an answer of `GET /v1/jobs`."""


class Planted:
    """The service with a fault."""

    def __init__(self, app: FastAPI, plant: Plant) -> None:
        self.app = app
        self.plant = plant
        self.routes = app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/jobs" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        answer = await ask(self.app, Request("GET", b"/v1/jobs", scope["query_string"], tuple(scope["headers"])))
        if answer.status == 200:
            self.plant(answer)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def lose_a_field(answer: Answer) -> None:
    answer.body = answer.body.replace(b'"items"', b'"rows"')


def change_the_status(answer: Answer) -> None:
    answer.status = 418


def change_the_type(answer: Answer) -> None:
    answer.headers["content-type"] = "text/html"


def fail(answer: Answer) -> None:
    answer.status = 500


def show_a_path(answer: Answer) -> None:
    answer.body = answer.body[:-1] + b', "debug": "/home/me/tranche.db"}'


def be_no_json(answer: Answer) -> None:
    answer.body = b"NaN!"


@one_database
@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (lose_a_field, "off its schema"),
        (change_the_status, "not declared"),
        (change_the_type, "but declared are"),
        (fail, "status 500"),
        (show_a_path, "shows '/home/'"),
        (be_no_json, "no JSON"),
    ],
)
def test_a_planted_fault_is_found(settings: Settings, database: Database, plant: Plant, says: str) -> None:
    found = played(settings, database, 1, 1000, plant)
    what = next(one for one in found.faults if one.startswith("GET /v1/jobs:") and says in one)
    assert re.match(r"FUZZ_SEED=1 FUZZ_REQUESTS=\d+ make test-fuzz  # (GET|HEAD) b'/v1/jobs", found.faults[what])
