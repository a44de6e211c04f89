"""Tables of runs' observations and of the forecasts made before them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base, Serial


class Observation(Base):
    """One evaluated training run. `counts`: group key → samples trained on; `metrics`: group key → {value, stderr?,
    eval_size?}. `origin`: source key → group key → how many of the counts came from there; the rest is clean, as all of
    it is where nothing is said. `chosen_from`: how many candidates were compared on the holdout to choose this run's.
    `content_hash` tells a repeat from another run under the same external id;
    `trained_hash` is of the samples it was trained on and the holdout, `said_hash` of what it measured, alike in runs
    that say the same under other ids. `data_version`: the project's that brought it (0 in rows written before it was
    kept), `voided_version` that took it out of fits."""

    __tablename__ = "observations"
    __table_args__ = (
        Index("uq_observations_project_id_external_id", "project_id", "external_id", unique=True),
        Index("ix_observations_project_id_recipe", "project_id", "recipe"),
        Index("ix_observations_project_id_data_version", "project_id", "data_version"),
        Index("ix_observations_project_id_voided_version", "project_id", "voided_version"),
        Index("ix_observations_project_id_trained_hash_said_hash", "project_id", "trained_hash", "said_hash"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    external_id: Mapped[str | None] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    trained_hash: Mapped[str] = mapped_column(String(32))
    said_hash: Mapped[str] = mapped_column(String(32))
    counts: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    origin: Mapped[dict[str, Any] | None]
    holdout: Mapped[str] = mapped_column(String(100))
    recipe: Mapped[str] = mapped_column(String(100))
    chosen_from: Mapped[int]
    observed_at: Mapped[datetime]
    created_at: Mapped[datetime]
    data_version: Mapped[int]
    voided_version: Mapped[int | None]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None] = mapped_column(String(500))


class Forecast(Base):
    """What the posterior from before a run said of it, and how it fared. Quantiles are the posterior's own, in the
    metric's units, before any rescaling by the record. `promised`: what the curve gains from the largest size measured
    before, 0 up to there, None in rows written before it was kept."""

    __tablename__ = "forecasts"
    __table_args__ = (Index("ix_forecasts_project_id_id", "project_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    observation_id: Mapped[UUID] = mapped_column(ForeignKey("observations.id"), index=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    count: Mapped[int]
    value: Mapped[float]
    mean: Mapped[float]
    quantiles: Mapped[dict[str, Any]]
    crps: Mapped[float]
    wis: Mapped[float]
    promised: Mapped[float | None]
    created_at: Mapped[datetime]


class ForecastTask(Base):
    """The runs of one request, by the data version that brought them, whose forecasts are still to be made. `basis`:
    what the curves were fitted to besides runs (`services.observations.basis`), None where it is the last task's."""

    __tablename__ = "forecast_tasks"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    data_version: Mapped[int] = mapped_column(primary_key=True)
    basis: Mapped[bytes | None]


class KeptRecord(Base):
    """How a project's forecasts fared, added up: of `recipe`, up to the forecast `last_forecast_id` and the run voided
    by `voided_version` (0: none)."""

    __tablename__ = "kept_records"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    recipe: Mapped[str] = mapped_column(String(100))
    last_forecast_id: Mapped[int]
    voided_version: Mapped[int]
    record: Mapped[dict[str, Any]]


class KeptFit(Base):
    """A project's curves as a job fitted them at a data version, for every process. `stamp` names the code and the
    question that they are of."""

    __tablename__ = "kept_fits"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    data_version: Mapped[int]
    stamp: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes]
