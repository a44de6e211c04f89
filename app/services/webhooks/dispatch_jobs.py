"""Sending the jobs that make first attempts on their way."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.store import webhooks as store
from app.store.models.webhooks import Event

DISPATCH = "webhooks.dispatch"
# A job that was asked for this long ago and has not started is taken for lost: another one is sent.
LOST_AFTER = timedelta(minutes=1)


def wake_listeners(session: Session, event: Event, now: datetime, enqueue: Enqueue) -> None:
    """In the transaction of the event: each endpoint that wants it gets a job, or has one on its way that will see
    the event."""
    for endpoint_id in store.listeners(session, event):
        if store.ask_to_wake(session, endpoint_id, event.sequence, now, now - LOST_AFTER):
            enqueue_dispatch(session, endpoint_id, str(event.sequence), enqueue)


def enqueue_dispatch(session: Session, endpoint_id: UUID, why: str, enqueue: Enqueue, delay_s: float = 0.0) -> None:
    """`why` tells this job from all others for the endpoint."""
    name = f"whp-{endpoint_id}-{why}"
    args = {"endpoint_id": str(endpoint_id), "holder": name}
    enqueue(session, DISPATCH, args, name, delay_s=delay_s, queue="webhooks")
