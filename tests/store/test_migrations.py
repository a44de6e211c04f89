"""A database that an older release wrote is brought up to date, and keeps what it holds."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, text

from app.settings import Settings
from app.store.db import connect, drift, migrate, migration_config

WHEN = "2026-11-20 10:00:00+00:00"
PROJECT = "00000000-0000-7000-8000-000000000001"
OLD_ROWS = [
    f"INSERT INTO workspaces (id, name, created_at) VALUES ('{PROJECT}', 'w', '{WHEN}')",
    "INSERT INTO projects (id, workspace_id, name, currency, metric_name, metric_kind, metric_goal, objective,"
    " budget_total, budget_rounds, recipe, data_version, data_at, created_at, updated_at) VALUES"
    f""" ('{PROJECT}', '{PROJECT}', 'p', 'USD', 'm', 'other', 'maximize', '{{"kind": "utilitarian"}}',"""
    f" 5000000, 1, 'default', 3, '{WHEN}', '{WHEN}', '{WHEN}')",
    *(
        "INSERT INTO groups (id, project_id, key, weight, initial_count, created_at, updated_at)"
        f" VALUES ({number}, '{PROJECT}', 'g{number}', 1, 10, '{WHEN}', '{WHEN}')"
        for number in (1, 2)
    ),
    *(
        "INSERT INTO sources (id, project_id, key, kind, group_id, unit_cost, min_order, max_order, lot_size,"
        f" created_at, updated_at) VALUES ({number}, '{PROJECT}', 's{number}', 'vendor', {group}, 1500000, 0, NULL, 1,"
        f" '{WHEN}', '{WHEN}')"
        for number, group in ((1, 1), (2, 2), (3, 2))
    ),
]


@pytest.fixture
def old(unmigrated_url: str) -> Iterator[tuple[Settings, Engine]]:
    """A database at the schema in which a source delivered one group."""
    settings = Settings(database_url=unmigrated_url)
    command.upgrade(migration_config(settings), "0002")
    hexed = PROJECT.replace("-", "") if unmigrated_url.startswith("sqlite") else PROJECT
    engine = create_engine(unmigrated_url)
    with engine.begin() as connection:
        for statement in OLD_ROWS:
            connection.execute(text(statement.replace(PROJECT, hexed).replace(":00", r"\:00")))
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
