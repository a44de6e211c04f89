"""Webhook endpoints, the deliveries due to them, and every attempt made."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from app.store.models.access import Workspace
from app.store.models.webhooks import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookWakeup
from app.store.reading import Listing

# What every event asks for: made once.
ENDPOINTS, WORKSPACES = WebhookEndpoint.__table__.c, cast(Table, Workspace.__table__)
LISTENERS = (
    select(ENDPOINTS.id, ENDPOINTS.event_types)
    .where(
        ENDPOINTS.workspace_id == bindparam("workspace"),
        ENDPOINTS.state == "active",
        ENDPOINTS.archived_at.is_(None),
        or_(ENDPOINTS.project_id.is_(None), ENDPOINTS.project_id == bindparam("project")),
    )
    .order_by(ENDPOINTS.id)
)
NEXT_SEQUENCE = (
    update(WORKSPACES)
    .where(WORKSPACES.c.id == bindparam("workspace"))
    .values(last_sequence=WORKSPACES.c.last_sequence + 1)
    .returning(WORKSPACES.c.last_sequence)
)
INSERT_EVENT = insert(cast(Table, Event.__table__))
EVENT_COLUMNS = tuple(Event.__table__.c.keys())


def endpoint_by_id(
    session: Session, endpoint_id: UUID, workspace_id: UUID | None = None, *, lock: bool = False
) -> WebhookEndpoint | None:
    """`lock` keeps other writers of the endpoint waiting until this transaction ends."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
    if workspace_id is not None:
        query = query.where(WebhookEndpoint.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalar(query)


def endpoints_of_workspace(
    session: Session, workspace_id: UUID, only: Collection[str] | None, archived: bool
) -> Listing[WebhookEndpoint]:
    """In order of creation; `only` are the ids of the projects a key is limited to."""
    here = WebhookEndpoint
    query = select(here).where(here.workspace_id == workspace_id)
    query = query.where(here.archived_at.is_not(None) if archived else here.archived_at.is_(None))
    if only is not None:
        query = query.where(here.project_id.in_([UUID(project) for project in only]))
    return Listing(session, query, here.id)


def all_endpoints(session: Session) -> Sequence[WebhookEndpoint]:
    return session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id)).all()


def listeners(session: Session, event: Event) -> list[UUID]:
    """The active endpoints that want this event."""
    found = session.execute(LISTENERS, {"workspace": event.workspace_id, "project": event.project_id})
    return [id for id, types in found if types is None or event.type in types]


def ask_to_wake(session: Session, endpoint_id: UUID, sequence: int, now: datetime, stale: datetime) -> bool:
    """Whether a job has to be sent: none is on its way, or the one that was asked for before `stale` got lost.

    The row stays locked until this transaction ends: a job that starts meanwhile waits for it in `wake`, and sees
    the event.
    """
    here = WebhookWakeup
    values = {"sequence": sequence, "requested_at": now}
    asked = update(here).where(here.endpoint_id == endpoint_id)
    kept = session.execute(asked.where(here.requested_at > stale).values(sequence=sequence).returning(here.sequence))
    if kept.first() is not None:
        return False
    if session.execute(asked.values(values).returning(here.sequence)).first() is None:
        session.add(WebhookWakeup(endpoint_id=endpoint_id, **values))
    return True


def wake(session: Session, endpoint_id: UUID) -> None:
    """From now on a new event needs a new job."""
    session.execute(delete(WebhookWakeup).where(WebhookWakeup.endpoint_id == endpoint_id))


def next_events(session: Session, endpoint: WebhookEndpoint, newest: int, most: int) -> Sequence[Event]:
    """The first events after those that had their first attempt, up to `newest`, that the endpoint wants."""
    query = select(Event).where(
        Event.workspace_id == endpoint.workspace_id, Event.sequence > endpoint.sequence, Event.sequence <= newest
    )
    if endpoint.project_id is not None:
        query = query.where(Event.project_id == endpoint.project_id)
    if endpoint.event_types is not None:
        query = query.where(Event.type.in_(endpoint.event_types))
    return session.scalars(query.order_by(Event.sequence).limit(most)).all()


def deliveries_of(session: Session, endpoint_id: UUID, event_ids: Collection[UUID]) -> dict[UUID, WebhookDelivery]:
    """What was begun of the events for the endpoint, by event."""
    here = WebhookDelivery
    query = select(here).where(here.endpoint_id == endpoint_id, here.event_id.in_(event_ids))
    return {row.event_id: row for row in session.scalars(query)}


def deliveries_by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, WebhookDelivery]:
    """As they are now, whatever was read before."""
    query = select(WebhookDelivery).where(WebhookDelivery.id.in_(ids))
    return {row.id: row for row in session.scalars(query.execution_options(populate_existing=True))}


def delivery_by_id(session: Session, delivery_id: UUID) -> WebhookDelivery | None:
    """As it is now, whatever was read before."""
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
    return session.scalar(query.execution_options(populate_existing=True))


def next_due(session: Session, endpoint: WebhookEndpoint, due: datetime, after: int) -> WebhookDelivery | None:
    """The first delivery beyond sequence `after` whose next attempt is due by then, and has had one before."""
    here = WebhookDelivery
    query = select(here).where(
        here.endpoint_id == endpoint.id,
        here.state == "pending",
        here.next_attempt_at <= due,
        here.sequence > after,
        here.sequence <= endpoint.sequence,
    )
    return session.scalar(query.order_by(here.sequence).limit(1))


def reopen(session: Session, endpoint_id: UUID, since: datetime, now: datetime) -> int:
    """Make what failed since then due now; how many deliveries that are."""
    here = WebhookDelivery
    failed = or_(here.state == "failed", (here.state == "pending") & (here.attempts > 0))
    changed = session.execute(
        update(here)
        .where(here.endpoint_id == endpoint_id, here.occurred_at >= since, here.sequence.is_not(None), failed)
        .values(state="pending", next_attempt_at=now)
        .returning(here.id)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


def give_up(session: Session, endpoint_id: UUID) -> None:
    """No further attempt of what is pending."""
    here = WebhookDelivery
    pending = update(here).where(here.endpoint_id == endpoint_id, here.state == "pending")
    session.execute(pending.values(state="failed", next_attempt_at=None))


@dataclass(frozen=True)
class AttemptFilter:
    """Which attempts are listed; None is all."""

    succeeded: bool | None = None
    event_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def attempts_of_endpoint(
    session: Session, endpoint_id: UUID, wanted: AttemptFilter
) -> Listing[tuple[WebhookAttempt, WebhookDelivery]]:
    """Newest first, each with its delivery."""
    here = WebhookAttempt
    query = select(here, WebhookDelivery).join(WebhookDelivery, here.delivery_id == WebhookDelivery.id)
    query = query.where(here.endpoint_id == endpoint_id)
    if wanted.succeeded is not None:
        query = query.where(here.succeeded == wanted.succeeded)
    if wanted.event_type is not None:
        query = query.where(WebhookDelivery.event_type == wanted.event_type)
    if wanted.since is not None:
        query = query.where(here.attempted_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(here.attempted_at < wanted.until)
    return Listing(session, query, here.id, newest_first=True)


def lagging(session: Session, now: datetime, stale: datetime) -> Sequence[UUID]:
    """Active endpoints with events ahead of them, nobody at work on them, and no job on its way since `stale`."""
    here = WebhookEndpoint
    query = (
        select(here.id)
        .join(Workspace, Workspace.id == here.workspace_id)
        .outerjoin(WebhookWakeup, WebhookWakeup.endpoint_id == here.id)
        .where(
            here.state == "active",
            here.archived_at.is_(None),
            here.sequence < Workspace.last_sequence,
            or_(here.lease_ends_at.is_(None), here.lease_ends_at < now),
            or_(WebhookWakeup.requested_at.is_(None), WebhookWakeup.requested_at < stale),
        )
    )
    return session.scalars(query.order_by(here.id)).all()


def overdue(session: Session, since: datetime) -> Sequence[UUID]:
    """Active endpoints with a repeated attempt that should have been made before `since`."""
    here, due = WebhookEndpoint, WebhookDelivery
    late = exists().where(
        due.endpoint_id == here.id,
        due.state == "pending",
        due.next_attempt_at < since,
        due.sequence <= here.sequence,
    )
    query = select(here.id).where(here.state == "active", here.archived_at.is_(None), late)
    return session.scalars(query.order_by(here.id)).all()


def next_sequence(session: Session, workspace_id: UUID) -> int:
    """The number of the workspace's next event. Its row stays locked until this transaction ends, so that numbers
    become visible in their order: who has read n can never meet a smaller one later."""
    number: int = session.execute(NEXT_SEQUENCE, {"workspace": workspace_id}).scalar_one()
    return number


def insert_event(session: Session, event: Event) -> None:
    """Behind what the session has to write. The row is never changed: the session need not keep it."""
    session.flush()
    session.execute(INSERT_EVENT, {name: getattr(event, name) for name in EVENT_COLUMNS})


def last_sequence(session: Session, workspace_id: UUID, *, lock: bool = False) -> int:
    """The number of the workspace's newest event. With `lock` no other is numbered until this transaction ends."""
    if lock:
        session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))
    return session.scalars(select(Workspace.last_sequence).where(Workspace.id == workspace_id)).one()


def events_after(
    session: Session,
    workspace_id: UUID,
    only: Collection[str] | None,
    types: Sequence[str],
    after: int,
    limit: int,
) -> Sequence[Event]:
    """In order of sequence; `only` are the ids of the projects a key is limited to, no `types` is all."""
    query = select(Event).where(Event.workspace_id == workspace_id, Event.sequence > after)
    if only is not None:
        query = query.where(Event.project_id.in_([UUID(project) for project in only]))
    if types:
        query = query.where(Event.type.in_(types))
    return session.scalars(query.order_by(Event.sequence).limit(limit)).all()
