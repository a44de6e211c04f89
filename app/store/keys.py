"""Workspaces and API keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.store.models import ApiKey, Project, Workspace


def workspace_named(session: Session, name: str) -> Workspace | None:
    return session.scalar(select(Workspace).where(Workspace.name == name))


def key_by_id(session: Session, key_id: str) -> ApiKey | None:
    return session.get(ApiKey, key_id)


def key_of_workspace(session: Session, workspace_id: UUID, key_id: str) -> ApiKey | None:
    return session.scalar(select(ApiKey).where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id))


def keys_of_workspace(session: Session, workspace_id: UUID, after: str | None, limit: int) -> Sequence[ApiKey]:
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    if after is not None:
        query = query.where(ApiKey.id > after)
    return session.scalars(query.order_by(ApiKey.id).limit(limit)).all()


def any_valid_key(session: Session, now: datetime) -> bool:
    valid = ApiKey.revoked_at.is_(None) & (ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now))
    return bool(session.scalar(select(exists().where(valid))))


def existing_projects(session: Session, workspace_id: UUID, project_ids: Sequence[str]) -> set[str]:
    """Those of `project_ids` (texts that may be no ids at all) that are projects of the workspace."""
    ids = session.scalars(select(Project.id).where(Project.workspace_id == workspace_id)) if project_ids else ()
    return {str(project_id) for project_id in ids} & set(project_ids)
