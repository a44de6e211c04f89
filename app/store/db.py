"""Engine, sessions and migrations: how the store is reached on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, event, orm
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import Unavailable
from app.settings import Settings

Session: TypeAlias = orm.Session

# Errors are logged, what was sent to the database is not.
POOL: dict[str, Any] = {"max_overflow": 0, "pool_timeout": 30, "hide_parameters": True}
BUSY_TIMEOUT_MS = 30_000
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
)


@dataclass(frozen=True)
class Database:
    """One engine, seen twice: `reads` take a snapshot and never write, `writes` may."""

    engine: Engine
    reads: Engine
    writes: Engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on one consistent snapshot; nothing it does is kept."""
        with busy_is_unavailable(), Session(self.reads) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end of the block, or rolled back where the block raises."""
        with busy_is_unavailable(), Session(self.writes, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def busy_is_unavailable() -> Iterator[None]:
    """Raises Unavailable for a lock not won in time, a full pool or a lost server: the caller may try again."""
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        detail = "The database is busy or cannot be reached. Nothing was changed; try again."
        raise Unavailable(detail, headers={"Retry-After": "1"}) from error


def connect(settings: Settings) -> Database:
    """The database of `settings`. Connects lazily."""
    options = {**POOL, "pool_size": settings.pool_size}
    if settings.database_url.startswith("sqlite"):
        engine = create_engine(settings.database_url, **options)
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", begin_sqlite)
        return Database(engine, engine, engine.execution_options(sqlite_begin="BEGIN IMMEDIATE"))
    engine = create_engine(settings.database_url, pool_pre_ping=True, **options)
    reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(engine, reads, engine)


def connect_engine(settings: Settings, pool_size: int) -> Engine:
    """The same database as the job engine wants to see it: its transactions begin at their first write."""
    engine = create_engine(settings.database_url, pool_pre_ping=True, pool_size=pool_size, **POOL)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", prepare_sqlite_for_engine)
    return engine


def prepare_sqlite_for_engine(connection: Any, record: object) -> None:
    prepare_sqlite(connection, record)
    connection.isolation_level = "IMMEDIATE"


def prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin at the first write only, and never IMMEDIATE: we begin ourselves.
    connection.isolation_level = None
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def begin_sqlite(connection: Connection) -> None:
    # A reader that upgrades to a writer fails at once with "database is locked": writers lock from the start.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
