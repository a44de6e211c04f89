"""The tables. Rows never leave `services` and `api`: the planner gets arrays, clients get shapes."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.store.models.base import Base, Serial


class Project(Base):
    """A model to be trained fairly. `reference_loss` is fixed by the first data version (method.md 5).

    `set_limits`, `objective` and `stakeholders` name groups and sources by key. Money inside JSON is a decimal string.
    `approval_threshold`: a round that costs more needs two keys. `proposal_expires_days`: for so long a proposal can be
    accepted; None: for ever. `exhausted_at`: since when nothing more can be bought.
    `model`: joint, one for all groups, or separate, one for each. `licence_rule`: {require, methods, unspecified}.
    `population`: whom the samples are to be like, each {attributes, shares}.
    `intake_rules`: what manifests are held against, each {kind, severity, …}. `verdict_thresholds`: from where on a
    plan is not to be signed as it is; None: the planner's own. `retired_holdouts`: holdout → {retired, note}, of those
    that anything was said of.
    `content_hash` tells a repeat from another project under the same external id. `forecasts_due`: requests whose runs
    are still to be forecast. Since `erased_at` it is found by nobody, and a job takes all that is of it.
    """

    __tablename__ = "projects"
    __table_args__ = (Index("uq_projects_workspace_id_external_id", "workspace_id", "external_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), index=True)
    external_id: Mapped[str | None] = mapped_column(String(200))
    content_hash: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str | None] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    metric_name: Mapped[str] = mapped_column(String(100))
    metric_kind: Mapped[str] = mapped_column(String(20))
    metric_goal: Mapped[str] = mapped_column(String(20))
    metric_lower: Mapped[float | None]
    metric_upper: Mapped[float | None]
    objective: Mapped[dict[str, Any]]
    stakeholders: Mapped[list[dict[str, Any]]]
    set_limits: Mapped[list[dict[str, Any]]]
    licence_rule: Mapped[dict[str, Any] | None]
    population: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    intake_rules: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    value_per_utility: Mapped[Decimal | None]
    smallest_gain: Mapped[float | None]
    approval_threshold: Mapped[Decimal | None]
    proposal_expires_days: Mapped[int | None]
    verdict_thresholds: Mapped[dict[str, Any] | None]
    retired_holdouts: Mapped[dict[str, Any] | None]
    exhausted_at: Mapped[datetime | None]
    budget_total: Mapped[Decimal]
    budget_rounds: Mapped[int]
    recipe: Mapped[str] = mapped_column(String(100))
    model: Mapped[str] = mapped_column(String(20))
    reference_loss: Mapped[float | None]
    data_version: Mapped[int]
    data_at: Mapped[datetime]
    forecasts_due: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class Group(Base):
    """`first_run_count`: what was held when the group's first run came, by `initial_count` or by what that run was
    trained on; None before, and in rows written before it was kept."""

    __tablename__ = "groups"
    __table_args__ = (Index("uq_groups_project_id_key", "project_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str | None] = mapped_column(String(200))
    weight: Mapped[float]
    target: Mapped[float | None]
    initial_count: Mapped[int]
    first_run_count: Mapped[int | None]
    min_count: Mapped[int | None]
    max_count: Mapped[int | None]
    reference_loss: Mapped[float | None]
    assumed_curve: Mapped[dict[str, Any] | None]
    attributes: Mapped[dict[str, Any] | None]
    parent: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class SourceYield(Base):
    """The share of a source's delivered samples that belongs to a group; a source's shares sum to at most 1."""

    __tablename__ = "source_yields"

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True, index=True)
    share: Mapped[float]


class Source(Base):
    """`price_tiers`: [{from, unit_cost}], ascending, the prices as decimal strings. `quality`: exact, or None where it
    is learned, from the 90 % interval `quality_p05` to `quality_p95` where one is said. `terms`: what is stated of its
    licence, by name. `collected_from`, `collected_to`: dates as ISO 8601 writes them."""

    __tablename__ = "sources"
    __table_args__ = (Index("uq_sources_project_id_key", "project_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    unit_cost: Mapped[Decimal]
    labels_per_item: Mapped[int] = mapped_column(default=1)
    billed: Mapped[str] = mapped_column(String(20))
    price_tiers: Mapped[list[dict[str, Any]]]
    tier_scope: Mapped[str] = mapped_column(String(20))
    fixed_cost: Mapped[Decimal]
    min_order: Mapped[int]
    max_order: Mapped[int | None]
    lot_size: Mapped[int]
    max_total: Mapped[int | None]
    acceptance_rate: Mapped[float]
    quality: Mapped[float | None]
    quality_p05: Mapped[float | None]
    quality_p95: Mapped[float | None]
    lead_time_days: Mapped[int | None]
    license: Mapped[str | None] = mapped_column(String(200))
    provenance: Mapped[str | None] = mapped_column(Text)
    terms: Mapped[dict[str, Any]] = mapped_column(default=dict)
    license_url: Mapped[str | None] = mapped_column(String(2000))
    method: Mapped[str | None] = mapped_column(String(20))
    collected_from: Mapped[str | None] = mapped_column(String(10))
    collected_to: Mapped[str | None] = mapped_column(String(10))
    derived_from: Mapped[list[str]] = mapped_column(default=list)
    consent: Mapped[str | None] = mapped_column(String(2000))
    connection_id: Mapped[UUID | None] = mapped_column(ForeignKey("vendor_connections.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    yields: Mapped[list[SourceYield]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by=SourceYield.group_id
    )
