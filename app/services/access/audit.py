"""Who did what to money."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.services.access.keys import Caller
from app.store.models.projects import Project
from app.store.models.purchases import AuditEntry


def write_audit(
    session: Session,
    project: Project,
    caller: Caller,
    action: str,
    resource: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """One entry in the transaction of what it tells of, naming the API key."""
    session.add(
        AuditEntry(
            workspace_id=project.workspace_id,
            project_id=project.id,
            api_key_id=caller.key_id,
            action=action,
            resource=resource,
            detail=dict(detail),
            created_at=now,
        )
    )
