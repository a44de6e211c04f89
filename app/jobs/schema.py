"""The schema of the whole database: our tables and the job engine's."""

from pathlib import Path

from dbos import DBOS

from app.settings import Settings
from app.store import schema
from app.store.upkeep.alone import alone
from app.store.upkeep.backups import copy_before_migration
from app.telemetry.logs import quiet_engine

SCHEMA = "dbos"


def migrate_engine(settings: Settings) -> None:
    """Bring the engine's tables to its newest schema. Changes nothing where they are there already."""
    quiet_engine()
    DBOS.migrate(settings.database_url, schema=SCHEMA)


def migrate(settings: Settings) -> Path | None:
    """Bring the database to the newest schema, one caller at a time. Changes nothing where it is there already.

    The copy that was kept of an SQLite file from before; None where none was needed. The engine's tables come first:
    who finds ours current finds those there too.
    """
    with alone(settings):
        kept = copy_before_migration(settings)
        migrate_engine(settings)
        schema.migrate(settings)
    return kept
