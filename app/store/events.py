"""Events: appended, never changed, numbered per workspace without gaps."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.store.models import Event, Workspace


def next_sequence(session: Session, workspace_id: UUID) -> int:
    """The number of the workspace's next event. Its row stays locked until this transaction ends, so that numbers
    become visible in their order: who has read n can never meet a smaller one later."""
    counted = (
        update(Workspace)
        .where(Workspace.id == workspace_id)
        .values(last_sequence=Workspace.last_sequence + 1)
        .returning(Workspace.last_sequence)
        .execution_options(synchronize_session=False)
    )
    return session.execute(counted).scalar_one()


def last_sequence(session: Session, workspace_id: UUID, *, lock: bool = False) -> int:
    """The number of the workspace's newest event. With `lock` no other is numbered until this transaction ends."""
    if lock:
        session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))
    return session.scalars(select(Workspace.last_sequence).where(Workspace.id == workspace_id)).one()


def events_after(
    session: Session,
    workspace_id: UUID,
    only: Collection[str] | None,
    types: Sequence[str],
    after: int,
    limit: int,
) -> Sequence[Event]:
    """In order of sequence; `only` are the ids of the projects a key is limited to, no `types` is all."""
    query = select(Event).where(Event.workspace_id == workspace_id, Event.sequence > after)
    if only is not None:
        query = query.where(Event.project_id.in_([UUID(project) for project in only]))
    if types:
        query = query.where(Event.type.in_(types))
    return session.scalars(query.order_by(Event.sequence).limit(limit)).all()
