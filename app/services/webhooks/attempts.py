"""Deliveries: what follows from how an attempt went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.webhooks import events
from app.services.webhooks.messages import Message, endpoint_path, receives
from app.services.webhooks.retries import GIVES_UP_AFTER, retry_delay
from app.store import webhooks as store
from app.store.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.store.projects import hold_project

ATTEMPT = "webhooks.attempt"
GONE = 410


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt went: a status, or why there is none or it does not count. `answer` is redacted already."""

    attempted_at: datetime
    status: int | None
    duration_s: float
    error: str | None = None
    detail: str | None = None
    answer: str = ""
    retry_after_s: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300


Made = tuple[Message, AttemptResult]


def record_attempt(session: Session, sent: Message, outcome: AttemptResult, now: datetime, enqueue: Enqueue) -> None:
    """Keep one attempt, as `record_attempts` does."""
    record_attempts(session, sent.endpoint_id, [(sent, outcome)], now, enqueue)


def record_attempts(session: Session, endpoint_id: UUID, made: Sequence[Made], now: datetime, enqueue: Enqueue) -> None:
    """Keep an endpoint's attempts in the order they were made, and let follow what has to. An attempt made twice (by a
    job that ran twice) is kept twice, but counts once; a success counts always. Raises LookupError where a delivery has
    gone."""
    endpoint = store.endpoint_by_id(session, endpoint_id, lock=True)
    deliveries = store.deliveries_by_id(session, [sent.delivery_id for sent, _ in made])
    if endpoint is None or any(sent.delivery_id not in deliveries for sent, _ in made):
        raise LookupError(f"a delivery of endpoint {endpoint_id} has gone")
    session.add_all(attempt_row(sent, outcome) for sent, outcome in made)
    for sent, outcome in made:
        settle(session, endpoint, deliveries[sent.delivery_id], (sent, outcome), now, enqueue)


def settle(
    session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, made: Made, now: datetime, enqueue: Enqueue
) -> None:
    """What follows from an attempt for its delivery and endpoint."""
    sent, outcome = made
    first_to_tell = delivery.attempts < sent.number
    delivery.attempts = max(delivery.attempts, sent.number)
    endpoint.sequence = max(endpoint.sequence, delivery.sequence or 0)
    if outcome.succeeded:
        delivery.state, delivery.next_attempt_at = "delivered", None
        endpoint.failing_since = None
    elif first_to_tell and delivery.sequence is None:
        delivery.state, delivery.next_attempt_at = "failed", None
    elif first_to_tell:
        plan_retry(session, delivery, outcome, now, enqueue)
        note_failure(session, endpoint, outcome, now, enqueue)


def attempt_row(sent: Message, outcome: AttemptResult) -> WebhookAttempt:
    return WebhookAttempt(
        id=new_id(),
        endpoint_id=sent.endpoint_id,
        delivery_id=sent.delivery_id,
        number=sent.number,
        succeeded=outcome.succeeded,
        status=outcome.status,
        error=outcome.error,
        detail=outcome.detail,
        answer=outcome.answer,
        duration_ms=round(outcome.duration_s * 1000),
        attempted_at=outcome.attempted_at,
    )


def plan_retry(
    session: Session, delivery: WebhookDelivery, outcome: AttemptResult, now: datetime, enqueue: Enqueue
) -> None:
    delay = retry_delay(delivery.id, delivery.attempts, outcome.retry_after_s)
    if delay is None:
        delivery.state, delivery.next_attempt_at = "failed", None
        return
    delivery.state, delivery.next_attempt_at = "pending", now + timedelta(seconds=delay)
    enqueue_attempt(session, delivery, enqueue, delay_s=delay)


def enqueue_attempt(
    session: Session, delivery: WebhookDelivery, enqueue: Enqueue, *, why: str = "", delay_s: float = 0.0
) -> None:
    """A job for the delivery's next attempt; `why` tells it from one that exists for the same attempt."""
    number = delivery.attempts + 1
    name = f"whd-{delivery.id}-{number}" + (f"-{why}" if why else "")
    args = {"delivery_id": str(delivery.id), "number": number}
    enqueue(session, ATTEMPT, args, name, delay_s=delay_s, queue="webhooks")


def note_failure(
    session: Session, endpoint: WebhookEndpoint, outcome: AttemptResult, now: datetime, enqueue: Enqueue
) -> None:
    """Disable an endpoint that says it is gone, or that has answered nothing with success for five days."""
    endpoint.failing_since = endpoint.failing_since or now
    if not receives(endpoint):
        return
    if outcome.status == GONE:
        disable(session, endpoint, "it answered 410 Gone", now, enqueue)
    elif now - endpoint.failing_since >= GIVES_UP_AFTER:
        disable(session, endpoint, f"every call has failed for {GIVES_UP_AFTER.days} days", now, enqueue)


def disable(session: Session, endpoint: WebhookEndpoint, reason: str, now: datetime, enqueue: Enqueue) -> None:
    endpoint.state, endpoint.disabled_reason, endpoint.updated_at = "disabled", reason, now
    session.flush()
    if endpoint.project_id is not None:
        # Who changes the project waits for the number of his event: the project first, then the number.
        hold_project(session, endpoint.project_id)
    data = {"url": endpoint_path(endpoint.id), "reason": reason}
    events.record(session, endpoint.workspace_id, "endpoint.disabled", endpoint.project_id, data, now, enqueue)
