"""A server that ends in time, whatever its calls compute."""

import asyncio
import logging
import socket
from collections.abc import Callable
from time import monotonic

import uvicorn

from app.api.stopping import Stoppable

log = logging.getLogger(__name__)

LOOK_S = 0.05
CLOSE_WITHIN_S = 1
"""What connections get to be closed, and streams to end, once the calls are answered or given up."""


class GracefulServer(uvicorn.Server):
    """Told to stop, it answers new calls with 503 while those under way have `grace_s` seconds to end.

    leave: ends the process. It is called where calls were given up: a thread that computes for one of them cannot be
    stopped, and Python would wait for it.
    """

    def __init__(self, config: uvicorn.Config, calls: Stoppable, grace_s: float, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self.calls, self.grace_s, self.leave = calls, grace_s, leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.calls.stopping = True
        until = monotonic() + self.grace_s
        while self.calls.under_way and monotonic() < until and not self.force_exit:
            await asyncio.sleep(LOOK_S)
        given_up = self.calls.under_way
        if given_up:
            log.warning("calls under way that are given up after %g s: %d", self.grace_s, given_up)
        self.config.timeout_graceful_shutdown = CLOSE_WITHIN_S
        await super().shutdown(sockets)
        if given_up:
            # What was cancelled ends now, and says so to its callers.
            await asyncio.sleep(LOOK_S)
            self.leave()
