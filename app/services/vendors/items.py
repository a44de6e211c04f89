"""Applying what vendors said to the items we keep. Counts are never counted up: they follow from items."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ids import as_uuid
from app.services.vendors.directory import Directory, look_up
from app.services.vendors.facts import (
    FOREVER,
    Facts,
    Said,
    columns_of,
    delta_items,
    merge,
    overrule,
    said_of,
    version_of,
)
from app.store import vendors as store
from app.store.models.vendors import VendorConnection, VendorItem, VendorOrder
from app.vendors.base import VendorEvent

RETRACTED: Said = {"state": (FOREVER, "retracted")}


@dataclass
class Applied:
    """orders: those whose counts may have changed. waiting: samples that wait for an order or a group."""

    orders: set[UUID] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)

    def touch(self, order_id: UUID | None) -> None:
        if order_id is not None:
            self.orders.add(order_id)


def apply_events(
    session: Session, connection: VendorConnection, events: Sequence[VendorEvent], now: datetime
) -> Applied:
    """Take over everything that `events` say, in any order and however often."""
    said: list[tuple[str, Said]] = []
    for event in events:
        if event.kind == "item_state" and event.external_item_id is not None:
            said.append((event.external_item_id, said_of(event)))
        elif event.kind == "delta":
            said.extend(delta_items(event))
    parents = {
        event.external_parent_id
        for event in events
        if event.kind == "item_state" and event.external_item_id is None and event.external_parent_id is not None
    }
    applied = Applied()
    state_counts(session, connection, [event for event in events if event.kind == "counts"], now, applied)
    retract_parents(session, connection, parents, now, applied)
    put(session, connection, said, now, applied)
    return applied


def put(
    session: Session, connection: VendorConnection, said: Sequence[tuple[str, Said]], now: datetime, applied: Applied
) -> None:
    """Merge facts into items, new and known."""
    rows = store.items_by_external_id(session, connection.id, {item_id for item_id, _ in said})
    facts = {item_id: deepcopy(row.facts) for item_id, row in rows.items()}
    changed = {item_id for item_id, one in said if merge(facts.setdefault(item_id, {}), one)}
    changed |= retract_orphans(session, connection, facts)
    write(session, connection, rows, {item_id: facts[item_id] for item_id in changed}, now, applied)
    applied.waiting |= {item_id for item_id, row in rows.items() if waits(row.state, row.order_id, row.group_id)}


def waits(state: str, order_id: UUID | None, group_id: int | None) -> bool:
    """Whether an item counts and cannot be counted yet."""
    return state in store.COUNTED and (order_id is None or group_id is None)


def retract_orphans(session: Session, connection: VendorConnection, facts: Mapping[str, Facts]) -> set[str]:
    """Items whose parent was deleted are deleted, however late they are heard of. Returns which that changed."""
    parents = {one["parent_id"][1] for one in facts.values() if "parent_id" in one}
    gone = store.deleted_parents(session, connection.id, parents)
    orphans = {item_id: one for item_id, one in facts.items() if "parent_id" in one and one["parent_id"][1] in gone}
    return {item_id for item_id, one in orphans.items() if merge(one, RETRACTED)}


def retract_parents(
    session: Session, connection: VendorConnection, parents: set[str], now: datetime, applied: Applied
) -> None:
    store.delete_parents(session, connection.id, parents)
    session.flush()
    rows = {row.external_item_id: row for row in store.items_of_parents(session, connection.id, parents)}
    facts = {item_id: deepcopy(row.facts) for item_id, row in rows.items()}
    changed = {item_id: one for item_id, one in facts.items() if merge(one, RETRACTED)}
    write(session, connection, rows, changed, now, applied)


def write(
    session: Session,
    connection: VendorConnection,
    rows: Mapping[str, VendorItem],
    changed: Mapping[str, Facts],
    now: datetime,
    applied: Applied,
) -> None:
    """Store changed facts with all that follows from them."""
    directory = look_up(session, connection, changed.values())
    new = []
    for item_id, facts in changed.items():
        values = values_of(directory, facts, now)
        row = rows.get(item_id)
        if row is None:
            new.append({"connection_id": connection.id, "external_item_id": item_id, **values})
        else:
            applied.touch(row.order_id)
            for name, value in values.items():
                setattr(row, name, value)
        applied.touch(values["order_id"])
        if waits(values["state"], values["order_id"], values["group_id"]):
            applied.waiting.add(item_id)
    store.add_items(session, new)
    session.flush()


def values_of(directory: Directory, facts: Facts, now: datetime) -> dict[str, Any]:
    order_id, group_id = directory.place_of(facts)
    return {"facts": facts, **vars(columns_of(facts)), "order_id": order_id, "group_id": group_id, "updated_at": now}


def map_again(session: Session, connection: VendorConnection, rows: Sequence[VendorItem], now: datetime) -> Applied:
    """Look up orders and groups of items anew, after the connection's mapping changed."""
    applied = Applied()
    directory = look_up(session, connection, [row.facts for row in rows])
    for row in rows:
        order_id, group_id = directory.place_of(row.facts)
        if (row.order_id, row.group_id) != (order_id, group_id):
            applied.touch(row.order_id)
            applied.touch(order_id)
            row.order_id, row.group_id, row.updated_at = order_id, group_id, now
    session.flush()
    return applied


def take_snapshot(
    session: Session,
    connection: VendorConnection,
    external_order_id: str,
    events: Sequence[VendorEvent],
    as_of: datetime,
    now: datetime,
) -> Applied:
    """Take over the whole of an order as the vendor's API told it: it overrules what webhooks said until `as_of`, and
    what it does not name does not count any more. Items that could not be read stay as they are known."""
    applied, instant = Applied(), version_of(as_of)
    told = {one.external_item_id: said_of(one) for one in events if one.kind == "item_state" and one.external_item_id}
    rows = store.items_by_external_id(session, connection.id, told)
    rows |= {row.external_item_id: row for row in store.items_of_order(session, connection.id, external_order_id)}
    unread = [event for event in events if event.kind == "quarantined"]
    rows = {item_id: row for item_id, row in rows.items() if item_id in told or not may_be_among(row, unread)}
    facts = {item_id: deepcopy(rows[item_id].facts) if item_id in rows else {} for item_id in rows.keys() | told.keys()}
    # What a webhook changed after the reading began is newer than the reading, by our own clock.
    later = {item_id for item_id, row in rows.items() if row.updated_at > as_of}
    changed = {
        item_id: one
        for item_id, one in sorted(facts.items())
        if (merge(one, told.get(item_id, {})) if item_id in later else take(one, told.get(item_id), instant))
    }
    write(session, connection, rows, changed, now, applied)
    return applied


def may_be_among(row: VendorItem, unread: Sequence[VendorEvent]) -> bool:
    """Whether a known item may be one of those of a reading that could not be read: by its id, where that can be; by
    its parent's, where that alone can be; where neither can, every item may."""
    return any(
        (event.external_item_id or row.external_item_id) == row.external_item_id
        and (bool(event.external_item_id) or (event.external_parent_id or row.parent_id) == row.parent_id)
        for event in unread
    )


def take(facts: Facts, said: Said | None, as_of: int) -> bool:
    """What the reading told of an item; that it told nothing of one that was there."""
    if said is not None:
        return overrule(facts, said, as_of)
    return overrule(facts, {"state": (as_of, "uncounted")}, as_of)


def state_counts(
    session: Session, connection: VendorConnection, events: Sequence[VendorEvent], now: datetime, applied: Applied
) -> None:
    """Keep the newest totals that a vendor stated for its orders."""
    names = {event.external_order_id for event in events if event.external_order_id is not None}
    known = store.vendor_orders(session, connection.id, names)
    for event in events:
        if event.external_order_id is None:
            continue
        row = known.get(event.external_order_id) or new_vendor_order(session, connection, event.external_order_id, now)
        known[event.external_order_id] = row
        ours = as_uuid(event.order_ref or "")
        if row.order_id is None and ours is not None:
            row.order_id = next(iter(store.orders_of_connection(session, connection.id, [ours])), None)
        newest = [event.accepted or 0, event.rejected or 0, version_of(event.occurred_at)]
        group = event.group or ""
        if group not in row.counts or newest[2:] + newest[:2] > row.counts[group][2:] + row.counts[group][:2]:
            row.counts = {**row.counts, group: newest}
        applied.touch(row.order_id)
        if row.order_id is None:
            applied.waiting.add(event.external_order_id)
    session.flush()


def new_vendor_order(
    session: Session, connection: VendorConnection, external_order_id: str, now: datetime
) -> VendorOrder:
    row = VendorOrder(
        connection_id=connection.id,
        external_order_id=external_order_id,
        counts={},
        created_at=now,
    )
    session.add(row)
    return row
