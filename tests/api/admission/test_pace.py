"""The time that a body has, on a clock of the test's own."""

import asyncio
from typing import cast

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.api.admission.bodies import Pace, read_body
from app.api.admission.shares import Shares
from app.errors import BodyTooSlow


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time goes on by what is added too: waiting costs no time and depends on no machine."""

    added = 0.0

    def time(self) -> float:
        return super().time() + self.added


def test_a_body_that_goes_on_coming_has_the_time_that_it_takes() -> None:
    """The whole takes ten times as long as one part may; its last part is too late once it takes longer than that."""
    pace, part = Pace(seconds=1_000, least_bytes=10_000), b" " * 20_000

    async def read(waits: list[float]) -> bytes:
        coming = iter(waits)

        async def receive() -> Message:
            if (wait := next(coming, None)) is None:
                return {"type": "http.request", "body": b"", "more_body": False}
            cast(Clock, asyncio.get_running_loop()).added += wait
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return {"type": "http.request", "body": part, "more_body": True}

        scope = {"type": "http", "method": "PUT", "headers": [(b"transfer-encoding", b"chunked")]}
        with Shares(2_000_000, "bytes", 1).room("one") as room:
            return await read_body(Request(scope, receive), 1_000_000, room, pace)

    with asyncio.Runner(loop_factory=Clock) as runner:
        assert len(runner.run(read([900.0] * 12))) == 12 * len(part)
        with pytest.raises(BodyTooSlow):
            runner.run(read([*[900.0] * 11, 1_100.0]))
