"""Messages: what one attempt to deliver an event sends."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ids import new_id
from app.services.notices.words import Notice, notice_of
from app.services.webhooks import events
from app.store import webhooks as store
from app.store.models.webhooks import Event, WebhookDelivery, WebhookEndpoint


@dataclass(frozen=True)
class Message:
    """One attempt to be made: `content` is a webhook's body, or what people are told. `sealed_secrets`: the newest
    first, all of which sign."""

    endpoint_id: UUID
    delivery_id: UUID
    event_id: UUID
    sequence: int | None
    number: int
    kind: str
    url: str
    sealed_secrets: tuple[str, ...]
    content: bytes | Notice


def endpoint_path(endpoint_id: UUID) -> str:
    return f"/v1/webhook-endpoints/{endpoint_id}"


def endpoint_page(endpoint_id: UUID) -> str:
    return f"/endpoints/{endpoint_id}"


def receives(endpoint: WebhookEndpoint) -> bool:
    return endpoint.state == "active" and endpoint.archived_at is None


def deliveries_for(
    session: Session, endpoint: WebhookEndpoint, events: Sequence[Event], now: datetime
) -> list[WebhookDelivery]:
    """A delivery for each event, begun before or now."""
    known = store.deliveries_of(session, endpoint.id, [event.id for event in events])
    found = [
        known.get(event.id) or delivery_row(endpoint, event.id, event.type, event.sequence, event.created_at, now)
        for event in events
    ]
    session.add_all(found)
    session.flush()
    return found


def new_delivery(
    session: Session,
    endpoint: WebhookEndpoint,
    event_id: UUID,
    event_type: str,
    sequence: int | None,
    occurred_at: datetime,
    now: datetime,
) -> WebhookDelivery:
    delivery = delivery_row(endpoint, event_id, event_type, sequence, occurred_at, now)
    session.add(delivery)
    session.flush()
    return delivery


def delivery_row(
    endpoint: WebhookEndpoint,
    event_id: UUID,
    event_type: str,
    sequence: int | None,
    occurred_at: datetime,
    now: datetime,
) -> WebhookDelivery:
    return WebhookDelivery(
        id=new_id(),
        endpoint_id=endpoint.id,
        event_id=event_id,
        event_type=event_type,
        sequence=sequence,
        occurred_at=occurred_at,
        state="pending",
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )


def message(
    session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, event: Event | None, now: datetime
) -> Message:
    """The next attempt of a delivery, to be signed by every secret that is valid now."""
    until = endpoint.previous_secret_expires_at
    still = endpoint.previous_secret if until is not None and now < until else None
    return Message(
        endpoint_id=endpoint.id,
        delivery_id=delivery.id,
        event_id=delivery.event_id,
        sequence=delivery.sequence,
        number=delivery.attempts + 1,
        kind=endpoint.kind,
        url=endpoint.url,
        sealed_secrets=tuple(filter(None, (endpoint.secret, still))),
        content=(
            payload(endpoint, delivery, event)
            if endpoint.kind == "webhook"
            else notice_of(session, delivery.event_type, event, endpoint_page(endpoint.id))
        ),
    )


def payload(endpoint: WebhookEndpoint, delivery: WebhookDelivery, event: Event | None) -> bytes:
    """A webhook's body, the same bytes at each attempt. A test event has no row: it is told by its delivery."""
    data = {"url": endpoint_path(endpoint.id)} if event is None else event.data
    body = {
        "type": delivery.event_type,
        "version": events.VERSION if event is None else event.version,
        "timestamp": delivery.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "id": str(delivery.event_id),
        "sequence": delivery.sequence,
        "project_id": None if event is None or event.project_id is None else str(event.project_id),
        "data": data,
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
