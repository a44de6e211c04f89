"""Every chart of the plan is made from a project as it is stored, and drawn."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from app.charts import render
from app.charts.theme import Spec
from app.errors import Invalid, NotFound
from app.services.exports.charts import CHARTS, MOST_CURVES, Asked
from app.services.exports.dossier import Dossier
from app.services.planning.allocations import AllocationQuestion
from app.store.db import Database
from app.store.models.projects import Project
from tests.api_client import NOW, RUNS, Api


@dataclass
class Charts:
    api: Api
    database: Database
    path: str

    def make(self, name: str, *groups: str) -> Spec:
        with self.database.reading() as session:
            project = session.get_one(Project, UUID(self.path.rpartition("/")[2]))
            question = AllocationQuestion(None, "optimal", 300, 0)
            dossier = Dossier(session, self.api.app.state.runtime.fits, project, question, NOW)
            return CHARTS[name].make(Asked(dossier, "two groups", groups=groups))


@pytest.fixture
def charts(api: Api, database: Database) -> Charts:
    path = api.project()
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return Charts(api, database, path)


@pytest.mark.parametrize("name", [name for name in CHARTS if name != "curve"])
def test_every_chart_is_drawn_for_all_groups(charts: Charts, name: str) -> None:
    assert render.svg(charts.make(name)).startswith("<svg")


def test_a_curve_is_that_of_the_first_group_named(charts: Charts) -> None:
    spec = charts.make("curve", "B", "A")
    assert spec["title"]["text"][0].startswith("B:")
    assert {row["group"] for row in spec["layer"][0]["data"]["values"]} == {"A"}
    assert render.svg(spec).startswith("<svg")


def test_the_curve_marks_the_count_that_the_allocation_recommends(charts: Charts) -> None:
    plan = charts.api.get(f"{charts.path}/allocations/next").json()
    [bought] = [one for one in plan["groups"] if one["group"] == "A"]
    title = " ".join(charts.make("curve", "A")["title"]["text"])
    assert f"after {bought['add']:,} more" in title


def test_a_curve_needs_a_group_that_there_is(charts: Charts) -> None:
    with pytest.raises(Invalid, match="name the group"):
        charts.make("curve")
    with pytest.raises(NotFound):
        charts.make("curve", "C")
    with pytest.raises(Invalid, match=f"at most {MOST_CURVES}"):
        charts.make("curves", *(f"g{at}" for at in range(MOST_CURVES + 1)))


def test_margins_are_drawn_of_the_groups_named_alone(charts: Charts) -> None:
    values = charts.make("marginal-utility", "B")["data"]["values"]
    assert {row["name"] for row in values} == {"B"}


def test_a_group_is_told_from_an_archived_one_of_the_same_name(charts: Charts) -> None:
    """As the chart of progress and the report tell it, which may show both."""
    assert charts.api.patch(f"{charts.path}/groups/A", json={"name": "women"}).status_code == 200
    assert charts.api.post(f"{charts.path}/groups", json={"key": "C", "name": "women"}).status_code == 201
    assert charts.api.delete(f"{charts.path}/groups/C").status_code == 204
    values = charts.make("marginal-utility")["data"]["values"]
    assert {row["name"] for row in values} == {"women (A)", "B"}
