"""A database in memory: for a question that leaves nothing behind."""

from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from app.store.db import Database, begin_sqlite, prepare_sqlite
from app.store.models.metadata import metadata


def memory_database() -> Database:
    """An empty database with the newest schema, of one thread; it is gone when it is closed."""
    engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", begin_sqlite)
    metadata.create_all(engine)
    return Database(engine, engine, engine)
