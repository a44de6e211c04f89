"""What an order that is under way keeps from being changed."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from app.errors import Conflict
from app.store import rounds as store
from app.store.member_rows import AnySource
from app.store.models.projects import Project


def refuse_open_orders(session: Session, project: Project, sources: Collection[AnySource] | None = None) -> None:
    """Raises Conflict while orders from these sources (or from any) are open: nothing they need may be archived."""
    ids = None if sources is None else {source.id for source in sources}
    if ids is not None and not ids:
        return
    waiting = [order for order in store.open_orders(session, project.id) if ids is None or order.source_id in ids]
    if waiting:
        numbers = ", ".join(str(row.number) for row in store.rounds_of_orders(session, waiting))
        raise Conflict(f"Orders are open in round {numbers}. Close or cancel it before archiving.")
