"""What was deleted leaves the log and the file."""

from pathlib import Path

from sqlalchemy import delete, make_url

from app.services.ids import new_id
from app.settings import Settings
from app.store.db import Database
from app.store.models.access import Workspace
from app.store.upkeep.space import empty_log, rewrite
from tests.api_client import NOW
from tests.conftest import one_database

MARK = "Augusta Ada"


def stored(settings: Settings) -> bytes:
    file = Path(make_url(settings.database_url).database or "")
    return b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))


def write_and_delete(database: Database) -> None:
    with database.writing() as session:
        session.add(Workspace(id=new_id(), name=MARK, created_at=NOW))
    with database.writing() as session:
        session.execute(delete(Workspace))


@one_database
def test_a_deleted_row_stands_in_the_log_until_that_is_emptied(settings: Settings, database: Database) -> None:
    write_and_delete(database)
    assert MARK.encode() in stored(settings)
    assert empty_log(database)
    assert MARK.encode() not in stored(settings)


@one_database
def test_a_log_that_somebody_reads_is_left_for_later(settings: Settings, database: Database) -> None:
    with database.writing() as session:
        session.add(Workspace(id=new_id(), name="first", created_at=NOW))
    with database.reading() as reader:
        reader.query(Workspace).all()
        write_and_delete(database)
        assert not empty_log(database)
    assert empty_log(database)
    assert MARK.encode() not in stored(settings)


def test_the_file_is_written_anew(database: Database) -> None:
    write_and_delete(database)
    rewrite(database)
    assert empty_log(database)
