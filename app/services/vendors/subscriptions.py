"""Subscribing to a vendor's webhooks by its own API: asked for by hand, made by a job, its state kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, Invalid, invalid
from app.services.access.secrets import SecretBox
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.vendors import connections
from app.services.vendors.placing import hook_url
from app.settings import Settings
from app.store import vendors as store
from app.store.models.vendors import VendorConnection
from app.vendors.base import Subscribable, Subscribed

SUBSCRIBE = "vendors.subscribe"
MAX_DETAIL = 500
BY_ORDER = ("label_studio",)
"""Kinds that tell of each of their orders by itself."""


def can_subscribe(connection: VendorConnection) -> bool:
    """Whether the vendor is told by its API where to send webhooks; others are told by hand."""
    return isinstance(connections.adapter_for(connection), Subscribable)


def ask_to_subscribe(
    session: Session,
    connection: VendorConnection,
    settings: Settings,
    orders: Sequence[str] | None,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """Send the job that subscribes. orders: the vendor's that it is to tell of, where it tells of each by itself; None
    for those that were placed or linked. Raises Conflict, Invalid."""
    if not can_subscribe(connection):
        raise Conflict(
            f"The kind '{connection.kind}' is not subscribed to by an API: give the vendor the hook's address."
        )
    connections.api_access(connection, SecretBox(settings.secret_keys))
    if connection.kind not in BY_ORDER and orders:
        raise invalid(Fault("/orders", f"leave it out: '{connection.kind}' tells of all its orders"))
    named = orders or []
    if connection.kind in BY_ORDER and not named:
        named = [one.external_order_id for one in store.placed_orders(session, connection.id)]
        if not named:
            raise invalid(Fault("/orders", "name the vendor's projects: none was placed or linked yet"))
    asked = {"state": "asked", "orders": list(named), "asked_at": now.isoformat()}
    connection.subscription = {**asked, "ids": [], "made_at": None, "detail": None}
    session.flush()
    args = {"connection_id": str(connection.id)}
    enqueue(session, SUBSCRIBE, args, f"{SUBSCRIBE}-{connection.id}-{new_id()}", queue="rounds")


@dataclass(frozen=True)
class Subscribing:
    """All that a subscribing job needs, read before it calls the vendor."""

    base_url: str
    headers: dict[str, str]
    hook_url: str
    hook_secret: str
    orders: Sequence[str]


def subscribing_of(connection: VendorConnection, settings: Settings) -> Subscribing:
    """Raises Conflict."""
    box = SecretBox(settings.secret_keys)
    base_url, headers = connections.api_access(connection, box)
    url = hook_url(settings.base_url, connections.opened(connection, box, "token"))
    secret = connections.opened(connection, box, "secret")
    return Subscribing(base_url, headers, url, secret, (connection.subscription or {}).get("orders", []))


def subscribed(session: Session, connection_id: UUID, settings: Settings, made: Subscribed, now: datetime) -> None:
    """Keep what was subscribed; a secret of the vendor's making takes the place of the present one, which is honoured
    for a day more."""
    row = store.locked_connection(session, connection_id)
    if row is None:
        return
    present = connections.opened(row, SecretBox(settings.secret_keys), "secret")
    if made.secret is not None and made.secret != present:
        try:
            connections.rotate_secret(row, settings, made.secret, now)
        except Invalid as problem:
            refused(session, connection_id, f"its secret cannot be used: {problem.detail}", now)
            return
    now_is = {"state": "made", "ids": list(made.ids), "made_at": now.isoformat(), "detail": None}
    row.subscription = {**(row.subscription or {}), **now_is}
    row.updated_at = now


def refused(session: Session, connection_id: UUID, problem: str, now: datetime) -> None:
    row = store.locked_connection(session, connection_id)
    if row is not None:
        row.subscription = {**(row.subscription or {}), "state": "refused", "detail": problem[:MAX_DETAIL]}
        row.updated_at = now
