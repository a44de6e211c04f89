"""What is deleted: what is kept long enough, and a project or a workspace for good."""

import argparse
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

from app.clock import utc_now
from app.commands.database import ready_database
from app.errors import Fault, NotFound, invalid
from app.services.ids import as_uuid
from app.services.retention import erasing
from app.settings import Settings
from app.store.db import Database, Session
from app.store.projects import any_project
from app.store.upkeep.erasing import erasure_by_id, unfinished
from app.store.upkeep.space import empty_log, rewrite


def run_purge(options: argparse.Namespace) -> int:
    from app.jobs.client import JobClient
    from app.jobs.upkeep import due, purge

    settings = Settings()
    with engine_database(settings) as database, closing(JobClient(database)) as client:
        counts = due(database, client, settings) if options.dry_run else purge(database, client, settings)[0]
        if not options.dry_run:
            empty_log(database)
        if options.vacuum and not options.dry_run:
            rewrite(database)
    for name, count in sorted(counts.items()):
        print(f"{count:>10,}  {name}")
    if not counts:
        print("Nothing is kept longer than the settings say.")
    return 0


@contextmanager
def engine_database(settings: Settings) -> Iterator[Database]:
    """With the job engine's tables too."""
    with ready_database(settings) as database:
        if settings.database_url.startswith("sqlite"):
            from app.jobs.schema import migrate_engine

            migrate_engine(settings)
        yield database


def run_project_erase(options: argparse.Namespace) -> int:
    with engine_database(Settings()) as database:
        with database.writing() as session:
            asked = erasure_of(session, options)
        print_receipt(database, asked)
    return 0


def erasure_of(session: Session, options: argparse.Namespace) -> UUID:
    """One that was asked for before, and did not come to its end, goes on. Raises NotFound, Invalid, Conflict."""
    project_id = as_uuid(options.project)
    project = None if project_id is None else any_project(session, project_id, lock=True)
    if project is not None:
        return erasing.ask_to_erase(session, project, options.name, options.abandon_orders, None, utc_now()).id
    for known in unfinished(session, project_id=project_id) if project_id is not None else ():
        return known.id
    raise NotFound(f"There is no project {options.project}.")


def run_workspace_erase(options: argparse.Namespace) -> int:
    if options.confirm != options.workspace:
        raise invalid(Fault("", "--confirm is not the workspace's name; repeat that, to confirm what is erased"))
    with engine_database(Settings()) as database:
        with database.writing() as session:
            asked = erasing.ask_to_erase_workspace(session, options.workspace, options.abandon_orders, utc_now()).id
        print_receipt(database, asked)
    return 0


def print_receipt(database: Database, erasure_id: UUID) -> None:
    """Erase what was asked for, here and now, and print what is left to say of it, as JSON."""
    erasing.erase(database, erasure_id, utc_now)
    empty_log(database)
    with database.reading() as session:
        row = erasure_by_id(session, erasure_id)
        told = {} if row is None else {name: getattr(row, name) for name in row.__table__.columns.keys()}  # noqa: SIM118
    print(json.dumps(told, default=str, indent=2))
