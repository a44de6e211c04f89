"""What every vendor's adapter is made of.

`verify`, `readable` and `parse` are pure: bytes and an instant in, values out. What needs the vendor's API gets an
httpx client that is already allowed to go there and carries the credentials.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable

import httpx

from app.errors import VerifyFailed
from app.vendors.values import Unusable

State = Literal["submitted", "accepted", "rejected", "uncounted", "retracted"]
MAX_DELIVERY_ID = 200
REASONS = 5
Kind = Literal["item_state", "counts", "delta", "poke", "ignored", "quarantined"]


class Headers:
    """A request's headers: names of any case, values as they came, repeats kept."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = [(name.lower(), value) for name, value in pairs]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name.lower()]

    def get(self, name: str) -> str | None:
        """The first value. For what is not trusted; `one` is for what is."""
        return next(iter(self.all(name)), None)

    def one(self, name: str) -> str:
        """The only value. Raises VerifyFailed where there is none, an empty one, or several."""
        values = self.all(name)
        if not values or not values[0]:
            raise VerifyFailed(f"The header {name} is missing or empty.", "missing")
        if len(values) > 1:
            raise VerifyFailed(f"The header {name} stands {len(values)} times; send it once.", "doubled")
        return values[0]

    def only(self, names: Iterable[str]) -> dict[str, str]:
        """Those of `names` that are here, by lower-case name."""
        wanted = {name.lower() for name in names}
        return {name: value for name, value in self.pairs if name in wanted}


@dataclass(frozen=True)
class Verified:
    """A delivery that holds. Deliveries of one `delivery_id` are one delivery; None: each stands for itself."""

    delivery_id: str | None
    sent_at: datetime | None
    secret_index: int


@dataclass(frozen=True, slots=True)
class VendorEvent:
    """One thing a vendor said, in our words.

    item_state: the item `external_item_id`, or every item of `external_parent_id` where that alone is given, is now
    `state`. counts: `accepted` and `rejected` of the order, or of its `group`, are these in total. delta: they rose by
    these, once per `event_id`. poke: something changed, read the vendor's API. ignored: nothing we count.
    quarantined: we cannot read it; `detail` says why, and the item's or parent's id is here where that can be read.

    order_ref and line_ref are our own ids where they travelled inside the vendor's item; `group` is the vendor's word.
    quantity: how many samples one item stands for. occurred_at orders the states of one item; None is older than any
    instant.
    """

    kind: Kind
    external_order_id: str | None = None
    external_item_id: str | None = None
    external_parent_id: str | None = None
    order_ref: str | None = None
    line_ref: str | None = None
    group: str | None = None
    state: State | None = None
    quantity: int = 1
    accepted: int | None = None
    rejected: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    occurred_at: datetime | None = None
    event_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class OrderLine:
    """A part of an order: how many samples of one group, at what price each, in the project's currency."""

    id: str
    group: str
    quantity: int
    unit_cost: Decimal


@dataclass(frozen=True)
class Order:
    """What is to be placed. rows: line id → the tasks' own ids and data, for vendors that import them."""

    id: str
    name: str
    currency: str
    lines: Sequence[OrderLine]
    hook_url: str
    hook_secret: str = field(repr=False)
    rows: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedLine:
    """Where a line (or, with line_id None, the whole order) now lives at the vendor."""

    external_order_id: str
    line_id: str | None
    url: str | None


@dataclass(frozen=True)
class Snapshot:
    """All items of an order as the vendor's API tells them: what is not among `events` is not there any more, unless it
    is one of those that are quarantined there.

    Totals are the vendor's own counts, where it states them; None where the items are all it tells. problems: what else
    of the answers could not be used.
    """

    events: Sequence[VendorEvent]
    accepted: int | None = None
    rejected: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    problems: Sequence[str] = ()


def each(items: Iterable[tuple[str, Any]], read: Callable[[Any, str], VendorEvent]) -> Iterator[VendorEvent]:
    """What `read` makes of each item, which it gets with its place in the message. One that it cannot read (Unusable)
    is quarantined, and keeps no other from being read."""
    for at, item in items:
        try:
            yield read(item, at)
        except Unusable as problem:
            yield VendorEvent("quarantined", detail=str(problem))


def unread_of(events: Iterable[VendorEvent]) -> list[VendorEvent]:
    """Those that could not be read."""
    return [event for event in events if event.kind == "quarantined"]


def reasons_of(unread: Iterable[VendorEvent]) -> str:
    """Why events could not be read, each reason once; the first REASONS of them."""
    return "; ".join(list(dict.fromkeys(event.detail or "" for event in unread))[:REASONS])


def numbered(values: Iterable[Any], name: str) -> Iterator[tuple[str, Any]]:
    """Each value with its place in the list `name`."""
    return ((f"{name}[{index}]", value) for index, value in enumerate(values))


class Adapter(Protocol):
    """Reads one vendor's webhooks, with one connection's configuration."""

    kept_headers: frozenset[str]
    """Headers that `parse` reads. They are stored with the delivery; none of them may hold a secret."""
    weakness: str | None
    """What the vendor's scheme does not prove; None where the body is signed."""

    def check_secret(self, secret: str) -> None:
        """Raises ValueError where the scheme cannot use `secret`."""

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> Verified:
        """Raises VerifyFailed, and nothing else. `secrets`: the present one first, then those still honoured."""

    def readable(self, body: bytes) -> bytes:
        """The body as it may be stored: readable by `parse`, without the vendor's secrets. Raises Malformed."""

    def parse(self, headers: Headers, body: bytes) -> list[VendorEvent]:
        """The events of a `readable` body, in the vendor's order. Raises Malformed."""


@runtime_checkable
class Thin(Protocol):
    """A vendor whose events only name what changed."""

    def resolve(self, events: Sequence[VendorEvent], client: httpx.Client, now: datetime) -> list[VendorEvent]:
        """The events with what the vendor's API says of their items. Raises httpx.HTTPError."""


@runtime_checkable
class Polled(Protocol):
    """A vendor whose state can be read."""

    def snapshot(self, external_order_id: str, client: httpx.Client, now: datetime) -> Snapshot:
        """The order as it is. Raises httpx.HTTPError, VendorRefused."""


@dataclass(frozen=True)
class Subscribed:
    """What a vendor calls us by. ids: its subscriptions; secret: what it signs with where that is of its making."""

    ids: Sequence[str]
    secret: str | None = field(default=None, repr=False)


@runtime_checkable
class Subscribable(Protocol):
    """A vendor that is told by its API where to send webhooks."""

    def subscribe(self, hook_url: str, hook_secret: str, orders: Sequence[str], client: httpx.Client) -> Subscribed:
        """Subscribe, or find what an earlier try subscribed. orders: the vendor's, where it tells of each by itself.

        Raises httpx.HTTPError, VendorRefused."""


@runtime_checkable
class Orderable(Protocol):
    """A vendor that takes orders."""

    def place(self, order: Order, client: httpx.Client) -> list[PlacedLine]:
        """Place the order, or find what an earlier try placed: any number of calls place it once.

        Raises httpx.HTTPError, VendorRefused."""


class VendorRefused(Exception):
    """The vendor's API answered, and will not do it: trying the same again is of no use."""


def body_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def delivery_name(sent: str | None, body: bytes) -> str:
    """A delivery's id: as it was sent, its hash where it is longer than we store, the body's where none was sent."""
    if not sent:
        return body_hash(body)
    return sent if len(sent) <= MAX_DELIVERY_ID else body_hash(sent.encode("utf-8", "replace"))
