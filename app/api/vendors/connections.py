"""Labeling vendors: how each is reached and read, what it sent, and what became of it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, Patch, Shape, Text, unset
from app.api.http.transactions import Call, Route, changes, posts, reads
from app.api.keys.keys import Key
from app.errors import Conflict, SecretKeyMissing
from app.services.vendors import connections, inbox, placing, schedule, subscriptions
from app.services.vendors.connections import NewConnection
from app.store import vendors as store
from app.store.models.vendors import VendorConnection
from app.vendors.presets import presets
from app.vendors.registry import VendorKind

router = APIRouter(prefix="/v1/vendor-connections", tags=["vendors"], route_class=Route)

Secret = Annotated[str, Field(min_length=8, max_length=500)]
GroupMap = Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Key], Field(max_length=20_000)]


class ConnectionIn(Shape):
    """`kind` says how webhooks are read: `standard` is our own contract, `generic` is described by `config` (or a
    `preset`, whose parts `config` replaces), the others are vendors we know. `secret` left out: we make one.
    `api_token` opens the vendor's API, for placing orders and reconciling. `group_map`: the vendor's word → a group's
    key (or its name, where one group alone has it) in the projects that name the connection, or, while none does, of
    the workspace."""

    name: Text
    kind: VendorKind
    preset: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    group_map: GroupMap = Field(default_factory=dict)
    secret: Secret | None = None
    api_token: Secret | None = None


class ConnectionPatch(Patch):
    """Fields left out stay as they are; null restores the default. A new `group_map` is applied to what
    came before, too."""

    made_from = ConnectionIn

    name: Text = unset()
    config: dict[str, Any] = unset()
    group_map: GroupMap = unset()
    api_token: Secret = unset()


class SubscriptionIn(Shape):
    """`orders`: which of the vendor's (Label Studio: projects) it is to tell of; left out, those that were placed or
    linked. Prolific tells of its whole workspace. `api_token` takes the place of the connection's."""

    orders: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = None
    api_token: Secret | None = None


class SubscriptionOut(Answer):
    """What became of the last try to subscribe. `ids`: the vendor's subscriptions, since `made_at`; `detail`: why the
    vendor refused."""

    state: Literal["asked", "made", "refused"]
    orders: list[str]
    ids: list[str]
    asked_at: datetime
    made_at: datetime | None
    detail: str | None


class ConnectionOut(Answer):
    """`deliveries`: how many webhooks there are of each outcome. `unread`: how many items of quarantined webhooks, and
    of the orders read back last, could not be read. `weakness`: what the vendor's way of signing does not prove; null
    where the body is signed. `subscription`: null where nobody asked for one."""

    id: UUID
    name: str
    kind: VendorKind
    preset: str | None
    config: dict[str, Any]
    group_map: dict[str, str]
    state: Literal["active", "paused"]
    has_api_token: bool
    weakness: str | None
    old_secret_until: datetime | None
    subscription: SubscriptionOut | None
    deliveries: dict[str, int]
    unread: int
    created_at: datetime
    updated_at: datetime


class ConnectionWithSecret(ConnectionOut):
    """`hook_url` is for the vendor to call, `secret` for it to sign with. Both are shown once: a repeat of the same
    request has null, and `secret_shown` true."""

    hook_url: str | None
    secret: str | None
    secret_shown: bool


class RotateIn(Shape):
    """The secret to sign with from now on; left out, we make one."""

    secret: Secret | None = None


def shape(call: Call, row: VendorConnection) -> ConnectionOut:
    call.session.flush()
    return ConnectionOut.of(
        row,
        has_api_token="api_token" in row.sealed,
        weakness=connections.adapter_for(row).weakness,
        deliveries=store.outcomes(call.session, row.id),
        unread=store.unread(call.session, row.id),
    )


def with_secret(call: Call, row: VendorConnection, secret: str, token: str | None) -> ConnectionWithSecret:
    call.shows_secret = True
    url = None if token is None else placing.hook_url(call.runtime.settings.base_url, token)
    return ConnectionWithSecret(**shape(call, row).model_dump(), hook_url=url, secret=secret, secret_shown=False)


@router.post("", status_code=201, summary="Connect a labeling vendor", responses=declared(SecretKeyMissing))
def create_connection(
    body: ConnectionIn, call: Annotated[Call, posts("admin", whole_workspace=True)]
) -> ConnectionWithSecret:
    """Answers the address to give to the vendor and the secret it signs with, both only this once."""
    said = NewConnection(**{name: getattr(body, name) for name in ConnectionIn.model_fields})
    row, token, secret = connections.create_connection(call.session, call.caller, call.runtime.settings, said, call.now)
    call.headers["Location"] = f"{call.path}/{row.id}"
    return with_secret(call, row, secret, token)


@router.get("", summary="List vendor connections")
def list_connections(
    call: Annotated[Call, reads("admin", whole_workspace=True)], limit: Limit = 50, cursor: Cursor = None
) -> Page[ConnectionOut]:
    rows = store.listed_connections(call.session, call.caller.workspace_id)
    return page(call, cursor, limit, rows, lambda row: shape(call, row))


class PresetOut(Answer):
    """A vendor that needs no code. `documented` says how far its own documentation carries the preset."""

    name: str
    title: str
    documented: str
    config: dict[str, Any]


@router.get("/presets", summary="List presets")
def list_presets(call: Annotated[Call, reads("read")]) -> list[PresetOut]:  # noqa: ARG001 - it needs the scope alone
    return [PresetOut(name=name, **preset) for name, preset in presets().items()]


def get(call: Call, connection_id: str) -> VendorConnection:
    """Raises NotFound."""
    return connections.get_connection(call.session, call.caller, connection_id)


@router.get("/{connection_id}", summary="Read a vendor connection")
def read_connection(connection_id: str, call: Annotated[Call, reads("admin", whole_workspace=True)]) -> ConnectionOut:
    return shape(call, get(call, connection_id))


@router.patch("/{connection_id}", summary="Change a vendor connection", responses=declared(SecretKeyMissing))
def update_connection(
    connection_id: str, body: ConnectionPatch, call: Annotated[Call, changes("admin", whole_workspace=True)]
) -> ConnectionOut:
    row = get(call, connection_id)
    call.match(shape(call, row))
    said = body.model_dump(exclude_unset=True)
    connections.change_connection(call.session, row, call.runtime.settings, said, call.now)
    if {"group_map", "config"} & said.keys():
        inbox.ask_to_map(call.session, row.id, call.enqueue)
    return shape(call, row)


@router.post("/{connection_id}/rotate", summary="Replace a vendor's secret", responses=declared(Conflict))
def rotate_secret(
    connection_id: str, body: RotateIn, call: Annotated[Call, posts("admin", whole_workspace=True)]
) -> ConnectionWithSecret:
    """For 24 hours the secret before is honoured as well."""
    row = get(call, connection_id)
    secret = connections.rotate_secret(row, call.runtime.settings, body.secret, call.now)
    return with_secret(call, row, secret, None)


@router.post(
    "/{connection_id}/subscription",
    status_code=202,
    summary="Subscribe to a vendor's webhooks by its API",
    responses=declared(Conflict, SecretKeyMissing),
)
def subscribe(
    connection_id: str, body: SubscriptionIn, call: Annotated[Call, posts("admin", whole_workspace=True)]
) -> ConnectionOut:
    """Label Studio and Prolific. A job calls the vendor; what became of it is told in `subscription`. Subscribing again
    makes nothing twice. Prolific's signing secret is taken over, the one before honoured for 24 hours."""
    row = get(call, connection_id)
    settings = call.runtime.settings
    if body.api_token is not None:
        connections.change_connection(call.session, row, settings, {"api_token": body.api_token}, call.now)
    subscriptions.ask_to_subscribe(call.session, row, settings, body.orders, call.now, call.enqueue)
    return shape(call, row)


@router.post("/{connection_id}/pause", summary="Pause a vendor connection")
def pause_connection(connection_id: str, call: Annotated[Call, posts("admin", whole_workspace=True)]) -> ConnectionOut:
    """Webhooks are stored still, and nothing is applied until it is resumed."""
    row = get(call, connection_id)
    connections.change_connection(call.session, row, call.runtime.settings, {"state": "paused"}, call.now)
    return shape(call, row)


@router.post("/{connection_id}/resume", summary="Resume a paused vendor connection")
def resume_connection(connection_id: str, call: Annotated[Call, posts("admin", whole_workspace=True)]) -> ConnectionOut:
    """What came meanwhile is applied, and open orders are read back again."""
    row = get(call, connection_id)
    connections.change_connection(call.session, row, call.runtime.settings, {"state": "active"}, call.now)
    inbox.ask_to_map(call.session, row.id, call.enqueue)
    schedule.ask_to_reconcile(call.session, row, "schedule", call.now, call.enqueue)
    return shape(call, row)
