"""Rows that nothing needs any more: counted, or deleted a batch at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, exists, func, select, true, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.store.models.access import IdempotentCall, PageSession, Workspace
from app.store.models.base import Base
from app.store.models.jobs import Job, Recovery
from app.store.models.purchases import AuditEntry, Order
from app.store.models.simulations import Simulation, SimulationPart
from app.store.models.vendors import VendorConnection, VendorDelivery, VendorReconciliation, VendorRow
from app.store.models.webhooks import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint

Gone = dict[type[Base], ColumnElement[bool]]
Counts = dict[str, int]
"""Rows by their table's name."""
APPLIED = ("applied", "ignored")
BLIND = {"synchronize_session": False}


@dataclass(frozen=True)
class Rule:
    """Rows that may go at an instant: those of `kind` for which `due` holds, with what hangs on them, by the column
    that points at them."""

    kind: type[Base]
    due: Callable[[datetime], ColumnElement[bool]]
    hanging: Sequence[InstrumentedAttribute[Any]] = ()

    @property
    def keys(self) -> Sequence[Any]:
        return tuple(self.kind.__table__.primary_key)


def quarantined(before: datetime) -> ColumnElement[bool]:
    return (VendorDelivery.outcome == "quarantined") & (VendorDelivery.applied_at < before)


def applied(before: datetime) -> ColumnElement[bool]:
    return VendorDelivery.outcome.in_(APPLIED) & (VendorDelivery.applied_at < before)


def settled(before: datetime) -> ColumnElement[bool]:
    """Of an endpoint's messages those that are not to be sent any more."""
    return (WebhookDelivery.created_at < before) & (WebhookDelivery.state != "pending")


def ended(before: datetime) -> ColumnElement[bool]:
    """A simulation's job stays with it: it says what became of it."""
    return (Job.ended_at < before) & Job.id.not_in(select(Simulation.job_id))


def played(before: datetime) -> ColumnElement[bool]:
    return Simulation.job_id.in_(select(Job.id).where(Job.ended_at < before))


RULES: Mapping[str, Sequence[Rule]] = {
    "webhook_attempt_retention_days": [Rule(WebhookAttempt, lambda before: WebhookAttempt.attempted_at < before)],
    "webhook_delivery_retention_days": [Rule(WebhookDelivery, settled, [WebhookAttempt.delivery_id])],
    "vendor_delivery_retention_days": [
        Rule(VendorDelivery, applied),
        Rule(VendorReconciliation, lambda before: VendorReconciliation.created_at < before),
    ],
    "vendor_quarantine_retention_days": [Rule(VendorDelivery, quarantined)],
    "simulation_retention_days": [Rule(Simulation, played, [SimulationPart.simulation_id])],
    "job_retention_days": [Rule(Job, ended), Rule(Recovery, lambda before: Recovery.recovered_at < before)],
    "audit_retention_days": [Rule(AuditEntry, lambda before: AuditEntry.created_at < before)],
}
"""By the setting that says for how long. What is kept longer by another rule stands behind what it waits for."""
ANSWERS = Rule(IdempotentCall, lambda before: IdempotentCall.created_at < before)
SESSIONS = Rule(PageSession, lambda now: PageSession.expires_at <= now)


def count_due(session: Session, rule: Rule, before: datetime, gone: Gone) -> Counts:
    """How many rows `delete_due` would delete in the end; what other rules delete first is in `gone`, and this one's
    rows are put there too."""
    which = rule.due(before)
    if rule.kind is Job and Simulation in gone:
        which |= (Job.ended_at < before) & Job.id.in_(select(Simulation.job_id).where(gone[Simulation]))
    due = select(*rule.keys).where(which)
    counts = {rule.kind.__tablename__: counted(session, due)}
    for column in rule.hanging:
        others = ~gone[column.class_] if column.class_ in gone else true()
        counts[column.class_.__tablename__] = counted(session, select(column).where(column.in_(due), others))
    gone[rule.kind] = which
    return counts


def counted(session: Session, query: Any) -> int:
    return session.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def delete_due(session: Session, rule: Rule, before: datetime, most: int) -> Counts:
    """Delete up to `most` of the rows, but those that somebody else holds."""
    found = select(*rule.keys).where(rule.due(before)).limit(most).with_for_update(skip_locked=True)
    keys = [tuple(row) for row in session.execute(found)]
    if not keys:
        return {}
    counts = {}
    for column in rule.hanging:
        gone = delete(column.class_).where(column.in_([key for (key,) in keys])).returning(column)
        counts[column.class_.__tablename__] = len(session.execute(gone, execution_options=BLIND).all())
    session.execute(delete(rule.kind).where(tuple_(*rule.keys).in_(keys)), execution_options=BLIND)
    return counts | {rule.kind.__tablename__: len(keys)}


# Events, which readers and endpoints go through in their order


def workspaces_with_old_events(
    session: Session, before: datetime, deliveries_before: datetime | None = None
) -> Sequence[UUID]:
    """Those whose first kept event is older and, as `no_longer_needed` says, can go."""
    here, sent = WebhookEndpoint, WebhookDelivery
    mine = (Event.workspace_id == Workspace.id) & (Event.sequence > Workspace.pruned_sequence)
    first, made_at = (
        select(column).where(mine).order_by(Event.sequence).limit(1).correlate(Workspace).scalar_subquery()
        for column in (Event.sequence, Event.created_at)
    )
    of_workspace = here.workspace_id == Workspace.id
    ahead = exists().where(of_workspace, here.archived_at.is_(None), here.sequence < first)
    kept = ~settled(deliveries_before) if deliveries_before is not None else true()
    told = exists().where(of_workspace, sent.endpoint_id == here.id, sent.sequence <= first, kept)
    free = select(Workspace.id).where(made_at < before, ~ahead.correlate(Workspace), ~told.correlate(Workspace))
    return session.scalars(free.order_by(Workspace.id)).all()


def no_longer_needed(session: Session, workspace_id: UUID, deliveries_before: datetime | None) -> int | None:
    """Up to which sequence no endpoint has an event ahead of it, and none is in a message that is kept; None for any.
    Messages that `settled` finds by `deliveries_before` count as gone."""
    here, sent = WebhookEndpoint, WebhookDelivery
    mine = (sent.endpoint_id == here.id) & sent.sequence.is_not(None)
    if deliveries_before is not None:
        mine &= ~settled(deliveries_before)
    first = select(func.min(sent.sequence)).where(mine).scalar_subquery()
    ends = []
    query = select(here.sequence, here.archived_at, first).where(here.workspace_id == workspace_id)
    for reached, archived_at, first_sent in session.execute(query):
        ends += [reached] if archived_at is None else []
        ends += [first_sent - 1] if first_sent is not None else []
    return min(ends, default=None)


def count_old_events(session: Session, before: datetime, deliveries_before: datetime | None) -> int:
    total = 0
    for workspace_id in workspaces_with_old_events(session, before, deliveries_before):
        end = no_longer_needed(session, workspace_id, deliveries_before)
        due = (Event.workspace_id == workspace_id) & (Event.created_at < before)
        if end is not None:
            due &= Event.sequence <= end
        total += counted(session, select(Event.id).where(due))
    return total


def delete_old_events(session: Session, workspace_id: UUID, before: datetime, most: int) -> int:
    """Delete up to `most` of the workspace's events from its first one on, and note how far: no later one is missing.
    Nobody numbers an event meanwhile."""
    workspace = session.scalars(select(Workspace).where(Workspace.id == workspace_id).with_for_update()).one()
    end = no_longer_needed(session, workspace_id, None)
    query = select(Event.sequence, Event.created_at).where(Event.workspace_id == workspace_id)
    query = query.where(Event.sequence > workspace.pruned_sequence).order_by(Event.sequence).limit(most)
    last = None
    for sequence, created_at in session.execute(query):
        if created_at >= before or (end is not None and sequence > end):
            break
        last = sequence
    if last is None:
        return 0
    workspace.pruned_sequence = last
    gone = delete(Event).where(Event.workspace_id == workspace_id, Event.sequence <= last).returning(Event.sequence)
    return len(session.execute(gone, execution_options=BLIND).all())


def pruned_sequence(session: Session, workspace_id: UUID) -> int:
    """Up to which the workspace's events are no longer kept."""
    return session.scalars(select(Workspace.pruned_sequence).where(Workspace.id == workspace_id)).one()


# What vendors sent, and what is sent to them


def whole_bodies(session: Session, before: datetime, most: int) -> list[tuple[VendorDelivery, VendorConnection]]:
    """Deliveries that were applied before and are kept as they came, each with its connection."""
    here = VendorDelivery
    query = select(here, VendorConnection).join(VendorConnection, VendorConnection.id == here.connection_id)
    query = query.where(here.reduced_at.is_(None), applied(before)).limit(most)
    return [(row, connection) for row, connection in session.execute(query)]


def count_whole_bodies(session: Session, before: datetime) -> int:
    here = VendorDelivery
    return counted(session, select(here.id).where(here.reduced_at.is_(None), applied(before)))


def reduce_body(session: Session, delivery: int, body: str, now: datetime) -> bool:
    """Put `body` in the place of the vendor's, unless it is to be applied once more. Why it was ignored was said in its
    words."""
    here = VendorDelivery
    still = update(here).where(here.id == delivery, here.outcome.in_(APPLIED), here.reduced_at.is_(None))
    detail = case((here.outcome == "ignored", None), else_=here.detail)
    reduced = still.values(body=body, headers={}, detail=detail, reduced_at=now).returning(here.id)
    return session.execute(reduced, execution_options=BLIND).first() is not None


def labelled(before: datetime) -> ColumnElement[bool]:
    """Rows whose order has ended."""
    ended_orders = select(Order.id).where(Order.closed_at < before)
    return VendorRow.reduced_at.is_(None) & VendorRow.order_id.in_(ended_orders)


def count_labelled_rows(session: Session, before: datetime) -> int:
    return counted(session, select(VendorRow.id).where(labelled(before)))


def empty_labelled_rows(session: Session, before: datetime, now: datetime, most: int) -> int:
    """Their ids stay, so that no row is labelled twice."""
    found = session.scalars(select(VendorRow.id).where(labelled(before)).limit(most)).all()
    here = VendorRow
    session.execute(update(here).where(here.id.in_(found)).values(data={}, reduced_at=now), execution_options=BLIND)
    return len(found)
