"""Readiness knows a database that cannot be written, forgets it when it can, and does not wait for its turn."""

import os
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app.errors import DatabaseFailed, Unavailable
from app.settings import Settings
from app.store.db import Database, connect
from app.store.upkeep import readiness
from app.store.upkeep.readiness import Readiness
from tests.conftest import one_database


def test_a_database_that_takes_no_writes_is_not_ready_until_it_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a standby that a server fell back to, or a file that became read-only."""
    monkeypatch.setattr(readiness, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(readiness, "AFTER_A_FAILURE_S", 0.0)
    database = connect(settings)
    ready = Readiness(database)
    ready.check()
    sqlite = database.engine.dialect.name == "sqlite"
    only_reads = False

    @event.listens_for(database.engine, "begin")
    def set_mode(connection: object) -> None:
        if sqlite:
            connection.exec_driver_sql(f"PRAGMA query_only={int(only_reads)}")  # type: ignore[attr-defined]
        elif only_reads:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")  # type: ignore[attr-defined]

    only_reads = True
    for _ in range(2):
        with pytest.raises(DatabaseFailed, match="read-only"):
            ready.check()
    only_reads = False
    ready.check()
    database.close()


def test_it_writes_at_most_every_ten_seconds_and_says_meanwhile_what_it_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    now = 100.0
    full = DatabaseFailed("full")

    def write(_: Database) -> DatabaseFailed | None:
        asked.append(now)
        return full if len(asked) == 2 else None

    monkeypatch.setattr(readiness, "failure_of_a_write", write)
    monkeypatch.setattr(readiness, "monotonic", lambda: now)
    ready = Readiness(database)
    for now in (100.0, 109.9, 110.1, 110.5):
        if now < 110:
            ready.check()
        else:
            with pytest.raises(DatabaseFailed, match="full"):
                ready.check()
    now = 111.2
    ready.check()
    assert asked == [100.0, 110.1, 111.2]


def test_who_writes_does_not_make_it_unready(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = version_num"))
        Readiness(database).check()


@one_database
def test_a_file_that_is_gone_is_not_ready(database_url: str, database: Database) -> None:
    """What is open goes on being written, and is lost with the last that has it open."""
    ready = Readiness(database)
    ready.check()
    Path(database_url.removeprefix("sqlite:///")).unlink()
    ready.next_write = 0.0
    with pytest.raises(DatabaseFailed, match="moved or deleted"):
        ready.check()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def check_often(ready: Readiness) -> None:
    """Until the last pages that the database has are used."""
    for _ in range(50):
        ready.next_write = 0.0
        ready.check()


@pytest.mark.skipif(not Path("/proc/self/mounts").exists() or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_seen_and_nothing_is_lost(tmp_path: Path, sqlite_template: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=4m tmpfs {disk} 2>/dev/null"):  # noqa: S605
        pytest.skip("may not mount")
    try:
        (disk / "t.db").write_bytes(sqlite_template.read_bytes())
        database = connect(Settings(database_url=f"sqlite:///{disk}/t.db"))
        ready = Readiness(database)
        ready.check()
        filler = disk / "fill"
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        with pytest.raises(Unavailable, match="full"):
            check_often(ready)
        filler.unlink()
        ready.next_write = 0.0
        ready.check()
        database.close()
    finally:
        os.system(f"umount {disk}")  # noqa: S605
