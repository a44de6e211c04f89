"""The tables of buying: rounds, their orders, and the append-only ledger of what orders brought and cost."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.store.models.base import Base, Serial


class Round(Base):
    """One purchase, kept with the allocation it came from.

    `query`, `allocation` and `forecast` are frozen at the proposal, and anew at an edit: what was asked, the answer
    that is signed, and per group what the metric was and was forecast to become. `lines`: source key → {quantity, cost,
    terms}, `added`: group key → samples expected. `approvals`: the API keys that accepted what stands there now.
    `steps`: who did what, when and with what words, oldest first, each {step, key, at, note}. `note`: of who proposed
    it; `reason`: why it was declined or cancelled; `reference`: a purchase order's number.
    """

    __tablename__ = "rounds"
    __table_args__ = (
        Index("uq_rounds_project_id_number", "project_id", "number", unique=True),
        Index("uq_rounds_project_id_external_id", "project_id", "external_id", unique=True),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str | None] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    data_version: Mapped[int]
    query: Mapped[dict[str, Any]]
    allocation: Mapped[dict[str, Any]]
    forecast: Mapped[dict[str, Any]]
    lines: Mapped[dict[str, Any]]
    added: Mapped[dict[str, Any]]
    cost: Mapped[Decimal]
    approvals: Mapped[list[str]]
    proposed_by: Mapped[str] = mapped_column(String(32))
    steps: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    reason: Mapped[str | None] = mapped_column(String(2000))
    note: Mapped[str | None] = mapped_column(String(2000))
    reference: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class Order(Base):
    """What one round orders from one source. `terms` are the source's price terms and `acceptance_rate`, `quality` and
    `yields` (group id → share) what was expected of it, all frozen when the round was accepted."""

    __tablename__ = "orders"
    __table_args__ = (Index("uq_orders_round_id_source_id", "round_id", "source_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    quantity: Mapped[int]
    terms: Mapped[dict[str, Any]]
    acceptance_rate: Mapped[float]
    quality: Mapped[float]
    yields: Mapped[dict[str, Any]]
    cost: Mapped[Decimal]
    external_id: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    placed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Delivery(Base):
    """What was recorded by hand: samples that came (`delivery`), or a correction of what was recorded before.
    `groups`: group key → {state: count}. `license`: what the lot came with, where that was said."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("uq_deliveries_project_id_external_id", "project_id", "external_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    external_id: Mapped[str | None] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    groups: Mapped[dict[str, Any]]
    cost: Mapped[Decimal | None]
    note: Mapped[str | None] = mapped_column(String(500))
    license: Mapped[str | None] = mapped_column(String(200))
    api_key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[datetime]


class Manifest(Base):
    """What is kept of a manifest: its rows' counts and the outcome of each rule (`answer`), without contents; `hashes`
    of the items that counted, eight bytes each, ascending. `delivery_id` is null where a rule held all of it back."""

    __tablename__ = "manifests"
    __table_args__ = (Index("uq_manifests_order_id_digest", "order_id", "digest", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    delivery_id: Mapped[UUID | None] = mapped_column(ForeignKey("deliveries.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]]
    hashes: Mapped[bytes] = deferred(mapped_column(LargeBinary, nullable=False))
    api_key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[datetime]


class LedgerEntry(Base):
    """The difference that one cause makes; never changed, never deleted.

    Counts: `count` more (or fewer) samples of `group_id` (null: not mapped to a group) in `state`. Money: `spent` and
    `committed` more or less. `priced`: charged by the order's terms, rather than by a stated cost. `cause` names what
    it came from, such as 'delivery:<id>'.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ix_ledger_entries_project_id_id", "project_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    state: Mapped[str | None] = mapped_column(String(20))
    count: Mapped[int]
    priced: Mapped[bool]
    spent: Mapped[Decimal]
    committed: Mapped[Decimal]
    cause: Mapped[str] = mapped_column(String(200))
    note: Mapped[str | None] = mapped_column(String(500))
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what. `project_id` null: to what is the whole workspace's; `api_key_id` null: the command line, or nobody
    known. `changes`: field → {from, to}, without secrets."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_project_id_id", "project_id", "id"),
        Index("ix_audit_entries_workspace_id_id", "workspace_id", "id"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"))
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))
    action: Mapped[str] = mapped_column(String(50))
    resource: Mapped[str] = mapped_column(String(200))
    detail: Mapped[dict[str, Any]]
    changes: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)
