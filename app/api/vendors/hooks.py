"""Where labeling vendors call us. No API key: the address holds a token, and the vendor's signature is checked."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool

from app.api.http.problems import declared
from app.api.http.runtime import Runtime, read_body
from app.api.http.shapes import Answer
from app.errors import Invalid, Malformed, NotFound, TooLarge, Unavailable, VerifyFailed
from app.services.vendors.inbox import find_hook, open_letter, receive
from app.vendors.base import Headers

router = APIRouter(prefix="/v1/hooks", tags=["vendors"])

MAX_WEBHOOK = 1_048_576


class Receipt(Answer):
    """`stored`: it will be applied. `known`: it came before, and is stored already."""

    status: Literal["stored", "known"]


@router.post(
    "/{token}",
    status_code=202,
    summary="Receive a vendor's webhook",
    responses=declared(Malformed, VerifyFailed, NotFound, TooLarge, Invalid, Unavailable),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": {"type": "items.changed"}}},
        },
        "security": [],
    },
)
async def receive_webhook(
    token: Annotated[str, Path(max_length=100, description="From the connection's hook_url")], request: Request
) -> Receipt:
    """At most 1 MiB, as the vendor sends it; what kind a connection's vendor speaks is configured there. Answered as
    soon as it is stored, for what we ignore and for repeats too."""
    body = await read_body(request, MAX_WEBHOOK)
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return await run_in_threadpool(store_webhook, request.app.state.runtime, token, headers, body)


def store_webhook(runtime: Runtime, token: str, headers: Headers, body: bytes) -> Receipt:
    now = runtime.clock()
    with runtime.database.reading() as session:
        hook = find_hook(session, runtime.settings, token, now)
    letter = open_letter(hook, headers, body, now)
    with runtime.database.writing() as session:
        is_new = receive(session, hook.connection_id, letter, now, runtime.enqueue)
    return Receipt(status="stored" if is_new else "known")
