"""Every test gets its own freshly migrated database: SQLite always, PostgreSQL where TEST_DATABASE_URL is set."""

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from uuid import UUID

import hypothesis
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, delete, table, text
from sqlalchemy.engine import make_url

from app.jobs.schema import migrate
from app.services.access.keys import create_key, peppers
from app.services.access.secrets import new_secret_key
from app.services.ids import new_id
from app.settings import Settings
from app.store import db
from app.store.db import Database, Session, connect
from app.store.models.access import Workspace
from app.store.models.metadata import metadata
from app.store.schema import ENGINE_TABLES
from tests.api_client import NOW, Api

LOOPBACK = (ip_network("127.0.0.0/8"),)
DURABLE = db.SQLITE_PRAGMAS
BACKENDS = ["sqlite", *(["postgresql"] if os.environ.get("TEST_DATABASE_URL") else [])]
one_database = pytest.mark.parametrize("database_url", BACKENDS[:1], indirect=True)
"""For tests of what no database has a say in: a body refused for its shape, or how a page or a chart is drawn of what
other tests read on both."""
# No property test measures time: a loaded machine may take as long as it needs for an example.
hypothesis.settings.register_profile("tranche", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tranche")
# No test's database need outlive a power cut; the test that those of the service do sets DURABLE back.
db.SQLITE_PRAGMAS = (*DURABLE, "PRAGMA synchronous=OFF")


MADE_OF_WHAT_IS_READ = tuple(
    f"{name}/" for name in ("tests/api/exports", "tests/api/planning", "tests/local", "tests/web")
)
"""Plans, exports and pages. What they are made of is read by services and the store, whose tests run on every database;
these run on SQLite, and elsewhere by `make test-postgresql`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        called = getattr(item, "callspec", None)
        if called is None or not item.nodeid.startswith(MADE_OF_WHAT_IS_READ):
            continue
        if set(BACKENDS[1:]) & {one for one in called.params.values() if isinstance(one, str)}:
            item.add_marker(pytest.mark.slow)


# While tests are collected, which makes hardly anything but what stays, looking for garbage takes a fifth of the time.
gc.disable()


def pytest_collection_finish() -> None:
    """What is loaded by now stays: full collections of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


TESTS_RUN = count(1)
OFTEN = 50
"""Tests after which what still lives is not looked through again: what some hundred of them leave is some hundred MB,
and going over it took two fifths of the time."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    if next(TESTS_RUN) % OFTEN == 0:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('template')}/template.db")
    migrate(settings)
    # The first connection makes it a file with a write-ahead log, which costs every copy two waits for the disk.
    connection = connect(settings)
    with connection.reading() as session:
        session.execute(text("SELECT 1"))
    connection.close()
    return Path(settings.database_url.removeprefix("sqlite:///"))


@contextmanager
def server_database(purpose: str = "test") -> Iterator[str]:
    """A database of this run's own on the server of TEST_DATABASE_URL, dropped at the end."""
    server = make_url(os.environ["TEST_DATABASE_URL"]).set(drivername="postgresql+psycopg")
    name = f"tranche_{purpose}_{os.getpid()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with server_database() as url:
        migrate(Settings(database_url=url))
        yield url


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str) -> Iterator[Engine]:
    """What empties the database between tests: to connect anew takes ten times as long as to empty."""
    # Tests may end its sessions.
    engine = create_engine(postgresql_url, pool_pre_ping=True)
    yield engine
    engine.dispose()


THEIRS = [table(name, schema="dbos") for name in ENGINE_TABLES - {"dbos_migrations"}]
DELETIONS = text("; ".join(str(delete(one)) for one in [*reversed(metadata.sorted_tables), *THEIRS]))


def empty(engine: Engine) -> None:
    """Row by row: a test leaves a few dozen, and TRUNCATE makes new files of every table, which takes a second."""
    with engine.begin() as connection:
        connection.execute(DELETIONS)


def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty database of the kind that is the fixture's parameter."""
    if request.param == "sqlite":
        path = tmp_path / "tranche.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgresql_url")
    empty(request.getfixturevalue("postgresql_engine"))
    return url


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_database(request, tmp_path)


@pytest.fixture(params=BACKENDS)
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/unmigrated.db"
    else:
        with server_database("unmigrated") as url:
            yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Without limits by the minute: the clock of tests stands, and they try many a wrong key."""
    return Settings(
        database_url=database_url,
        secret_keys=(SecretStr(new_secret_key()),),
        outbound_allow=LOOPBACK,
        calls_per_minute=0,
        failures_per_minute=0,
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = connect(settings)
    yield made
    made.close()


def new_workspace(session: Session, name: str = "default") -> UUID:
    workspace = Workspace(id=new_id(), name=name, created_at=NOW)
    session.add(workspace)
    session.flush()
    return workspace.id


def new_key(database: Database, scopes: str = "admin", **limits: object) -> str:
    with database.writing() as session:
        return create_key(session, NOW, peppers(())[0], scopes.split(","), **limits)  # type: ignore[arg-type]


@pytest.fixture
def api(settings: Settings, database: Database) -> Iterator[Api]:
    """The service, called with an admin key of the workspace 'default'."""
    made = Api(settings, new_key(database))
    yield made
    made.close()
