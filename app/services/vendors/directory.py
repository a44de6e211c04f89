"""Where an item belongs: to which of our orders, and to which group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ids import as_uuid
from app.services.projects.keys import normal_key
from app.services.vendors.facts import Facts
from app.store import vendors as store
from app.store.models.purchases import Order
from app.store.models.vendors import VendorConnection, VendorOrder

LINE_SEPARATOR = "/"


def line_id(order_id: UUID, group_key: str) -> str:
    """Names the part of an order that is of one group; it travels inside the vendor's items."""
    return f"{order_id}{LINE_SEPARATOR}{group_key}"


@dataclass(frozen=True)
class Directory:
    """What is known of the orders and groups that a batch of items names."""

    group_map: Mapping[str, str]
    orders: Mapping[UUID, Order]
    placed: Mapping[str, VendorOrder]
    groups: Mapping[UUID, Mapping[str, int]]

    def order_of(self, facts: Facts) -> Order | None:
        """By our line's id, by our order's id, or by the vendor's order that was placed or linked."""
        line, ours, theirs = (value_of(facts, name) for name in ("line_ref", "order_ref", "external_order_id"))
        for text in (line.partition(LINE_SEPARATOR)[0] if line else None, ours):
            order = self.orders.get(as_uuid(text or "") or UUID(int=0))
            if order is not None:
                return order
        placed = self.placed.get(theirs) if theirs else None
        return self.orders.get(placed.order_id) if placed is not None and placed.order_id else None

    def group_of(self, facts: Facts, order: Order) -> int | None:
        """By the vendor's own word, mapped or already a group's key; else by our line's; else, where the vendor said no
        word, by the one group that its order or ours holds."""
        keys = self.groups.get(order.project_id, {})
        word, line = value_of(facts, "group"), value_of(facts, "line_ref")
        named = keys.get(self.group_map.get(word, normal_key(word))) if word else None
        if named is None and line:
            named = keys.get(normal_key(line.partition(LINE_SEPARATOR)[2]))
        if named is not None or word:
            return named
        theirs = value_of(facts, "external_order_id")
        placed = self.placed.get(theirs) if theirs else None
        if placed is not None and placed.group_id is not None:
            return placed.group_id
        return int(next(iter(order.yields))) if len(order.yields) == 1 else None

    def place_of(self, facts: Facts) -> tuple[UUID | None, int | None]:
        order = self.order_of(facts)
        return (None, None) if order is None else (order.id, self.group_of(facts, order))


def value_of(facts: Facts, name: str) -> str | None:
    return facts[name][1] if name in facts else None


def look_up(session: Session, connection: VendorConnection, items: Iterable[Facts]) -> Directory:
    """A directory of everything these items name."""
    said = list(items)
    texts = {value_of(facts, name) for facts in said for name in ("line_ref", "order_ref")}
    ids = {as_uuid(text.partition(LINE_SEPARATOR)[0]) for text in texts if text}
    theirs = {value_of(facts, "external_order_id") for facts in said}
    placed = store.vendor_orders(session, connection.id, {one for one in theirs if one})
    ids |= {row.order_id for row in placed.values()}
    orders = store.orders_of_connection(session, connection.id, {one for one in ids if one})
    groups = store.groups_of_projects(session, {order.project_id for order in orders.values()})
    return Directory(connection.group_map, orders, placed, groups)
