"""What is settled of a request before a route is looked for: that its address and headers are text, under which prefix
it came, and that HEAD is answered as GET is, without the body."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from anyio import CancelScope
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Fault, NotFound, TrancheError, invalid

LONGEST_PATH = 4_000
"""Bytes. Two keys of a hundred letters, each percent-encoded as four bytes, take 2,400."""
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
CONTROL_IN_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
SELF_DESCRIBING = frozenset({"/docs", "/redoc", "/openapi.json"})
"""The paths whose answers name other paths of the service by themselves, by the prefix that ASGI calls root_path."""

CORS: dict[str, Any] = {
    "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-ID"],
    "expose_headers": [
        "Content-Disposition", "ETag", "Idempotent-Replayed", "Location", "RateLimit", "RateLimit-Policy",
        "Retry-After", "X-Request-ID",
    ],
}  # fmt: skip
"""What scripts of other sites may send and read: keys go in a header, and no cookie is taken from there."""


class PlainText:
    """Refuses requests whose path, query or headers hold what is no text, which databases and logs cannot keep."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = unreadable(scope) if scope["type"] == "http" else None
        if error is None:
            await self.app(scope, receive, send)
            return
        # By who answers errors: a browser gets a page.
        answer = await scope["app"].exception_handlers[TrancheError](Request(scope), error)
        await answer(scope, receive, send)


def unreadable(scope: Scope) -> TrancheError | None:
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    if len(path) > LONGEST_PATH:
        return NotFound(f"There is nothing at a path of more than {LONGEST_PATH:,} characters.")
    in_path, in_query = fault_of(path), fault_of(scope["query_string"])
    if in_path is not None:
        return NotFound(f"There is nothing at this path: it {in_path}.")
    if in_query is not None:
        return invalid(Fault("query", in_query))
    for name, value in scope["headers"]:
        if CONTROL_IN_HEADER.search(value):
            shown = name[:100].decode("ascii", "replace")
            return invalid(Fault(f"header {shown}", "holds a control character; leave it out"))
    return None


def fault_of(encoded: bytes) -> str | None:
    """What is wrong with a percent-encoded text."""
    text = unquote_to_bytes(encoded)
    if CONTROL.search(text):
        return "holds a control character such as %00; leave it out"
    try:
        text.decode()
    except UnicodeDecodeError:
        return "is not UTF-8; percent-encode its bytes in UTF-8"
    return None


class Prefixed:
    """The service under the path `prefix`, with which it is found from outside. Requests may come with it or, where a
    proxy takes it away, without; inside none has it, and addresses that answers send elsewhere to have it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.prefix:
            await self.app(scope, receive, send)
            return
        if scope["path"] == self.prefix or scope["path"].startswith(f"{self.prefix}/"):
            # In place: what answers errors outside looks for the route in this very scope.
            scope["path"] = scope["path"].removeprefix(self.prefix) or "/"
        if scope["path"] in SELF_DESCRIBING:
            scope["root_path"] = self.prefix

        async def prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self.outward(name, value)) for name, value in message["headers"]]
            await send(message)

        await self.app(scope, receive, prefixed)

    def outward(self, name: bytes, value: bytes) -> bytes:
        return self.prefix.encode() + value if name.lower() == b"location" and value.startswith(b"/") else value


class Heads:
    """Answers HEAD as GET, without the body; a stream ends before it begins."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        with CancelScope() as rest:
            await self.app({**scope, "method": "GET"}, receive, without_body(send, rest.cancel))


def without_body(send: Send, end: Callable[[], None]) -> Send:
    """`send`, but for the bodies; `end` is called where one may go on without end."""
    stream = ended = False

    async def sent(message: Message) -> None:
        nonlocal stream, ended
        more = message.get("more_body", False)
        if message["type"] != "http.response.body":
            stream = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            await send(message)
        elif (stream or not more) and not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if more:
                end()

    return sent
