"""The inbox: a verified webhook is one row, stored before it is answered; a job applies what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Malformed, NotFound, TrancheError
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.ledger.ledger import Cause
from app.services.vendors import connections
from app.services.vendors.counts import settle_orders
from app.services.vendors.facts import delta_items
from app.services.vendors.items import Applied, apply_events
from app.services.vendors.schedule import ask_to_reconcile
from app.settings import Settings
from app.store import vendors as store
from app.store.models.vendors import VendorConnection
from app.vendors.base import Adapter, Headers, VendorEvent, reasons_of, unread_of

DRAIN = "vendors.drain"
MAP = "vendors.map"
BATCH = 50
MAX_BATCH_EVENTS = 1_000
# A job that was asked for this long ago and has not started is taken for lost: another one is sent.
LOST_AFTER = timedelta(minutes=1)
# Deliveries come in bursts: one job for a second's worth leaves the database to those that are still coming.
GATHER_S = 1.0
MAX_DETAIL = 500


@dataclass(frozen=True)
class Call:
    """A webhook as it came; nothing of it is known to hold."""

    token: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Hook:
    """What is needed to judge a webhook before it is stored."""

    connection_id: UUID
    adapter: Adapter
    secrets: Sequence[str]


@dataclass(frozen=True)
class Letter:
    """A webhook that holds, without the vendor's secrets. Letters of one connection and `delivery_id` are one."""

    connection_id: UUID
    delivery_id: str
    headers: Mapping[str, str]
    body: str
    sent_at: datetime | None

    @property
    def name(self) -> tuple[UUID, str]:
        return self.connection_id, self.delivery_id


def open_letters(
    session: Session, settings: Settings, calls: Sequence[Call], now: datetime
) -> list[Letter | TrancheError]:
    """For each call its letter, or why it does not hold: NotFound, VerifyFailed, Malformed, SecretUnreadable."""
    rows = store.connections_by_hash(session, {connections.hash_token(call.token) for call in calls})
    hooks: dict[str, Hook] = {}
    found: list[Letter | TrancheError] = []
    for call in calls:
        try:
            if call.token not in hooks:
                hooks[call.token] = hook_of(rows.get(connections.hash_token(call.token)), settings, now)
            found.append(open_letter(hooks[call.token], call, now))
        except TrancheError as problem:
            found.append(problem)
    return found


def owner_of(session: Session, token: str) -> UUID:
    """The workspace whose connection a webhook's address names. Raises NotFound."""
    hashed = connections.hash_token(token)
    return there(store.connections_by_hash(session, {hashed}).get(hashed)).workspace_id


def there(row: VendorConnection | None) -> VendorConnection:
    """Raises NotFound, in the same words whatever is wrong."""
    if row is None:
        raise NotFound("There is no such webhook address.")
    return row


def hook_of(found: VendorConnection | None, settings: Settings, now: datetime) -> Hook:
    """Raises NotFound and SecretUnreadable."""
    row = there(found)
    return Hook(row.id, connections.adapter_for(row), connections.honoured_secrets(row, settings, now))


def open_letter(hook: Hook, call: Call, now: datetime) -> Letter:
    """Raises VerifyFailed, Malformed."""
    verified = hook.adapter.verify(call.headers, call.body, hook.secrets, now)
    text = hook.adapter.readable(call.body).decode()
    name = verified.delivery_id or f"once:{new_id()}"
    return Letter(hook.connection_id, name, call.headers.only(hook.adapter.kept_headers), text, verified.sent_at)


def receive(session: Session, letters: Sequence[Letter], now: datetime, enqueue: Enqueue) -> list[bool]:
    """Store letters and see that jobs apply them. False for one that is there already."""
    wakeups = store.locked_wakeups(session, {letter.connection_id for letter in letters})
    stored = store.insert_deliveries(session, [row_of(letter, now) for letter in letters])
    newest = {connection_id: id for (connection_id, _), id in sorted(stored.items(), key=lambda one: one[1])}
    for connection_id, id in newest.items():
        wakeup = wakeups.get(connection_id)
        if wakeup is not None and (wakeup.asked_at is None or wakeup.asked_at <= now - LOST_AFTER):
            wakeup.asked_at = now
            enqueue_drain(session, connection_id, str(id), enqueue, delay_s=GATHER_S)
    # Of two letters of one name the first is the one that was stored.
    return [stored.pop(letter.name, None) is not None for letter in letters]


def row_of(letter: Letter, now: datetime) -> dict[str, Any]:
    return {
        "connection_id": letter.connection_id,
        "delivery_id": letter.delivery_id,
        "headers": dict(letter.headers),
        "body": letter.body,
        "sent_at": letter.sent_at,
        "received_at": now,
        "outcome": "received",
        "events": 0,
    }


def enqueue_drain(session: Session, connection_id: UUID, why: str, enqueue: Enqueue, delay_s: float = 0.0) -> None:
    """`why` tells this job from all others of the connection."""
    args = {"connection_id": str(connection_id)}
    enqueue(session, DRAIN, args, f"{DRAIN}-{connection_id}-{why}", delay_s=delay_s, queue="webhooks")


def ask_to_map(session: Session, connection_id: UUID, enqueue: Enqueue) -> None:
    """Send a job that applies the connection's changed mapping to all that came before."""
    name = str(new_id())
    args = {"connection_id": str(connection_id), "id": name}
    enqueue(session, MAP, args, f"{MAP}-{connection_id}-{name}", queue="rounds")


@dataclass(frozen=True)
class Stored:
    """A delivery as it was stored, to be read when no transaction is open."""

    id: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Parsed:
    """A delivery's events, read outside any transaction."""

    id: int
    events: Sequence[VendorEvent]


def waiting(session: Session, connection: VendorConnection) -> list[Stored]:
    """The next deliveries to apply, up to BATCH; none while paused."""
    if connection.state != "active":
        return []
    rows = store.received(session, connection.id, BATCH)
    return [Stored(row.id, Headers(row.headers.items()), row.body.encode()) for row in rows]


def parsed(adapter: Adapter, deliveries: Sequence[Stored]) -> list[Parsed]:
    """The first of them, up to about MAX_BATCH_EVENTS events."""
    batch: list[Parsed] = []
    for one in deliveries:
        batch.append(Parsed(one.id, parse(adapter, one.headers, one.body)))
        if sum(len(done.events) for done in batch) >= MAX_BATCH_EVENTS:
            break
    return batch


def parse(adapter: Adapter, headers: Headers, body: bytes) -> list[VendorEvent]:
    try:
        return adapter.parse(headers, body)
    except Malformed as problem:
        return [VendorEvent("quarantined", detail=problem.detail)]


def apply_batch(
    session: Session, connection_id: UUID, batch: Sequence[Parsed], now: datetime, enqueue: Enqueue
) -> None:
    """Apply deliveries, once each: their items, the counts that follow, and what became of each delivery."""
    connection = store.locked_connection(session, connection_id)
    rows = {row.id: row for row in store.deliveries_by_id(session, [one.id for one in batch])}
    todo = [one for one in batch if one.id in rows and rows[one.id].outcome == "received"]
    if connection is None or not todo:
        return
    applied = apply_events(session, connection, [event for one in todo for event in one.events], now)
    cause = Cause("vendor", f"vendor-deliveries:{todo[0].id}-{todo[-1].id}")
    problems = settle_orders(session, connection, applied.orders, cause, now, enqueue)
    for one in todo:
        row = rows[one.id]
        row.outcome, row.detail = outcome_of(one.events, applied, problems)
        row.events, row.unread, row.applied_at = len(one.events), len(unread_of(one.events)), now
    if any(event.kind == "poke" for one in todo for event in one.events):
        ask_to_reconcile(session, connection, "poke", now, enqueue)


def set_aside(session: Session, delivery: int, now: datetime) -> None:
    """Quarantine a delivery that cannot be applied at all."""
    for row in store.deliveries_by_id(session, [delivery]):
        row.outcome, row.unread, row.applied_at = "quarantined", 1, now
        row.detail = "it could not be applied; the log of the worker says why"


def outcome_of(events: Sequence[VendorEvent], applied: Applied, problems: Sequence[str]) -> tuple[str, str | None]:
    """What became of a delivery, and why it was not all applied."""
    unread = unread_of(events)
    waits = {name for event in events if event.kind != "quarantined" for name in named(event)} & applied.waiting
    said = [
        *([f"{len(unread)} of {len(events)} could not be read: {reasons_of(unread)}"] if unread else []),
        *([f"{len(waits)} items wait for their order or group to be mapped"] if waits else []),
        *problems,
    ]
    detail = "; ".join(said)[:MAX_DETAIL] or None
    if unread or waits:
        return "quarantined", detail
    if all(event.kind == "ignored" for event in events):
        return "ignored", detail or next((event.detail for event in events if event.detail), None)
    return "applied", detail


def named(event: VendorEvent) -> list[str]:
    """What of an event may have to wait: its item, the items a delta is kept as, or the order of its totals."""
    if event.kind == "delta":
        return [item_id for item_id, _ in delta_items(event)]
    name = event.external_order_id if event.kind == "counts" else event.external_item_id
    return [name] if name else []
