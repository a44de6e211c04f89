"""Connections that ask nothing, read nothing, or are too many."""

import asyncio
from functools import partial
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.http.problems import answer
from app.errors import Unavailable

HEAD_S = 20.0
"""What a connection gets until the head of its first request is there, and of each later one from its first byte."""
STALL_S = 60.0
"""What a reader of an answer gets for each part of it."""
HEALTH = ("/healthz", "/readyz")
CROWDED = Unavailable(
    "This process has as many connections as it takes. Nothing was changed; try again.",
    headers={"Retry-After": "1", "Connection": "close"},
)


class PatientProtocol(H11Protocol):
    """A connection in bounds of time, among at most so many.

    One too many takes the place of one that asks nothing, first of those that never did. Where all are busy it is
    answered 503, health checks excepted; as many again, and it is closed.
    """

    most: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.since_s = monotonic()
        self.head_timer: asyncio.TimerHandle | None = None
        self.stall_timer: asyncio.TimerHandle | None = None

    def is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_timer = self.loop.call_later(HEAD_S, self.shutdown)
        if len(self.connections) > self.most:
            self.make_room()

    def make_room(self) -> None:
        bounded = [one for one in self.connections if isinstance(one, PatientProtocol)]
        # Those told to go leave the server's list only when the loop comes round.
        others = [one for one in bounded if one is not self and not one.transport.is_closing()]
        if len(others) < self.most:
            return
        idle = [one for one in others if one.is_idle()]
        if idle:
            min(idle, key=lambda one: (one.cycle is not None, one.since_s)).shutdown()
        left = len(others) - len(idle[:1])
        if left >= 2 * self.most:
            self.transport.abort()
        elif left >= self.most:
            self.app = partial(only_health, self.app)

    def data_received(self, data: bytes) -> None:
        self.since_s = monotonic()
        super().data_received(data)
        if not self.is_idle():
            self.head_timer = stopped(self.head_timer)
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(HEAD_S, self.shutdown)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stall_timer = self.loop.call_later(STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stall_timer = stopped(self.stall_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.head_timer, self.stall_timer = stopped(self.head_timer), stopped(self.stall_timer)


def stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None


def at_most(connections: int) -> type[PatientProtocol]:
    """The protocol of a server that takes so many connections."""

    class Bounded(PatientProtocol):
        most = connections

    return Bounded


async def only_health(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """`app` for health checks, which must tell a crowd from a failure; 503 for all others."""
    wanted = scope["type"] != "http" or scope["path"].endswith(HEALTH)
    await (app if wanted else answer(CROWDED))(scope, receive, send)
