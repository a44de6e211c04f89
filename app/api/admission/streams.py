"""Event streams: so many at once, of one workspace at most half of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.admission.shares import Shares

LONGEST_S = 600.0
"""A stream ends after so long; its reader connects again and is told the present state first."""
GRACE_S = 30.0
"""What a stream that should have ended gets, where its reader does not read."""


class EventStream(StreamingResponse):
    """Server-sent events of one workspace. Where there is no room, calling it raises as `Room.grow_to`, and nothing was
    answered yet."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], streams: Shares, workspace_id: UUID, **options: Any) -> None:
        super().__init__(events, **options)
        self.streams, self.workspace_id = streams, workspace_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.streams.room(self.workspace_id, 1), suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_S + GRACE_S):
                await super().__call__(scope, receive, send)
