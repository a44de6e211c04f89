"""Backups: the whole database in one file, and back. SQLite by its online backup, PostgreSQL by its own programs."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from app.errors import DatabaseFailed, Unavailable
from app.settings import Settings
from app.store.db import BUSY_TIMEOUT_MS, connect
from app.store.faults import BUSY
from app.store.schema import NEWER_SCHEMA, revisions, state_of
from app.store.upkeep.alone import sqlite_file

# Both schemas go as they are in one transaction: a database is of one Tranche alone.
EMPTY_FIRST = "DROP SCHEMA IF EXISTS dbos CASCADE; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;\n"
APPLIED_IN_SCRIPT = re.compile(r"^COPY public\.alembic_version \(version_num\) FROM stdin;$")
AS_IS = ("--no-owner", "--no-privileges")


def back_up(settings: Settings, file: Path) -> None:
    """Write a snapshot to `file`, whole or not at all. Raises Unavailable, DatabaseFailed."""
    if file.exists():
        raise Unavailable(f"{file} is there already; name another file")
    part = file.with_name(f"{file.name}.part")
    try:
        if settings.database_url.startswith("sqlite"):
            copy_sqlite(sqlite_file(settings), part)
        else:
            run_program(settings, "pg_dump", "--format=custom", *AS_IS, f"--file={part}")
        part.replace(file)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def restore(settings: Settings, file: Path, *, replace: bool) -> None:
    """Make the database what `file` holds, whole or not at all.

    Raises Unavailable where the database holds something and `replace` is False, where the file is no backup, or is of
    newer software.
    """
    if not file.is_file():
        raise Unavailable(f"there is no file {file}")
    if not replace and holds_something(settings):
        raise Unavailable("it holds data; --replace gives them up for those of the backup")
    if settings.database_url.startswith("sqlite"):
        restore_sqlite(file, sqlite_file(settings))
    else:
        restore_postgresql(settings, file)


def copy_before_migration(settings: Settings) -> Path | None:
    """The copy of an SQLite file that is about to be migrated, beside it; None where there is nothing to keep."""
    if not settings.database_url.startswith("sqlite"):
        return None
    file = sqlite_file(settings)
    with closing(connect(settings)) as database:
        if state_of(database) == "current":
            return None
    applied = sqlite_revision(file)
    if applied is None:
        return None
    kept = file.with_name(f"{file.name}.at-{applied}")
    part = kept.with_name(f"{kept.name}.part")
    copy_sqlite(file, part)
    part.replace(kept)
    return kept


def holds_something(settings: Settings) -> bool:
    if settings.database_url.startswith("sqlite"):
        file = sqlite_file(settings)
        return file.exists() and file.stat().st_size > 0
    with closing(connect(settings)) as database, database.engine.connect() as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
        return bool(connection.exec_driver_sql(tables).scalar())


def copy_sqlite(source: Path, target: Path) -> None:
    """A snapshot of a file that others may write meanwhile. Raises DatabaseFailed, Unavailable."""
    target.unlink(missing_ok=True)
    try:
        with closing(opened(source, "rw")) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
            # One file, which the log of a database in use is not.
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise DatabaseFailed(f"it cannot be copied to {target}: {error}") from error


def restore_sqlite(file: Path, target: Path) -> None:
    """Raises Unavailable."""
    applied = sqlite_revision(file)
    if applied is None:
        raise Unavailable(f"{file} is no backup of Tranche's on SQLite, or is damaged")
    refuse_unknown(applied)
    try:
        with closing(opened(file, "ro")) as reading, closing(opened(target, "rwc")) as writing:
            reading.backup(writing)
    except sqlite3.OperationalError as error:
        busy = (error.sqlite_errorcode or 0) & 0xFF == sqlite3.SQLITE_BUSY
        raise Unavailable(BUSY if busy else f"it cannot be written: {error}") from error


def sqlite_revision(file: Path) -> str | None:
    """The revision of a sound file; None for another file, an empty or a damaged one."""
    try:
        with closing(opened(file, "rw")) as connection:
            [(sound,)] = connection.execute("PRAGMA integrity_check(1)")
            applied = [name for (name,) in connection.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.DatabaseError:
        return None
    return str(applied[0]) if sound == "ok" and len(applied) == 1 else None


def opened(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_TIMEOUT_MS / 1000)


def restore_postgresql(settings: Settings, file: Path) -> None:
    """Raises Unavailable."""
    with TemporaryDirectory(prefix="tranche-restore-") as folder:
        script, first = Path(folder) / "all.sql", Path(folder) / "first.sql"
        first.write_text(EMPTY_FIRST)
        run_program(settings, "pg_restore", *AS_IS, f"--file={script}", str(file), connected=False)
        applied = revision_in(script)
        if applied is None:
            raise Unavailable(f"{file} is no backup of Tranche's on PostgreSQL")
        refuse_unknown(applied)
        quietly = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--single-transaction")
        run_program(settings, "psql", *quietly, f"--file={first}", f"--file={script}")


def revision_in(script: Path) -> str | None:
    with script.open() as lines:
        for line in lines:
            if APPLIED_IN_SCRIPT.match(line):
                return next(lines).strip()
    return None


def refuse_unknown(applied: str) -> None:
    """Raises Unavailable where a newer version wrote it."""
    if applied not in revisions():
        raise Unavailable(NEWER_SCHEMA)


def run_program(settings: Settings, name: str, *words: str, connected: bool = True) -> None:
    """Raises Unavailable with what the program says, or where it is not installed."""
    program = shutil.which(name)
    if program is None:
        raise Unavailable(
            f"{name} is not installed; it comes with PostgreSQL's client programs, of the server's version"
        )
    url = make_url(settings.database_url)
    environment = dict(os.environ)
    if url.password:
        # Others see a command's words, not its environment.
        environment["PGPASSWORD"] = url.password
    plain = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    where: Sequence[str] = (f"--dbname={plain}",) if connected else ()
    done = subprocess.run(  # noqa: S603
        [program, *where, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(f"{name} failed: {said[0] if said else done.returncode}")
