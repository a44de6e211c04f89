"""Whether the database can serve: it has the newest schema, and takes what is written to it."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from sqlalchemy import update

from app.errors import DatabaseFailed, Unavailable
from app.store.db import BUSY_TIMEOUT_MS, Database
from app.store.faults import LOOK_AGAIN, MOVED, faults_told
from app.store.schema import APPLIED, require_current

WRITE_EVERY_S, AFTER_A_FAILURE_S = 10.0, 1.0
PATIENCE_MS = 500
"""Who holds the lock writes: then the database can be written, and readiness need not wait for its turn."""
# A full disk shows in a commit alone. Nothing changes, and no table is needed for it.
TOUCH = update(APPLIED).values(version_num=APPLIED.c.version_num)


@dataclass
class Readiness:
    """Asked by anybody, as often as they like: it writes every ten seconds at most, in one thread at a time."""

    database: Database
    next_write: float = field(default=0.0, init=False)
    failure: DatabaseFailed | None = field(default=None, init=False)
    writing: threading.Lock = field(default_factory=threading.Lock, init=False)

    def check(self) -> None:
        """Raises Unavailable, DatabaseFailed where the disk is full, the file read-only, missing or damaged."""
        require_current(self.database)
        if self.writing.acquire(blocking=False):
            try:
                if monotonic() >= self.next_write:
                    self.failure = failure_of_a_write(self.database)
                    self.next_write = monotonic() + (AFTER_A_FAILURE_S if self.failure else WRITE_EVERY_S)
            finally:
                self.writing.release()
        failure = self.failure
        if failure is not None:
            raise DatabaseFailed(failure.detail, headers=failure.headers)


def failure_of_a_write(database: Database) -> DatabaseFailed | None:
    sqlite = database.engine.dialect.name == "sqlite"
    file = database.engine.url.database or ""
    if sqlite and not file.startswith("file:") and not Path(file).exists():
        # SQLite itself goes on writing to what it has open.
        return DatabaseFailed(MOVED, headers=LOOK_AGAIN)
    patience = f"PRAGMA busy_timeout={PATIENCE_MS}" if sqlite else f"SET LOCAL lock_timeout = {PATIENCE_MS}"
    try:
        with faults_told(), database.engine.connect() as connection:
            try:
                connection.exec_driver_sql(patience)
                connection.execute(TOUCH)
                connection.commit()
            finally:
                connection.rollback()
                if sqlite:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    except DatabaseFailed as failure:
        return failure
    except Unavailable:
        # Busy: somebody else writes.
        return None
    return None
