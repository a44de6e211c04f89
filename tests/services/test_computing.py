"""No call computes while it holds a connection, and none mixes two states of the data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from app.api.http.runtime import Runtime
from app.drawing.apart import Draughtsman, kept_svg
from app.errors import Conflict, Unavailable
from app.report import page as report_page
from app.services.computing import MOST_BEGINNINGS, Work, computed, give_back, settled
from app.services.curves import fit
from app.services.curves.fits import Fits
from app.services.exports import plan_tables
from app.services.forecasts import curves, due
from app.services.planning import allocations, budgets, measurements, requirements, scenarios, variations
from app.services.valuation import hindsight, source_values
from app.store.db import Database, Session
from app.tables import xlsx_file
from app.web import ROUTERS
from app.web.site import visit
from tests.api_client import RUNS, Api
from tests.web.browser_client import Pages

DEAR: tuple[tuple[Any, str], ...] = (
    (allocations, "make_plan"),
    (allocations, "evaluation_advice"),
    (budgets, "make_plan"),
    (scenarios, "make_plan"),
    (requirements, "requirements"),
    (measurements, "measurement_plan"),
    (measurements, "plan_pilot"),
    (source_values, "source_values"),
    (source_values, "closing_costs"),
    (hindsight, "look_back"),
    (fit, "fit_together"),
    (fit, "learn"),
    (variations, "fit_together"),
    (due, "forecasts_of"),
    (curves, "curve_of"),
    (plan_tables, "learned_of"),
    (xlsx_file, "write_workbook"),
    (Draughtsman, "ask"),
    (report_page, "drawn"),
    (visit, "html"),
)
"""What takes long, where the services call it by name."""
EMPTY = b'<svg class="marks" width="1" height="1" viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg"></svg>'
"""In place of a drawing, which other tests look at."""


@pytest.fixture
def under_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """How often each was called, each time without a connection of the service's."""
    seen: dict[str, int] = {}
    wrong: list[str] = []

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            runtime: Runtime = api.app.state.runtime
            held = runtime.database.engine.pool.checkedout()  # type: ignore[attr-defined]
            if held:
                wrong.append(f"{name} is called while {held} connections are held")
            seen[name] = seen.get(name, 0) + 1
            return EMPTY if name.endswith(".ask") else real(*args, **options)

        return call

    for place, name in DEAR:
        monkeypatch.setattr(place, name, watched(f"{place.__name__}.{name}", getattr(place, name)))
    yield seen
    assert wrong == []


def forget(api: Api) -> None:
    """Nothing is kept: whatever is asked next is computed."""
    kept_svg.cache_clear()
    runtime: Runtime = api.app.state.runtime
    api.app.state.runtime = replace(runtime, fits=Fits(100_000_000))


@pytest.fixture
def project(api: Api) -> str:
    """With targets, two rounds, of which one has brought samples, and a source whose quality runs tell."""
    path = api.project(
        groups=[
            {"key": "A", "initial_count": 200, "unit_cost": "1", "target": 0.8},
            {"key": "B", "initial_count": 100, "unit_cost": "2.00", "target": 0.75},
        ],
        sources=[{"key": "web", "yields": {"A": 1}, "unit_cost": "0.5", "quality": {"p05": 0.4, "p95": 0.9}}],
    )
    for some in (RUNS[:2], RUNS[2:]):
        assert api.post(f"{path}/observations", json={"observations": some}).status_code == 201
    answer = api.post(f"{path}/purchases", json={"external_id": "one", "orders": {"A": 20, "B": 10}})
    assert answer.status_code == 201, answer.text
    return path


def test_no_operation_computes_while_it_holds_a_connection(api: Api, project: str, under_way: dict[str, int]) -> None:
    simulation = api.post(f"{project}/simulations", json={"policies": ["equal"], "replicates": 2}).json()
    fillings = {
        "project_id": [project.rpartition("/")[2]],
        "key": ["A"], "number": ["1"],
        "simulation_id": [simulation["id"]], "job_id": [simulation["job_id"]],
        "observation_id": [api.get(f"{project}/observations").json()["items"][0]["id"]],
        "name": list(CHARTS_AND_TABLES), "format": ["svg", "xlsx", "csv"],
    }  # fmt: skip
    asked = 0
    # Streams have no end.
    reads = [
        path for path, ways in api.app.openapi()["paths"].items() if "get" in ways and not path.endswith("/events")
    ]
    for path in reads:
        for filled in filled_paths(path, fillings):
            forget(api)
            answer = api.get(filled)
            assert answer.status_code < 500, (filled, answer.text)
            asked += answer.status_code == 200
    assert asked > 40
    forget(api)
    assert api.get(f"{project}/measurement-plan?pilot=web:50").status_code == 200
    for path, body in QUESTIONS:
        forget(api)
        answer = api.post(f"{project}{path}", json=body)
        assert answer.status_code in (200, 201, 202), (path, answer.text)
    forget(api)
    read = api.get(f"{project}/rounds/2")
    edited = api.patch(f"{project}/rounds/2", json={"orders": {"A": 5}}, headers={"If-Match": read.headers["ETag"]})
    assert edited.status_code == 200, edited.text
    assert {name for _, name in DEAR} - {name.rpartition(".")[2] for name in under_way} == {"html"}


CHARTS_AND_TABLES = ("curves", "budget-utility", "progress", "groups", "source-values")
QUESTIONS: tuple[tuple[str, Any], ...] = (
    ("/allocations/what-if", {"scenarios": [{"name": "one"}, {"name": "two", "groups": {"A": {"assumed_curve": {
        "asymptote": 0.9, "scale": 1.0, "exponent": 0.5}}}}]}),
    ("/requirements", {"chance": 0.8}),
    ("/rounds", {"external_id": "r", "data_version": 7, "query": {"budget": "100"}}),
)  # fmt: skip


def is_read(route: object) -> bool:
    return isinstance(route, APIRoute) and "GET" in route.methods


def filled_paths(path: str, fillings: dict[str, list[str]]) -> Iterator[str]:
    """The path with each of the values of its parameters; nothing where one has none."""
    name = path.partition("{")[2].partition("}")[0].partition(":")[0]
    if not name:
        yield path
        return
    braces = path[path.index("{") : path.index("}") + 1]
    for value in fillings.get(name, []):
        yield from filled_paths(path.replace(braces, value), fillings)


def test_no_page_computes_or_is_rendered_while_it_holds_a_connection(
    api: Api, project: str, under_way: dict[str, int]
) -> None:
    pages = Pages(api)
    assert pages.sign_in(api.key or "").status_code == 303
    fillings = {
        "project_id": [project.rpartition("/")[2]], "number": ["1"], "name": list(CHARTS_AND_TABLES),
        "format": ["json", "svg", "xlsx", "csv"], "table": ["scenarios", "scenario-groups"],
    }  # fmt: skip
    reads = {route.path for router in ROUTERS for route in router.routes if is_read(route)}
    shown = 0
    for path in sorted(reads):
        if path.endswith(("/progress", "/changes", "/events")):
            continue
        for filled in filled_paths(path, fillings):
            forget(api)
            answer = pages.get(filled)
            assert answer.status_code < 500, (filled, answer.text)
            shown += answer.status_code == 200
    assert shown > 30
    forget(api)
    place = project.replace("/v1", "")
    assert pages.post(f"{place}/propose", {"data_version": "7", "budget": "100"}).status_code == 303
    assert pages.post(f"{place}/propose", {"data_version": "3"}).status_code == 409
    assert under_way["app.web.site.visit.html"] > 10


def test_a_read_that_reads_on_begins_again_with_what_it_computed(database: Database) -> None:
    seen: list[str] = []

    def act(session: Session) -> int:
        session.execute(text("SELECT 1"))
        seen.append("read")
        made = computed(session, "one", Work(0, lambda: seen.append("one") or 1))
        session.execute(text("SELECT 1"))
        made += computed(session, "two", Work(0, lambda: seen.append("two") or 2))
        return made

    assert settled(database.reading, act) == 3
    assert seen == ["read", "one", "read", "two"]


def test_a_write_computes_between_its_transactions_and_writes_once(database: Database) -> None:
    opened: list[str] = []

    @contextmanager
    def counted() -> Iterator[Session]:
        with database.writing() as session:
            opened.append("opened")
            yield session
        opened.append("committed")

    def act(session: Session) -> int:
        made = computed(session, "one", Work(0, lambda: opened.append("computed") or 1))
        give_back(session)
        session.execute(text("UPDATE workspaces SET name = 'x'"))
        return made

    assert settled(counted, act, writes=True) == 1
    assert opened == ["opened", "computed", "opened", "committed"]


def test_what_cannot_be_computed_is_tried_once_and_said_where_it_is_asked(database: Database) -> None:
    tries: list[int] = []

    def fail() -> int:
        tries.append(1)
        raise Conflict("no")

    def act(session: Session) -> str:
        with pytest.raises(Conflict):
            computed(session, "one", Work(0, fail))
        return "told"

    for opened, writes in ((database.reading, False), (database.writing, True)):
        assert settled(opened, act, writes=writes) == "told"
    assert len(tries) == 2


def test_data_that_move_each_time_end_in_a_503_that_says_when_to_ask_again(database: Database) -> None:
    states = iter(range(100))
    with pytest.raises(Unavailable) as refused:
        settled(database.writing, lambda session: computed(session, next(states), Work(0, lambda: 1)), writes=True)
    assert refused.value.headers["Retry-After"]
    assert next(states) == MOST_BEGINNINGS
