"""The shape of one attempt to deliver an event."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict

from app.api.http.shapes import Answer
from app.store.models.webhooks import WebhookAttempt, WebhookDelivery


class AttemptOut(Answer):
    """One call. `status` is null where none came back: then `error` and `detail` say why. `answer` is the first 2 kB
    of what came back, without what looks like a secret. `delivery_state`: `pending` while attempts are to come."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a0-8f01-7d2c-8a4b-1f2e3d4c5b6a",
                    "event_id": "0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e4f",
                    "event_type": "allocation.changed",
                    "sequence": 17,
                    "number": 1,
                    "state": "failed",
                    "status": 503,
                    "error": None,
                    "detail": None,
                    "answer": "try later",
                    "duration_ms": 41,
                    "attempted_at": "2026-11-20T10:00:02Z",
                    "delivery_state": "pending",
                    "next_attempt_at": "2026-11-20T10:00:07Z",
                }
            ]
        }
    )

    id: UUID
    event_id: UUID
    event_type: str
    sequence: int | None
    number: int
    state: Literal["succeeded", "failed"]
    status: int | None
    error: str | None
    detail: str | None
    answer: str
    duration_ms: int
    attempted_at: datetime
    delivery_state: Literal["pending", "delivered", "failed"]
    next_attempt_at: datetime | None


def attempt_shape(pair: tuple[WebhookAttempt, WebhookDelivery]) -> AttemptOut:
    attempt, delivery = pair
    return AttemptOut.model_validate(
        {
            **{name: getattr(delivery, name) for name in ("event_id", "event_type", "sequence", "next_attempt_at")},
            **{
                name: getattr(attempt, name)
                for name in ("id", "number", "status", "error", "detail", "answer", "duration_ms", "attempted_at")
            },
            "state": "succeeded" if attempt.succeeded else "failed",
            "delivery_state": delivery.state,
        }
    )
