"""Pruning: what is older than its setting says goes, in batches of a transaction each.

Nothing goes that the ledger, the curves or the rounds are made of (observations with their forecasts, orders,
deliveries, manifests, money), nor what an open question needs: webhooks that wait to be applied, messages that are
still to be sent, and events that an endpoint has ahead of it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.services.retention.bodies import reduced_body
from app.settings import Settings
from app.store.db import Database, Session
from app.store.upkeep import retention as store
from app.store.upkeep.retention import ANSWERS, RULES, SESSIONS, Counts, Gone, Rule

BATCH = 500
BODIES = 50
ANSWERS_FOR = timedelta(hours=24)
REDUCED = "vendor_deliveries, bodies reduced"
EMPTIED = "vendor_rows, data emptied"


@dataclass(frozen=True)
class Chore:
    """One kind of upkeep. `batch` does the next part, and says what it did: nothing where nothing is left.

    count: what there is to do, on a snapshot from which others have taken what is gone.
    """

    batch: Callable[[], Counts]
    count: Callable[[Session, Gone], Counts]


def prune(database: Database, settings: Settings, now: datetime, goes_on: Callable[[], bool]) -> tuple[Counts, bool]:
    """Delete and reduce what is due, as long as `goes_on` says. Returns what was done, and whether all of it is."""
    done: Counter[str] = Counter()
    for work in all_chores(database, settings, now):
        while goes_on():
            counts = {name: count for name, count in work.batch().items() if count}
            done.update(counts)
            if not counts:
                break
        else:
            return dict(done), False
    return dict(done), True


def count_due(database: Database, settings: Settings, now: datetime) -> Counts:
    """What `prune` would do, if it went on to the end."""
    due: Counter[str] = Counter()
    gone: Gone = {}
    with database.reading() as session:
        for work in all_chores(database, settings, now):
            due.update(work.count(session, gone))
    return {name: count for name, count in due.items() if count}


def all_chores(database: Database, settings: Settings, now: datetime) -> Iterator[Chore]:
    """In the order in which one makes room for the next."""
    before = instants(settings, now)
    if "vendor_body_retention_days" in before:
        yield reducing(database, before["vendor_body_retention_days"], now)
    if "vendor_row_retention_days" in before:
        yield emptying(database, before["vendor_row_retention_days"], now)
    for name, rules in RULES.items():
        if name in before:
            for rule in rules:
                yield deleting(database, rule, before[name])
    if "event_retention_days" in before:
        yield events(database, before["event_retention_days"], before.get("webhook_delivery_retention_days"))
    yield deleting(database, ANSWERS, now - ANSWERS_FOR)
    yield deleting(database, SESSIONS, now)


def instants(settings: Settings, now: datetime) -> Mapping[str, datetime]:
    """Setting → what is older than this may go; without those that say for ever."""
    days = {name: value for name, value in settings.model_dump().items() if name.endswith("_retention_days")}
    return {name: now - timedelta(days=kept) for name, kept in days.items() if kept}


def deleting(database: Database, rule: Rule, before: datetime) -> Chore:
    def batch() -> Counts:
        with database.writing() as session:
            return store.delete_due(session, rule, before, BATCH)

    return Chore(batch, lambda session, gone: store.count_due(session, rule, before, gone))


def events(database: Database, before: datetime, deliveries_before: datetime | None) -> Chore:
    def batch() -> Counts:
        with database.reading() as session:
            workspaces = store.workspaces_with_old_events(session, before)
        if not workspaces:
            return {}
        with database.writing() as session:
            return {"events": store.delete_old_events(session, workspaces[0], before, BATCH)}

    return Chore(batch, lambda session, _: {"events": store.count_old_events(session, before, deliveries_before)})


def reducing(database: Database, before: datetime, now: datetime) -> Chore:
    def batch() -> Counts:
        # Read outside of the transaction that writes: a body can be large.
        with database.reading() as session:
            bodies = {
                row.id: reduced_body(connection, row) for row, connection in store.whole_bodies(session, before, BODIES)
            }
        with database.writing() as session:
            return {REDUCED: sum(store.reduce_body(session, id, body, now) for id, body in bodies.items())}

    return Chore(batch, lambda session, _: {REDUCED: store.count_whole_bodies(session, before)})


def emptying(database: Database, before: datetime, now: datetime) -> Chore:
    def batch() -> Counts:
        with database.writing() as session:
            return {EMPTIED: store.empty_labelled_rows(session, before, now, BATCH)}

    return Chore(batch, lambda session, _: {EMPTIED: store.count_labelled_rows(session, before)})
