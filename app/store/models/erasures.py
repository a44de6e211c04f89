"""The table of erasures: what is left to say of projects and workspaces that are gone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base


class Erasure(Base):
    """A project that was erased, or with `project_id` None the whole workspace. It points at neither, since it outlives
    both. `asked_by`: id of a key; None where it was the command line. `rows`: table → how many went. `money`: currency
    → {ordered, spent, committed}, decimal strings, as the ledger added up to before. `ended_at`: None while rows are
    left."""

    __tablename__ = "erasures"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(index=True)
    project_id: Mapped[UUID | None]
    asked_by: Mapped[str | None] = mapped_column(String(32))
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    rows: Mapped[dict[str, Any]]
    money: Mapped[dict[str, Any]]
