"""The database's schema: migrated by Alembic, compared with the models, and told from a stranger's."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import column, inspect, select, table

from app.errors import Unavailable
from app.settings import Settings
from app.store.db import Database
from app.store.faults import faults_told
from app.store.models.metadata import metadata

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is loaded where the schema is changed: who only asks whether it is the newest does without its 11 MB.
REVISION = re.compile(r'^(down_)?revision = "(\w+)"', re.MULTILINE)
APPLIED = table("alembic_version", column("version_num"))

State: TypeAlias = Literal["current", "older", "newer"]
OLDER_SCHEMA = "The database lacks the newest schema. Run: tranche migrate"
NEWER_SCHEMA = (
    "The database was made by a newer Tranche than this one. Run that one, or restore a backup of before the upgrade:"
    " tranche restore"
)

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


def migration_config(settings: Settings) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["database_url"] = settings.database_url
    return config


def migrate(settings: Settings) -> None:
    """Bring the database to the newest schema. Changes nothing where it is there already."""
    from alembic import command

    command.upgrade(migration_config(settings), "head")


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether migrations look after what they find: the job engine does after its own tables."""
    return kind != "table" or name not in ENGINE_TABLES


def is_current(database: Database) -> bool:
    """Whether the database answers and has the newest schema. Raises Unavailable."""
    return state_of(database) == "current"


def require_current(database: Database) -> None:
    """Raises Unavailable where the schema is not the newest, or is newer than this software."""
    state = state_of(database)
    if state != "current":
        raise Unavailable(NEWER_SCHEMA if state == "newer" else OLDER_SCHEMA, headers={"Retry-After": "5"})


def refuse_newer(database: Database) -> None:
    """Raises Unavailable where the database cannot be used, or was made by newer software."""
    if state_of(database) == "newer":
        raise Unavailable(NEWER_SCHEMA)


def state_of(database: Database) -> State:
    """Empty databases are older. Raises Unavailable."""
    with faults_told(), database.engine.connect() as connection:
        if not inspect(connection).has_table(APPLIED.name):
            return "older"
        applied = set(connection.scalars(select(APPLIED.c.version_num)))
    if not applied <= revisions():
        return "newer"
    return "current" if applied == {newest_revision()} else "older"


@cache
def revisions() -> frozenset[str]:
    """All that this software knows, by the text of the migrations."""
    return frozenset(name for is_before, name in named_revisions() if not is_before)


@cache
def newest_revision() -> str:
    """The one that no other follows."""
    [newest] = revisions() - {name for is_before, name in named_revisions() if is_before}
    return newest


def named_revisions() -> list[tuple[str, str]]:
    files = (migrations_folder() / "versions").glob("*.py")
    return [(is_before, name) for file in files for is_before, name in REVISION.findall(file.read_text())]


def drift(database: Database) -> list[str]:
    """How the migrated tables differ from the models: empty where they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        return [repr(difference) for difference in compare_metadata(context, metadata)]
