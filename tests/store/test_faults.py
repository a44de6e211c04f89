"""What goes wrong in the database is told apart, with its cause in the log."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from app.errors import DatabaseFailed, OutcomeUnknown, Unavailable
from app.services.ids import new_id
from app.settings import Settings
from app.store import db, faults
from app.store.db import Database, connect
from app.store.models.access import Workspace
from tests.api_client import NOW


def add_one(database: Database, name: str = "one", size: int = 1) -> None:
    with database.writing() as session:
        session.add(Workspace(id=new_id(), name=name * size, created_at=NOW))


def fill(database: Database, path: Path) -> None:
    """As a full disk: no page is to be had any more."""

    def no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count=1")

    event.listen(database.engine, "connect", no_more_pages)


def damage(database: Database, path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def cut(database: Database, path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def move_folder(database: Database, path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "tranche.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (fill, faults.FULL),
        (damage, faults.DAMAGED),
        (cut, faults.DAMAGED),
        (move_folder, faults.MISSING),
    ],
)
def test_a_failure_is_named_and_its_cause_is_logged(
    path: Path, spoil: Callable[[Database, Path], None], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = connect(Settings(database_url=f"sqlite:///{path}"))
    spoil(database, path)
    with pytest.raises(DatabaseFailed) as failed:
        add_one(database, size=10_000)
    database.close()
    assert failed.value.detail == says
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "sqlite3" not in failed.value.detail
    assert "Error: " in record.getMessage()


def test_a_file_that_may_only_be_read_is_named(path: Path) -> None:
    database = connect(Settings(database_url=f"sqlite:///file:{path}?mode=ro&uri=true"))
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM workspaces")) == 0
    with pytest.raises(DatabaseFailed, match="read-only"):
        add_one(database)
    database.close()


def test_a_lock_that_is_not_won_is_busy(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(db, "SQLITE_PRAGMAS", ("PRAGMA busy_timeout=50",))
    database = connect(Settings(database_url=f"sqlite:///{path}"))
    with database.writing() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(Unavailable) as busy:
            add_one(database)
    database.close()
    assert (type(busy.value), busy.value.detail) == (Unavailable, faults.BUSY)
    assert "database is locked" in caplog.text


def test_a_statement_that_is_wrong_is_no_fault_of_the_database(database: Database) -> None:
    add_one(database)
    with pytest.raises(IntegrityError):
        add_one(database)


def test_a_server_that_is_away_is_told_from_a_busy_one() -> None:
    database = connect(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(Unavailable) as away, database.reading() as session:
        session.execute(text("SELECT 1"))
    database.close()
    assert (type(away.value), away.value.detail) == (Unavailable, faults.AWAY)


@pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="needs a server that cuts connections")
@pytest.mark.parametrize("in_commit", [True, False])
def test_what_is_lost_in_commit_is_not_called_undone(postgresql_url: str, in_commit: bool) -> None:
    database = connect(Settings(database_url=postgresql_url))
    other = connect(Settings(database_url=postgresql_url))
    pid: int | None = None

    def cut_off(connection: object) -> None:
        with other.engine.connect() as admin:
            admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    def write() -> None:
        nonlocal pid
        with database.writing() as session:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            if in_commit:
                event.listen(database.engine, "commit", cut_off)
            else:
                cut_off(None)
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable) as lost:
        write()
    database.close()
    other.close()
    assert type(lost.value) is (OutcomeUnknown if in_commit else Unavailable)
    assert ("Nothing was changed" in lost.value.detail) is not in_commit


def test_a_table_that_is_not_there_is_no_busy_database(tmp_path: Path) -> None:
    database = connect(Settings(database_url=f"sqlite:///{tmp_path}/bare.db"))
    with pytest.raises(Unavailable, match="/readyz says why"):
        add_one(database)
    database.close()
