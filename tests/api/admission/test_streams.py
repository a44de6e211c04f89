"""Event streams are bounded, of the API and of pages together."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from app.api.admission import EventStream, streams
from app.api.admission.shares import Shares
from app.api.http.runtime import Runtime
from app.errors import RateLimited
from tests.api.test_jobs import started
from tests.api_client import Api
from tests.conftest import one_database

WORKSPACE = UUID(int=1)


@one_database
def test_streams_beyond_the_bound_are_told_when_to_come_again(api: Api) -> None:
    runtime: Runtime = api.app.state.runtime
    path = started(api)
    workspace_id = runtime.identify(str(api.key)).workspace_id
    half = runtime.door.streams.each
    with runtime.door.streams.room(workspace_id, half):
        refused = api.get(f"{path}/events")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert refused.json()["type"] == "urn:tranche:problem:rate-limited"
    with runtime.door.streams.room("another", half), runtime.door.streams.room("a third", half):
        assert api.get(f"{path}/events").status_code == 503
    api.post(f"{path}/cancel")
    assert api.get(f"{path}/events").status_code == 200
    assert runtime.door.streams.all_held == 0


async def nothing(_: Any) -> None:
    pass


async def silence() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def one_event() -> AsyncIterator[str]:
    yield "event: one\n\n"
    await asyncio.Event().wait()


def test_its_place_is_free_again_however_a_stream_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = Shares(2, "event streams", 30)
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}

    async def gone() -> dict[str, Any]:
        assert shares.all_held == 1
        return {"type": "http.disconnect"}

    async def play() -> None:
        await EventStream(one_event(), shares, WORKSPACE)(scope, gone, nothing)
        assert shares.all_held == 0
        with shares.room(WORKSPACE, 1), pytest.raises(RateLimited):
            await EventStream(one_event(), shares, WORKSPACE)(scope, silence, nothing)
        monkeypatch.setattr(streams, "LONGEST_S", 0.0)
        monkeypatch.setattr(streams, "GRACE_S", 0.0)
        await EventStream(one_event(), shares, WORKSPACE)(scope, silence, nothing)
        assert shares.all_held == 0

    asyncio.run(play())
