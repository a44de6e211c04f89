"""What is backed up while it is written comes back as it was, and a migration leaves the database of before."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from app.errors import Unavailable
from app.jobs.schema import migrate
from app.services.ids import new_id
from app.settings import Settings
from app.store import schema
from app.store.db import Database, connect
from app.store.models.access import Workspace
from app.store.upkeep import backups
from app.store.upkeep.backups import back_up, restore
from tests.api_client import NOW
from tests.conftest import one_database


def add(database: Database, name: str) -> None:
    with database.writing() as session:
        session.add(Workspace(id=new_id(), name=name, created_at=NOW))


def names(settings: Settings) -> list[str]:
    database = connect(settings)
    with database.reading() as session:
        found = list(session.scalars(text("SELECT name FROM workspaces ORDER BY name")))
    database.close()
    return found


@pytest.fixture
def own(request: pytest.FixtureRequest, unmigrated_url: str) -> Settings:
    """A migrated database that may be thrown away."""
    settings = Settings(database_url=unmigrated_url)
    migrate(settings)
    return settings


def test_a_backup_of_a_database_in_use_comes_back(own: Settings, tmp_path: Path) -> None:
    database = connect(own)
    add(database, "kept")
    with database.reading() as session:
        session.execute(text("SELECT 1"))
        back_up(own, tmp_path / "backup")
    with pytest.raises(Unavailable, match="there already"):
        back_up(own, tmp_path / "backup")
    add(database, "later")
    with pytest.raises(Unavailable, match="--replace"):
        restore(own, tmp_path / "backup", replace=False)
    assert names(own) == ["kept", "later"]
    # What a newer version made goes too.
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE newer (id INTEGER)"))
    database.close()
    restore(own, tmp_path / "backup", replace=True)
    assert names(own) == ["kept"]
    database = connect(own)
    assert schema.drift(database) == []
    database.close()
    migrate(own)
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")] == []


def test_what_is_no_backup_or_is_of_newer_software_changes_nothing(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(own)
    add(database, "kept")
    database.close()
    (tmp_path / "other").write_bytes(b"something else " * 1000)
    with pytest.raises(Unavailable, match=r"no backup|failed"):
        restore(own, tmp_path / "other", replace=True)
    back_up(own, tmp_path / "newer")
    monkeypatch.setattr(backups, "revisions", lambda: frozenset({"0001"}))
    with pytest.raises(Unavailable, match="newer Tranche"):
        restore(own, tmp_path / "newer", replace=True)
    assert names(own) == ["kept"]


@one_database
def test_sqlite_is_copied_before_it_is_migrated(tmp_path: Path, database_url: str) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/old.db")
    assert migrate(settings) is None
    command.downgrade(schema.migration_config(settings), "-1")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        [(before,)] = connection.execute("SELECT version_num FROM alembic_version")
    kept = migrate(settings)
    assert kept == tmp_path / f"old.db.at-{before}"
    assert backups.sqlite_revision(kept) == before
    assert migrate(settings) is None


@pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="pg_dump is for servers")
def test_a_server_without_its_programs_is_told_so(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="pg_dump is not installed"):
        back_up(Settings(database_url=postgresql_url), tmp_path / "backup")


def test_three_who_migrate_at_once_all_succeed(unmigrated_url: str) -> None:
    settings = Settings(database_url=unmigrated_url)
    failed: list[BaseException] = []

    def one() -> None:
        try:
            migrate(settings)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    database = connect(settings)
    assert schema.is_current(database)
    database.close()
