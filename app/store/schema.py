"""The database's schema: migrated by Alembic, compared with the models, and told from a stranger's."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.settings import Settings
from app.store.db import Database
from app.store.models.metadata import metadata

# The job engine's tables, which share the file on SQLite; on PostgreSQL they have a schema of their own.
ENGINE_TABLES = frozenset(
    {
        "application_versions",
        "dbos_migrations",
        "notifications",
        "operation_outputs",
        "queues",
        "streams",
        "workflow_events",
        "workflow_events_history",
        "workflow_input",
        "workflow_output",
        "workflow_schedules",
        "workflow_status",
    }
)


def migrations_folder() -> Path:
    """Where the migrations lie: inside the package of an installed wheel, else beside the package."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def migration_config(settings: Settings) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["database_url"] = settings.database_url
    return config


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Changes nothing where it is there already."""
    command.upgrade(migration_config(settings), "head")


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether migrations look after what they find: the job engine does after its own tables."""
    return kind != "table" or name not in ENGINE_TABLES


def is_current(database: Database, settings: Settings) -> bool:
    """Whether the database answers and has the newest schema."""
    head = ScriptDirectory.from_config(migration_config(settings)).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def drift(database: Database) -> list[str]:
    """How the migrated tables differ from the models: empty where they agree."""
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        return [repr(difference) for difference in compare_metadata(context, metadata)]
