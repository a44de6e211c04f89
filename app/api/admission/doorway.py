"""Answers on their way out: with what is left of the key's quota, and of bodies that nobody read."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admission.bodies import has_body
from app.api.admission.door import COUNTED

LINGER_S = 1.0
LINGER_BYTES = 1_000_000
CLOSE = (b"connection", b"close")


class Doorway:
    """Tells each answer's key its quota. An answer that leaves before its request's body was read ends the connection:
    what still comes is thrown away for a moment, as a sender whose connection breaks may miss the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        unread = has_body(scope)

        async def hear() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                quota = scope.get("state", {}).get(COUNTED, ())
                message = {**message, "headers": [*message.get("headers", ()), *quota, *([CLOSE] if unread else ())]}
            elif unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await throw_away(hear)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self.app(scope, hear if unread else receive, tell)


async def throw_away(hear: Receive) -> None:
    thrown = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while thrown < LINGER_BYTES:
                message = await hear()
                if not message.get("more_body", False):
                    return
                thrown += len(message.get("body", b""))
