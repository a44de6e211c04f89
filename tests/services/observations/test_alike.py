"""Runs posted at random, against a slow reading of all that is stored: what is taken, told and written."""

import random
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from app.services.curves.repeats import repeated_runs, repeats_of
from app.services.observations.alike import said_hash, trained_hash
from app.settings import Settings
from app.store import observations as store
from app.store.db import Database
from app.store.models.observations import Observation
from app.store.schema import drift, migrate, migration_config
from tests.api_client import NOW, Api, run

GROUPS = [{"key": key, "initial_count": 100, "unit_cost": "1"} for key in "ABC"]

READINGS = [0.5, {"value": 0.5, "stderr": 0.1}, {"value": 1, "eval_size": 9}]


def drawn(rng: random.Random, number: int) -> dict[str, Any]:
    """A run of few possible samples and values, so that many say the same, or a part of the same."""
    measured = rng.sample("ABC", rng.randint(1, 3))
    made: dict[str, Any] = {
        "counts": {key: rng.choice([0, 50, 150]) if key == "A" else 50 for key in "ABC"},
        "metrics": {
            key: rng.choice([0.5, {"value": 0.5, "stderr": 0.1}, {"value": 1, "eval_size": 9}]) for key in measured
        },
    }
    if rng.random() < 0.8:
        made["external_id"] = f"run-{number if rng.random() < 0.8 else rng.randint(1, number)}"
    if rng.random() < 0.2:
        made |= {rng.choice(["holdout", "recipe"]): "other"}
    return made


def stored(database: Database) -> list[Observation]:
    with database.reading() as session:
        return sorted(session.query(Observation), key=lambda one: one.id)


def said(body: dict[str, Any]) -> dict[str, Any]:
    """A run as it is stored."""
    metrics = {
        key: {"value": float(one)} if isinstance(one, int | float) else {**one, "value": float(one["value"])}
        for key, one in body["metrics"].items()
    }
    others = {"holdout": body.get("holdout", "default"), "recipe": body.get("recipe", "default")}
    return {"external_id": body.get("external_id"), "counts": body["counts"], "metrics": metrics, **others}


def taken(posted: list[dict[str, Any]], held: dict[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Those of a request that are new, added to `held` by their external ids; None where one is another's."""
    new, known = [], dict(held)
    for body in posted:
        name, content = body.get("external_id"), said(body)
        if name is not None and name in known:
            if known[name] != content:
                return None
            continue
        new.append(content)
        if name is not None:
            known[name] = content
    held |= known
    return new


@pytest.mark.parametrize("seed", range(4))
def test_posts_at_random_are_taken_and_told_as_by_who_reads_everything(api: Api, database: Database, seed: int) -> None:
    rng, path, held = random.Random(seed), api.project(groups=GROUPS), dict[str, dict[str, Any]]()  # noqa: S311
    number, outcomes = 0, set()
    for _ in range(25):
        posted = []
        for _ in range(rng.randint(1, 6)):
            number += 1
            posted.append(drawn(rng, number))
        before = stored(database)
        if before and rng.random() < 0.2:
            assert api.delete(f"{path}/observations/{rng.choice(before).id}?reason=r").status_code == 200
        before = stored(database)
        new = taken(posted, held)
        answer = api.post(f"{path}/observations", json={"observations": posted})
        after = stored(database)
        outcomes.add(answer.status_code)
        if new is None:
            assert answer.status_code == 409
            assert len(after) == len(before)
            continue
        rows = after[len(before) :]
        assert [one.id for one in after[: len(before)]] == [one.id for one in before]
        assert [{name: getattr(one, name) for name in said(posted[0])} for one in rows] == new
        assert {(one.created_at, one.observed_at) for one in rows} <= {(NOW, NOW)}
        assert len({(one.content_hash, one.external_id) for one in after if one.external_id}) == len(held)
        assert (answer.json()["accepted"], answer.json()["duplicates"]) == (len(new), len(posted) - len(new))
        fitted = [one for one in after if one.recipe == "default" and one.voided_at is None]
        mine = [one for one in rows if one.recipe == "default"]
        told = [one["detail"] for one in answer.json()["warnings"] if one["code"] == "repeated_runs"]
        assert told == [one.detail for one in repeated_runs(mine, repeats_of(fitted))]
        above = [one["detail"] for one in answer.json()["warnings"] if one["code"] == "counts_exceed_held"]
        assert bool(above) == any(one.counts["A"] > 100 for one in rows)
        outcomes.add("repeats" if told else "none")
    assert outcomes >= {201, 409, "repeats", "none"}


def test_of_very_many_runs_on_the_same_samples_a_whole_repeat_is_still_found(api: Api) -> None:
    path = api.project()
    many = [run(number, {"A": 50, "B": 25}, A=number / 1000) for number in range(store.MOST_ALIKE + 50)]
    api.post(f"{path}/observations", json={"observations": many})
    again = [{**one, "external_id": f"{one['external_id']}-b"} for one in many]
    for one in again[:: store.MOST_ALIKE // 3]:
        [warning] = api.post(f"{path}/observations", json={"observations": [one]}).json()["warnings"]
        assert f"'{one['external_id']}' (as '{one['external_id'][:-2]}')" in warning["detail"]


def test_equal_numbers_say_the_same_however_they_are_written() -> None:
    assert trained_hash("h", {"A": 1, "B": 0}) == trained_hash("h", {"A": 1}) != trained_hash("g", {"A": 1})
    assert said_hash({"A": {"value": 1}}) == said_hash({"A": {"value": 1.0}}) != said_hash({"B": {"value": 1}})
    assert said_hash({"A": {"value": 0.0}}) == said_hash({"A": {"value": -0.0}})
    assert said_hash({"A": {"value": 1, "stderr": 2}}) != said_hash({"A": {"value": 1, "eval_size": 2}})


def test_runs_of_before_there_were_hashes_get_them(unmigrated_url: str) -> None:
    settings = Settings(database_url=unmigrated_url)
    command.upgrade(migration_config(settings), "0083")
    engine = create_engine(unmigrated_url)
    key = UUID(int=7).hex if engine.dialect.name == "sqlite" else UUID(int=7)
    shared = {"key": key, "now": NOW}
    rows = [
        "workspaces (id, name, created_at) VALUES (:key, 'w', :now)",
        """projects (id, workspace_id, name, currency, metric_name, metric_kind, metric_goal, objective, set_limits,
        budget_total, budget_rounds, recipe, data_version, data_at, created_at, updated_at) VALUES (:key, :key, 'p',
        'USD', 'm', 'other', 'maximize', '{}', '[]', 1, 1, 'default', 1, :now, :now, :now)""",
        """observations (id, project_id, content_hash, counts, metrics, holdout, recipe, observed_at, created_at)
        VALUES (:key, :key, 'x', '{"A": 5, "B": 0}', '{"A": {"value": 1, "eval_size": 9}}', 'h', 'r', :now, :now)""",
    ]
    with engine.begin() as connection:
        for row in rows:
            connection.execute(text(f"INSERT INTO {row}"), shared)
    migrate(settings)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT trained_hash, said_hash FROM observations")).one()
    assert tuple(found) == (trained_hash("h", {"A": 5}), said_hash({"A": {"value": 1.0, "eval_size": 9}}))
    database = Database(engine, engine, engine)
    assert drift(database) == []
    command.downgrade(migration_config(settings), "0083")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT holdout FROM observations")).scalar_one() == "h"
    engine.dispose()
