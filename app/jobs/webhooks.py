"""The jobs that send webhooks and notices: take messages in one transaction, call in none, record in the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from app.errors import SecretUnreadable
from app.jobs.workflows import Context
from app.outbound.call import TIMEOUT_S, Line, Outbound, Reply
from app.outbound.errors import OutboundError
from app.outbound.mail import send_mail
from app.outbound.targets import Policy
from app.services.access.redaction import redact
from app.services.access.secrets import SecretBox
from app.services.notices import slack
from app.services.notices.mail import addresses_of, mail_of, mail_server
from app.services.notices.words import Notice
from app.services.webhooks.attempts import AttemptResult, Made, record_attempt, record_attempts
from app.services.webhooks.dispatch import hand_over, take_attempt, take_due, take_next
from app.services.webhooks.endpoints import purpose
from app.services.webhooks.messages import Message
from app.services.webhooks.retries import retry_after
from app.services.webhooks.signing import PREFIX, signed_headers
from app.store import webhooks as store

# After this a job gives way to those of other endpoints.
TURN_S = 20.0
# So much at most is sent again after a crash. One commit serves all that a quick receiver takes within a moment; a slow
# one has its attempts recorded one by one.
MOMENT_S = 0.25
MOST = 64
JSON = {"Content-Type": "application/json", "User-Agent": "Tranche"}


def dispatch(context: Context, args: Mapping[str, Any]) -> None:
    """Make the first attempts that an endpoint has coming, in order."""
    endpoint_id, holder = UUID(args["endpoint_id"]), args["holder"]
    with context.database.writing() as session:
        # Committed before anything is read: from here on an event that we might not see sends a job of its own.
        store.wake(session, endpoint_id)
    with context.database.writing() as session:
        messages = take_next(session, endpoint_id, holder, context.clock(), context.enqueue)
    turn_ends, most = monotonic() + TURN_S, 1
    with outbound(context).line(TIMEOUT_S) as line:
        while messages:
            made = send_some(context, line, messages)
            most = min(2 * most, MOST) if len(made) == len(messages) else len(made)
            with context.database.writing() as session:
                record_attempts(session, endpoint_id, made, context.clock(), context.enqueue)
                if monotonic() > turn_ends:
                    hand_over(session, endpoint_id, holder, context.enqueue)
                    return
                messages = take_next(session, endpoint_id, holder, context.clock(), context.enqueue, most)


def send_some(context: Context, line: Line, messages: Sequence[Message]) -> list[Made]:
    """The first of `messages`, then more, one after another, until a moment is over or one fails: that may change what
    is sent next, and is recorded first."""
    moment_ends = monotonic() + MOMENT_S
    made: list[Made] = []
    for message in messages:
        outcome = call_on(line, context, message)
        made.append((message, outcome))
        if not outcome.succeeded or monotonic() > moment_ends:
            break
    return made


def outbound(context: Context) -> Outbound:
    return Outbound(Policy(context.settings.outbound_allow, context.settings.outbound_ports))


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
    """Send one message; see `call_on`."""
    with outbound(context).line(TIMEOUT_S) as line:
        return call_on(line, context, message)


def call_on(line: Line, context: Context, message: Message) -> AttemptResult:
    """Send a message. Raises nothing that a receiver can cause."""
    started = monotonic()
    try:
        if isinstance(message.content, bytes):
            return post_event(line, context, message, message.content)
        if message.kind == "slack":
            return post_to_slack(line, context, message, message.content)
        return mail(context, message, message.content)
    except OutboundError as error:
        return AttemptResult(context.clock(), None, monotonic() - started, error.code, str(error))
    except SecretUnreadable as error:
        return AttemptResult(context.clock(), None, 0.0, "secret_unreadable", error.detail)


def post_event(line: Line, context: Context, message: Message, body: bytes) -> AttemptResult:
    """A webhook, signed. Raises OutboundError, SecretUnreadable."""
    now = context.clock()
    box = SecretBox(context.settings.secret_keys)
    secrets = [box.open(sealed, purpose(message.endpoint_id)) for sealed in message.sealed_secrets]
    signed = signed_headers(str(message.event_id), now, body, secrets)
    reply = line.send("POST", message.url, headers={**JSON, **signed}, content=body)
    hidden = [*secrets, *(secret.removeprefix(PREFIX) for secret in secrets), *signed["webhook-signature"].split()]
    return result_of(reply, now, hidden)


def post_to_slack(line: Line, context: Context, message: Message, notice: Notice) -> AttemptResult:
    """Raises OutboundError."""
    now = context.clock()
    body = slack.slack_body(notice, context.settings.base_url)
    reply = line.send("POST", message.url, headers=JSON, content=body)
    result = result_of(reply, now, [message.url])
    if result.succeeded and reply.body.strip() != slack.TAKEN:
        return replace(result, error="bad_answer", detail="not Slack's ok: is it the URL of an incoming webhook?")
    return result


def mail(context: Context, message: Message, notice: Notice) -> AttemptResult:
    """Raises OutboundError."""
    now, server = context.clock(), mail_server(context.settings)
    if server is None:
        return AttemptResult(now, None, 0.0, "no_mail_server", "the service has no TRANCHE_SMTP_HOST any more")
    to = addresses_of(message.url)
    base_url = context.settings.base_url
    content = mail_of(notice, to, server.sender, base_url, message.endpoint_id, message.event_id, now)
    return result_of(send_mail(server, to, content.as_bytes()), now, [server.password] if server.password else [])


def result_of(reply: Reply, now: datetime, hidden: Sequence[str]) -> AttemptResult:
    return AttemptResult(
        now,
        reply.status,
        reply.duration_s,
        answer=redact(reply.body, hidden),
        retry_after_s=retry_after(reply.headers.get("retry-after"), now),
    )
