"""The jobs of labeling vendors: drain an inbox, place an order, read a vendor's API, subscribe, map items anew."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy.exc import StatementError

from app.errors import Conflict
from app.jobs.workflows import Context
from app.outbound.call import Outbound
from app.outbound.targets import Policy
from app.services.access.secrets import SecretBox
from app.services.ledger.ledger import MAPPING, Cause
from app.services.purchases import rounds
from app.services.vendors import connections, inbox, placing, reconcile, schedule, subscriptions
from app.services.vendors.counts import settle_orders
from app.services.vendors.inbox import Parsed
from app.services.vendors.items import map_again
from app.services.vendors.reconcile import Read
from app.store import vendors as store
from app.store.models.vendors import VendorConnection, VendorPlacement
from app.store.rounds import rounds_of_orders
from app.vendors.base import Adapter, Orderable, Polled, Subscribable, Thin, VendorRefused

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
MAX_ANSWER = 50_000_000
MAP_BATCH = 2_000
AGAIN_S, MOST_AGAIN_S = 30.0, 3_600.0
"""How long a vendor that cannot be reached is left alone: doubling from the first to the second."""
MOST_TRIES = 20


@contextmanager
def vendor_client(context: Context, base_url: str, headers: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client that opens the vendor's API, to addresses that may be called alone."""
    outbound = Outbound(Policy(context.settings.outbound_allow, context.settings.outbound_ports))
    with outbound.client(TIMEOUT_S, MAX_ANSWER) as client:
        client.base_url = httpx.URL(base_url)
        client.headers.update(headers)
        yield client


def words_of(problem: Exception) -> str:
    """What is told of a call that failed."""
    if isinstance(problem, httpx.HTTPStatusError):
        return f"the vendor answered {problem.response.status_code}"
    return str(problem) or "the vendor cannot be reached"


def drain_inbox(context: Context, args: Mapping[str, Any]) -> None:
    """Apply what waits in a connection's inbox, batch by batch."""
    connection_id = UUID(args["connection_id"])
    with context.database.writing() as session:
        store.start_draining(session, connection_id)
    while True:
        with context.database.reading() as session:
            connection = session.get(VendorConnection, connection_id)
            if connection is None:
                return
            deliveries = inbox.waiting(session, connection)
            adapter = connections.adapter_for(connection)
            access = api_access(context, connection) if isinstance(adapter, Thin) and deliveries else None
        if not deliveries:
            return
        batch = inbox.parsed(adapter, deliveries)
        try:
            batch = resolved(context, adapter, batch, access)
        except httpx.HTTPError:
            drain_later(context, connection_id, batch[0].id)
            return
        apply(context, connection_id, batch)


def apply(context: Context, connection_id: UUID, batch: list[Parsed]) -> None:
    """Apply a batch; a delivery that the database cannot take is set aside, so that it holds up no other."""
    try:
        with context.database.writing() as session:
            inbox.apply_batch(session, connection_id, batch, context.clock(), context.enqueue)
    except (StatementError, ArithmeticError, ValueError):
        log.exception("a batch of vendor deliveries could not be applied as one")
        if len(batch) == 1:
            with context.database.writing() as session:
                inbox.set_aside(session, batch[0].id, context.clock())
        else:
            for one in batch:
                apply(context, connection_id, [one])


def api_access(context: Context, connection: VendorConnection) -> tuple[str, dict[str, str]] | None:
    try:
        return connections.api_access(connection, SecretBox(context.settings.secret_keys))
    except Conflict:
        return None


def resolved(
    context: Context, adapter: Adapter, batch: list[Parsed], access: tuple[str, dict[str, str]] | None
) -> list[Parsed]:
    """The batch with what a thin vendor's API says of its items. Raises httpx.HTTPError."""
    if not isinstance(adapter, Thin) or access is None:
        return batch
    with vendor_client(context, *access) as client:
        return [Parsed(one.id, adapter.resolve(one.events, client, context.clock())) for one in batch]


def drain_later(context: Context, connection_id: UUID, delivery: int) -> None:
    """The vendor's API is away: what waits is kept, and tried again in a while."""
    with context.database.writing() as session:
        why = f"again-{delivery}-{int(context.clock().timestamp())}"
        inbox.enqueue_drain(session, connection_id, why, context.enqueue, delay_s=AGAIN_S)


def map_items(context: Context, args: Mapping[str, Any]) -> None:
    """Find orders and groups of a connection's items anew, then apply what was quarantined once more."""
    connection_id, after = UUID(args["connection_id"]), None
    while True:
        with context.database.writing() as session:
            now = context.clock()
            connection = store.locked_connection(session, connection_id)
            if connection is None:
                return
            rows = store.listed_items(session, connection_id).after(after, MAP_BATCH)
            cause = Cause("vendor", f"{MAPPING}{args['id']}")
            if not rows:
                stated = {one.order_id for one in store.stated_orders(session, connection_id) if one.order_id}
                settle_orders(session, connection, stated, cause, now, context.enqueue)
                store.receive_again(session, connection_id, outcome="quarantined")
                inbox.enqueue_drain(session, connection_id, f"mapped-{args['id']}", context.enqueue)
                return
            after = rows[-1].id
            applied = map_again(session, connection, rows, now)
            settle_orders(session, connection, applied.orders, cause, now, context.enqueue)


def place_order(context: Context, args: Mapping[str, Any]) -> None:
    """Place an order with its vendor. Any number of runs place it once: the vendor is asked what is there first."""
    order_id, settings = UUID(args["order_id"]), context.settings
    with context.database.writing() as session:
        try:
            found = placing.errand_of(session, SecretBox(settings.secret_keys), order_id, settings.base_url)
        except Conflict as problem:
            placing.refused(session, order_id, problem.detail, context.clock())
            return
        if found is None:
            return
        connection, errand = found
        adapter = connections.adapter_for(connection)
    if not isinstance(adapter, Orderable):
        return
    try:
        with vendor_client(context, errand.base_url, errand.headers) as client:
            lines = adapter.place(errand.order, client)
    except VendorRefused as problem:
        with context.database.writing() as session:
            placing.refused(session, order_id, str(problem), context.clock())
        return
    except httpx.HTTPError as problem:
        place_later(context, order_id, words_of(problem))
        return
    with context.database.writing() as session:
        order = placing.placed(session, errand, lines, context.clock(), context.enqueue)
        if order is not None:
            [purchase] = rounds_of_orders(session, [order])
            project = store.locked_projects(session, [order])[order.project_id]
            external_id = lines[0].external_order_id if len(lines) == 1 else None
            rounds.mark_placed(session, project, purchase, order, external_id, context.clock(), context.enqueue)


def place_later(context: Context, order_id: UUID, problem: str) -> None:
    with context.database.writing() as session:
        row = session.get(VendorPlacement, order_id)
        if row is None:
            return
        if row.tries >= MOST_TRIES:
            placing.refused(session, order_id, f"Given up after {row.tries} tries: {problem}", context.clock())
            return
        delay = min(MOST_AGAIN_S, AGAIN_S * 2.0 ** (row.tries - 1))
        placing.try_later(session, row, problem, context.clock(), delay, context.enqueue)


def reconcile_orders(context: Context, args: Mapping[str, Any]) -> None:
    """Read a vendor's API and take over what it says; while orders are open, ask for the next reading."""
    connection_id, reason = UUID(args["connection_id"]), str(args["reason"])
    with context.database.reading() as session:
        connection = session.get(VendorConnection, connection_id)
        if connection is None:
            return
        names = reconcile.orders_to_read(session, connection, reason)
        if not names:
            return
        adapter = connections.adapter_for(connection)
        access = api_access(context, connection)
    reads = read_orders(context, adapter, names, access)
    with context.database.writing() as session:
        now = context.clock()
        reconcile.take_over(session, connection_id, reason, reads, now, context.enqueue)
        if connection.state == "active":
            reconcile.keep_reading(session, connection, now, context.enqueue)


def read_orders(
    context: Context, adapter: Adapter, names: list[str], access: tuple[str, dict[str, str]] | None
) -> list[Read]:
    if not isinstance(adapter, Polled):
        return []
    if access is None:
        problem = "the connection has no base_url or api_token: without them the vendor's API cannot be read"
        return [Read(name, context.clock(), None, problem) for name in names]
    reads = []
    with vendor_client(context, *access) as client:
        for name in names:
            as_of = context.clock()
            try:
                reads.append(Read(name, as_of, adapter.snapshot(name, client, as_of)))
            except (httpx.HTTPError, VendorRefused) as problem:
                reads.append(Read(name, as_of, None, f"{name}: {words_of(problem)}"))
    return reads


def subscribe(context: Context, args: Mapping[str, Any]) -> None:
    """Subscribe to a vendor's webhooks by its API. Tried once: whoever asked sees why it failed, and asks again."""
    connection_id, settings = UUID(args["connection_id"]), context.settings
    with context.database.reading() as session:
        connection = session.get(VendorConnection, connection_id)
        if connection is None:
            return
        adapter = connections.adapter_for(connection)
    if not isinstance(adapter, Subscribable):
        return
    try:
        asked = subscriptions.subscribing_of(connection, settings)
        with vendor_client(context, asked.base_url, asked.headers) as client:
            made = adapter.subscribe(asked.hook_url, asked.hook_secret, asked.orders, client)
    except (Conflict, httpx.HTTPError, VendorRefused) as problem:
        with context.database.writing() as session:
            subscriptions.refused(session, connection_id, words_of(problem), context.clock())
        return
    with context.database.writing() as session:
        subscriptions.subscribed(session, connection_id, settings, made, context.clock())


VENDOR_WORKFLOWS = {
    inbox.DRAIN: drain_inbox,
    inbox.MAP: map_items,
    placing.PLACE: place_order,
    schedule.RECONCILE: reconcile_orders,
    subscriptions.SUBSCRIBE: subscribe,
}
