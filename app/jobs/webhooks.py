"""The jobs that send webhooks: take a message in one transaction, call in none, record in the next."""

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any
from uuid import UUID

from app.errors import SecretUnreadable
from app.jobs.workflows import Context
from app.outbound.call import TIMEOUT_S, Outbound
from app.outbound.errors import OutboundError
from app.outbound.targets import Policy
from app.services.access.redaction import redact
from app.services.access.secrets import SecretBox
from app.services.webhooks.attempts import AttemptResult, record_attempt
from app.services.webhooks.dispatch import hand_over, take_attempt, take_due, take_next
from app.services.webhooks.endpoints import purpose
from app.services.webhooks.messages import Message
from app.services.webhooks.retries import retry_after
from app.services.webhooks.signing import PREFIX, signed_headers
from app.store import webhooks as store

# After this a job gives way to those of other endpoints.
TURN_S = 20.0


def dispatch(context: Context, args: Mapping[str, Any]) -> None:
    """Make the first attempts that an endpoint has coming, in order."""
    endpoint_id, holder = UUID(args["endpoint_id"]), args["holder"]
    with context.database.writing() as session:
        # Committed before anything is read: from here on an event that we might not see sends a job of its own.
        store.wake(session, endpoint_id)
    with context.database.writing() as session:
        message = take_next(session, endpoint_id, holder, context.clock(), context.enqueue)
    turn_ends = monotonic() + TURN_S
    while message is not None:
        outcome = call(context, message)
        with context.database.writing() as session:
            record_attempt(session, message, outcome, context.clock(), context.enqueue)
            if monotonic() > turn_ends:
                hand_over(session, endpoint_id, holder, context.enqueue)
                return
            message = take_next(session, endpoint_id, holder, context.clock(), context.enqueue)


def attempt(context: Context, args: Mapping[str, Any]) -> None:
    """Make one attempt of one delivery, where it is still due."""
    with context.database.writing() as session:
        message = take_attempt(session, UUID(args["delivery_id"]), args["number"], context.clock())
    if message is not None:
        outcome = call(context, message)
        with context.database.writing() as session:
            record_attempt(session, message, outcome, context.clock(), context.enqueue)


def redeliver(context: Context, args: Mapping[str, Any]) -> None:
    """Make every repeated attempt of an endpoint that is due, each once."""
    for message in due(context, UUID(args["endpoint_id"])):
        outcome = call(context, message)
        with context.database.writing() as session:
            record_attempt(session, message, outcome, context.clock(), context.enqueue)


def due(context: Context, endpoint_id: UUID) -> Iterator[Message]:
    after = 0
    while True:
        with context.database.writing() as session:
            message = take_due(session, endpoint_id, context.clock(), after)
        if message is None or message.sequence is None:
            return
        after = message.sequence
        yield message


def call(context: Context, message: Message) -> AttemptResult:
    """Send a message, signed. Raises nothing that a receiver can cause."""
    now = context.clock()
    box = SecretBox(context.settings.secret_keys)
    started = monotonic()
    try:
        secrets = [box.open(sealed, purpose(message.endpoint_id)) for sealed in message.sealed_secrets]
        signed = signed_headers(str(message.event_id), now, message.body, secrets)
        headers = {"Content-Type": "application/json", "User-Agent": "Tranche", **signed}
        outbound = Outbound(Policy(context.settings.outbound_allow))
        reply = outbound.send("POST", message.url, headers=headers, content=message.body, timeout_s=TIMEOUT_S)
    except OutboundError as error:
        return AttemptResult(now, None, monotonic() - started, error.code, str(error))
    except SecretUnreadable as error:
        return AttemptResult(now, None, 0.0, "secret_unreadable", error.detail)
    hidden = [*secrets, *(secret.removeprefix(PREFIX) for secret in secrets), *signed["webhook-signature"].split()]
    return AttemptResult(
        now,
        reply.status,
        reply.duration_s,
        answer=redact(reply.body, hidden),
        retry_after_s=retry_after(reply.headers.get("retry-after"), now),
    )
