"""What is deleted leaves the files too: the write-ahead log of SQLite, and pages that nothing is in any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.store.db import BUSY_TIMEOUT_MS, Database
from app.store.faults import faults_told

PATIENCE_MS = 100
"""While a log waits to be emptied, nobody may write."""


def empty_log(database: Database) -> bool:
    """Bring SQLite's write-ahead log into the file and empty it: rows that were deleted stand in it otherwise. False
    where somebody reads or writes meanwhile. PostgreSQL has no such file. Raises Unavailable, DatabaseFailed."""
    if database.engine.dialect.name != "sqlite":
        return True
    with outside_transactions(database) as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS}")
        busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return not busy


def rewrite(database: Database) -> None:
    """VACUUM: SQLite writes the file anew, which takes as much room once more, and nobody writes meanwhile; PostgreSQL
    makes the room of deleted rows free. Raises Unavailable, DatabaseFailed."""
    with outside_transactions(database) as connection:
        connection.exec_driver_sql("VACUUM")
    empty_log(database)


@contextmanager
def outside_transactions(database: Database) -> Iterator[Connection]:
    # SQLite's driver begins none by itself: only what we begin with has to be left out.
    sqlite = database.engine.dialect.name == "sqlite"
    option = {"sqlite_begin": "SELECT 1"} if sqlite else {"isolation_level": "AUTOCOMMIT"}
    with faults_told(), database.engine.execution_options(**option).connect() as connection:
        yield connection
