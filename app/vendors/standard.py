"""Our published contract, docs/vendors/standard.md: any vendor or script can speak it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from app.vendors.base import Headers, State, VendorEvent, Verified, delivery_name
from app.vendors.signatures import StandardWebhooks
from app.vendors.values import Unusable, count, currency, instant, listing, mapping, money, read_json, text

STATES = get_args(State)


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
    yield from reader(mapping(message.get("data"), "data"), instant(message.get("timestamp"), "timestamp"))


def changed_items(data: dict[str, Any], sent_at: datetime | None) -> Iterator[VendorEvent]:
    order = text(data.get("order_id"), "data.order_id")
    for index, item in enumerate(listing(data.get("items"), "data.items")):
        at = f"data.items[{index}]"
        try:
            yield changed_item(mapping(item, at), order, sent_at, at)
        except Unusable as problem:
            yield VendorEvent("quarantined", external_order_id=order, detail=str(problem))


def changed_item(item: dict[str, Any], order: str | None, sent_at: datetime | None, at: str) -> VendorEvent:
    """An item's new state. Raises Unusable."""
    item_id, state = text(item.get("id"), f"{at}.id"), item.get("state")
    if item_id is None or state not in STATES:
        raise Unusable(f"{at} needs an id and a state, one of {', '.join(STATES)}")
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
        occurred_at=instant(item.get("updated_at"), f"{at}.updated_at") or sent_at,
    )


def deleted_items(data: dict[str, Any], sent_at: datetime | None) -> Iterator[VendorEvent]:
    for name, field in (("ids", "external_item_id"), ("parent_ids", "external_parent_id")):
        for index, one in enumerate(listing(data.get(name, []), f"data.{name}")):
            deleted = text(one, f"data.{name}[{index}]")
            if deleted is not None:
                yield VendorEvent("item_state", state="retracted", occurred_at=sent_at, **{field: deleted})  # type: ignore[arg-type]  # one of two text fields


def order_counts(data: dict[str, Any], sent_at: datetime | None) -> Iterator[VendorEvent]:
    yield from stated_counts("counts", data, sent_at, None, least=0)


def order_delta(data: dict[str, Any], sent_at: datetime | None) -> Iterator[VendorEvent]:
    """Counts to add to an order's. Raises Unusable."""
    delta_id = text(data.get("id"), "data.id")
    if delta_id is None:
        raise Unusable("data.id is missing: a delta is applied once, and its id tells it from the next")
    yield from stated_counts("delta", data, sent_at, delta_id, least=-1_000_000_000)


def stated_counts(
    kind: Any, data: dict[str, Any], sent_at: datetime | None, delta_id: str | None, least: int
) -> Iterator[VendorEvent]:
    order = text(data.get("order_id"), "data.order_id")
    for index, row in enumerate(listing(data.get("counts"), "data.counts")):
        at = f"data.counts[{index}]"
        entry = mapping(row, at)
        group = text(entry.get("group"), f"{at}.group")
        yield VendorEvent(
            kind,
            external_order_id=order,
            order_ref=order,
            group=group,
            accepted=count(entry.get("accepted", 0), f"{at}.accepted", least),
            rejected=count(entry.get("rejected", 0), f"{at}.rejected", least),
            cost=money(entry.get("cost"), f"{at}.cost"),
            currency=currency(entry.get("currency"), f"{at}.currency"),
            occurred_at=instant(data.get("as_of"), "data.as_of") or sent_at,
            event_id=None if delta_id is None else f"{delta_id}/{group or ''}",
        )
