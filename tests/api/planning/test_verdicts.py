"""The verdict on a plan over HTTP: in the metric's units, by the project's thresholds, the same on the page."""

from typing import Any

import pytest

from tests.api_client import ACCURACY, RUNS, Api
from tests.conftest import one_database

CURVES: list[dict[str, Any]] = [
    {
        "key": key,
        "initial_count": 1000,
        "unit_cost": "1",
        "assumed_curve": {"asymptote": 0.05, "scale": c, "exponent": 0.5},
    }
    for key, c in (("A", 4.0), ("B", 0.4))
]


def verdict(api: Api, path: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{path}/allocations/next", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["verdict"]
    return found


def test_it_adds_up_with_the_groups_of_the_plan(api: Api) -> None:
    path = api.project(groups=CURVES, metric=ACCURACY)
    plan = api.get(f"{path}/allocations/next").json()
    changes = plan["verdict"]["changes"]
    for when in ("now", "after"):
        means = [group[f"metric_{when}"]["mean"] for group in plan["groups"]]
        assert changes["mean"][when] == pytest.approx(sum(means) / 2)
        assert changes["worst"][when] == pytest.approx(min(means))
    assert changes["worst_now"] == "A"
    assert plan["verdict"]["instead"]["policy"] == plan["utility"]["best_simple_rule"]["policy"]
    assert plan["verdict"]["instead"]["changes"]["mean"]["after"] == pytest.approx(changes["mean"]["after"])
    assert plan["verdict"]["kind"] == "buy"
    assert plan["verdict"]["sentence"].startswith("Buy round 1: 500 USD, +")


def test_nothing_known_is_measured_first(api: Api) -> None:
    found = verdict(api, api.project(metric={"name": "log loss", "goal": "minimize", "lower": 0.0}))
    assert (found["kind"], found["changes"], found["instead"]) == ("measure", None, None)
    assert found["sentence"] == ("Measure before you buy: nothing is known of log loss yet, so post one evaluated run.")
    found = verdict(api, api.project())
    assert (found["kind"], found["groups"]) == ("measure", ["A", "B"])
    assert "all of the money is for A and B" in found["sentence"]


def test_samples_that_no_run_was_trained_on_are_measured_first(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    for key in ("A", "B"):
        assert (
            api.patch(f"{path}/groups/{key}", json={"initial_count": 100_000, "name": f"Group {key}"}).status_code
            == 200
        )
    found = verdict(api, path)
    assert found["kind"] == "measure"
    assert set(found["groups"]) <= {"A", "B"}
    assert "of which no run was trained on what is held" in found["sentence"]
    assert "Group" in found["sentence"]


def test_money_not_worth_spending_is_kept(api: Api) -> None:
    path = api.project(groups=CURVES, metric=ACCURACY, value_per_utility="1")
    found = verdict(api, path)
    assert found["kind"] == "keep"
    assert found["sentence"].startswith("Do not buy round 1: 500 USD would bring +")


@one_database
def test_the_projects_thresholds_count(api: Api) -> None:
    path = api.project(groups=CURVES, metric=ACCURACY)
    assert verdict(api, path)["kind"] == "buy"
    given = {"verdict_thresholds": {"least_difference": 0.5}}
    answer = api.patch(path, json=given)
    assert answer.json()["verdict_thresholds"] == {
        "measure_share": 0.5, "part_share": 0.2, "reach": 3.0, "least_difference": 0.5, "least_chance": 0.8,
    }  # fmt: skip
    assert verdict(api, path)["kind"] == "any"
    assert api.patch(path, json={"verdict_thresholds": None}).json()["verdict_thresholds"] is None
    assert verdict(api, path)["kind"] == "buy"


@one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("measure_share", 0), ("measure_share", 1.5), ("part_share", "half"), ("reach", 0.5), ("least_chance", 1),
        ("least_chance", 0.2), ("least_difference", -1), ("least_difference", 0), ("unknown", 1),
    ],
)  # fmt: skip
def test_thresholds_that_cannot_be_are_refused(api: Api, field: str, value: Any) -> None:
    path = api.project()
    answer = api.patch(path, json={"verdict_thresholds": {field: value}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/verdict_thresholds/{field}"


def test_a_proposed_round_keeps_the_verdict_that_was_signed(api: Api) -> None:
    path = api.project(groups=CURVES, metric=ACCURACY)
    plan = api.get(f"{path}/allocations/next").json()
    made = api.post(f"{path}/rounds", json={"external_id": "first", "data_version": plan["data_version"]})
    assert made.status_code == 201, made.text
    assert api.get(f"{path}/rounds/1/allocation").json()["verdict"] == plan["verdict"]
