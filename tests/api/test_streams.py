"""Every stream ends at the next look once its key or its session has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import anyio
import pytest

from app.store.access import key_by_id
from app.store.db import Database
from app.store.models.access import ApiKey
from tests.api.purchases.test_rounds import propose
from tests.api.test_rights import OPERATIONS
from tests.api_client import NOW, RUNS, Api
from tests.conftest import new_key
from tests.web.browser_client import Pages

STREAMS = [
    "/v1/jobs/{job_id}/events",
    "/projects/{project_id}/rounds/{number}/progress",
    "/projects/{project_id}/simulations/{simulation_id}/progress",
]
PLAYED = {"policies": ["equal", "proportional"], "replicates": 4, "rounds": 2, "draws": 20}


@dataclass
class Watched:
    """A workspace with something to watch, by the names of paths, and the admin who watches."""

    api: Api
    database: Database
    places: dict[str, str]

    def change_key(self, change: Callable[[ApiKey], None]) -> None:
        with self.database.writing() as session:
            row = key_by_id(session, (self.api.key or "").split("_")[1])
            assert row is not None
            change(row)


@pytest.fixture
def watched(api: Api, database: Database) -> Watched:
    path = api.project()
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    assert propose(api, path, draws=50).status_code == 201
    played = api.post(f"{path}/simulations", json=PLAYED).json()
    project = path.rpartition("/")[2]
    places = {"project_id": project, "number": "1", "simulation_id": played["id"], "job_id": played["job_id"]}
    return Watched(api.as_key(new_key(database, "read")), database, places)


def revoked(row: ApiKey) -> None:
    row.revoked_at = NOW


def expired(row: ApiKey) -> None:
    row.expires_at = NOW - timedelta(seconds=1)


def limited(row: ApiKey) -> None:
    row.project_ids = []


def without_the_scope(row: ApiKey) -> None:
    row.scopes = ["observe"]


def test_these_are_all_streams() -> None:
    assert {one.path for one in OPERATIONS if one.path.endswith(("/events", "/progress"))} == {*STREAMS, "/v1/events"}


@pytest.mark.parametrize("end", [revoked, expired, limited, without_the_scope, None])
@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_ends_with_the_right_to_it(
    watched: Watched, stream: str, end: Callable[[ApiKey], None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its first look and its second the key ends, or whoever watches a page signs out."""
    browser, looks = Pages(watched.api), []
    browser.sign_in(watched.api.key or "")
    browser.get("/")
    elsewhere = Pages(watched.api)
    elsewhere.cookies, elsewhere.csrf = browser.cookies, browser.csrf

    async def meanwhile(_: float) -> None:
        looks.append(1)
        if end is not None:
            await anyio.to_thread.run_sync(watched.change_key, end)
        elif not stream.startswith("/v1"):
            await anyio.to_thread.run_sync(elsewhere.post, "/sign-out")
        else:
            await anyio.to_thread.run_sync(watched.change_key, revoked)

    monkeypatch.setattr(anyio, "sleep", meanwhile)
    path = stream.format(**watched.places)
    answer = watched.api.get(path) if path.startswith("/v1") else browser.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("event: ") == 1, "what it was told at once"
    assert looks == [1]
