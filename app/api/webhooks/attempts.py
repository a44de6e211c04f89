"""The shape of one attempt to deliver an event."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.api.http.shapes import Answer
from app.store.models.webhooks import WebhookAttempt, WebhookDelivery


class AttemptOut(Answer):
    """One call, of e-mail the mail server's reply (250: taken). `status` is null where none came back: then `error` and
    `detail` say why; they also say why one does not count. `answer` is the first 2 kB of what came back, without what
    looks like a secret. `delivery_state`: `pending` while attempts are to come."""

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
    state = "succeeded" if attempt.succeeded else "failed"
    return AttemptOut.of(attempt, delivery, state=state, delivery_state=delivery.state)
