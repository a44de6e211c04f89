"""What labeling vendors sent, and what became of it: the inbox, its replay, a dry run, and what waits to be mapped."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, InstantIn, MoneyOut, Shape
from app.api.http.transactions import Call, QuestionRoute, Route, asks, posts, reads
from app.api.vendors.connections import get
from app.errors import VerifyFailed
from app.services.ids import new_id
from app.services.vendors import connections, inbox
from app.services.vendors.words import waiting_words
from app.store import vendors as store
from app.vendors.base import Headers

router = APIRouter(prefix="/v1/vendor-connections", tags=["vendors"], route_class=Route)
questions = APIRouter(prefix=router.prefix, tags=["vendors"], route_class=QuestionRoute)

Outcome = Literal["received", "applied", "ignored", "quarantined"]


class VendorDeliveryOut(Answer):
    """One webhook, without secrets. `outcome`: received (waits), applied, ignored, or quarantined: some of it could not
    be read, or waits for its order or group to be mapped; `detail` says which. `unread`: how many of its `events` could
    not be read. `reduced_at`: since when `body` is a digest of it and what was counted; then it is not replayed."""

    id: int
    delivery_id: str
    outcome: Outcome
    detail: str | None
    events: int
    unread: int
    sent_at: datetime | None
    received_at: datetime
    applied_at: datetime | None
    reduced_at: datetime | None
    headers: dict[str, str]
    body: str


@router.get("/{connection_id}/deliveries", summary="List a vendor's webhooks, newest first")
def list_deliveries(
    connection_id: str,
    call: Annotated[Call, reads("admin", whole_workspace=True)],
    outcome: Annotated[Outcome | None, Query(description="Only those of this outcome")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[VendorDeliveryOut]:
    row = get(call, connection_id)
    rows = store.listed_deliveries(call.session, row.id, outcome)
    return page(call, cursor, limit, rows, VendorDeliveryOut.model_validate)


class InboxReplayIn(Shape):
    """Which webhooks to apply once more: of one outcome, received since an instant, or all."""

    outcome: Literal["applied", "ignored", "quarantined"] | None = None
    since: InstantIn | None = None


class InboxReplayOut(Answer):
    deliveries: int


@router.post("/{connection_id}/replay", status_code=202, summary="Apply webhooks once more")
def replay_deliveries(
    connection_id: str, body: InboxReplayIn, call: Annotated[Call, posts("admin", whole_workspace=True)]
) -> InboxReplayOut:
    """From the inbox, by the present configuration. What was applied before has no second effect. Those whose bodies
    were reduced are left out."""
    row = get(call, connection_id)
    count = store.receive_again(call.session, row.id, body.outcome, body.since)
    inbox.enqueue_drain(call.session, row.id, f"replay-{new_id()}", call.enqueue)
    return InboxReplayOut(deliveries=count)


class DryRunIn(Shape):
    """A webhook as the vendor would send it: `body` as text, or as JSON. `signed` checks its signature too."""

    headers: Annotated[dict[str, str], Field(max_length=50, default_factory=dict)]
    body: str | dict[str, Any] | list[Any]
    signed: bool = False
    config: dict[str, Any] | None = None


class VendorEventOut(Answer):
    """One thing that was read from a webhook."""

    kind: str
    external_order_id: str | None
    external_item_id: str | None
    external_parent_id: str | None
    order_ref: str | None
    line_ref: str | None
    group: str | None
    state: str | None
    quantity: int
    accepted: int | None
    rejected: int | None
    cost: MoneyOut | None
    currency: str | None
    occurred_at: datetime | None
    event_id: str | None
    detail: str | None


class DryRunOut(Answer):
    """`stored`: what the inbox would keep."""

    stored: str
    events: list[VendorEventOut]


@questions.post("/{connection_id}/dry-run", summary="Try a webhook without effect", responses=declared(VerifyFailed))
def dry_run(
    connection_id: str, body: DryRunIn, call: Annotated[Call, asks("admin", whole_workspace=True)]
) -> DryRunOut:
    """What would be read from it, with the connection's configuration or with another one."""
    row = get(call, connection_id)
    adapter = connections.adapter_for(row)
    if body.config is not None:
        _, adapter = connections.checked_config(row.kind, row.preset, body.config, call.runtime.settings)
    secrets = connections.honoured_secrets(row, call.runtime.settings, call.now) if body.signed else ()
    # All that is needed was read: nobody waits for a connection while the body is.
    call.session.close()
    raw = body.body.encode("utf-8", "replace") if isinstance(body.body, str) else json.dumps(body.body).encode()
    headers = Headers(body.headers.items())
    if body.signed:
        adapter.verify(headers, raw, secrets, call.now)
    stored = adapter.readable(raw)
    kept = Headers(headers.only(adapter.kept_headers).items())
    return DryRunOut.of(stored=stored.decode(), events=inbox.parse(adapter, kept, stored))


class WaitingOut(Answer):
    """Samples that wait: for the vendor's word `group` to be mapped to a group, or for its order to be linked."""

    group: str | None
    external_order_id: str | None
    order_id: UUID | None
    samples: int


@router.get("/{connection_id}/waiting", summary="List what waits to be mapped")
def list_waiting(connection_id: str, call: Annotated[Call, reads("admin", whole_workspace=True)]) -> list[WaitingOut]:
    """Pairs of a group's word and a vendor's order, up to 500 of items. Map words by `group_map`; link orders."""
    row = get(call, connection_id)
    return [
        WaitingOut(group=word, external_order_id=external, order_id=order, samples=count)
        for word, external, order, count in waiting_words(call.session, row)
    ]
