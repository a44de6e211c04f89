"""Bodies: refused by what their headers say, else read within bounds of size, time and room."""

import asyncio
from dataclasses import dataclass
from io import BytesIO

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from app.api.admission.shares import Room
from app.errors import BodyTooSlow, Malformed, TooLarge, UnsupportedMediaType

SMALL = 65_536
"""Bytes up to which a body counts for nothing: connections are bounded, and a post of a run must not wait for others'
lists."""


@dataclass(frozen=True)
class Pace:
    """In every `seconds` so many `least_bytes` of a body must come, unless it is there."""

    seconds: float
    least_bytes: int


def has_body(scope: Scope) -> bool:
    """Whether a request announces one; one without these headers has none (RFC 9112, 6.3)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def read_body(request: Request, limit: int, room: Room, pace: Pace) -> bytes:
    """The whole body. Raises UnsupportedMediaType for a compressed one, TooLarge as soon as it is known to be over
    `limit` bytes, what `room` raises, BodyTooSlow, and Malformed where it breaks off."""
    if not has_body(request.scope):
        return b""
    refuse_compressed(request)
    take(announced(request), limit, room)
    body, due = BytesIO(), pace.least_bytes
    try:
        async with asyncio.timeout(pace.seconds) as deadline:
            async for part in request.stream():
                size = body.tell() + len(part)
                take(size, limit, room)
                body.write(part)
                if size >= due:
                    due = size + pace.least_bytes
                    deadline.reschedule(asyncio.get_running_loop().time() + pace.seconds)
    except TimeoutError:
        came = f"Less than {pace.least_bytes:,} bytes of the body came in {pace.seconds:g} s."
        raise BodyTooSlow(f"{came} Send it again, faster or in parts.") from None
    except ClientDisconnect:
        raise Malformed("The connection ended before the body did.") from None
    return body.getvalue()


def take(size: int, limit: int, room: Room) -> None:
    if size > limit:
        shown = f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1_000} kB"
        raise TooLarge(f"The body is over {shown}, the most that this route reads. Send it in parts.")
    if size > SMALL:
        room.grow_to(size)


def announced(request: Request) -> int:
    """By the Content-Length, 0 where there is none."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def refuse_compressed(request: Request) -> None:
    """Raises UnsupportedMediaType for a body in a content coding, as gzip: nothing here unpacks one."""
    coding = ", ".join(request.headers.getlist("content-encoding"))
    if all(one.strip().lower() in ("", "identity") for one in coding.split(",")):
        return
    raise UnsupportedMediaType(
        f"Content-Encoding is {coding[:100]}; send the body as it is, without compression.",
        headers={"Accept-Encoding": "identity"},
    )


def giving(body: bytes) -> Receive:
    """What reads a request gets this as its body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
