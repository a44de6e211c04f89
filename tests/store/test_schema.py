"""A database that an older release wrote is brought up to date, and keeps what it holds."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, create_engine, event, select, text

from app.settings import Settings
from app.store.db import connect
from app.store.schema import drift, migrate, migration_config
from tests.api_client import NOW

PROJECT = UUID("00000000-0000-7000-8000-000000000001")
STAMPS = {"created_at": NOW, "updated_at": NOW}


def write_old_rows(engine: Engine) -> None:
    """A project of two groups and three sources, as the first release stored them."""
    tables = MetaData()
    tables.reflect(engine)
    key = PROJECT.hex if engine.dialect.name == "sqlite" else PROJECT
    rows: list[tuple[str, dict[str, Any]]] = [
        ("workspaces", {"id": key, "name": "w", "created_at": NOW}),
        ("api_keys", {
            "id": "k", "workspace_id": key, "secret_hash": "h", "scopes": ["admin"], "created_at": NOW,
        }),
        ("projects", {
            "id": key, "workspace_id": key, "name": "p", "currency": "USD", "metric_name": "m", "metric_kind": "other",
            "metric_goal": "maximize", "objective": {"kind": "utilitarian"}, "budget_total": 5_000_000,
            "budget_rounds": 1, "recipe": "default", "data_version": 3, "data_at": NOW, **STAMPS,
        }),
    ]  # fmt: skip
    for number in (1, 2):
        group = {"id": number, "project_id": key, "key": f"g{number}", "weight": 1.0, "initial_count": 10, **STAMPS}
        rows.append(("groups", group))
    for number, group_id in ((1, 1), (2, 2), (3, 2)):
        offer = {"id": number, "project_id": key, "key": f"s{number}", "kind": "vendor", "group_id": group_id}
        rows.append(("sources", {**offer, "unit_cost": 1_500_000, "min_order": 0, "lot_size": 1, **STAMPS}))
    with engine.begin() as connection:
        for name, values in rows:
            connection.execute(tables.tables[name].insert().values(values))


@pytest.fixture
def old(unmigrated_url: str) -> Iterator[tuple[Settings, Engine]]:
    """A database at the schema in which a source delivered one group."""
    settings = Settings(database_url=unmigrated_url)
    command.upgrade(migration_config(settings), "0002")
    engine = create_engine(unmigrated_url)
    write_old_rows(engine)
    yield settings, engine
    engine.dispose()


def test_sources_keep_their_group_and_get_plain_terms(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    migrate(settings)
    with engine.connect() as connection:
        yields = connection.execute(text("SELECT source_id, group_id, share FROM source_yields ORDER BY source_id"))
        assert [tuple(row) for row in yields] == [(1, 1, 1.0), (2, 2, 1.0), (3, 2, 1.0)]
        terms = "SELECT billed, tier_scope, fixed_cost, acceptance_rate, quality, unit_cost FROM sources"
        assert {tuple(row) for row in connection.execute(text(terms))} == {("delivered", "order", 0, 1.0, 1.0, 1500000)}
    database = connect(settings)
    assert drift(database) == []
    database.close()


def test_projects_and_groups_of_before_have_no_names_and_no_first_counts(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    migrate(settings)
    with engine.connect() as connection:
        named = connection.execute(text("SELECT external_id, content_hash FROM projects")).all()
        first = connection.execute(text("SELECT first_run_count FROM groups")).all()
    assert [tuple(row) for row in named] == [(None, None)]
    assert [tuple(row) for row in first] == [(None,), (None,)]


def test_going_back_keeps_the_group_with_the_largest_share(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    migrate(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE source_yields SET share = 0.2 WHERE source_id = 1"))
        connection.execute(text("INSERT INTO source_yields (source_id, group_id, share) VALUES (1, 2, 0.7)"))
    command.downgrade(migration_config(settings), "0002")
    with engine.connect() as connection:
        groups = connection.execute(text("SELECT id, group_id FROM sources ORDER BY id"))
        assert [tuple(row) for row in groups] == [(1, 2), (2, 2), (3, 2)]
    migrate(settings)
    database = connect(settings)
    assert drift(database) == []
    database.close()


def test_keys_of_before_there_were_names_have_none(old: tuple[Settings, Engine]) -> None:
    settings, engine = old
    migrate(settings)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT id, name, made_by, revoked_by FROM api_keys")).one()
    assert tuple(row) == ("k", None, None, None)


def test_a_migration_that_ends_halfway_has_not_begun(unmigrated_url: str) -> None:
    """Changes of tables go with it, those before the first change of a row too."""
    settings = Settings(database_url=unmigrated_url)
    migrate(settings)
    config = migration_config(settings)
    command.downgrade(config, "0086")
    seen: list[str] = []

    def breaks(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)
        if statement.startswith("UPDATE alembic_version"):
            raise OSError("the power went")

    event.listen(Engine, "after_cursor_execute", breaks)
    try:
        with pytest.raises(OSError, match="power"):
            migrate(settings)
    finally:
        event.remove(Engine, "after_cursor_execute", breaks)
    assert any(statement.startswith("ALTER TABLE") for statement in seen)
    migrate(settings)
    database = connect(settings)
    assert drift(database) == []
    database.close()


def test_rounds_of_before_get_their_steps_from_the_audit(old: tuple[Settings, Engine]) -> None:
    """A declined one, its words cut to what fits, is a cancelled one to the version before."""
    settings, engine = old
    config = migration_config(settings)
    command.upgrade(config, "0098")
    tables = MetaData()
    tables.reflect(engine)
    key = PROJECT.hex if engine.dialect.name == "sqlite" else PROJECT
    kept: dict[str, Any] = {name: {} for name in ("query", "allocation", "forecast", "lines", "added")}
    said = {"state": "proposed", "content_hash": "h", "data_version": 1, "cost": 1, "approvals": [], "note": "mine"}
    row = {"id": 1, "project_id": key, "number": 1, "proposed_by": "k", **said, **kept, **STAMPS}
    entry = {"workspace_id": key, "project_id": key, "api_key_id": "k", "detail": {}, "changes": {}, "created_at": NOW}
    told = [("round.proposed", 1), ("round.approved", 1), ("order.delivery", 1), ("round.proposed", 2)]
    with engine.begin() as connection:
        connection.execute(tables.tables["rounds"].insert().values(row))
        for at, (action, number) in enumerate(told, 1):
            values = {**entry, "id": at, "action": action, "resource": f"round:{number}"}
            connection.execute(tables.tables["audit_entries"].insert().values(values))
    migrate(settings)
    after = MetaData()
    after.reflect(engine, only=["rounds"])
    rounds = after.tables["rounds"]
    with engine.begin() as connection:
        steps = connection.scalar(select(rounds.c.steps))
        connection.execute(rounds.update().values(state="declined", declined_at=NOW, reason="x" * 2_000))
    assert [(one["step"], one["key"], one["note"]) for one in steps] == [
        ("proposed", "k", "mine"),
        ("approved", "k", None),
    ]
    assert {datetime.fromisoformat(one["at"]) for one in steps} == {NOW}
    command.downgrade(config, "0098")
    with engine.connect() as connection:
        state, reason, ended = connection.execute(text("SELECT state, reason, cancelled_at FROM rounds")).one()
    assert (state, len(reason), ended is None) == ("cancelled", 500, False)
