"""Requests as bytes, and their answers, past every library that would tidy them."""

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from anyio import CancelScope, sleep_forever
from starlette.types import ASGIApp, Message

if TYPE_CHECKING:
    from tests.fuzz.contract import Operation

TEXTS = ("text/", "application/json", "application/problem+json", "image/svg")
SHOWN = 400


@dataclass(frozen=True)
class Request:
    """`operation` is None where the path or the method need not be one that the contract has."""

    method: str
    path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    operation: "Operation | None" = None

    @property
    def is_api(self) -> bool:
        return self.path.startswith(b"/v1/")

    def header(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key.decode("latin-1").lower() == name), None)

    def __str__(self) -> str:
        """One line, without the key."""
        where = self.path + (b"?" + self.query if self.query else b"")
        told = [
            f"{name!r}: {value[:80]!r}"
            for name, value in self.headers
            if name.lower() not in (b"authorization", b"cookie")
        ]
        return f"{self.method} {where[:SHOWN]!r} [{', '.join(told)}] {self.body[:SHOWN]!r}"


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""
    raised: str = ""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def is_text(self) -> bool:
        return self.media_type.startswith(TEXTS)


def headers_of(request: Request) -> list[tuple[bytes, bytes]]:
    """With the length of the body, as every client says it."""
    headers = [(name.lower(), value) for name, value in request.headers]
    if request.body and not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers):
        headers.append((b"content-length", str(len(request.body)).encode()))
    return headers


async def ask(app: ASGIApp, request: Request) -> Answer:
    """The answer to its end; of a stream what comes first."""
    answer, sent = Answer(), False
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
        "method": request.method, "path": decoded(request.path), "raw_path": request.path, "root_path": "",
        "query_string": request.query, "headers": headers_of(request),
        "client": ("127.0.0.1", 40_000), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await sleep_forever()
        sent = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    with CancelScope() as rest:

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                for name, value in message["headers"]:
                    key = name.decode("latin-1").lower()
                    answer.headers[key] = value.decode("latin-1")
                    if key == "set-cookie":
                        answer.cookies.append(value.decode("latin-1"))
                return
            answer.body += message.get("body", b"")
            if message.get("more_body") and answer.media_type == "text/event-stream":
                rest.cancel()

        try:
            await app(scope, receive, send)
        except Exception as error:
            # The server's turn: it was answered with 500, and is raised once more.
            if not answer.status:
                raise
            answer.raised = "".join(traceback.format_exception(error)[-4:])[-600:]
    return answer


def decoded(path: bytes) -> str:
    return unquote(path.decode("latin-1"))
