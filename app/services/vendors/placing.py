"""Placing orders with vendors: decided when a round is accepted, done by a job, once however often that runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, KeyTaken, NotFound, invalid
from app.money import MILLIONTH
from app.services.access.secrets import SecretBox
from app.services.enqueue import Enqueue
from app.services.ledger.terms import Terms
from app.services.vendors import connections
from app.services.vendors.directory import line_id
from app.services.vendors.items import new_vendor_order
from app.services.vendors.schedule import ask_to_reconcile
from app.store import vendors as store
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Order as OrderRow
from app.store.models.vendors import VendorConnection, VendorPlacement, VendorRow
from app.store.projects import members_by_id
from app.vendors.base import Order, Orderable, OrderLine, PlacedLine
from app.vendors.prolific_api import exact_quotas

PLACE = "vendors.place"
MAX_PROBLEM = 1000
SHARE_UNITS = 1_000_000_000


def places_orders(connection: VendorConnection) -> bool:
    """Whether orders through the connection are placed by us; others are placed by hand."""
    return isinstance(connections.adapter_for(connection), Orderable)


def ask_to_place(
    session: Session, order: OrderRow, connection: VendorConnection, now: datetime, enqueue: Enqueue
) -> None:
    """Send the job that places the order, in the transaction that decided it."""
    row = session.get(VendorPlacement, order.id)
    if row is None:
        row = VendorPlacement(order_id=order.id, connection_id=connection.id, tries=0)
        session.add(row)
    row.state, row.updated_at, row.tries = "placing", now, row.tries + 1
    session.flush()
    enqueue(session, PLACE, {"order_id": str(order.id)}, f"{PLACE}-{order.id}-{row.tries}", queue="rounds")


def try_later(
    session: Session, row: VendorPlacement, problem: str, now: datetime, delay_s: float, enqueue: Enqueue
) -> None:
    row.problem, row.updated_at, row.tries = f"{problem}; it is tried again"[:MAX_PROBLEM], now, row.tries + 1
    args = {"order_id": str(row.order_id)}
    enqueue(session, PLACE, args, f"{PLACE}-{row.order_id}-{row.tries}", delay_s=delay_s, queue="rounds")


def place_again(
    session: Session, connection: VendorConnection, order_id: UUID, now: datetime, enqueue: Enqueue
) -> None:
    """Try once more to place an order, for instance after its rows were posted. Raises NotFound, Conflict."""
    order = store.orders_of_connection(session, connection.id, [order_id]).get(order_id)
    if order is None:
        raise NotFound("There is no such order of this vendor connection.")
    if not places_orders(connection):
        raise Conflict("Orders of this vendor are placed by hand; link the vendor's order to ours instead.")
    if order.state not in ("open", "placed"):
        raise Conflict(f"The order is {order.state}; only an open or placed order can be placed.")
    ask_to_place(session, order, connection, now, enqueue)


def lines_of(session: Session, order: OrderRow) -> list[OrderLine]:
    """The order by groups: its quantity split by the source's shares, whole numbers that add up, each at the average
    price of a sample, the fixed cost left out."""
    groups = members_by_id(session, Group, [int(group_id) for group_id in order.yields])
    shares = {
        groups[int(group_id)].key: round(share * SHARE_UNITS) for group_id, share in order.yields.items() if share
    }
    terms = Terms.read(order.terms)
    price = (terms.cost(order.quantity) - terms.fixed_cost) / order.quantity if order.quantity else Decimal(0)
    unit_cost = price.quantize(MILLIONTH, ROUND_DOWN)
    quotas = exact_quotas(shares, order.quantity) if shares else {}
    return [OrderLine(line_id(order.id, key), key, count, unit_cost) for key, count in sorted(quotas.items()) if count]


@dataclass(frozen=True)
class Errand:
    """All that a placing job needs, read before it calls the vendor. missing: rows that the order still lacks."""

    connection_id: UUID
    order: Order
    base_url: str
    headers: Mapping[str, str]
    missing: int


def errand_of(
    session: Session, box: SecretBox, order_id: UUID, hook_base: str
) -> tuple[VendorConnection, Errand] | None:
    """Take the order's rows and say what is to be placed; None where nothing is any more. Raises Conflict."""
    found = store.connected_orders(session, [order_id])
    if not found or found[0][1].state not in ("open", "placed"):
        return None
    connection, row = found[0]
    base_url, headers = connections.api_access(connection, box)
    lines = lines_of(session, row)
    rows = take_rows(session, connection, row, lines) if connection.kind == "label_studio" else {}
    source = members_by_id(session, Source, [row.source_id])[row.source_id]
    project = session.get_one(Project, row.project_id)
    order = Order(
        id=str(row.id),
        name=source.name or source.key,
        currency=project.currency,
        lines=lines,
        hook_url=hook_url(hook_base, connections.opened(connection, box, "token")),
        hook_secret=connections.opened(connection, box, "secret"),
        rows=rows,
    )
    needed = sum(line.quantity for line in lines) if connection.kind == "label_studio" else 0
    missing = max(0, needed - sum(len(some) for some in rows.values()))
    return connection, Errand(connection.id, order, base_url, headers, missing)


def hook_url(base: str, token: str) -> str:
    return f"{base.rstrip('/')}/v1/hooks/{token}"


def take_rows(
    session: Session, connection: VendorConnection, order: OrderRow, lines: Sequence[OrderLine]
) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Line id → the rows that are to be labelled for it: those it took before, then the oldest free ones."""
    taken: dict[str, list[VendorRow]] = {}
    for row in store.rows_of_order(session, connection.id, order.id):
        taken.setdefault(row.group_key, []).append(row)
    rows = {}
    for line in lines:
        mine = taken.get(line.group, [])
        free = store.free_rows(session, connection.id, line.group, max(0, line.quantity - len(mine)))
        for row in free:
            row.order_id = order.id
        rows[line.id] = [(row.external_id, row.data) for row in [*mine, *free]]
    session.flush()
    return rows


def placed(
    session: Session, errand: Errand, lines: Sequence[PlacedLine], now: datetime, enqueue: Enqueue
) -> OrderRow | None:
    """Keep where the order now lives at the vendor, and begin to read it back. Returns the order to be marked."""
    connection = store.locked_connection(session, errand.connection_id)
    order_id = UUID(errand.order.id)
    row = session.get(VendorPlacement, order_id)
    if connection is None or row is None:
        return None
    order = store.orders_of_connection(session, connection.id, [order_id])[order_id]
    groups = store.groups_of_projects(session, [order.project_id])[order.project_id]
    by_line = {line.id: line.group for line in errand.order.lines}
    known = store.vendor_orders(session, connection.id, [line.external_order_id for line in lines])
    for line in lines:
        there = known.get(line.external_order_id) or new_vendor_order(session, connection, line.external_order_id, now)
        there.order_id, there.url = order_id, line.url
        there.group_id = None if line.line_id is None else groups[by_line[line.line_id]]
    row.state, row.updated_at = "placed", now
    row.problem = (
        f"{errand.missing} rows are missing: post more rows and place the order again" if errand.missing else None
    )
    session.flush()
    ask_to_reconcile(session, connection, "schedule", now, enqueue)
    return order


def refused(session: Session, order_id: UUID, problem: str, now: datetime) -> None:
    row = session.get(VendorPlacement, order_id)
    if row is not None:
        row.state, row.problem, row.updated_at = "refused", problem[:MAX_PROBLEM], now


def link_order(
    session: Session,
    connection: VendorConnection,
    external_order_id: str,
    order_id: UUID,
    group_key: str | None,
    now: datetime,
) -> None:
    """Say which of our orders a vendor's order is, and which group if it holds one. Raises Invalid, KeyTaken."""
    order = store.orders_of_connection(session, connection.id, [order_id]).get(order_id)
    if order is None:
        raise invalid(Fault("/order_id", "there is no such order from a source with this connection"))
    groups = store.groups_of_projects(session, [order.project_id]).get(order.project_id, {})
    if group_key is not None and group_key not in groups:
        raise invalid(Fault("/group", f"there is no group '{group_key}' in the order's project"))
    row = store.vendor_orders(session, connection.id, [external_order_id]).get(external_order_id)
    if row is not None and row.order_id not in (None, order_id):
        raise KeyTaken(f"The vendor's order '{external_order_id}' is linked to another of our orders.")
    row = row or new_vendor_order(session, connection, external_order_id, now)
    row.order_id, row.group_id = order_id, groups.get(group_key) if group_key else None
    session.flush()


def add_rows(session: Session, connection: VendorConnection, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Store rows to be labelled; those whose id is known are left as they are. Returns how many are new."""
    known = store.known_rows(session, connection.id, [row["id"] for row in rows])
    fresh = {row["id"]: row for row in rows if row["id"] not in known}
    store.add_rows(
        session,
        [
            {
                "connection_id": connection.id,
                "external_id": row["id"],
                "group_key": row["group"],
                "data": row["data"],
                "created_at": now,
            }
            for row in fresh.values()
        ],
    )
    return len(fresh)
