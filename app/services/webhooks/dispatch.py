"""Dispatch: which event goes to which endpoint next.

First attempts of an endpoint are made by one job at a time, the holder of its lease, in order of `sequence`, one after
another. All other attempts have jobs of their own. Nothing here calls the outside: a job takes messages in one
transaction, sends them in none, and records how that went in another (attempts.py), after a failure at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.webhooks.dispatch_jobs import enqueue_dispatch
from app.services.webhooks.messages import Message, deliveries_for, message, receives
from app.store import webhooks as store
from app.store.models.webhooks import Event, WebhookEndpoint
from app.store.webhooks import last_sequence

# Longer than a call takes. A holder that is gone is followed by another job after this.
LEASE = timedelta(seconds=30)
# Clocks differ, and a job may start a moment before its time.
EARLY = timedelta(minutes=1)


def take_next(
    session: Session, endpoint_id: UUID, holder: str, now: datetime, enqueue: Enqueue, most: int = 1
) -> list[Message]:
    """The next first attempts, for the holder of the lease; none where there is none to make, or another holds it.

    The endpoint is locked before its events are looked for: an event committed before someone else was turned away by
    our lease is seen by us.
    """
    endpoint = store.endpoint_by_id(session, endpoint_id, lock=True)
    if endpoint is None or held_by_another(endpoint, holder, now):
        if endpoint is not None:
            follow_up(session, endpoint, now, enqueue)
        return []
    events = upcoming(session, endpoint, most) if receives(endpoint) else []
    if not events:
        endpoint.lease_holder = endpoint.lease_ends_at = None
        return []
    endpoint.lease_holder, endpoint.lease_ends_at = holder, now + LEASE
    deliveries = deliveries_for(session, endpoint, events, now)
    return [
        message(session, endpoint, delivery, event, now) for delivery, event in zip(deliveries, events, strict=True)
    ]


def held_by_another(endpoint: WebhookEndpoint, holder: str, now: datetime) -> bool:
    ends_at = endpoint.lease_ends_at
    return endpoint.lease_holder not in (None, holder) and ends_at is not None and ends_at > now


def follow_up(session: Session, endpoint: WebhookEndpoint, now: datetime, enqueue: Enqueue) -> None:
    """Should the holder be gone, a job after the end of its lease goes on."""
    if endpoint.lease_ends_at is not None:
        why = f"lease-{endpoint.lease_ends_at.timestamp():.0f}"
        wait = (endpoint.lease_ends_at - now).total_seconds() + 1
        enqueue_dispatch(session, endpoint.id, why, enqueue, delay_s=wait)


def upcoming(session: Session, endpoint: WebhookEndpoint, most: int) -> Sequence[Event]:
    # Read first: what is committed between the two reads is left for later, not skipped.
    newest = last_sequence(session, endpoint.workspace_id)
    events = store.next_events(session, endpoint, newest, most)
    if not events:
        endpoint.sequence = max(endpoint.sequence, newest)
    return events


def hand_over(session: Session, endpoint_id: UUID, holder: str, enqueue: Enqueue) -> None:
    """Let another job go on from here, behind the jobs of other endpoints."""
    endpoint = store.endpoint_by_id(session, endpoint_id, lock=True)
    if endpoint is not None and endpoint.lease_holder == holder:
        endpoint.lease_holder = endpoint.lease_ends_at = None
        enqueue_dispatch(session, endpoint_id, f"{endpoint.sequence}-on", enqueue)


def take_attempt(session: Session, delivery_id: UUID, number: int, now: datetime) -> Message | None:
    """Attempt `number` of a delivery; None where it was made or overtaken, or the endpoint does not receive now."""
    delivery = store.delivery_by_id(session, delivery_id)
    if delivery is None or delivery.state != "pending" or delivery.attempts != number - 1:
        return None
    endpoint = store.endpoint_by_id(session, delivery.endpoint_id, lock=True)
    if endpoint is None or endpoint.archived_at is not None:
        return None
    if delivery.sequence is not None and not receives(endpoint):
        return None
    return message(session, endpoint, delivery, session.get(Event, delivery.event_id), now)


def take_due(session: Session, endpoint_id: UUID, now: datetime, after: int) -> Message | None:
    """The next repeated attempt that is due, of an event later than `after`."""
    endpoint = store.endpoint_by_id(session, endpoint_id, lock=True)
    if endpoint is None or not receives(endpoint):
        return None
    delivery = store.next_due(session, endpoint, now + EARLY, after)
    if delivery is None:
        return None
    return message(session, endpoint, delivery, session.get(Event, delivery.event_id), now)
