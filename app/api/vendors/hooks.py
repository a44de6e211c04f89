"""Where labeling vendors call us. No API key: the address holds a token, and the vendor's signature is checked."""

from asyncio import wrap_future
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request

from app.api.http.problems import declared
from app.api.http.runtime import Runtime
from app.api.http.shapes import Answer
from app.errors import (
    BodyTooSlow,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    TooLarge,
    TrancheError,
    Unavailable,
    UnsupportedMediaType,
    VerifyFailed,
)
from app.services.vendors.gathering import Gathering
from app.services.vendors.inbox import Call, Letter, open_letters, owner_of, receive
from app.telemetry.addresses import hook_token
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
    responses=declared(
        Malformed,
        VerifyFailed,
        NotFound,
        BodyTooSlow,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        RateLimited,
        Unavailable,
    ),
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
    """At most 1 MiB, read once the address is known, as the vendor sends it; what kind a connection's vendor speaks is
    configured there. Answered as soon as it is stored, for what we ignore and for repeats too."""
    runtime: Runtime = request.app.state.runtime
    door, token = runtime.door, hook_token(request.scope, token)
    owner = door.name_of(token)
    if owner is None:
        owner = await door.let_in(request, "webhook address", token, partial(workspace_of, runtime, token), str)
    async with door.body(request, MAX_WEBHOOK, UUID(owner)) as body:
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
        gathering: Gathering[Call, bool] = request.app.state.webhooks
        try:
            is_new = await wrap_future(gathering.submit(Call(token, headers, body)))
        except NotFound:
            door.forget(token)
            raise
    return Receipt(status="stored" if is_new else "known")


def workspace_of(runtime: Runtime, token: str) -> str:
    """The id of the workspace whose connection is called. Raises NotFound."""
    with runtime.database.reading() as session:
        return str(owner_of(session, token))


def gather_webhooks(runtime: Runtime) -> Gathering[Call, bool]:
    """Webhooks that come at once share a look-up and a commit. Each is answered after its commit, or with its fault."""
    return Gathering(partial(store_webhooks, runtime))


def store_webhooks(runtime: Runtime, calls: Sequence[Call]) -> list[bool | Exception]:
    """For each call whether it is new. Nothing is written of one that does not hold."""
    now = runtime.clock()
    with runtime.database.reading() as session:
        found = open_letters(session, runtime.settings, calls, now)
    letters = [one for one in found if isinstance(one, Letter)]
    if not letters:
        return [one for one in found if isinstance(one, TrancheError)]
    with runtime.database.writing() as session:
        stored = iter(receive(session, letters, now, runtime.enqueue))
    return [next(stored) if isinstance(one, Letter) else one for one in found]
