"""Idempotent POSTs: the answer is stored in the transaction of its effect, and given again for 24 hours."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Protocol

from fastapi import Request, Response

from app.errors import CallRunning, IdempotencyKeyReused
from app.services.access.keys import Caller
from app.store import access
from app.store.db import Session
from app.store.models.access import IdempotentCall

KEPT_FOR = timedelta(hours=24)
SECRETS = frozenset({"secret", "hook_url"})
"""Fields of an answer that are shown once."""


class Call(Protocol):
    """What is needed of `common.Call`."""

    request: Request
    caller: Caller
    now: datetime
    body: bytes
    headers: dict[str, str]
    idempotency_key: str | None
    shows_secret: bool
    remembered: bytes | None

    @property
    def session(self) -> Session: ...

    @property
    def path(self) -> str: ...


def body_hash(call: Call) -> str:
    content_type = call.request.headers.get("content-type", "")
    query = str(call.request.url.query)
    return hashlib.sha256(b"\0".join([query.encode(), content_type.encode(), call.body])).hexdigest()


def recall(call: Call) -> Response | None:
    """The first answer to this Idempotency-Key. Raises CallRunning, IdempotencyKeyReused."""
    key = call.idempotency_key
    if key is None:
        return None
    place = (call.caller.key_id, call.request.method, call.path, key)
    if not access.try_lock(call.session, json.dumps(place)):
        raise CallRunning(
            "Wait for the first call, or send this again to get its answer.", headers={"Retry-After": "1"}
        )
    access.forget_before(call.session, call.now - KEPT_FOR)
    stored = call.session.get(IdempotentCall, place)
    if stored is None:
        return None
    if stored.body_hash != body_hash(call):
        raise IdempotencyKeyReused("Send the same body with the same Idempotency-Key, or another key.")
    headers = {**stored.headers, "Idempotent-Replayed": "true"}
    return Response(stored.answer, stored.status, headers=headers, media_type="application/json")


def remember(call: Call, answer: Response) -> None:
    key = call.idempotency_key
    if key is None:
        return
    call.session.add(
        IdempotentCall(
            api_key_id=call.caller.key_id,
            method=call.request.method,
            path=call.path,
            key=key,
            body_hash=body_hash(call),
            status=answer.status_code,
            answer=kept(call, call.remembered or bytes(answer.body)),
            headers=call.headers,
            created_at=call.now,
        )
    )


def kept(call: Call, answer: bytes) -> str:
    """The answer as it is stored: a secret is shown once."""
    if not call.shows_secret:
        return answer.decode()
    shown = json.loads(answer)
    hidden = dict.fromkeys(SECRETS & shown.keys()) | {"secret_shown": True}
    return json.dumps(shown | hidden, separators=(",", ":"))
