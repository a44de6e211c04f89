"""What a page and its charts both ask is computed once, and anew when anything of it changes."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.services.curves.fits import Fits
from app.services.curves.kept import Kept
from app.services.planning import looks
from app.services.planning.allocations import AllocationQuestion
from app.services.planning.variations import varied_project
from app.store.db import Database
from app.store.models.projects import Project
from tests.api_client import RUNS, Api

QUESTION = AllocationQuestion(None, "optimal", 300, 0)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was computed."""
    made: list[str] = []
    for name in ("allocating", "planning_budgets"):
        real = getattr(looks, name)

        def count(*args: Any, real: Any = real, name: str = name, **options: Any) -> Any:
            made.append(name)
            return real(*args, **options)

        monkeypatch.setattr(looks, name, count)
    return made


@pytest.fixture
def path(api: Api) -> str:
    path = api.project(groups=[
        {"key": "A", "initial_count": 200, "unit_cost": "1", "target": 0.8},
        {"key": "B", "initial_count": 100, "unit_cost": "2.00"},
    ])  # fmt: skip
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


@pytest.fixture
def project(path: str, database: Database) -> Iterator[tuple[Any, Fits, Project]]:
    with database.reading() as session:
        yield session, Fits(10_000_000), session.get_one(Project, UUID(path.rpartition("/")[2]))


def test_the_same_question_is_computed_once(counted: list[str], project: tuple[Any, Fits, Project]) -> None:
    first = looks.kept_budget_rows(*project, QUESTION)
    assert looks.kept_budget_rows(*project, QUESTION) is first
    plan = looks.kept_allocation(*project, QUESTION)
    assert looks.look_at(*project, {}, QUESTION)[1] is plan
    assert counted == ["planning_budgets", "allocating"]


def test_another_question_or_objective_is_computed_anew(counted: list[str], project: tuple[Any, Fits, Project]) -> None:
    session, fits, row = project
    for one in (
        QUESTION,
        replace(QUESTION, budget=Decimal(10)),
        replace(QUESTION, seed=1),
        replace(QUESTION, hold={"A": 3}),
    ):
        looks.kept_allocation(session, fits, row, one)
    other = varied_project(session, row, {"objective": {"kind": "maximin", "stop_ratio": 0.0}})
    looks.kept_allocation(session, fits, other, QUESTION)
    assert counted == ["allocating"] * 5


def test_new_data_are_seen_by_the_charts(api: Api, path: str) -> None:
    def budgets() -> list[float]:
        spec = api.get(f"{path}/charts/budget-targets.json").json()
        return [row["mean"] for row in spec["layer"][0]["data"]["values"]]

    before = budgets()
    # Not so much worse that it is taken for a stray run and left out.
    worse = [{"external_id": "new", "counts": {"A": 200, "B": 100}, "metrics": {"A": {"value": 0.74, "stderr": 0.01}}}]
    assert api.post(f"{path}/observations", json={"observations": worse}).status_code == 201
    assert budgets() != before


def test_what_many_ask_at_once_is_computed_once_and_only_the_newest_are_kept() -> None:
    kept: Kept[int] = Kept(2)
    gate, made = threading.Barrier(8), []

    def make() -> int:
        made.append(1)
        return 7

    def ask() -> None:
        gate.wait()
        assert kept.get("a", make) == 7

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    kept.get("b", make)
    kept.get("a", make)
    kept.get("c", make)
    assert len(made) == 3
    kept.get("a", make)
    assert len(made) == 3
    kept.get("b", make)
    assert len(made) == 4


def test_what_fails_is_not_kept() -> None:
    kept: Kept[int] = Kept(2)

    def fail() -> int:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        kept.get("a", fail)
    assert kept.get("a", lambda: 3) == 3
