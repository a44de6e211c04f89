"""The tables of simulations: games played on a project's posterior, in parts that spread over workers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.store.models.base import Base


class Simulation(Base):
    """A question and, in the end, its answer; its job says how far it is. `frozen`: what the games are played on, taken
    at `data_version` when its job began, so that later changes of the project do not reach into it."""

    __tablename__ = "simulations"
    __table_args__ = (Index("ix_simulations_project_id_id", "project_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"), unique=True)
    question: Mapped[dict[str, Any]]
    data_version: Mapped[int | None]
    frozen: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]


class SimulationPart(Base):
    """Games `first` to `first + count`, played by one job; `outcome`: what came of them. `attempts` counts its
    starts."""

    __tablename__ = "simulation_parts"

    simulation_id: Mapped[UUID] = mapped_column(ForeignKey("simulations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int]
    count: Mapped[int]
    attempts: Mapped[int]
    outcome: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
