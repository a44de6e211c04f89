"""What is watched of each project's next allocation."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.models import PlanWatch


def plan_watch(session: Session, project_id: UUID) -> PlanWatch | None:
    """Locked until this transaction ends."""
    return session.scalar(select(PlanWatch).where(PlanWatch.project_id == project_id).with_for_update())
