"""Workspaces and API keys."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, func, select
from sqlalchemy.orm import Session, object_session

from app.store.models.access import ApiKey, IdempotentCall, PageSession, Workspace
from app.store.models.base import Base
from app.store.models.projects import Project
from app.store.reading import Listing

KEY_BY_ID = select(ApiKey).where(ApiKey.id == bindparam("key"))
"""What every call asks for: made once."""


def workspace_named(session: Session, name: str) -> Workspace | None:
    return session.scalar(select(Workspace).where(Workspace.name == name))


def key_by_id(session: Session, key_id: str) -> ApiKey | None:
    return session.scalar(KEY_BY_ID, {"key": key_id})


def keys_of_workspace(session: Session, workspace_id: UUID, only: Collection[str] | None) -> Listing[ApiKey]:
    """`only` are the ids of the projects a key is limited to: then the keys that are limited to some of them."""
    query = select(ApiKey).where(ApiKey.workspace_id == workspace_id)
    if only is not None:
        on_server = session.get_bind().dialect.name == "postgresql"
        items = func.json_array_elements_text if on_server else func.json_each
        named = items(ApiKey.project_ids).table_valued("value")
        beyond = exists().select_from(named).where(named.c.value.not_in(only))
        query = query.where(ApiKey.project_ids.is_not(None), ~beyond)
    return Listing(session, query, ApiKey.id)


def key_name(row: Base, key_id: str | None) -> str | None:
    """The name of the API key that a stored row tells of, from the row's own session, which asks once for each key."""
    session = object_session(row)
    key = session.get(ApiKey, key_id) if session is not None and key_id is not None else None
    return None if key is None else key.name


def any_valid_key(session: Session, now: datetime) -> bool:
    valid = ApiKey.revoked_at.is_(None) & (ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now))
    return bool(session.scalar(select(exists().where(valid))))


def existing_projects(session: Session, workspace_id: UUID, project_ids: Sequence[str]) -> set[str]:
    """Those of `project_ids` (texts that may be no ids at all) that are projects of the workspace."""
    present = select(Project.id).where(Project.workspace_id == workspace_id, Project.erased_at.is_(None))
    ids = session.scalars(present) if project_ids else ()
    return {str(project_id) for project_id in ids} & set(project_ids)


def try_lock(session: Session, name: str) -> bool:
    """Take `name` for this transaction; False where another transaction has it. SQLite's writers come one by
    one, so there it is always free."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(lock_number(name)))))


def wait_for_lock(session: Session, name: str) -> None:
    """As `try_lock`, waiting for who has it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(lock_number(name))))


def lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def forget_before(session: Session, instant: datetime) -> None:
    session.execute(delete(IdempotentCall).where(IdempotentCall.created_at < instant))


def session_with_key(session: Session, token_hashes: Sequence[str]) -> tuple[PageSession, ApiKey] | None:
    """The session whose token has one of these hashes, and the key it was opened with."""
    query = select(PageSession, ApiKey).join(ApiKey, ApiKey.id == PageSession.key_id)
    row = session.execute(query.where(PageSession.token_hash.in_(token_hashes))).first()
    return None if row is None else (row[0], row[1])


def end_session(session: Session, token_hashes: Sequence[str]) -> None:
    session.execute(delete(PageSession).where(PageSession.token_hash.in_(token_hashes)))


def delete_expired(session: Session, now: datetime) -> None:
    session.execute(delete(PageSession).where(PageSession.expires_at <= now))
