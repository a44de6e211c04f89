"""How Alembic reaches the database: the URL comes from `app.store.schema.migration_config`."""

from alembic import context
from sqlalchemy import create_engine, pool

from app.store.models.metadata import metadata
from app.store.schema import is_ours

engine = create_engine(context.config.attributes["database_url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        include_name=is_ours,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
