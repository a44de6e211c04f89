"""What routes share for the life of the process, and the bound on a request's body."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from fastapi import Request

from app.errors import TooLarge, Unauthenticated, UnsupportedMediaType
from app.services.access.keys import Caller, authenticate
from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.settings import Settings
from app.store.db import Database
from app.store.upkeep.readiness import Readiness
from app.telemetry.notes import note_caller

SOFTWARE_VERSION = version("tranche")
MAX_BODY = 10_000_000


@dataclass(frozen=True)
class Runtime:
    """What one running service has: made once by `create_app`, read by every call."""

    settings: Settings
    database: Database
    clock: Callable[[], datetime]
    hash_keys: Sequence[bytes]
    fits: Fits
    enqueue: Enqueue
    readiness: Readiness

    def identify(self, token: str | None) -> Caller:
        """The caller behind a bearer token. Raises Unauthenticated."""
        if token is None:
            raise Unauthenticated("Send an API key: 'Authorization: Bearer tranche_…'.")
        with self.database.reading() as session:
            caller = authenticate(session, self.clock(), self.hash_keys, token)
        note_caller(caller.key_id, caller.workspace_id)
        return caller


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it is known to be over `limit` bytes, UnsupportedMediaType for a
    compressed one."""
    refuse_compressed(request)
    announced = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
    if size <= limit:
        size = 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > limit:
                break
    if size > limit:
        raise TooLarge(f"The body is over {limit // 1_000_000} MB, the most that this route reads. Send it in parts.")
    return b"".join(parts)


def refuse_compressed(request: Request) -> None:
    """Raises UnsupportedMediaType for a body in a content coding, as gzip: nothing here unpacks one."""
    codings = request.headers.getlist("content-encoding")
    coding = ", ".join(codings)
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    if empty or all(one.strip().lower() in ("", "identity") for one in coding.split(",")):
        return
    raise UnsupportedMediaType(
        f"Content-Encoding is {coding[:100]}; send the body as it is, without compression.",
        headers={"Accept-Encoding": "identity"},
    )
