"""The database of commands: brought to its newest schema, or refused."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from app.errors import Unavailable
from app.settings import Settings
from app.store.db import Database, connect
from app.store.faults import faults_told
from app.store.schema import drift, is_current, refuse_newer, require_current


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """Raises Unavailable where the database cannot be used, or its schema is not the newest."""
    with closing(connect(settings)) as database:
        with named(settings):
            # One SQLite file belongs to one service; a shared server is migrated on purpose, not by whoever is first.
            if settings.database_url.startswith("sqlite") and not is_current(database):
                migrate(settings)
            require_current(database)
        yield database


@contextmanager
def named(settings: Settings) -> Iterator[None]:
    """What is said of the database says which: whoever starts a service may know. Raises Unavailable."""
    url = make_url(settings.database_url)
    name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    try:
        with faults_told():
            yield
    except Unavailable as error:
        raise Unavailable(f"{name}: {error.detail}") from error


def run_migrate(options: argparse.Namespace) -> int:
    settings = Settings()
    if options.check:
        return check_migrations()
    migrate(settings)
    return 0


def migrate(settings: Settings) -> None:
    """Ours and the job engine's, which takes a second to import: who finds all in place need not wait for it.

    Raises Unavailable where the database cannot be used, or was made by newer software.
    """
    with named(settings):
        # The engine would try for long, and tell its own story.
        with closing(connect(settings)) as database:
            refuse_newer(database)
        from app.jobs.schema import migrate as migrate_all

        kept = migrate_all(settings)
    if kept is not None:
        print(f"The database of before the migration is kept as {kept}; delete it once all is well.", file=sys.stderr)


def run_backup(options: argparse.Namespace) -> int:
    from app.store.upkeep.backups import back_up

    settings = Settings()
    with named(settings):
        back_up(settings, Path(options.file))
    return 0


def run_restore(options: argparse.Namespace) -> int:
    from app.store.upkeep.alone import alone
    from app.store.upkeep.backups import restore

    settings = Settings()
    with named(settings), alone(settings):
        restore(settings, Path(options.file), replace=options.replace)
        with closing(connect(settings)) as database:
            current = is_current(database)
    if not current and not settings.database_url.startswith("sqlite"):
        print("The backup is of an older version. Run: tranche migrate", file=sys.stderr)
    return 0


def check_migrations() -> int:
    """Migrate a fresh database and compare it with the models."""
    with TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/check.db")
        migrate(settings)
        with closing(connect(settings)) as database:
            differences = drift(database)
    for difference in differences:
        print(difference, file=sys.stderr)
    return 1 if differences else 0
