"""The tables of labeling vendors: connections, their inbox, what was placed with them, and the items they told of."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base, Serial


class VendorConnection(Base):
    """How one vendor is reached and read. Only a hash of the hook's token is looked up; `sealed`: name → secret,
    encrypted (`token`, `secret`, `old_secret`, `api_token`). group_map: the vendor's word → a group's key.
    subscription: what became of the last try to subscribe by the vendor's API: its `state` (asked, made or refused),
    `orders`, `ids`, `asked_at`, `made_at` and `detail`."""

    __tablename__ = "vendor_connections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    preset: Mapped[str | None] = mapped_column(String(50))
    config: Mapped[dict[str, Any]]
    group_map: Mapped[dict[str, Any]]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    sealed: Mapped[dict[str, Any]]
    subscription: Mapped[dict[str, Any] | None]
    old_secret_until: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class VendorWakeup(Base):
    """Whether a job that drains the connection's inbox is on its way; since `asked_at`."""

    __tablename__ = "vendor_wakeups"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"), primary_key=True)
    asked_at: Mapped[datetime | None]


class VendorDelivery(Base):
    """One webhook as it came, without secrets. outcome: received, applied, ignored or quarantined. unread: how many of
    its events could not be read when it was applied last. From `reduced_at` on there stands in `body` what
    `services.retention.bodies` leaves of it."""

    __tablename__ = "vendor_deliveries"
    __table_args__ = (
        Index("uq_vendor_deliveries_connection_id_delivery_id", "connection_id", "delivery_id", unique=True),
        Index("ix_vendor_deliveries_connection_id_outcome_id", "connection_id", "outcome", "id"),
        Index("ix_vendor_deliveries_outcome_applied_at", "outcome", "applied_at"),
        Index("ix_vendor_deliveries_reduced_at_applied_at", "reduced_at", "applied_at"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"))
    delivery_id: Mapped[str] = mapped_column(String(200))
    headers: Mapped[dict[str, Any]]
    body: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(index=True)
    outcome: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(String(500))
    events: Mapped[int]
    unread: Mapped[int] = mapped_column(default=0)
    applied_at: Mapped[datetime | None]
    reduced_at: Mapped[datetime | None]


class VendorOrder(Base):
    """An order as the vendor knows it; `group_id` where it holds one group alone. Totals are those that the vendor
    stated last, as of `stated_at`; `counts`: group key ('' for all) → [accepted, rejected, microseconds since 1970].
    unread: how many of its items could not be read when the vendor's API was read last."""

    __tablename__ = "vendor_orders"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"), primary_key=True)
    external_order_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    url: Mapped[str | None] = mapped_column(String(1000))
    counts: Mapped[dict[str, Any]]
    unread: Mapped[int] = mapped_column(default=0)
    cost: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    created_at: Mapped[datetime]


class VendorItem(Base):
    """The newest that a vendor said of one item. `facts`: name → [microseconds since 1970, value], each the newest of
    its name; the columns beside follow from them and from the connection's mapping. A retracted item is kept, so that
    nothing late revives it. is_delta: it is no item of the vendor's but a part of a stated change of its counts."""

    __tablename__ = "vendor_items"
    __table_args__ = (
        Index("uq_vendor_items_connection_id_external_item_id", "connection_id", "external_item_id", unique=True),
        Index("ix_vendor_items_connection_id_parent_id", "connection_id", "parent_id"),
        Index("ix_vendor_items_connection_id_external_order_id", "connection_id", "external_order_id"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"))
    external_item_id: Mapped[str] = mapped_column(String(250))
    facts: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    quantity: Mapped[int]
    is_delta: Mapped[bool]
    parent_id: Mapped[str | None] = mapped_column(String(200))
    external_order_id: Mapped[str | None] = mapped_column(String(200))
    group_word: Mapped[str | None] = mapped_column(String(200))
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    cost: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    updated_at: Mapped[datetime]


class VendorParent(Base):
    """A parent that was deleted, and every item of it with it, whenever that is heard of."""

    __tablename__ = "vendor_deleted_parents"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(String(200), primary_key=True)


class VendorRow(Base):
    """A row of data that waits to be labelled; `order_id` once an order has taken it. Since `reduced_at` its `data` are
    empty."""

    __tablename__ = "vendor_rows"
    __table_args__ = (
        Index("uq_vendor_rows_connection_id_external_id", "connection_id", "external_id", unique=True),
        Index("ix_vendor_rows_connection_id_group_key_id", "connection_id", "group_key", "id"),
        Index("ix_vendor_rows_reduced_at_order_id", "reduced_at", "order_id"),
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"))
    external_id: Mapped[str] = mapped_column(String(200))
    group_key: Mapped[str] = mapped_column(String(100))
    data: Mapped[dict[str, Any]]
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"), index=True)
    created_at: Mapped[datetime]
    reduced_at: Mapped[datetime | None]


class VendorPlacement(Base):
    """An order on its way to a vendor. state: placing, placed or refused, with the `problem`."""

    __tablename__ = "vendor_placements"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    problem: Mapped[str | None] = mapped_column(String(1000))
    tries: Mapped[int]
    updated_at: Mapped[datetime]


class VendorReconciliation(Base):
    """What reading a vendor's API changed. differences: order id → group key ('' for none) → state → samples more or
    fewer than webhooks had told. items: how many were read; unread: how many could not be."""

    __tablename__ = "vendor_reconciliations"
    __table_args__ = (Index("ix_vendor_reconciliations_connection_id_id", "connection_id", "id"),)

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("vendor_connections.id"))
    reason: Mapped[str] = mapped_column(String(20))
    items: Mapped[int]
    unread: Mapped[int] = mapped_column(default=0)
    differences: Mapped[dict[str, Any]]
    problem: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(index=True)
