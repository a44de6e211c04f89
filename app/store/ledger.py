"""The ledger's sums: every total is a sum of entries, and no entry is ever changed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from app.store.models.projects import Project, Source
from app.store.models.purchases import AuditEntry, Delivery, LedgerEntry, Manifest, Order
from app.store.reading import Listing, Query, in_parts, rows_of

Cell = tuple[int | None, str]
"""A group's id (None: not mapped to a group) and a state."""


@dataclass
class Totals:
    """What an order's entries add up to. counts: samples by group and state; priced: those of them that the order's
    terms charge. spent_by_terms: the part of `spent` that was charged so."""

    counts: dict[Cell, int] = field(default_factory=dict)
    priced: dict[Cell, int] = field(default_factory=dict)
    spent: Decimal = Decimal(0)
    spent_by_terms: Decimal = Decimal(0)
    committed: Decimal = Decimal(0)

    @property
    def delivered(self) -> int:
        """Samples that came, whatever became of them."""
        return sum(self.counts.values())

    def in_state(self, *states: str) -> int:
        return sum(count for (_, state), count in self.counts.items() if state in states)


@dataclass(frozen=True)
class Money:
    """What a project has spent, and what its open orders may still cost."""

    spent: Decimal
    committed: Decimal


def totals_of_orders(
    session: Session, project_id: UUID, order_ids: Collection[UUID] | None = None, kinds: Sequence[str] = ()
) -> dict[UUID, Totals]:
    """Order id → its totals, of these kinds of entries alone where some are named; for all the project's orders
    where none are named. Orders without entries have empty totals or are left out."""
    here = LedgerEntry
    columns = (here.order_id, here.group_id, here.state, here.priced)
    sums = (func.sum(here.count), func.sum(here.spent), func.sum(here.committed))
    query = select(*columns, *sums).where(here.project_id == project_id).group_by(*columns)
    if kinds:
        query = query.where(here.kind.in_(kinds))
    found: dict[UUID, Totals] = {order_id: Totals() for order_id in order_ids or ()}
    rows = rows_of(session, query) if order_ids is None else in_parts(session, query, here.order_id, sorted(found))
    for order_id, group_id, state, priced, count, spent, committed in rows:
        totals = found.setdefault(order_id, Totals())
        totals.spent += spent
        totals.committed += committed
        if priced:
            totals.spent_by_terms += spent
        if state is not None:
            cell = (group_id, state)
            totals.counts[cell] = totals.counts.get(cell, 0) + int(count)
            if priced:
                totals.priced[cell] = int(count)
    return found


@dataclass(frozen=True)
class Change:
    """What one cause changed of an order's samples of a group: delivered ones, and accepted ones among them."""

    order_id: UUID
    group_id: int
    at: datetime
    cause: str
    delivered: int
    accepted: int


DELIVERED = func.sum(LedgerEntry.count)
ACCEPTED = func.sum(case((LedgerEntry.state == "accepted", LedgerEntry.count), else_=0))


def changes_by_cause(kinds: Sequence[str]) -> Query:
    here = LedgerEntry
    columns = (here.order_id, here.group_id, here.created_at, here.cause)
    query = select(*columns, DELIVERED, ACCEPTED).where(here.kind.in_(kinds), here.group_id.is_not(None))
    return query.group_by(*columns)


def falling_orders(session: Session, order_ids: Collection[UUID], kinds: Sequence[str]) -> set[UUID]:
    """Those of which some cause of these kinds took samples of a group away."""
    query = changes_by_cause(kinds).having(or_(DELIVERED < 0, ACCEPTED < 0))
    return {row[0] for row in in_parts(session, query, LedgerEntry.order_id, sorted(order_ids))}


def changes_of_orders(session: Session, order_ids: Collection[UUID], kinds: Sequence[str]) -> list[Change]:
    """What causes of these kinds changed, group by group, those of an order in their order."""
    query = changes_by_cause(kinds).order_by(func.min(LedgerEntry.id))
    rows = in_parts(session, query, LedgerEntry.order_id, sorted(order_ids))
    return [
        Change(order_id, group_id, at, cause, int(delivered), int(accepted))
        for order_id, group_id, at, cause, delivered, accepted in rows
    ]


@dataclass(frozen=True)
class Day:
    """What became of an order's samples on one day (UTC): `count` more in `state` (None: money alone) and `spent` more.
    due_on: the day by which its source said that it would deliver."""

    project: Project
    day: date
    due_on: date | None
    state: str | None
    count: int
    spent: Decimal


def days_of_connection(session: Session, connection_id: UUID, since: date) -> list[Day]:
    """The days, from `since` on, of all orders from sources that sell through the connection."""
    here, is_postgresql = LedgerEntry, session.get_bind().dialect.name == "postgresql"
    day = func.date(func.timezone("UTC", here.created_at) if is_postgresql else here.created_at)
    columns = (here.order_id, day, here.state)
    query = select(*columns, func.sum(here.count), func.sum(here.spent)).group_by(*columns)
    orders = select(Order, Project, Source.lead_time_days).join(Source, Source.id == Order.source_id)
    orders = orders.join(Project, Project.id == Order.project_id).where(Project.erased_at.is_(None))
    selling = session.execute(orders.where(Source.connection_id == connection_id))
    found = {order.id: (project, due_day(order, lead)) for order, project, lead in selling}
    begins = datetime.combine(since, time(), UTC)
    rows = in_parts(session, query.where(here.created_at >= begins), here.order_id, sorted(found))
    return [
        Day(
            project=found[order_id][0],
            day=date.fromisoformat(str(on)),
            due_on=found[order_id][1],
            state=state,
            count=int(count),
            spent=spent,
        )
        for order_id, on, state, count, spent in rows
    ]


def due_day(order: Order, lead_time_days: int | None) -> date | None:
    return None if lead_time_days is None else (order.placed_at or order.created_at).date() + timedelta(lead_time_days)


def money_of_project(session: Session, project_id: UUID) -> Money:
    sums = select(func.sum(LedgerEntry.spent), func.sum(LedgerEntry.committed))
    spent, committed = session.execute(sums.where(LedgerEntry.project_id == project_id)).one()
    return Money(spent or Decimal(0), committed or Decimal(0))


@dataclass(frozen=True)
class Collected:
    """What a group got from orders: accepted samples, and their worth in clean ones."""

    count: int
    effective: float


def collected_counts(session: Session, project_id: UUID) -> dict[int, Collected]:
    """Group id → what its orders brought."""
    query = (
        select(LedgerEntry.group_id, func.sum(LedgerEntry.count), func.sum(LedgerEntry.count * Order.quality))
        .join(Order, Order.id == LedgerEntry.order_id)
        .where(LedgerEntry.project_id == project_id, LedgerEntry.state == "accepted", LedgerEntry.group_id.is_not(None))
        .group_by(LedgerEntry.group_id)
    )
    return {
        group_id: Collected(int(count), float(effective))
        for group_id, count, effective in session.execute(query)
        if group_id is not None
    }


def listed_entries(session: Session, project_id: UUID, order_id: UUID | None = None) -> Listing[LedgerEntry]:
    query = select(LedgerEntry).where(LedgerEntry.project_id == project_id)
    if order_id is not None:
        query = query.where(LedgerEntry.order_id == order_id)
    return Listing(session, query, LedgerEntry.id)


def listed_audit(
    session: Session,
    workspace_id: UUID,
    project_id: UUID | None = None,
    action: str | None = None,
    since: datetime | None = None,
    *,
    newest_first: bool = False,
) -> Listing[AuditEntry]:
    """Of the workspace, or of one project of it. action: all of it, or what stands before its dot."""
    here = AuditEntry
    query = select(here).where(here.workspace_id == workspace_id)
    if project_id is not None:
        query = query.where(here.project_id == project_id)
    if action is not None:
        query = query.where(or_(here.action == action, here.action.startswith(f"{action}.", autoescape=True)))
    if since is not None:
        query = query.where(here.created_at >= since)
    return Listing(session, query, here.id, newest_first)


def changes_since(session: Session, project_id: UUID, since: datetime, words: Sequence[str]) -> Sequence[AuditEntry]:
    """What the audit tells of a project's changes after `since`, oldest first: what stands before an action's dot is
    one of `words`."""
    here = AuditEntry
    told = or_(*(here.action.startswith(f"{word}.", autoescape=True) for word in words))
    query = select(here).where(here.project_id == project_id, here.created_at > since, told)
    return session.scalars(query.order_by(here.id)).all()


def deliveries_of_orders(session: Session, order_ids: Collection[UUID]) -> Sequence[Delivery]:
    """Everything recorded by hand for these orders, in the order it was recorded."""
    return list(in_parts(session, select(Delivery).order_by(Delivery.id), Delivery.order_id, sorted(order_ids)))


def manifests_of_orders(session: Session, order_ids: Collection[UUID]) -> Sequence[Manifest]:
    """Oldest first."""
    query = select(Manifest).order_by(Manifest.created_at, Manifest.id)
    return list(in_parts(session, query, Manifest.order_id, sorted(order_ids)))


def listed_manifests(session: Session, order_id: UUID) -> Listing[Manifest]:
    return Listing(session, select(Manifest).where(Manifest.order_id == order_id), Manifest.id)


def manifest_ids(session: Session, project_id: UUID) -> frozenset[UUID]:
    """Those of the project whose items were counted."""
    query = select(Manifest.id).where(Manifest.project_id == project_id, Manifest.delivery_id.is_not(None))
    return frozenset(session.scalars(query))


def item_hashes(session: Session, project_id: UUID) -> Iterator[tuple[UUID, bytes]]:
    """Each manifest of the project whose items were counted, with their hashes, one after the other."""
    for manifest_id in sorted(manifest_ids(session, project_id)):
        yield manifest_id, session.scalars(select(Manifest.hashes).where(Manifest.id == manifest_id)).one()
