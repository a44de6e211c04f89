"""The upkeep of what is stored: a turn now and then, short enough for whoever has other things to do between."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from app.jobs.client import JobClient
from app.services.retention.erasing import take_up_late
from app.services.retention.pruning import count_due, prune
from app.settings import Settings
from app.store import jobs as store
from app.store.db import Database
from app.store.upkeep.retention import Counts
from app.store.upkeep.space import empty_log

log = logging.getLogger(__name__)

TURN_S = 2.0
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
BATCH = 500
ENGINE = "workflows of the job engine"


def keep_up(database: Database, client: JobClient, settings: Settings, turn_s: float = TURN_S) -> bool:
    """Delete and reduce what is due, for about `turn_s` seconds; False where some is left, in SQLite's log too."""
    with database.writing() as session:
        take_up_late(session, store.shared_now(session), client.enqueue)
    ends = monotonic() + turn_s
    counts, whole = purge(database, client, settings, lambda: monotonic() < ends)
    if counts:
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        log.info("what was kept long enough is gone (%s)", told)
    # Also of what calls and erasures have deleted since.
    return empty_log(database) and whole


def purge(
    database: Database, client: JobClient, settings: Settings, goes_on: Callable[[], bool] = lambda: True
) -> tuple[Counts, bool]:
    """As `services.retention.pruning.prune`, the job engine's own tables too."""
    with database.reading() as session:
        now = store.shared_now(session)
    counts, whole = prune(database, settings, now, goes_on)
    gone = 0
    while whole and settings.job_retention_days and (some := old_workflows(client, settings, now, BATCH)):
        client.engine.delete_workflows(some)
        gone += len(some)
        whole = goes_on()
    return counts | ({ENGINE: gone} if gone else {}), whole


def due(database: Database, client: JobClient, settings: Settings) -> Counts:
    """What `purge` would do."""
    with database.reading() as session:
        now = store.shared_now(session)
    counts = count_due(database, settings, now)
    old = len(old_workflows(client, settings, now, None)) if settings.job_retention_days else 0
    return counts | ({ENGINE: old} if old else {})


def old_workflows(client: JobClient, settings: Settings, now: datetime, most: int | None) -> list[str]:
    """Ids of those that ended longer ago than jobs are kept."""
    before = now - timedelta(days=settings.job_retention_days)
    found = client.engine.list_workflows(
        status=ENDED, completed_before=before.isoformat(), limit=most, load_input=False, load_output=False
    )
    return [one.workflow_id for one in found]
