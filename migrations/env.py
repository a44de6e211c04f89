"""How Alembic reaches the database: the URL comes from `app.store.schema.migration_config`."""

from alembic import context
from sqlalchemy import create_engine, event, pool

from app.store.db import begin_ourselves, begin_sqlite
from app.store.models.metadata import metadata
from app.store.schema import is_ours

engine = create_engine(
    context.config.attributes["database_url"],
    poolclass=pool.NullPool,
    execution_options={"sqlite_begin": "BEGIN IMMEDIATE"},
)
on_sqlite = engine.dialect.name == "sqlite"
if on_sqlite:
    # Its driver leaves changes of tables out of transactions unless we begin them.
    event.listen(engine, "connect", begin_ourselves)
    event.listen(engine, "begin", begin_sqlite)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        include_name=is_ours,
        render_as_batch=on_sqlite,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
