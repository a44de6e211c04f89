"""What a vendor said of one item, put together so that neither order nor repetition matters.

Each fact keeps the newest value of its name, [microseconds since 1970, value]; equal instants are decided by the
values. A retraction is newer than everything: what was deleted is never revived by something late.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.vendors.base import VendorEvent

Facts = dict[str, list[Any]]
"""Name → [version, value], as JSON keeps it."""
Said = Mapping[str, tuple[int, Any]]

FOREVER = 2**62
RANKS = {"uncounted": 0, "submitted": 1, "accepted": 2, "rejected": 3, "retracted": 4}


def version_of(at: datetime | None) -> int:
    """Microseconds since 1970; an event without an instant is older than all others."""
    return 0 if at is None else int(at.timestamp() * 1_000_000)


def said_of(event: VendorEvent) -> Said:
    """The facts that an event of kind `item_state` tells."""
    version = version_of(event.occurred_at)
    values = {
        "order_ref": event.order_ref,
        "line_ref": event.line_ref,
        "external_order_id": event.external_order_id,
        "parent_id": event.external_parent_id,
        "group": event.group,
        "cost": None if event.cost is None else str(event.cost),
        "currency": event.currency,
    }
    said: dict[str, tuple[int, Any]] = {name: (version, value) for name, value in values.items() if value is not None}
    said["state"] = (FOREVER if event.state == "retracted" else version, event.state)
    if event.state != "retracted":
        said["quantity"] = (version, event.quantity)
    return said


def merge(facts: Facts, said: Said) -> bool:
    """Take over what is newer. Returns whether anything was."""
    changed = False
    for name, (version, value) in said.items():
        known = facts.get(name)
        if known is None or (version, tie(name, value)) > (known[0], tie(name, known[1])):
            facts[name] = [version, value]
            changed = True
    return changed


def tie(name: str, value: Any) -> tuple[int, str]:
    return (RANKS[value], "") if name == "state" else (0, str(value))


def overrule(facts: Facts, said: Said, as_of: int) -> bool:
    """Take over what a vendor's API told at `as_of` in place of all that was known before, by whichever clock. What was
    retracted stays so: ids are not used again. Returns whether anything differed.
    """
    changed = False
    for name, (version, value) in said.items():
        known = facts.get(name)
        if known is None:
            facts[name] = [version, value]
        elif known[1] == value or known[0] == FOREVER:
            continue
        else:
            facts[name] = [max(version, as_of, known[0] + 1), value]
        changed = True
    return changed


def delta_items(event: VendorEvent) -> list[tuple[str, Said]]:
    """A delta as items of its own, one per state: applied once, since items of one id are one item. What was 0 is said
    too: sent again at a later instant, a delta takes the place of what it said before."""
    name = hashlib.sha256(f"{event.external_order_id}\n{event.event_id}".encode()).hexdigest()[:32]
    common = VendorEvent(
        "item_state",
        external_order_id=event.external_order_id,
        order_ref=event.order_ref,
        group=event.group,
        occurred_at=event.occurred_at,
    )
    version = version_of(event.occurred_at)
    facts = {key: value for key, value in said_of(common).items() if key not in ("state", "quantity")}
    facts["delta"] = (0, True)
    return [
        (
            f"delta:{name}:{state}",
            {**facts, "state": (version, state if count else "uncounted"), "quantity": (version, count or 0)},
        )
        for state, count in (("accepted", event.accepted), ("rejected", event.rejected))
    ]


@dataclass(frozen=True)
class ItemColumns:
    """What follows from an item's facts alone."""

    state: str
    version: int
    quantity: int
    is_delta: bool
    parent_id: str | None
    external_order_id: str | None
    group_word: str | None
    cost: Decimal | None
    currency: str | None


def columns_of(facts: Facts) -> ItemColumns:
    def value(name: str) -> Any:
        return facts[name][1] if name in facts else None

    cost = value("cost")
    return ItemColumns(
        state=value("state"),
        version=facts["state"][0],
        quantity=value("quantity") if "quantity" in facts else 1,
        is_delta="delta" in facts,
        parent_id=value("parent_id"),
        external_order_id=value("external_order_id"),
        group_word=value("group"),
        cost=None if cost is None else Decimal(cost),
        currency=value("currency"),
    )
