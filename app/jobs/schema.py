"""The schema of the whole database: our tables and the job engine's."""

import logging

from dbos import DBOS

from app.settings import Settings
from app.store import schema

SCHEMA = "dbos"


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Changes nothing where it is there already.

    The engine's tables come first: who finds ours current finds those there too.
    """
    quiet_engine()
    DBOS.migrate(settings.database_url, schema=SCHEMA)
    schema.migrate(settings)


def quiet_engine() -> None:
    """Hear the engine's warnings alone, in the format of everyone's log."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    # Where it finds a handler it adds none of its own.
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
