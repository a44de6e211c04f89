"""The tables. Rows never leave `services` and `api`: the planner gets arrays, clients get shapes."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Integer, MetaData, String, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.store.types import Instant, Money

# Names every constraint alike on both databases, so that migrations can refer to them.
NAMING: dict[str, str] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite numbers rows by itself only in a column declared INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: Instant,
        Decimal: Money,
        int: BigInteger,
        float: Double,
        dict[str, Any]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        UUID: Uuid,
    }


class Workspace(Base):
    """`last_sequence` is that of its newest event."""

    __tablename__ = "workspaces"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    last_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]


class ApiKey(Base):
    """Only a keyed hash of the secret is here. `project_ids` limits the key to these projects; null is all."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    project_ids: Mapped[list[str] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Project(Base):
    """A model to be trained fairly. `reference_loss` is fixed by the first data version (planner.md 3).

    `set_limits` and `objective` name groups and sources by key. Money inside JSON is a decimal string.
    `approval_threshold`: a round that costs more needs two keys. `exhausted_at`: since when nothing more can be bought.
    """

    __tablename__ = "projects"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    currency: Mapped[str] = mapped_column(String(3))
    metric_name: Mapped[str] = mapped_column(String(100))
    metric_kind: Mapped[str] = mapped_column(String(20))
    metric_goal: Mapped[str] = mapped_column(String(20))
    metric_lower: Mapped[float | None]
    metric_upper: Mapped[float | None]
    objective: Mapped[dict[str, Any]]
    set_limits: Mapped[list[dict[str, Any]]]
    value_per_utility: Mapped[Decimal | None]
    smallest_gain: Mapped[float | None]
    approval_threshold: Mapped[Decimal | None]
    exhausted_at: Mapped[datetime | None]
    budget_total: Mapped[Decimal]
    budget_rounds: Mapped[int]
    recipe: Mapped[str] = mapped_column(String(100))
    reference_loss: Mapped[float | None]
    data_version: Mapped[int]
    data_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class Group(Base):
    __tablename__ = "groups"
    __table_args__ = (Index("uq_groups_project_id_key", "project_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str | None] = mapped_column(String(200))
    weight: Mapped[float]
    target: Mapped[float | None]
    initial_count: Mapped[int]
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
    """`price_tiers`: [{from, unit_cost}], ascending, the prices as decimal strings."""

    __tablename__ = "sources"
    __table_args__ = (Index("uq_sources_project_id_key", "project_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    unit_cost: Mapped[Decimal]
    billed: Mapped[str] = mapped_column(String(20))
    price_tiers: Mapped[list[dict[str, Any]]]
    tier_scope: Mapped[str] = mapped_column(String(20))
    fixed_cost: Mapped[Decimal]
    min_order: Mapped[int]
    max_order: Mapped[int | None]
    lot_size: Mapped[int]
    max_total: Mapped[int | None]
    acceptance_rate: Mapped[float]
    quality: Mapped[float]
    lead_time_days: Mapped[int | None]
    license: Mapped[str | None] = mapped_column(String(200))
    provenance: Mapped[str | None] = mapped_column(Text)
    connection_id: Mapped[UUID | None] = mapped_column(ForeignKey("vendor_connections.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    yields: Mapped[list[SourceYield]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by=SourceYield.group_id
    )


class Observation(Base):
    """One evaluated training run. `counts`: group key → samples trained on; `metrics`: group key →
    {value, stderr?, eval_size?}. `content_hash` tells a repeat from another run under the same external id."""

    __tablename__ = "observations"
    __table_args__ = (
        Index("uq_observations_project_id_external_id", "project_id", "external_id", unique=True),
        Index("ix_observations_project_id_recipe", "project_id", "recipe"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    external_id: Mapped[str | None] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    counts: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    holdout: Mapped[str] = mapped_column(String(100))
    recipe: Mapped[str] = mapped_column(String(100))
    observed_at: Mapped[datetime]
    created_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None] = mapped_column(String(500))


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


class Forecast(Base):
    """What the posterior from before a run said of it, and how it fared. Quantiles are the posterior's own, in the
    metric's units, before any rescaling by the record."""

    __tablename__ = "forecasts"
    __table_args__ = (Index("ix_forecasts_project_id_id", "project_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    observation_id: Mapped[UUID] = mapped_column(ForeignKey("observations.id"), index=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    count: Mapped[int]
    value: Mapped[float]
    mean: Mapped[float]
    quantiles: Mapped[dict[str, Any]]
    crps: Mapped[float]
    wis: Mapped[float]
    created_at: Mapped[datetime]


class Event(Base):
    """A change that matters, written with it and never changed. `sequence` rises by one per workspace."""

    __tablename__ = "events"
    __table_args__ = (Index("uq_events_workspace_id_sequence", "workspace_id", "sequence", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    sequence: Mapped[int]
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"), index=True)
    type: Mapped[str] = mapped_column(String(50))
    version: Mapped[int]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


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


class Worker(Base):
    """A worker that lives, or did until `seen_at`. `id` is what the engine knows it by; `life` tells one process
    that has used the id from the next."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(150), primary_key=True)
    life: Mapped[UUID]
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Recovery(Base):
    """How often a job was taken over from a worker that died with it."""

    __tablename__ = "recoveries"

    workflow_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    count: Mapped[int]
    recovered_at: Mapped[datetime]


class WebhookEndpoint(Base):
    """A receiver of events. `sequence`: events up to it have had their first attempt. `event_types` null is all.
    The lease says which job makes first attempts, and until when nobody else may."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(String(200))
    event_types: Mapped[list[str] | None]
    state: Mapped[str] = mapped_column(String(20))
    disabled_reason: Mapped[str | None] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(Text)
    previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_secret_expires_at: Mapped[datetime | None]
    sequence: Mapped[int]
    failing_since: Mapped[datetime | None]
    lease_holder: Mapped[str | None] = mapped_column(String(200))
    lease_ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class WebhookWakeup(Base):
    """A job that makes first attempts is on its way to the endpoint and will see every event there is by then."""

    __tablename__ = "webhook_wakeups"

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"), primary_key=True)
    sequence: Mapped[int]
    requested_at: Mapped[datetime]


class WebhookDelivery(Base):
    """One event for one endpoint. `sequence` and the event's row are null for test events."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("uq_webhook_deliveries_endpoint_id_event_id", "endpoint_id", "event_id", unique=True),
        Index("ix_webhook_deliveries_endpoint_id_state", "endpoint_id", "state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[UUID]
    event_type: Mapped[str] = mapped_column(String(50))
    sequence: Mapped[int | None]
    occurred_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class WebhookAttempt(Base):
    """One call. `status` null: none came back, `error` and `detail` say why. `answer`: its first 2 kB, redacted."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (Index("ix_webhook_attempts_endpoint_id_id", "endpoint_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id"), index=True)
    number: Mapped[int]
    succeeded: Mapped[bool]
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(50))
    detail: Mapped[str | None] = mapped_column(String(500))
    answer: Mapped[str] = mapped_column(Text)
    duration_ms: Mapped[int]
    attempted_at: Mapped[datetime]
