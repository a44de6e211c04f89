"""When a vendor's API is read: on a poke, at an order's close, by a button, and every so often while orders are open.

A job's id holds its slot of time, so that however many ask, one job runs per slot.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.vendors import connections
from app.store.models.vendors import VendorConnection
from app.vendors.base import Polled

RECONCILE = "vendors.reconcile"
EVERY_S = 15 * 60
POKE_EVERY_S = 10
SLOTS = {"poke": POKE_EVERY_S, "close": 1, "button": 1, "schedule": EVERY_S}


def ask_to_reconcile(
    session: Session, connection: VendorConnection, reason: str, now: datetime, enqueue: Enqueue
) -> bool:
    """Send a job that reads the vendor's API; False where it has none that can be read."""
    if not isinstance(connections.adapter_for(connection), Polled):
        return False
    length = SLOTS[reason]
    ends = (int(now.timestamp()) // length + 1) * length
    delay = float(max(0, ends - now.timestamp())) if reason in ("poke", "schedule") else 0.0
    enqueue_reconcile(session, connection.id, reason, ends, delay, enqueue)
    return True


def enqueue_reconcile(
    session: Session, connection_id: UUID, reason: str, slot: int, delay_s: float, enqueue: Enqueue
) -> None:
    args = {"connection_id": str(connection_id), "reason": reason}
    name = f"{RECONCILE}-{connection_id}-{reason}-{slot}"
    enqueue(session, RECONCILE, args, name, delay_s=delay_s, queue="rounds")
