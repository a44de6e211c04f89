from app.store.memory import memory_database
from app.store.models.access import Workspace
from app.store.schema import drift
from tests.conftest import new_workspace


def test_a_database_in_memory_has_the_newest_schema_and_is_gone_when_closed() -> None:
    database = memory_database()
    assert drift(database) == []
    with database.writing() as session:
        new_workspace(session)
    with database.reading() as session:
        assert session.query(Workspace).count() == 1
    database.close()
    with memory_database().reading() as session:
        assert session.query(Workspace).count() == 0
