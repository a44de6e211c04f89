"""Our published contract, docs/vendors/standard.md: any vendor or script can speak it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from app.vendors.base import Headers, Kind, State, VendorEvent, Verified, delivery_name, each, numbered
from app.vendors.signatures import StandardWebhooks
from app.vendors.values import (
    MAX_COUNT,
    Unusable,
    count,
    currency,
    instant,
    listing,
    mapping,
    money,
    named,
    read_json,
    text,
)

STATES = get_args(State)
SentAt = Callable[[], datetime | None]
"""The message's own instant, read where it is needed. Raises Unusable."""


class StandardConfig(BaseModel):
    """header_prefix: `svix` for senders that use the older header names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signature: StandardWebhooks = StandardWebhooks()


class Standard:
    kept_headers = frozenset({"webhook-id", "svix-id"})

    def __init__(self, config: StandardConfig) -> None:
        self.signature = config.signature
        self.weakness: str | None = self.signature.weakness

    def check_secret(self, secret: str) -> None:
        self.signature.check_secret(secret)

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
        checked = self.signature.verify(headers, body, secrets, now)
        name = delivery_name(headers.one(f"{self.signature.header_prefix}-id"), body)
        return Verified(name, checked.sent_at, checked.secret_index)

    def readable(self, body: bytes) -> bytes:
        read_json(body)
        return body

    def parse(self, headers: Headers, body: bytes) -> list[VendorEvent]:
        document = read_json(body)
        try:
            return list(read_message(mapping(document, "the body")))
        except Unusable as problem:
            return [VendorEvent("quarantined", detail=str(problem))]


def read_message(message: dict[str, Any]) -> Iterator[VendorEvent]:
    kind = message.get("type")
    reader = {
        "items.changed": changed_items,
        "items.deleted": deleted_items,
        "order.counts": order_counts,
        "order.delta": order_delta,
    }.get(kind if isinstance(kind, str) else "")
    if reader is None:
        yield VendorEvent("ignored", detail=f"type {kind!r:.100} is none we read")
        return
    sent_at = partial(instant, message.get("timestamp"), "timestamp")
    yield from reader(mapping(message.get("data"), "data"), sent_at)


def changed_items(data: dict[str, Any], sent_at: SentAt) -> Iterator[VendorEvent]:
    order = text(data.get("order_id"), "data.order_id")
    items = numbered(listing(data.get("items"), "data.items"), "data.items")
    return each(items, lambda item, at: changed_item(mapping(item, at), order, sent_at, at))


def changed_item(item: dict[str, Any], order: str | None, sent_at: SentAt, at: str) -> VendorEvent:
    """An item's new state. Raises Unusable."""
    item_id, state = named(item.get("id"), f"{at}.id"), item.get("state")
    if state not in STATES:
        raise Unusable(f"{at}.state is none of {', '.join(STATES)}")
    return VendorEvent(
        "item_state",
        external_order_id=order,
        external_item_id=item_id,
        external_parent_id=text(item.get("parent_id"), f"{at}.parent_id"),
        order_ref=order,
        line_ref=text(item.get("line_id"), f"{at}.line_id"),
        group=text(item.get("group"), f"{at}.group"),
        state=state,
        cost=money(item.get("cost"), f"{at}.cost"),
        currency=currency(item.get("currency"), f"{at}.currency"),
        occurred_at=instant(item.get("updated_at"), f"{at}.updated_at") or sent_at(),
    )


def deleted_items(data: dict[str, Any], sent_at: SentAt) -> Iterator[VendorEvent]:
    """Items and parents that are gone. Raises Unusable where none are named."""
    if not {"ids", "parent_ids"} & data.keys():
        raise Unusable("data has neither ids nor parent_ids")

    def item(one: Any, at: str) -> VendorEvent:
        return VendorEvent("item_state", state="retracted", external_item_id=named(one, at), occurred_at=sent_at())

    def parent(one: Any, at: str) -> VendorEvent:
        return VendorEvent("item_state", state="retracted", external_parent_id=named(one, at), occurred_at=sent_at())

    for name, read in (("ids", item), ("parent_ids", parent)):
        try:
            yield from each(numbered(listing(data.get(name, []), f"data.{name}"), f"data.{name}"), read)
        except Unusable as problem:
            yield VendorEvent("quarantined", detail=str(problem))


def order_counts(data: dict[str, Any], sent_at: SentAt) -> Iterator[VendorEvent]:
    """An order's totals, group by group. Raises Unusable."""
    return stated_counts("counts", data, sent_at, None, least=0)


def order_delta(data: dict[str, Any], sent_at: SentAt) -> Iterator[VendorEvent]:
    """Counts to add to an order's. Raises Unusable."""
    return stated_counts("delta", data, sent_at, named(data.get("id"), "data.id"), least=-MAX_COUNT)


def stated_counts(
    kind: Kind, data: dict[str, Any], sent_at: SentAt, delta_id: str | None, least: int
) -> Iterator[VendorEvent]:
    """Raises Unusable."""
    order = named(data.get("order_id"), "data.order_id")
    occurred_at = instant(data.get("as_of"), "data.as_of") or sent_at()
    rows = listing(data.get("counts"), "data.counts")
    rows_of = Counter(group_of(row) for row in rows)

    def read(row: Any, at: str) -> VendorEvent:
        """Raises Unusable."""
        entry = mapping(row, at)
        group = text(entry.get("group"), f"{at}.group")
        if rows_of[group or ""] > 1:
            raise Unusable(f"{at}: the group '{group or ''}' stands in several rows; say its counts in one")
        return VendorEvent(
            kind,
            external_order_id=order,
            order_ref=order,
            group=group,
            accepted=count(entry.get("accepted", 0), f"{at}.accepted", least),
            rejected=count(entry.get("rejected", 0), f"{at}.rejected", least),
            cost=money(entry.get("cost"), f"{at}.cost"),
            currency=currency(entry.get("currency"), f"{at}.currency"),
            occurred_at=occurred_at,
            event_id=None if delta_id is None else f"{delta_id}/{group or ''}",
        )

    return each(numbered(rows, "data.counts"), read)


def group_of(row: Any) -> str | None:
    """The group that a row of counts names, '' for none; None where it cannot be read."""
    try:
        return text(row.get("group"), "group") or "" if isinstance(row, dict) else None
    except Unusable:
        return None
