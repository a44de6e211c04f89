"""Events of the workspace, in order: whoever reads them with `after` misses none."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.http.pages import Limit
from app.api.http.problems import declared
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, reads
from app.errors import EventsPruned
from app.services.webhooks.events import EventType
from app.store.models.webhooks import Event
from app.store.upkeep.retention import pruned_sequence
from app.store.webhooks import events_after, last_sequence

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=Route)


class EventOut(Answer):
    """What happened. `data.url` is the path of the resource that changed; `version` is the payload's."""

    id: UUID
    type: EventType
    version: int
    sequence: int
    created_at: datetime
    project_id: UUID | None
    data: dict[str, Any]


class EventsOut(Answer):
    """`next_after` is the `after` of the next request, on an empty answer too."""

    items: list[EventOut]
    next_after: int


@router.get("", summary="Read events in order", responses=declared(EventsPruned))
def list_events(
    call: Annotated[Call, reads("read")],
    after: Annotated[
        int, Query(ge=0, le=2**63 - 1, description="Only events of a later sequence; 0: from the first that is kept")
    ] = 0,
    limit: Limit = 50,
    type: Annotated[list[EventType] | None, Query(description="Only events of these types (repeatable)")] = None,
) -> EventsOut:
    """The workspace's events from the oldest on. Ask again with `after` = `next_after` to catch up: sequences become
    visible in their order, so none is ever missed; who asks for events that are no longer kept is told so. A key
    limited to projects reads the events of those."""
    caller = call.caller
    pruned = pruned_sequence(call.session, caller.workspace_id)
    if 0 < after < pruned:
        raise EventsPruned(
            f"Events up to sequence {pruned} are no longer kept, and you have read up to {after}. Read anew what you"
            f" keep copies of, then go on with after={pruned}."
        )
    newest = last_sequence(call.session, caller.workspace_id)
    rows = events_after(call.session, caller.workspace_id, caller.project_ids, type or (), after, limit)
    return EventsOut(
        items=[EventOut.model_validate(row) for row in rows], next_after=reached(rows, limit, after, newest)
    )


def reached(rows: Sequence[Event], limit: int, after: int, newest: int) -> int:
    """How far the reader has come: past events that are not for it too, once it has seen all that are."""
    return rows[-1].sequence if len(rows) == limit else max(after, newest)
