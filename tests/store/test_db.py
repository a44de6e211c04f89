"""The store keeps what it is given, and its migrations make what its models say."""

import os
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from dbos import DBOS
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, inspect, make_url, text

from app.errors import Unavailable
from app.services.ids import new_id
from app.settings import Settings
from app.store import db
from app.store.db import Database, connect, connect_engine, memory_database, session_limits
from app.store.models.access import Workspace
from app.store.models.base import Money
from app.store.models.projects import Project
from app.store.schema import ENGINE_TABLES, drift, is_current, migrate, migration_config, newest_revision
from tests.api_client import NOW
from tests.conftest import DURABLE, new_workspace

needs_a_server = pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="SQLite has no sessions")


def test_migrations_make_what_the_models_say(database: Database, settings: Settings) -> None:
    assert drift(database) == []
    assert is_current(database)


def test_the_newest_revision_is_read_as_alembic_reads_it(settings: Settings) -> None:
    assert newest_revision() == ScriptDirectory.from_config(migration_config(settings)).get_current_head()


def test_migrating_twice_changes_nothing(settings: Settings, database: Database) -> None:
    migrate(settings)
    assert is_current(database)


def test_a_database_without_tables_is_not_current(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/empty.db")
    database = connect(settings)
    assert not is_current(database)
    assert drift(database) != []
    database.close()


def stored_project(total: Decimal) -> tuple[Workspace, Project]:
    workspace = Workspace(id=new_id(), name=str(new_id()), created_at=NOW)
    project = Project(
        id=new_id(), workspace_id=workspace.id, name="p", currency="USD", metric_name="m", metric_kind="other",
        metric_goal="maximize", metric_lower=None, metric_upper=1.0, objective={"kind": "utilitarian"},
        stakeholders=[], set_limits=[], value_per_utility=None, smallest_gain=None, budget_total=total, budget_rounds=1,
        recipe="default", model="joint", reference_loss=None, data_version=1, data_at=NOW,
        created_at=NOW, updated_at=NOW, archived_at=None,
    )  # fmt: skip
    return workspace, project


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(micros=st.integers(0, 999_999_999_999_999_999))
def test_money_comes_back_to_the_last_millionth(database: Database, micros: int) -> None:
    amount = Decimal(micros) / 1_000_000
    workspace, project = stored_project(amount)
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.add(project)
    with database.reading() as session:
        row = session.get(Project, project.id)
        assert row is not None
        assert row.budget_total == amount
        assert row.created_at == NOW


def test_money_refuses_what_it_would_have_to_round() -> None:
    with pytest.raises(ValueError, match="six decimals"):
        Money().process_bind_param(Decimal("0.0000001"), None)  # type: ignore[arg-type]


def test_reading_keeps_nothing(database: Database) -> None:
    with database.reading() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.add(Workspace(id=new_id(), name="lost", created_at=NOW))
            session.flush()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM workspaces")) == 0


def test_a_reader_sees_one_snapshot_while_another_writes(database: Database) -> None:
    count = text("SELECT count(*) FROM workspaces")
    with database.reading() as reader:
        before = reader.scalar(count)
        with database.writing() as writer:
            writer.add(Workspace(id=new_id(), name="new", created_at=NOW))
        assert reader.scalar(count) == before


def test_a_block_that_raises_is_rolled_back(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            session.add(Workspace(id=new_id(), name="gone", created_at=NOW))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM workspaces")) == 0


def test_writers_that_read_first_lose_nothing(database: Database) -> None:
    """Read, then write what was read plus one, from eight threads: every step counts."""
    workspace, project = stored_project(Decimal(1))
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.add(project)

    def count_up() -> None:
        for _ in range(5):
            with database.writing() as session:
                row = session.get(Project, project.id, with_for_update=True)
                assert row is not None
                row.data_version += 1

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        row = session.get(Project, project.id)
        assert row is not None
        assert row.data_version == 41


def test_a_server_that_is_away_is_unavailable() -> None:
    database = connect(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(Unavailable), database.reading() as session:
        session.execute(text("SELECT 1"))
    database.close()


@needs_a_server
def test_a_row_that_another_holds_is_unavailable_in_time(postgresql_url: str) -> None:
    """And the connection is free again: who waited keeps nobody else from the database."""
    settings = Settings(database_url=postgresql_url, lock_timeout_s=0.2, pool_size=1)
    holder, database = connect(settings), connect(settings)
    held = text("SELECT pg_advisory_xact_lock(77)")
    with holder.writing() as holding:
        holding.execute(held)
        with pytest.raises(Unavailable) as refused, database.writing() as session:
            session.execute(held)
        with database.reading() as session:
            assert session.scalar(text("SELECT 1")) == 1
    holder.close()
    database.close()
    assert refused.value.headers["Retry-After"]


@needs_a_server
def test_sessions_of_the_service_and_of_the_engine_have_limits(postgresql_url: str) -> None:
    url = make_url(postgresql_url).update_query_dict({"options": "-c statement_timeout=7000"})
    settings = Settings(database_url=url.render_as_string(hide_password=False), keepalive_s=20)
    database, engine = connect(settings), connect_engine(settings, 1)
    names = (
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "tcp_keepalives_idle",
        "tcp_user_timeout",
    )
    for one in (database.engine, engine):
        with one.connect() as connection:
            limits = [connection.scalar(text(f"SHOW {name}")) for name in names]
            # The server's end of a connection that is no socket file.
            assert limits == ["10s", "7s", "5min", "20", "38000"]
        one.dispose()


def test_limits_of_0_ask_nothing_of_the_server() -> None:
    url = "postgresql://h/d"
    unlimited = Settings(
        database_url=url, lock_timeout_s=0, statement_timeout_s=0, idle_in_transaction_timeout_s=0, keepalive_s=0
    )
    assert session_limits(unlimited) == {}


def test_sqlite_survives_a_power_cut_and_checks_its_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "SQLITE_PRAGMAS", DURABLE)
    database = connect(Settings(database_url=f"sqlite:///{tmp_path}/t.db"))
    with database.engine.connect() as connection:
        pragma = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    database.close()
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_the_engines_tables_are_known_by_name(tmp_path: Path, database: Database) -> None:
    """What the job engine makes, and nothing else, is left out when the migrations are compared with the models."""
    url = f"sqlite:///{tmp_path}/engine.db"
    DBOS.migrate(url)
    engine = create_engine(url)
    assert set(inspect(engine).get_table_names()) == ENGINE_TABLES
    engine.dispose()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE stray (id INTEGER)"))
    try:
        assert "stray" in str(drift(database))
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("DROP TABLE stray"))


def test_a_database_in_memory_has_the_newest_schema_and_is_gone_when_closed() -> None:
    database = memory_database()
    assert drift(database) == []
    with database.writing() as session:
        new_workspace(session)
    with database.reading() as session:
        assert session.query(Workspace).count() == 1
    database.close()
    with memory_database().reading() as session:
        assert session.query(Workspace).count() == 0
