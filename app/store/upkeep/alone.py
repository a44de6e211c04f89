"""One process at a time changes a database's schema, or replaces what it holds."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from sqlalchemy import create_engine, make_url, pool, text

from app.settings import Settings

# Any number that no other program asks the same server for.
KEY = 7_206_171_113
AGAIN_S = 0.2


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Waits for whoever is inside with the same database. A process that dies is no longer inside."""
    if settings.database_url.startswith("sqlite"):
        with locked_folder(sqlite_file(settings).parent):
            yield
        return
    engine = create_engine(settings.database_url, poolclass=pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # Asked again and again: a statement that waits has a snapshot, for whose end an index that is made concurrently
        # by whoever is inside would wait.
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": KEY}):
            sleep(AGAIN_S)
        yield


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Of the folder, since closing the file itself would end the locks that SQLite holds on it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sqlite_file(settings: Settings) -> Path:
    name = make_url(settings.database_url).database or ""
    return Path(name.removeprefix("file:"))
