"""Tables of workspaces, keys, page sessions and calls that are answered once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base


class Workspace(Base):
    """`last_sequence` is that of its newest event; those up to `pruned_sequence` are no longer kept."""

    __tablename__ = "workspaces"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    last_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    pruned_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]


class ApiKey(Base):
    """Only a keyed hash of the secret is here. `project_ids` limits the key to these projects; null is all. `made_by`
    and `revoked_by` are ids of keys; null where it was the command line."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str | None] = mapped_column(String(100))
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    project_ids: Mapped[list[str] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    made_by: Mapped[str | None] = mapped_column(String(32))
    revoked_by: Mapped[str | None] = mapped_column(String(32))


class IdempotentCall(Base):
    """The answer to a POST that had an effect, kept for 24 hours beside that effect."""

    __tablename__ = "idempotent_calls"

    api_key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    method: Mapped[str] = mapped_column(String(10), primary_key=True)
    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)


class PageSession(Base):
    """A browser signed in with a key. Only a keyed hash of the token in its cookie is here."""

    __tablename__ = "page_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
