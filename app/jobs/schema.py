"""The schema of the whole database: our tables and the job engine's."""

from dbos import DBOS

from app.logs import quiet_engine
from app.settings import Settings
from app.store import schema

SCHEMA = "dbos"


def migrate_engine(settings: Settings) -> None:
    """Bring the engine's tables to its newest schema. Changes nothing where they are there already."""
    quiet_engine()
    DBOS.migrate(settings.database_url, schema=SCHEMA)


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Changes nothing where it is there already.

    The engine's tables come first: who finds ours current finds those there too.
    """
    migrate_engine(settings)
    schema.migrate(settings)
