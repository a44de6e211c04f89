"""Events: what happened that others may want to know, written in the transaction of the change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.webhooks.dispatch_jobs import wake_listeners
from app.store import webhooks as store
from app.store.models.webhooks import Event

EventType = Literal[
    "observations.accepted",
    "allocation.changed",
    "round.proposed",
    "round.approval_needed",
    "round.declined",
    "round.accepted",
    "order.placed",
    "delivery.recorded",
    "round.closed",
    "target.reached",
    "budget.exhausted",
    "endpoint.disabled",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
FOR_PEOPLE = (
    "round.proposed",
    "round.approval_needed",
    "round.declined",
    "round.accepted",
    "round.closed",
    "target.reached",
    "budget.exhausted",
    "endpoint.disabled",
)
"""What people are told unless they choose otherwise: what waits for them, and what became of it."""
VERSION = 1
"""Of the payloads. It rises when a field goes or changes its meaning, not when one is added."""


def record(
    session: Session,
    workspace_id: UUID,
    type: EventType,
    project_id: UUID | None,
    data: Mapping[str, Any],
    now: datetime,
    enqueue: Enqueue,
) -> Event:
    """Append an event. Call it last in a transaction: other writers of events in the workspace wait for its end.

    data: JSON; `url` is the path of the resource that changed, beside it stands what a reader needs at once.
    """
    event = Event(
        id=new_id(),
        workspace_id=workspace_id,
        sequence=store.next_sequence(session, workspace_id),
        project_id=project_id,
        type=type,
        version=VERSION,
        data=dict(data),
        created_at=now,
    )
    store.insert_event(session, event)
    wake_listeners(session, event, now, enqueue)
    return event
