"""What charts draw is what the API answers."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.services.exports.charts import margin_rows, scenario_rows
from app.services.exports.curve_panels import CurveView, curve_panels
from app.services.planning.allocations import AllocationQuestion, next_allocation
from app.services.planning.budgets import planning_budgets
from app.services.planning.scenarios import what_if
from app.services.planning.variations import Scenario
from app.store.db import Database
from app.store.models.projects import Group, Project
from app.store.projects import members
from tests.api_client import RUNS, Api
from tests.conftest import one_database

pytestmark = one_database

GROUPS = [
    {"key": "A", "name": "all of A", "initial_count": 200, "unit_cost": "1", "target": 0.8},
    {"key": "B", "initial_count": 100, "unit_cost": "2.00", "target": 0.75},
]


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(groups=GROUPS)
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


class Looking:
    """The services, asked about one project."""

    def __init__(self, api: Api, database: Database, path: str) -> None:
        self.api, self.database, self.id = api, database, UUID(path.rpartition("/")[2])
        self.fits = api.app.state.runtime.fits

    def panels(self, budget: str) -> list[dict[str, Any]]:
        with self.database.reading() as session:
            project = session.get_one(Project, self.id)
            groups = members(session, Group, project.id)
            allocation = next_allocation(session, self.fits, project, AllocationQuestion(Decimal(budget)))
            plans = {one.key: one for one in allocation.plan.groups}
            return curve_panels(session, self.fits, project, CurveView(groups, plans))


@pytest.fixture
def looking(api: Api, database: Database, project: str) -> Looking:
    return Looking(api, database, project)


def test_a_panel_shows_the_curve_of_the_api(api: Api, looking: Looking, project: str) -> None:
    a, b = looking.panels("100")
    counts = [row["count"] for row in a["band"]]
    answer = api.get(f"{project}/curves/A", params={"at": ",".join(map(str, counts))}).json()
    assert [row["mean"] for row in a["band"]] == [band["mean"] for band in answer["bands"]]
    assert [row["p05"] for row in a["band"]] == [band["p05"] for band in answer["bands"]]
    assert [point["value"] for point in a["points"]] == [point["value"] for point in answer["points"]]
    assert (a["name"], b["name"]) == ("all of A", "B")


def test_what_is_marked_is_among_the_counts_drawn(looking: Looking) -> None:
    for panel, held in zip(looking.panels("100"), (200, 100), strict=True):
        after = panel["after"]["count"] if panel["add"] else held
        assert {held, after} <= {row["count"] for row in panel["band"]}
        assert (panel["now"]["count"], after) == (held, held + panel["add"])
        assert panel["measured_to"] == held
    assert [panel["after"] for panel in looking.panels("0")] == [None, None]


def test_panels_share_one_axis_and_stand_before_each_other(looking: Looking) -> None:
    a, b = looking.panels("0")
    assert a["domain"] == b["domain"]
    assert {row["group"] for row in a["others"]} == {"B"}
    low, high = a["domain"]
    assert all(low <= point["value"] <= high for point in a["points"] + b["points"])


def test_margins_are_those_of_the_allocation(api: Api, looking: Looking, project: str) -> None:
    answer = api.get(f"{project}/allocations/next").json()
    with looking.database.reading() as session:
        row = session.get_one(Project, looking.id)
        allocation = next_allocation(session, looking.fits, row, AllocationQuestion(None, "optimal", 300, 0))
    rows = margin_rows(allocation, {"A": "all of A"})
    assert [one["now"] for one in rows] == [one["marginal_utility_per_cost"]["now"] for one in answer["groups"]]
    assert [one["name"] for one in rows] == ["all of A", "B"]


def test_the_chosen_budget_has_the_utility_of_the_api_and_the_chance_rises(
    api: Api, looking: Looking, project: str
) -> None:
    answer = api.get(f"{project}/allocations/next", params={"budget": "300"}).json()
    with looking.database.reading() as session:
        row = session.get_one(Project, looking.id)
        found = planning_budgets(session, looking.fits, row, AllocationQuestion(Decimal(300), "optimal", 300, 0)).make()
    [chosen] = [one for one in found.rows if one["budget"] == found.chosen]
    assert chosen["utility"] == answer["utility"]["after"]
    assert chosen["equal"] == answer["utility"]["equal"]
    assert [one["budget"] for one in found.rows] == [0, 75, 150, 300, 450, 600, 900, 1000]
    assert found.rows[0]["chance"] <= found.rows[-1]["chance"]


def test_the_chance_of_the_targets_is_that_of_the_requirements(api: Api, looking: Looking, project: str) -> None:
    """With nothing bought, the chance is what a requirements' curve says of the budget 0."""
    asked = {"chance": 0.5, "joint": True, "budgets": ["0"]}
    curve = api.post(f"{project}/requirements", json=asked).json()["curve"]
    with looking.database.reading() as session:
        row = session.get_one(Project, looking.id)
        found = planning_budgets(session, looking.fits, row, AllocationQuestion(None, "optimal", 300, 0)).make()
    assert found.rows[0]["chance"] == pytest.approx(curve[0]["joint_chance"], abs=1e-12)


def test_without_targets_no_chance_is_told(api: Api, database: Database) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    looking = Looking(api, database, path)
    with database.reading() as session:
        row = session.get_one(Project, looking.id)
        found = planning_budgets(session, looking.fits, row, AllocationQuestion(None, "optimal", 300, 0)).make()
    assert {one["chance"] for one in found.rows} == {None}


def test_budgets_too_small_for_what_must_be_bought_are_left_out(api: Api, database: Database) -> None:
    groups = [GROUPS[0] | {"min_count": 400}, GROUPS[1]]
    path = api.project(groups=groups)
    api.post(f"{path}/observations", json={"observations": RUNS})
    looking = Looking(api, database, path)
    with database.reading() as session:
        row = session.get_one(Project, looking.id)
        found = planning_budgets(session, looking.fits, row, AllocationQuestion(None, "optimal", 300, 0)).make()
    assert min(one["budget"] for one in found.rows) >= 200


def test_scenarios_have_the_gains_of_the_what_if_answer(api: Api, looking: Looking, project: str) -> None:
    asked = {"scenarios": [{"name": "as planned"}, {"name": "less", "budget": "100"}]}
    answer = api.post(f"{project}/allocations/what-if", json=asked).json()["scenarios"]
    with looking.database.reading() as session:
        row = session.get_one(Project, looking.id)
        scenarios = [Scenario("as planned"), Scenario("less", budget=Decimal(100))]
        rows = scenario_rows(what_if(session, looking.fits, row, scenarios, 300, 0))
    assert [one["gain"] for one in rows] == [one["difference"]["utility"] for one in answer]
    assert [one["spend"] for one in rows] == [float(one["budget"]["spend"]) for one in answer]
