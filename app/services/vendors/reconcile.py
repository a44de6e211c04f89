"""Reading a vendor's API and taking over what it says: webhooks get lost, and some changes make none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.ledger.ledger import Cause
from app.services.vendors.counts import fold_order, settle_orders
from app.services.vendors.facts import version_of
from app.services.vendors.items import Applied, take_snapshot
from app.services.vendors.schedule import ask_to_reconcile
from app.store import vendors as store
from app.store.ledger import Cell
from app.store.models.vendors import VendorConnection, VendorOrder, VendorReconciliation
from app.vendors.base import Snapshot, reasons_of, unread_of

MAX_PROBLEM = 500


@dataclass(frozen=True)
class Read:
    """One order as the vendor's API told it, or the problem that kept it from telling."""

    external_order_id: str
    as_of: datetime
    snapshot: Snapshot | None
    problem: str | None = None


def orders_to_read(session: Session, connection: VendorConnection, reason: str) -> list[str]:
    """The vendor's orders to read: on a schedule the open ones, else all that are known."""
    known = store.open_vendor_orders if reason == "schedule" else store.placed_orders
    return [row.external_order_id for row in known(session, connection.id)]


def take_over(
    session: Session, connection_id: UUID, reason: str, reads: Sequence[Read], now: datetime, enqueue: Enqueue
) -> VendorReconciliation | None:
    """Apply what was read, settle the ledger, and keep a report of what webhooks had not told."""
    connection = store.locked_connection(session, connection_id)
    if connection is None:
        return None
    report = VendorReconciliation(
        connection_id=connection.id, reason=reason, items=0, unread=0, differences={}, created_at=now
    )
    session.add(report)
    session.flush()
    placed = store.vendor_orders(session, connection.id, [read.external_order_id for read in reads])
    orders = {row.order_id for row in placed.values() if row.order_id is not None}
    before = folds(session, connection, orders)
    applied = Applied(orders=set(orders))
    problems = [read.problem for read in reads if read.problem]
    for read in reads:
        if read.snapshot is not None and read.external_order_id in placed:
            row = placed[read.external_order_id]
            take_one(session, connection, row, read, now, applied)
            report.items += len(read.snapshot.events) - row.unread
            report.unread += row.unread
            problems += problems_of(read.external_order_id, read.snapshot)
    cause = Cause("reconcile", f"vendor-reconciliation:{report.id}", note=reason)
    problems += settle_orders(session, connection, applied.orders, cause, now, enqueue)
    report.differences = differences(session, connection, before, folds(session, connection, applied.orders))
    report.problem = "; ".join(problems)[:MAX_PROBLEM] or None
    return report


def take_one(
    session: Session, connection: VendorConnection, row: VendorOrder, read: Read, now: datetime, applied: Applied
) -> None:
    if read.snapshot is None:
        return
    events = read.snapshot.events
    taken = take_snapshot(session, connection, read.external_order_id, events, read.as_of, now)
    applied.orders |= taken.orders
    row.unread = len(unread_of(events))
    if read.snapshot.accepted is not None:
        stated = [read.snapshot.accepted, read.snapshot.rejected or 0, version_of(read.as_of)]
        row.counts = {**row.counts, "": stated}
    row.cost = row.cost if read.snapshot.cost is None else read.snapshot.cost
    row.currency = row.currency if read.snapshot.currency is None else read.snapshot.currency


def problems_of(external_order_id: str, snapshot: Snapshot) -> list[str]:
    """What of an order's reading could not be used."""
    unread = unread_of(snapshot.events)
    problems = [f"{external_order_id}: {problem}" for problem in snapshot.problems]
    if unread:
        number = f"{len(unread)} of {len(snapshot.events)} items"
        problems.append(f"{external_order_id}: {number} could not be read: {reasons_of(unread)}")
    return problems


def folds(session: Session, connection: VendorConnection, orders: set[UUID]) -> dict[UUID, Mapping[Cell, int]]:
    known = store.orders_of_connection(session, connection.id, sorted(orders))
    return {order_id: fold_order(session, connection, order) for order_id, order in known.items()}


def differences(
    session: Session,
    connection: VendorConnection,
    before: Mapping[UUID, Mapping[Cell, int]],
    after: Mapping[UUID, Mapping[Cell, int]],
) -> dict[str, dict[str, dict[str, int]]]:
    """Order → group key ('' for none) → state → samples more or fewer than before."""
    orders = store.orders_of_connection(session, connection.id, sorted(after))
    groups = store.groups_of_projects(session, {order.project_id for order in orders.values()})
    found: dict[str, dict[str, dict[str, int]]] = {}
    for order_id, order in orders.items():
        keys = {group_id: key for key, group_id in groups.get(order.project_id, {}).items()}
        was, now_is = before.get(order_id, {}), after[order_id]
        for group_id, state in sorted(was.keys() | now_is.keys(), key=str):
            change = now_is.get((group_id, state), 0) - was.get((group_id, state), 0)
            if change:
                key = "" if group_id is None else keys[group_id]
                found.setdefault(str(order_id), {}).setdefault(key, {})[state] = change
    return found


def keep_reading(session: Session, connection: VendorConnection, now: datetime, enqueue: Enqueue) -> None:
    """While orders are open the next reading is already asked for."""
    if store.open_vendor_orders(session, connection.id):
        ask_to_reconcile(session, connection, "schedule", now, enqueue)
