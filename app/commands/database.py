"""The database of commands: brought to its newest schema, or refused."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory

from app.errors import Unavailable
from app.settings import Settings
from app.store.db import Database, connect
from app.store.schema import drift, is_current

OLD_SCHEMA = "the database lacks the newest schema. Run: tranche migrate"


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """Raises Unavailable where the schema is not the newest."""
    with closing(connect(settings)) as database:
        if not is_current(database):
            # One SQLite file belongs to one service; a shared server is migrated on purpose, not by whoever is first.
            if not settings.database_url.startswith("sqlite"):
                raise Unavailable(OLD_SCHEMA)
            migrate(settings)
        yield database


def run_migrate(options: argparse.Namespace) -> int:
    settings = Settings()
    if options.check:
        return check_migrations()
    migrate(settings)
    return 0


def migrate(settings: Settings) -> None:
    """Ours and the job engine's, which takes a second to import: who finds all in place need not wait for it."""
    from app.jobs.schema import migrate as migrate_all

    migrate_all(settings)


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
