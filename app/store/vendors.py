"""Vendor connections, their inbox, and the items they told of."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Order, Round
from app.store.models.vendors import (
    VendorConnection,
    VendorDelivery,
    VendorItem,
    VendorOrder,
    VendorParent,
    VendorPlacement,
    VendorReconciliation,
    VendorRow,
    VendorWakeup,
)
from app.store.projects import PRESENT
from app.store.reading import Listing, in_parts
from app.store.rounds import OPEN_ORDERS

COUNTED = ("submitted", "accepted", "rejected")


# Connections


def locked_connection(session: Session, connection_id: UUID) -> VendorConnection | None:
    """The connection; who else would apply what it says waits until this transaction ends. Who receives does not."""
    query = select(VendorConnection).where(VendorConnection.id == connection_id)
    return session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))


def listed_connections(session: Session, workspace_id: UUID) -> Listing[VendorConnection]:
    here = VendorConnection
    return Listing(session, select(here).where(here.workspace_id == workspace_id), here.id)


def all_connections(session: Session) -> Sequence[VendorConnection]:
    """Of all workspaces, for the upkeep of what they hold."""
    return session.scalars(select(VendorConnection).order_by(VendorConnection.id)).all()


def serves(session: Session, connection_id: UUID) -> bool:
    """Whether a source sells through the connection."""
    return session.scalar(select(Source.id).where(Source.connection_id == connection_id).limit(1)) is not None


def named_groups(
    session: Session, workspace_id: UUID, connection_id: UUID | None, texts: Iterable[str] | None = None
) -> list[tuple[str, str | None]]:
    """Key and name of the groups (with one of `texts` as either, where given) of the projects that the connection
    serves; without a connection, of all the workspace's projects."""
    projects = select(Project.id).where(Project.workspace_id == workspace_id, PRESENT)
    if connection_id is not None:
        projects = projects.join(Source, Source.project_id == Project.id).where(Source.connection_id == connection_id)
    query = select(Group.key, Group.name).where(Group.project_id.in_(projects))
    if texts is None:
        return [(key, name) for key, name in session.execute(query.order_by(Group.id))]
    wanted = list(texts)
    rows = [row for column in (Group.key, Group.name) for row in in_parts(session, query, column, wanted)]
    return [(key, name) for key, name in rows]


def served_sources(session: Session, connection_id: UUID) -> list[tuple[Source, Project]]:
    """The sources that sell through the connection, with their projects, by name."""
    query = select(Source, Project).join(Project, Project.id == Source.project_id)
    query = query.where(Source.connection_id == connection_id, PRESENT)
    query = query.order_by(Project.name, Project.id, Source.key)
    return [(source, project) for source, project in session.execute(query)]


def free_sources(session: Session, workspace_id: UUID, limit: int) -> list[tuple[Source, Project]]:
    """The workspace's sources without a connection that may get one, with their projects, by name."""
    query = select(Source, Project).join(Project, Project.id == Source.project_id)
    query = query.where(Project.workspace_id == workspace_id, Project.archived_at.is_(None), PRESENT)
    query = query.where(Source.connection_id.is_(None), Source.archived_at.is_(None), Source.labels_per_item == 1)
    rows = session.execute(query.order_by(Project.name, Project.id, Source.key).limit(limit))
    return [(source, project) for source, project in rows]


# The inbox


def connections_by_hash(session: Session, hashes: Iterable[str]) -> dict[str, VendorConnection]:
    """By the hashes of their tokens."""
    found = in_parts(session, select(VendorConnection), VendorConnection.token_hash, hashes)
    return {row.token_hash: row for row in found}


def connections_by_id(session: Session, ids: Iterable[UUID]) -> dict[UUID, VendorConnection]:
    found = in_parts(session, select(VendorConnection), VendorConnection.id, sorted(ids))
    return {row.id: row for row in found}


def insert_deliveries(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[UUID, str], int]:
    """The new rows' ids by connection and delivery id; of those that are there already, nothing. The connections' rows
    of `locked_wakeups` are held: who stores the same deliveries in another order waits, and nobody waits for him."""
    dialect = session.get_bind().dialect.name
    made = postgresql.insert(VendorDelivery) if dialect == "postgresql" else sqlite.insert(VendorDelivery)
    here = VendorDelivery
    statement = made.on_conflict_do_nothing().returning(here.connection_id, here.delivery_id, here.id)
    found = session.execute(statement, list(rows))
    return {(connection_id, delivery_id): id for connection_id, delivery_id, id in found}


def locked_wakeups(session: Session, connection_ids: Collection[UUID]) -> dict[UUID, VendorWakeup]:
    """The connections' rows, locked in one order whoever asks, until this transaction ends: a job that starts meanwhile
    waits for it, and sees what was stored."""
    here = VendorWakeup
    query = select(here).where(here.connection_id.in_(connection_ids)).order_by(here.connection_id)
    return {row.connection_id: row for row in session.scalars(query.with_for_update())}


def start_draining(session: Session, connection_id: UUID) -> None:
    """From here on a new delivery asks for a job of its own."""
    here = VendorWakeup
    session.execute(update(here).where(here.connection_id == connection_id).values(asked_at=None))


def received(session: Session, connection_id: UUID, limit: int) -> Sequence[VendorDelivery]:
    """The oldest deliveries that wait to be applied."""
    here = VendorDelivery
    query = select(here).where(here.connection_id == connection_id, here.outcome == "received")
    return session.scalars(query.order_by(here.id).limit(limit)).all()


def deliveries_by_id(session: Session, ids: Iterable[int]) -> list[VendorDelivery]:
    return list(in_parts(session, select(VendorDelivery), VendorDelivery.id, ids))


def listed_deliveries(session: Session, connection_id: UUID, outcome: str | None) -> Listing[VendorDelivery]:
    here = VendorDelivery
    query = select(here).where(here.connection_id == connection_id)
    if outcome is not None:
        query = query.where(here.outcome == outcome)
    return Listing(session, query, here.id, newest_first=True)


def receive_again(
    session: Session, connection_id: UUID, outcome: str | None = None, since: datetime | None = None
) -> int:
    """Deliveries (of an outcome, since an instant) wait to be applied once more, unless their bodies were reduced. How
    many."""
    here = VendorDelivery
    kept = here.reduced_at.is_(None)
    conditions: list[ColumnElement[bool]] = [here.connection_id == connection_id, here.outcome != "received", kept]
    if outcome is not None:
        conditions.append(here.outcome == outcome)
    if since is not None:
        conditions.append(here.received_at >= since)
    # With RETURNING the count is the same on both databases.
    touched = session.execute(update(here).where(*conditions).values(outcome="received").returning(here.id))
    return len(touched.all())


def outcomes(session: Session, connection_id: UUID) -> dict[str, int]:
    here = VendorDelivery
    query = select(here.outcome, func.count()).where(here.connection_id == connection_id).group_by(here.outcome)
    return {row[0]: row[1] for row in session.execute(query)}


def unread_events(session: Session, connection_ids: Collection[UUID], since: datetime | None = None) -> dict[UUID, int]:
    """Connection → how many events of its webhooks (received since an instant) could not be read; none left out."""
    here = VendorDelivery
    query = select(here.connection_id, func.sum(here.unread)).where(here.connection_id.in_(connection_ids))
    query = query.where(here.outcome == "quarantined", here.unread > 0).group_by(here.connection_id)
    if since is not None:
        query = query.where(here.received_at >= since)
    return {connection_id: int(count) for connection_id, count in session.execute(query)}


def unread(session: Session, connection_id: UUID) -> int:
    """How many events of the connection's quarantined webhooks, and items of its orders as they were read back last,
    could not be read."""
    items = select(func.sum(VendorOrder.unread)).where(VendorOrder.connection_id == connection_id)
    return unread_events(session, [connection_id]).get(connection_id, 0) + int(session.scalar(items) or 0)


# Items


def items_by_external_id(session: Session, connection_id: UUID, ids: Iterable[str]) -> dict[str, VendorItem]:
    query = select(VendorItem).where(VendorItem.connection_id == connection_id)
    return {row.external_item_id: row for row in in_parts(session, query, VendorItem.external_item_id, ids)}


def items_of_parents(session: Session, connection_id: UUID, parents: Iterable[str]) -> list[VendorItem]:
    query = select(VendorItem).where(VendorItem.connection_id == connection_id)
    return list(in_parts(session, query, VendorItem.parent_id, parents))


def items_of_order(session: Session, connection_id: UUID, external_order_id: str) -> Sequence[VendorItem]:
    here = VendorItem
    query = select(here).where(here.connection_id == connection_id, here.external_order_id == external_order_id)
    return session.scalars(query).all()


def listed_items(session: Session, connection_id: UUID) -> Listing[VendorItem]:
    return Listing(session, select(VendorItem).where(VendorItem.connection_id == connection_id), VendorItem.id)


def add_items(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(insert(VendorItem), list(rows))


def deleted_parents(session: Session, connection_id: UUID, parents: Iterable[str]) -> set[str]:
    query = select(VendorParent.parent_id).where(VendorParent.connection_id == connection_id)
    return set(in_parts(session, query, VendorParent.parent_id, parents))


def delete_parents(session: Session, connection_id: UUID, parents: Collection[str]) -> None:
    known = deleted_parents(session, connection_id, parents)
    session.add_all(VendorParent(connection_id=connection_id, parent_id=one) for one in sorted(set(parents) - known))


def unmapped_words(session: Session, connection_id: UUID) -> list[tuple[str | None, str | None, UUID | None, int]]:
    """What waits for a mapping: (group's word, external order, order where that is known, samples)."""
    here = VendorItem
    columns = (here.group_word, here.external_order_id, here.order_id)
    waits = or_(here.group_id.is_(None), here.order_id.is_(None))
    query = select(*columns, func.sum(here.quantity)).where(here.connection_id == connection_id, waits)
    query = query.where(here.state.in_(COUNTED)).group_by(*columns).order_by(*columns).limit(500)
    return [(word, external, order, int(count)) for word, external, order, count in session.execute(query)]


def samples_by_word(session: Session, connection_id: UUID) -> dict[str, int]:
    """The vendor's word for a group → samples of items that came under it."""
    here = VendorItem
    query = select(here.group_word, func.sum(here.quantity)).where(here.connection_id == connection_id)
    query = query.where(here.group_word.is_not(None), here.state.in_(COUNTED)).group_by(here.group_word)
    return {word: int(count) for word, count in session.execute(query) if word is not None}


def unmapped_of_orders(session: Session, order_ids: Iterable[UUID]) -> list[tuple[UUID, str | None, UUID, int]]:
    """What of these orders waits for a group: (connection, group's word, order, samples)."""
    here = VendorItem
    columns = (here.connection_id, here.group_word, here.order_id)
    query = select(*columns, func.sum(here.quantity)).where(here.group_id.is_(None), here.state.in_(COUNTED))
    rows = in_parts(session, query.group_by(*columns).order_by(*columns).limit(500), here.order_id, order_ids)
    return [(connection_id, word, order_id, int(count)) for connection_id, word, order_id, count in rows]


def fold_of_items(
    session: Session, order_id: UUID, by_parent: bool
) -> list[tuple[int | None, str | None, str, int, int]]:
    """(group id, parent, state, samples, newest version) of an order's items that count, deltas left out; the parent is
    None unless asked for."""
    here = VendorItem
    keys: list[Any] = [here.group_id, here.state, *([here.parent_id] if by_parent else [])]
    query: Select[Any] = select(*keys, func.sum(here.quantity), func.max(here.version))
    query = query.where(here.order_id == order_id, here.state.in_(COUNTED), here.is_delta.is_(False)).group_by(*keys)
    return [
        (row[0], row[2] if by_parent else None, row[1], int(row[-2]), int(row[-1])) for row in session.execute(query)
    ]


def deltas_of_order(session: Session, order_id: UUID) -> Sequence[VendorItem]:
    """The parts of stated changes of the order's counts."""
    here = VendorItem
    query = select(here).where(here.order_id == order_id, here.state.in_(COUNTED), here.is_delta.is_(True))
    return session.scalars(query.order_by(here.id)).all()


def item_costs(session: Session, order_id: UUID, states: Sequence[str], currency: str) -> tuple[int, Decimal | None]:
    """How many of the order's items in these states state no cost in `currency`, and what the others' add up to."""
    here = VendorItem
    fits = here.cost.is_not(None) & (here.currency.is_(None) | (here.currency == currency))
    counted = select(func.count(), func.sum(case((fits, 1), else_=0)), func.sum(case((fits, here.cost), else_=None)))
    total, priced, cost = session.execute(counted.where(here.order_id == order_id, here.state.in_(states))).one()
    return total - int(priced or 0), cost


def connected_orders(session: Session, order_ids: Iterable[UUID]) -> list[tuple[VendorConnection, Order]]:
    """Those of the orders whose source sells through a connection, with it."""
    query = select(VendorConnection, Order).join(Source, Source.connection_id == VendorConnection.id)
    query = query.join(Order, Order.source_id == Source.id).order_by(Order.id)
    return [(connection, order) for connection, order in in_parts(session, query, Order.id, order_ids)]


# Orders as vendors know them


def vendor_orders(session: Session, connection_id: UUID, names: Iterable[str]) -> dict[str, VendorOrder]:
    query = select(VendorOrder).where(VendorOrder.connection_id == connection_id)
    return {row.external_order_id: row for row in in_parts(session, query, VendorOrder.external_order_id, names)}


def vendor_orders_of(session: Session, order_ids: Collection[UUID]) -> Sequence[VendorOrder]:
    query = select(VendorOrder).where(VendorOrder.order_id.in_(order_ids))
    return session.scalars(query.order_by(VendorOrder.external_order_id)).all()


def placed_orders(session: Session, connection_id: UUID) -> Sequence[VendorOrder]:
    """Those whose order is known."""
    here = VendorOrder
    query = select(here).where(here.connection_id == connection_id, here.order_id.is_not(None))
    return session.scalars(query.order_by(here.external_order_id)).all()


def stated_orders(session: Session, connection_id: UUID) -> list[VendorOrder]:
    """Those of which the vendor stated totals."""
    here = VendorOrder
    query = select(here).where(here.connection_id == connection_id).order_by(here.external_order_id)
    return [row for row in session.scalars(query) if row.counts]


def open_vendor_orders(session: Session, connection_id: UUID) -> Sequence[VendorOrder]:
    here = VendorOrder
    query = select(here).join(Order, Order.id == here.order_id).where(here.connection_id == connection_id)
    return session.scalars(query.where(Order.state == "placed").order_by(here.external_order_id)).all()


def orders_of_connection(session: Session, connection_id: UUID, order_ids: Iterable[UUID]) -> dict[UUID, Order]:
    """Those of `order_ids` whose source sells through the connection: a vendor can speak of no others."""
    query = select(Order).join(Source, Source.id == Order.source_id).where(Source.connection_id == connection_id)
    return {row.id: row for row in in_parts(session, query, Order.id, order_ids)}


def linkable_orders(session: Session, connection_id: UUID, limit: int) -> list[tuple[Order, Source, int]]:
    """The newest orders through the connection that were not cancelled, each with its source and round's number."""
    query = select(Order, Source, Round.number).join(Source, Source.id == Order.source_id)
    query = query.join(Round, Round.id == Order.round_id)
    query = query.where(Source.connection_id == connection_id, Order.state != "cancelled")
    rows = session.execute(query.order_by(Order.created_at.desc(), Order.id).limit(limit))
    return [(order, source, number) for order, source, number in rows]


def locked_projects(session: Session, orders: Iterable[Order]) -> dict[UUID, Project]:
    """The orders' projects, locked in one order whoever asks, and before anything that others lock after them."""
    ids = {order.project_id for order in orders}
    query = select(Project).where(Project.id.in_(ids)).order_by(Project.id)
    return {row.id: row for row in session.scalars(query.with_for_update())}


def groups_of_projects(session: Session, project_ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
    """Project → group key → id; archived groups too, since what was ordered still arrives."""
    found: dict[UUID, dict[str, int]] = {}
    for project_id, key, group_id in session.execute(
        select(Group.project_id, Group.key, Group.id).where(Group.project_id.in_(project_ids))
    ):
        found.setdefault(project_id, {})[key] = group_id
    return found


def listed_placements(session: Session, connection_id: UUID) -> Listing[tuple[VendorPlacement, Order]]:
    here = VendorPlacement
    query = select(here, Order).join(Order, Order.id == here.order_id).where(here.connection_id == connection_id)
    return Listing(session, query, here.order_id)


def unplaced(session: Session, connection_id: UUID, limit: int) -> list[tuple[VendorPlacement, Order, Source]]:
    """Orders that are on their way to the vendor, were refused or lack something, the newest try first."""
    here = VendorPlacement
    query = select(here, Order, Source).join(Order, Order.id == here.order_id)
    query = query.join(Source, Source.id == Order.source_id).where(here.connection_id == connection_id)
    query = query.where(or_(here.state != "placed", here.problem.is_not(None)), Order.state.in_(OPEN_ORDERS))
    rows = session.execute(query.order_by(here.updated_at.desc(), here.order_id).limit(limit))
    return [(placement, order, source) for placement, order, source in rows]


# Rows to be labelled


def known_rows(session: Session, connection_id: UUID, external_ids: Iterable[str]) -> set[str]:
    query = select(VendorRow.external_id).where(VendorRow.connection_id == connection_id)
    return set(in_parts(session, query, VendorRow.external_id, external_ids))


def add_rows(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(insert(VendorRow), list(rows))


def rows_of_order(session: Session, connection_id: UUID, order_id: UUID) -> Sequence[VendorRow]:
    here = VendorRow
    query = select(here).where(here.connection_id == connection_id, here.order_id == order_id)
    return session.scalars(query.order_by(here.id)).all()


def free_rows(session: Session, connection_id: UUID, group_key: str, limit: int) -> Sequence[VendorRow]:
    """The oldest that no order has taken."""
    here = VendorRow
    query = select(here).where(here.connection_id == connection_id, here.group_key == group_key)
    return session.scalars(query.where(here.order_id.is_(None)).order_by(here.id).limit(limit)).all()


def free_row_counts(session: Session, connection_id: UUID) -> dict[str, int]:
    here = VendorRow
    query = select(here.group_key, func.count()).where(here.connection_id == connection_id, here.order_id.is_(None))
    query = query.group_by(here.group_key).order_by(here.group_key)
    return {row[0]: row[1] for row in session.execute(query)}


def listed_reconciliations(session: Session, connection_id: UUID) -> Listing[VendorReconciliation]:
    here = VendorReconciliation
    return Listing(session, select(here).where(here.connection_id == connection_id), here.id, newest_first=True)
