"""Tables of jobs, of the workers that do them, and of plans watched for a change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base


class Job(Base):
    """Work that users can watch. The engine keeps its arguments under the same id; here stands what became of it.
    `attempts` counts its starts."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"), index=True)
    kind: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20))
    progress: Mapped[float]
    attempts: Mapped[int]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    cancel_requested_at: Mapped[datetime | None]


class PlanWatch(Base):
    """What was last announced of a project's next allocation, and the refit that waits to look again.

    data_version: looked at last. announced: {data_version, available, sources: {key: {order, cost}}}.
    reached: group → the target it was found to have reached."""

    __tablename__ = "plan_watches"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    waiting_job_id: Mapped[UUID | None]
    data_version: Mapped[int]
    announced: Mapped[dict[str, Any] | None]
    reached: Mapped[dict[str, Any]]


class KeptPlan(Base):
    """What GET …/allocations/next answered last without a query, as a job made it. `key` names all that it follows
    from, the code too."""

    __tablename__ = "kept_plans"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]]


class Worker(Base):
    """A worker that lives, or did until `seen_at`. `id` is what the engine knows it by; `life` tells one process
    that has used the id from the next. host: the boot and the namespace in which `pid` is counted; with `began` it
    names one process. A worker of an older version left its host's name, and nothing in `began`."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(150), primary_key=True)
    life: Mapped[UUID]
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    began: Mapped[str] = mapped_column(String(50), server_default="")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Recovery(Base):
    """How often a job was taken over from a worker that died with it."""

    __tablename__ = "recoveries"

    workflow_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    count: Mapped[int]
    recovered_at: Mapped[datetime]
