"""Tables of events, webhook endpoints, deliveries and their attempts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.models.base import Base


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


class WebhookEndpoint(Base):
    """A receiver of events. `kind`: webhook, slack or email, whose `url` is mailto: and addresses. `sequence`: events
    up to it have had their first attempt. `event_types` null is all. `secret` is null where nothing is signed. The
    lease says which job makes first attempts, and until when nobody else may."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_workspace_id_id", "workspace_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(String(200))
    event_types: Mapped[list[str] | None]
    state: Mapped[str] = mapped_column(String(20))
    disabled_reason: Mapped[str | None] = mapped_column(String(200))
    secret: Mapped[str | None] = mapped_column(Text)
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
        Index("ix_webhook_deliveries_endpoint_id_sequence", "endpoint_id", "sequence"),
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
    created_at: Mapped[datetime] = mapped_column(index=True)


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
    attempted_at: Mapped[datetime] = mapped_column(index=True)
