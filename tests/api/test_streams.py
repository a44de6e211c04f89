"""A stream ends at the next look once its key has, and many cost hardly more than one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import anyio
import pytest

from app.api import jobs
from app.api.http.transactions import Call
from app.store.access import key_by_id
from app.store.db import Database
from app.store.models.access import ApiKey
from tests.api.test_rights import OPERATIONS
from tests.api_client import NOW, RUNS, Api
from tests.conftest import new_key

STREAM = "/v1/jobs/{job_id}/events"
PLAYED = {"policies": ["equal", "proportional"], "replicates": 4, "rounds": 2, "draws": 20}


@dataclass
class Watched:
    """A job to watch, by its stream's path, and who watches."""

    api: Api
    database: Database
    path: str

    def change_key(self, change: Callable[[ApiKey], None]) -> None:
        with self.database.writing() as session:
            row = key_by_id(session, (self.api.key or "").split("_")[1])
            assert row is not None
            change(row)


@pytest.fixture
def watched(api: Api, database: Database) -> Watched:
    path = api.project()
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    job = api.post(f"{path}/simulations", json=PLAYED).json()["job_id"]
    return Watched(api.as_key(new_key(database, "read")), database, STREAM.format(job_id=job))


def revoked(row: ApiKey) -> None:
    row.revoked_at = NOW


def expired(row: ApiKey) -> None:
    row.expires_at = NOW - timedelta(seconds=1)


def limited(row: ApiKey) -> None:
    row.project_ids = []


def without_the_scope(row: ApiKey) -> None:
    row.scopes = ["observe"]


def test_this_is_the_only_stream() -> None:
    assert {one.path for one in OPERATIONS if one.path.endswith("/events")} == {STREAM, "/v1/events"}


@pytest.mark.parametrize("end", [revoked, expired, limited, without_the_scope])
def test_a_stream_ends_with_the_right_to_it(
    watched: Watched, end: Callable[[ApiKey], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its first look and its second the key ends."""
    looks = []

    async def meanwhile(_: float) -> None:
        looks.append(1)
        await anyio.to_thread.run_sync(watched.change_key, end)

    monkeypatch.setattr(anyio, "sleep", meanwhile)
    answer = watched.api.get(watched.path)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("event: ") == 1, "what it was told at once"
    assert looks == [1]


def test_streams_of_one_key_look_together(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    async def at_once(_: float) -> None:
        pass

    def look(call: Call, job_id: str) -> jobs.JobOut:
        looks.append(job_id)
        return look_itself(call, job_id)

    look_itself = jobs.look
    monkeypatch.setattr(anyio, "sleep", at_once)
    monkeypatch.setattr(jobs, "look", look)
    monkeypatch.setattr(jobs, "POLL_S", 100.0)
    monkeypatch.setattr(jobs, "LONGEST_S", 400.0)
    answers = watched.api.together([("GET", watched.path, {})] * 5)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(looks) == 5 + 1, "each as it begins, and once for all the rest"
