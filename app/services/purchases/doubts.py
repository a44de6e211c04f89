"""What a round's vendors said that deserves a second look: totals that fell, and items that could not be read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ledger.ledger import MAPPING, VENDOR_KINDS
from app.store.ledger import Change, changes_of_orders, falling_orders
from app.store.models.purchases import Order, Round
from app.store.rounds import OPEN_ORDERS, orders_of_rounds
from app.store.vendors import connected_orders, unread_events, vendor_orders_of


@dataclass(frozen=True)
class Fall:
    """What vendors report of a group is less than they had reported: of its `accepted` samples, or else of all that
    were `delivered`. since: when it first was."""

    order_id: UUID
    group_id: int
    what: str
    most: int
    left: int
    since: datetime


def falls_of(session: Session, orders: Sequence[Order]) -> list[Fall]:
    """The orders' groups of which less is reported now than before; one a group."""
    falling = falling_orders(session, [order.id for order in orders], VENDOR_KINDS)
    by_cell: dict[tuple[UUID, int], list[Change]] = {}
    for change in changes_of_orders(session, falling, VENDOR_KINDS):
        by_cell.setdefault((change.order_id, change.group_id), []).append(change)
    falls = [fall_of(cell, changes) for cell, changes in sorted(by_cell.items())]
    return [fall for fall in falls if fall is not None]


def falls_by_round(session: Session, rounds: Sequence[Round]) -> dict[int, list[Fall]]:
    """Round number → its falls; rounds without any left out."""
    numbers = {row.id: row.number for row in rounds}
    orders = {order.id: order for order in orders_of_rounds(session, list(numbers))}
    found: dict[int, list[Fall]] = {}
    for fall in falls_of(session, list(orders.values())):
        found.setdefault(numbers[orders[fall.order_id].round_id], []).append(fall)
    return found


def fall_of(cell: tuple[UUID, int], changes: Sequence[Change]) -> Fall | None:
    """What words mapped anew moved elsewhere has not fallen: the most is of what is left without it."""
    for what in ("accepted", "delivered"):
        most = now = 0
        since = None
        for change in changes:
            step = getattr(change, what)
            now, most = now + step, most + step * change.cause.startswith(MAPPING)
            if now >= most:
                most, since = now, None
            else:
                since = since or change.at
        if since is not None:
            return Fall(*cell, what, most, now, since)
    return None


@dataclass(frozen=True)
class Unread:
    """How much of what one vendor said of these orders could not be read. events: in webhooks since they were made that
    are still quarantined, while one of them is open; items: when its API was read last."""

    order_ids: Sequence[UUID]
    events: int
    items: int


def unread_of_orders(session: Session, orders: Sequence[Order]) -> list[Unread]:
    """Of each connection of which something could not be read."""
    by_connection: dict[UUID, list[Order]] = {}
    for connection, order in connected_orders(session, [order.id for order in orders]):
        by_connection.setdefault(connection.id, []).append(order)
    if not by_connection:
        return []
    since = min(order.created_at for some in by_connection.values() for order in some)
    events = unread_events(session, by_connection, since)
    items: Counter[UUID | None] = Counter()
    for placed in vendor_orders_of(session, [order.id for order in orders]):
        items[placed.order_id] += placed.unread
    found = [
        Unread(
            [order.id for order in some],
            events.get(connection_id, 0) if any(order.state in OPEN_ORDERS for order in some) else 0,
            sum(items[order.id] for order in some),
        )
        for connection_id, some in by_connection.items()
    ]
    return [one for one in found if one.events or one.items]
