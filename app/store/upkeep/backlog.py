"""What waits in the database: counted for operators, each count up to a bound, so that a long queue is not made worse
by counting it."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, TextClause, bindparam, func, literal, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.store.db import Database
from app.store.jobs import shared_now
from app.store.models.access import Workspace
from app.store.models.jobs import Job, Worker
from app.store.models.vendors import VendorConnection, VendorDelivery
from app.store.models.webhooks import WebhookDelivery, WebhookEndpoint

MOST = 10_000
"""Nothing is counted beyond."""
MOST_EACH = 1_000
"""Of failed jobs, and of what is counted connection by connection, or endpoint by endpoint."""
FIRST = 100
"""Among so many of a queue's first the one that has waited longest is looked for: they do not stand by that alone."""
PATIENCE_MS = 2_000
LATELY = timedelta(hours=1)
HEARD = timedelta(seconds=60)


@dataclass(frozen=True)
class QueueState:
    """waiting: jobs whose time has come. oldest_s: how long the first of them has waited. failed: for good, within the
    last hour."""

    waiting: int
    running: int
    oldest_s: float
    failed: int


@dataclass(frozen=True)
class Backlog:
    """delayed: jobs whose time is still to come. workers: heard of within a minute; heard_s: seconds since the newest
    word of any, None where none is known. Deliveries by outcome or state. endpoints_behind: with events that were not
    sent to them yet."""

    queues: Mapping[str, QueueState]
    delayed: int
    workers: int
    heard_s: float | None
    vendor_deliveries: Mapping[str, int]
    webhook_deliveries: Mapping[str, int]
    endpoints_disabled: int
    endpoints_behind: int


def backlog(database: Database, queues: Collection[str]) -> Backlog:
    """What waits at this moment. Raises Unavailable where the database does not say so within seconds."""
    with database.reading() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text(f"SET LOCAL statement_timeout = {PATIENCE_MS}"))
        now = shared_now(session)
        failed = failed_lately(session, now)
        newest, workers = session.execute(
            select(func.max(Worker.seen_at), func.count().filter(Worker.seen_at >= now - HEARD)).select_from(Worker)
        ).one()
        behind = endpoints("active").join(Workspace, Workspace.id == WebhookEndpoint.workspace_id)
        return Backlog(
            queues={name: queue_state(session, name, now, failed[name]) for name in queues},
            delayed=session.scalar(of_engine(session, DELAYED), {"most": MOST}) or 0,
            workers=workers,
            heard_s=None if newest is None else max(0.0, (now - newest).total_seconds()),
            vendor_deliveries=each(
                session,
                VendorConnection.id,
                VendorDelivery.connection_id,
                VendorDelivery.outcome,
                ("received", "quarantined"),
            ),
            webhook_deliveries=each(
                session, WebhookEndpoint.id, WebhookDelivery.endpoint_id, WebhookDelivery.state, ("pending", "failed")
            ),
            endpoints_disabled=counted(session, endpoints("disabled")),
            endpoints_behind=counted(session, behind.where(WebhookEndpoint.sequence < Workspace.last_sequence)),
        )


# Of the job engine's table, each along one of its indexes. These are of some states alone, and found by SQLite only
# where a query says so in their words; PostgreSQL reads no further than it must where the order is the index's.
IN_FLIGHT = """
FROM {jobs} WHERE status IN ('ENQUEUED', 'PENDING') AND queue_name = :queue AND status = '{state}'
ORDER BY priority, created_at LIMIT :most"""
IN_STATE = f"SELECT count(*) FROM (SELECT 1 {IN_FLIGHT}) AS first"  # noqa: S608
# A job that was delayed has waited since its time came.
CAME = f"""
SELECT min(came) FROM (
  SELECT CASE WHEN delay_until_epoch_ms > created_at THEN delay_until_epoch_ms ELSE created_at END AS came {IN_FLIGHT}
) AS first"""  # noqa: S608
DELAYED = "SELECT count(*) FROM (SELECT 1 FROM {jobs} WHERE status = 'DELAYED' LIMIT :most) AS first"
GIVEN_UP = """
SELECT queue_name, count(*) FROM (
  SELECT queue_name, completed_at FROM {jobs}
  WHERE status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') AND status = '{state}'
  ORDER BY created_at DESC LIMIT :most
) AS newest WHERE completed_at >= :since GROUP BY queue_name"""
QUEUES = "SELECT queue_name, count(*) FROM {jobs} WHERE workflow_uuid IN :ids GROUP BY queue_name"


def of_engine(session: Session, query: str, state: str = "") -> TextClause:
    table = "dbos.workflow_status" if session.get_bind().dialect.name == "postgresql" else "workflow_status"
    return text(query.format(jobs=table, state=state))


def queue_state(session: Session, name: str, now: datetime, failed: int) -> QueueState:
    bounds = {"queue": name, "most": MOST}
    waiting = session.scalar(of_engine(session, IN_STATE, "ENQUEUED"), bounds) or 0
    running = session.scalar(of_engine(session, IN_STATE, "PENDING"), bounds) or 0
    came = session.scalar(of_engine(session, CAME, "ENQUEUED"), {"queue": name, "most": FIRST})
    oldest_s = 0.0 if came is None else max(0.0, now.timestamp() - came / 1000)
    return QueueState(waiting, running, oldest_s, failed)


def failed_lately(session: Session, now: datetime) -> Counter[str]:
    """By queue: jobs that the engine gave up, and those whose own record says that they failed."""
    found: Counter[str] = Counter()
    bounds = {"most": MOST_EACH, "since": 1000 * (now - LATELY).timestamp()}
    for state in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        for queue, count in session.execute(of_engine(session, GIVEN_UP, state), bounds):
            found[queue] += count
    ended = select(Job.id, Job.state).where(Job.ended_at >= now - LATELY).order_by(Job.ended_at.desc())
    newest = ended.limit(MOST).subquery()
    ids = session.scalars(select(newest.c.id).where(newest.c.state == "failed").limit(MOST_EACH)).all()
    if ids:
        queues = of_engine(session, QUEUES).bindparams(bindparam("ids", expanding=True))
        for queue, count in session.execute(queues, {"ids": [str(one) for one in ids]}):
            found[queue] += count
    return found


def endpoints(state: str) -> Select[int]:
    return (
        select(literal(1))
        .select_from(WebhookEndpoint)
        .where(WebhookEndpoint.state == state, WebhookEndpoint.archived_at.is_(None))
    )


def counted(session: Session, rows: Select[int]) -> int:
    return session.scalar(select(func.count()).select_from(rows.limit(MOST).subquery())) or 0


def each(
    session: Session,
    parent: InstrumentedAttribute[object],
    reference: InstrumentedAttribute[object],
    state: InstrumentedAttribute[str],
    states: Collection[str],
) -> Mapping[str, int]:
    """Children by state, counted parent by parent: an index begins with the parent, and none with the state."""

    def total(wanted: ColumnElement[bool]) -> int:
        of_one = select(literal(1)).where(reference == parent, wanted).limit(MOST_EACH).correlate(parent.parent)
        count = select(func.count()).select_from(of_one.subquery()).scalar_subquery()
        by_parent = select(count.label("count")).select_from(parent.parent).limit(MOST).subquery()
        return int(session.scalar(select(func.coalesce(func.sum(by_parent.c.count), 0))) or 0)

    return {one: total(state == one) for one in states}
