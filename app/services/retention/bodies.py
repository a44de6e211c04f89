"""Vendors' webhooks once they were applied: of a body there stays what was counted, and a digest.

Ids, counts, states, money and instants stay, as one could read them from the items too. People's names and addresses,
what they wrote, and the vendor's word for a group go.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.services.ids import as_uuid
from app.services.vendors import connections
from app.services.vendors.directory import LINE_SEPARATOR
from app.store.models.vendors import VendorConnection, VendorDelivery
from app.vendors.base import Headers, VendorEvent, body_hash

MOST_EVENTS = 1_000
TOLD = (
    "kind", "external_order_id", "external_item_id", "external_parent_id", "state", "quantity", "accepted", "rejected",
    "cost", "currency", "occurred_at", "event_id",
)  # fmt: skip


def reduced_body(connection: VendorConnection, row: VendorDelivery) -> str:
    """What is left of a delivery's body: {sha256, events}, the first MOST_EVENTS; of one that cannot be read any more,
    under a configuration that has changed since, the digest alone."""
    told = [reduced_event(event) for event in events_in(connection, row)[:MOST_EVENTS]]
    return json.dumps({"sha256": body_hash(row.body.encode()), "events": told}, separators=(",", ":"))


def told_in(connection: VendorConnection, row: VendorDelivery) -> list[dict[str, Any]]:
    """What is left of a delivery's events, or would be."""
    if row.reduced_at is not None:
        events: list[dict[str, Any]] = json.loads(row.body)["events"]
        return events
    return [reduced_event(event) for event in events_in(connection, row)]


def events_in(connection: VendorConnection, row: VendorDelivery) -> list[VendorEvent]:
    """The events that count; none where the body cannot be read any more."""
    try:
        adapter = connections.adapter_for(connection)
        events = adapter.parse(Headers(row.headers.items()), row.body.encode())
    except Exception:  # noqa: BLE001 -- whatever it is, it must not keep the body
        return []
    return [event for event in events if event.kind in ("item_state", "counts", "delta")]


def reduced_event(event: VendorEvent) -> dict[str, Any]:
    said = {name: plain(getattr(event, name)) for name in TOLD} | {"order_ref": order_named(event)}
    return {name: value for name, value in said.items() if value is not None}


def order_named(event: VendorEvent) -> str | None:
    """The id of ours that an order is named by; anything else in its place is the vendor's text."""
    line = (event.line_ref or "").partition(LINE_SEPARATOR)[0]
    found = as_uuid(line) or as_uuid(event.order_ref or "")
    return None if found is None else str(found)


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
