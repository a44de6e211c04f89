"""Replays: sending again, on request, what failed or what the receiver lost."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, invalid
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.webhooks.attempts import enqueue_attempt
from app.services.webhooks.messages import deliveries_for
from app.store import webhooks as store
from app.store.models.webhooks import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.store.reading import find

REDELIVER = "webhooks.redeliver"


def replay_attempt(
    session: Session, endpoint: WebhookEndpoint, attempt_id: UUID, now: datetime, enqueue: Enqueue
) -> WebhookDelivery:
    """Send the event of that attempt again. Raises Invalid, Conflict."""
    attempt = find(session, WebhookAttempt, endpoint_id=endpoint.id, id=attempt_id)
    delivery = None if attempt is None else store.delivery_by_id(session, attempt.delivery_id)
    if delivery is None:
        raise invalid(Fault("/attempt_id", "is no attempt of this endpoint"))
    return send_again(session, endpoint, delivery, now, enqueue)


def replay_event(
    session: Session, endpoint: WebhookEndpoint, event_id: UUID, now: datetime, enqueue: Enqueue
) -> WebhookDelivery:
    """Send that event, again or for the first time. Raises Invalid, Conflict where its turn is still to come."""
    event = find(session, Event, workspace_id=endpoint.workspace_id, id=event_id)
    if event is None or (endpoint.project_id is not None and event.project_id != endpoint.project_id):
        raise invalid(Fault("/event_id", "is no event that this endpoint may get"))
    if event.sequence > endpoint.sequence:
        raise Conflict("This event has not had its first attempt yet: it will be sent in its turn.")
    [delivery] = deliveries_for(session, endpoint, [event], now)
    return send_again(session, endpoint, delivery, now, enqueue)


def send_again(
    session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, now: datetime, enqueue: Enqueue
) -> WebhookDelivery:
    refuse_unless_active(endpoint)
    delivery.state, delivery.next_attempt_at = "pending", now
    enqueue_attempt(session, delivery, enqueue, why=str(new_id()))
    return delivery


def replay_failed(session: Session, endpoint: WebhookEndpoint, since: datetime, now: datetime, enqueue: Enqueue) -> int:
    """Send again every event since then of which no attempt succeeded; how many those are. Raises Conflict."""
    refuse_unless_active(endpoint)
    count = store.reopen(session, endpoint.id, since, now)
    if count:
        enqueue_redelivery(session, endpoint.id, str(new_id()), enqueue)
    return count


def refuse_unless_active(endpoint: WebhookEndpoint) -> None:
    """Raises Conflict."""
    if endpoint.state != "active":
        raise Conflict(f"This endpoint is {endpoint.state}. Resume it first; what waits is sent then.")


def enqueue_redelivery(session: Session, endpoint_id: UUID, why: str, enqueue: Enqueue) -> None:
    """A job that makes every repeated attempt that is due, one after another; `why` tells it from all others."""
    args = {"endpoint_id": str(endpoint_id)}
    enqueue(session, REDELIVER, args, f"whr-{endpoint_id}-{why}", queue="webhooks")
