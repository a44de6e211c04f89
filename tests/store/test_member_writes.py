"""Rows stored by the thousand are what the session's objects of them then hold, in the order given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import event

from app.services.projects.sources import new_source
from app.store.db import Database
from app.store.member_rows import GroupRow, YieldRow, group_rows, source_rows
from app.store.member_writes import NEW, change_rows, change_yields, insert_rows
from app.store.models.projects import Group, Source
from app.store.projects import members, states_by_key
from app.store.reading import KEYS_PER_QUERY
from tests.api_client import NOW, Api

MANY = KEYS_PER_QUERY + 2
LATER = NOW + timedelta(hours=1)
CURVE = {"asymptote": 0.1, "scale": 1.0, "exponent": 0.5, "offset": 2.0}


def group(key: str) -> GroupRow:
    return GroupRow(NEW, key, None, 1.0, None, 0, None, None, None, None, None, None, None, None)


@pytest.fixture
def project(api: Api) -> UUID:
    return UUID(api.project(groups=[]).rpartition("/")[2])


@pytest.mark.parametrize("number", [1, MANY])
def test_new_rows_have_ids_in_the_order_given(database: Database, project: UUID, number: int) -> None:
    rows = [group(f"g{-index}") for index in range(number)]
    rows[0] = replace(rows[0], assumed_curve=CURVE, attributes={"sex": "f"}, target=0.9, min_count=3, first_run_count=2)
    with database.writing() as session:
        insert_rows(session, project, rows, NOW)
    assert [row.id for row in rows] == sorted({row.id for row in rows} - {NEW})
    with database.reading() as session:
        assert group_rows(session, project) == rows
        stored = members(session, Group, project)
        assert {(one.created_at, one.updated_at, one.project_id) for one in stored} == {(NOW, NOW, project)}


def test_json_that_nothing_is_said_of_is_null_in_the_database(database: Database, project: UUID) -> None:
    with database.writing() as session:
        insert_rows(session, project, [group("a"), replace(group("b"), attributes={})], NOW)
        found = session.query(Group.key).where(Group.attributes.is_(None), Group.assumed_curve.is_(None)).all()
    assert [key for (key,) in found] == ["a"]


def test_named_columns_change_and_no_others(database: Database, project: UUID) -> None:
    rows = [group("a"), group("b"), group("c")]
    with database.writing() as session:
        insert_rows(session, project, rows, NOW)
    changed = [replace(row, weight=2.0 + row.id, initial_count=9, name="x") for row in rows[:2]]
    with database.writing() as session:
        change_rows(session, changed, ("weight", "initial_count"), LATER)
    with database.reading() as session:
        assert group_rows(session, project) == [*(replace(row, name=None) for row in changed), rows[2]]
        stored = members(session, Group, project)
    assert [(one.created_at, one.updated_at) for one in stored] == [(NOW, LATER), (NOW, LATER), (NOW, NOW)]


@pytest.mark.parametrize("number", [2, MANY])
def test_sources_deliver_what_their_rows_say(database: Database, project: UUID, number: int) -> None:
    groups = [group("a"), group("b")]
    with database.writing() as session:
        insert_rows(session, project, groups, NOW)
        a, b = (row.id for row in groups)
        price = {"unit_cost": Decimal("1.000001")}
        rows = [new_source({"key": f"s{-n}", **price}, [YieldRow(a, 0.25), YieldRow(b, 0.5)]) for n in range(number)]
        insert_rows(session, project, rows, NOW)
        keys = [row.key for row in rows]
        assert source_rows(session, project, keys=keys) == rows
        assert source_rows(session, project, keys=keys[1:]) == rows[1:]
        assert source_rows(session, project, keys=()) == []
        rows[1:] = [replace(row, yields=[YieldRow(b, 1.0)]) for row in rows[1:]]
        change_yields(session, {row.id: row.yields for row in rows[1:]})
    with database.reading() as session:
        assert source_rows(session, project) == rows
        stored = members(session, Source, project)
    assert [[(one.group_id, one.share) for one in source.yields] for source in stored[:2]] == [
        [(a, 0.25), (b, 0.5)],
        [(b, 1.0)],
    ]


def test_nothing_is_stored_of_no_rows(database: Database, project: UUID) -> None:
    with statements(database) as sent, database.writing() as session:
        insert_rows(session, project, [], NOW)
        change_rows(session, [], ("key", "name"), NOW)
        change_yields(session, {})
    assert sent == []


def test_what_waits_in_the_session_is_stored_before(database: Database, project: UUID) -> None:
    with database.writing() as session:
        insert_rows(session, project, [group("a")], NOW)
        [stored] = members(session, Group, project)
        stored.key = "other"
        insert_rows(session, project, [group("a")], NOW)
        assert states_by_key(session, Group, project, ["a", "other", "none"]) == {
            "other": (stored.id, None),
            "a": (stored.id + 1, None),
        }


def test_making_and_replacing_groups_takes_as_many_statements_for_many_as_for_some(api: Api) -> None:
    """With the sources of their prices; parts of KEYS_PER_QUERY are of what is archived or delivers otherwise only."""
    seen = []
    for number in (KEYS_PER_QUERY + 1, 4 * KEYS_PER_QUERY):
        path = api.project(name=str(number), groups=[])
        groups = [{"key": f"g{index}", "unit_cost": "2", "parent": f"g{index - 1}"} for index in range(1, number)]
        groups.insert(0, {"key": "g0", "unit_cost": "1"})
        with statements(api.app.state.runtime.database) as made:
            assert api.put(f"{path}/groups", json=groups).status_code == 200
        with statements(api.app.state.runtime.database) as replaced:
            assert api.put(f"{path}/groups", json=groups).status_code == 200
            sources = [{"key": f"g{index}", "group": f"g{index}", "unit_cost": "3"} for index in range(number)]
            assert api.put(f"{path}/sources", json=sources).status_code == 200
        seen.append((len(made), len(replaced)))
    assert seen[0] == seen[1]


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the database in the block."""
    sent: list[str] = []

    def before(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", before)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
