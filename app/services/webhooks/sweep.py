"""A net below the jobs of webhooks: should one get lost for good, another does its work."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.webhooks.dispatch_jobs import LOST_AFTER, enqueue_dispatch
from app.services.webhooks.replays import enqueue_redelivery
from app.store import webhooks as store

# Far beyond what a busy worker is late.
OVERDUE_AFTER = timedelta(minutes=10)


def send_what_is_late(session: Session, now: datetime, enqueue: Enqueue) -> None:
    """Jobs for endpoints that nobody works on although they have events ahead, or retries that were not made.

    Calling it from several workers at once sends no job twice within its minute or hour.
    """
    for endpoint_id in store.lagging(session, now, now - LOST_AFTER):
        enqueue_dispatch(session, endpoint_id, f"late-{now:%Y%m%dT%H%M}", enqueue)
    for endpoint_id in store.overdue(session, now - OVERDUE_AFTER):
        enqueue_redelivery(session, endpoint_id, f"late-{now:%Y%m%dT%H}", enqueue)
