"""Engine, sessions and migrations: how the store is reached on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, event, make_url, orm
from sqlalchemy.pool import StaticPool

from app.settings import Settings
from app.store.faults import faults_told
from app.store.models.metadata import metadata

Session: TypeAlias = orm.Session

# Errors are logged, what was sent to the database is not.
POOL: dict[str, Any] = {"max_overflow": 0, "pool_timeout": 30, "hide_parameters": True}
BUSY_TIMEOUT_MS = 30_000
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    # What is deleted is overwritten in the file.
    "PRAGMA secure_delete=ON",
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
        with faults_told(), Session(self.reads) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end of the block, or rolled back where the block raises."""
        with faults_told(), Session(self.writes, expire_on_commit=False) as session:
            yield session
            session.flush()
            # Whoever is cut off up to here knows that nothing was done.
            with faults_told(committing=True):
                session.commit()

    def close(self) -> None:
        self.engine.dispose()


def connect(settings: Settings) -> Database:
    """The database of `settings`. Connects lazily."""
    options = {**POOL, "pool_size": settings.pool_size}
    if settings.database_url.startswith("sqlite"):
        engine = create_engine(settings.database_url, **options)
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", begin_sqlite)
        return Database(engine, engine, engine.execution_options(sqlite_begin="BEGIN IMMEDIATE"))
    engine = create_engine(settings.database_url, connect_args=session_limits(settings), pool_pre_ping=True, **options)
    event.listen(engine, "connect", speak_utc)
    reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(engine, reads, engine)


def memory_database() -> Database:
    """An empty database with the newest schema, of one thread, for a question that leaves nothing behind: it is gone
    when it is closed."""
    engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", begin_sqlite)
    metadata.create_all(engine)
    return Database(engine, engine, engine)


def connect_engine(settings: Settings, pool_size: int) -> Engine:
    """The same database as the job engine wants to see it: its transactions begin at their first write."""
    options = {**POOL, "pool_size": pool_size, "pool_pre_ping": True}
    if settings.database_url.startswith("sqlite"):
        engine = create_engine(settings.database_url, **options)
        event.listen(engine, "connect", prepare_sqlite_for_engine)
        return engine
    return create_engine(settings.database_url, connect_args=session_limits(settings), **options)


def session_limits(settings: Settings) -> dict[str, Any]:
    """libpq's parameters by which no session on PostgreSQL waits, works or idles for ever: at this end of the
    connection and, by `options`, at the server's. What the URL says itself comes last there, and wins.

    A limit of 0 is left out, so that a pooler which takes no `options` can be used.
    """
    milliseconds = {
        "lock_timeout": settings.lock_timeout_s,
        "statement_timeout": settings.statement_timeout_s,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout_s,
    }
    limits = [f"{name}={round(1000 * seconds)}" for name, seconds in milliseconds.items() if seconds]
    ours: dict[str, Any] = {}
    if settings.keepalive_s:
        # Silence of so long is asked about three times; then the other end is taken for gone. What was sent and is not
        # acknowledged is asked about by nobody: it has a limit of its own.
        again = max(settings.keepalive_s // 3, 1)
        ours = {"keepalives_idle": settings.keepalive_s, "keepalives_interval": again, "keepalives_count": 3}
        limits += [f"tcp_{name}={value}" for name, value in ours.items()]
        ours["tcp_user_timeout"] = 1000 * (settings.keepalive_s + 3 * again)
        limits.append(f"tcp_user_timeout={ours['tcp_user_timeout']}")
    theirs = make_url(settings.database_url).query
    options = " ".join([*(f"-c {limit}" for limit in limits), str(theirs.get("options", ""))]).strip()
    kept = {name: value for name, value in ours.items() if name not in theirs}
    return kept | ({"options": options} if options else {})


def speak_utc(connection: Any, _record: object) -> None:
    # In another zone instants of the calendar's first and last day are of years that Python does not have.
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def prepare_sqlite_for_engine(connection: Any, record: object) -> None:
    prepare_sqlite(connection, record)
    connection.isolation_level = "IMMEDIATE"


def begin_ourselves(connection: Any, _record: object) -> None:
    # The driver would begin at the first write of rows only, and never IMMEDIATE.
    connection.isolation_level = None


def prepare_sqlite(connection: Any, record: object) -> None:
    begin_ourselves(connection, record)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def begin_sqlite(connection: Connection) -> None:
    # A reader that upgrades to a writer fails at once with "database is locked": writers lock from the start.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
