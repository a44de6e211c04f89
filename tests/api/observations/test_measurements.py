"""What to measure next, over HTTP: of one model, and of a model for each group."""

import pytest

from tests.api.http.test_bad_input import problem
from tests.api.planning.test_allocations import measured
from tests.api_client import Api, run


def test_runs_are_subsets_of_what_is_held_and_make_the_decision_more_certain(api: Api) -> None:
    path = measured(api)
    plan = api.get(f"{path}/measurement-plan?runs=4").json()
    assert len(plan["runs"]) == 4
    variance = plan["variance_now"]
    for one in plan["runs"]:
        assert 0 < one["counts"]["A"] <= 200
        assert 0 < one["counts"]["B"] <= 100
        assert one["variance_before"] == pytest.approx(variance)
        assert 0 <= one["variance_after"] <= one["variance_before"]
        assert one["reason"]
        variance = one["variance_after"]
    assert plan["variance_after"] == pytest.approx(variance)
    assert plan["variance_after"] < plan["variance_now"]
    assert plan["note"] is None
    saved = 1 - (plan["variance_after"] / plan["variance_halving"]) ** 0.5
    assert plan["gain_over_halving"] == pytest.approx(saved)
    assert ("Halving is as good" in plan["advice"]) is (saved < 0.2)


def test_it_is_judged_at_what_the_next_round_would_buy(api: Api) -> None:
    path = measured(api)
    plan = api.get(f"{path}/allocations/next").json()
    recommended = api.get(f"{path}/measurement-plan").json()["recommended"]
    assert recommended == {group["group"]: group["count"] + group["add"] for group in plan["groups"]}


def test_a_planned_run_can_be_posted_as_it_stands(api: Api) -> None:
    path = measured(api)
    [planned] = api.get(f"{path}/measurement-plan?runs=1").json()["runs"]
    body = {"observations": [run(9, planned["counts"], A=0.75, B=0.65)]}
    assert api.post(f"{path}/observations", json=body).json()["warnings"] == []


def test_asking_again_is_answered_by_the_same_bytes_or_by_nothing(api: Api) -> None:
    path = measured(api)
    first = api.get(f"{path}/measurement-plan?runs=2&draws=100&seed=4")
    assert first.content == api.get(f"{path}/measurement-plan?runs=2&draws=100&seed=4").content
    tag = {"If-None-Match": first.headers["ETag"]}
    assert api.get(f"{path}/measurement-plan?runs=2&draws=100&seed=4", headers=tag).status_code == 304
    assert api.get(f"{path}/measurement-plan?runs=1&draws=100&seed=4", headers=tag).status_code == 200
    api.patch(f"{path}/groups/A", json={"initial_count": 201})
    assert api.get(f"{path}/measurement-plan?runs=2&draws=100&seed=4", headers=tag).status_code == 200


def test_where_nothing_is_held_it_says_so(api: Api) -> None:
    path = api.project(groups=[{"key": "A", "unit_cost": "1"}, {"key": "B", "unit_cost": "1"}])
    plan = api.get(f"{path}/measurement-plan").json()
    assert plan["runs"] == []
    assert "No samples are held" in plan["note"]


@pytest.mark.parametrize("runs", ["0", "21", "x", "1.5", "-1", "9" * 400])
def test_a_bad_number_of_runs_is_refused(api: Api, runs: str) -> None:
    body = problem(api.get(f"{api.project()}/measurement-plan", params={"runs": runs}), 422)
    assert body["errors"][0]["pointer"] == "?runs"


def test_while_too_little_is_measured_the_usual_runs_of_one_model_are_listed(api: Api) -> None:
    """Whether anything is known of the metric or not: two of them are made, four are left."""
    path = api.project(metric={"name": "log loss", "goal": "minimize", "lower": 0.0}, model="joint")
    plan = api.get(f"{path}/measurement-plan").json()
    assert [(run["counts"]["A"], run["counts"]["B"]) for run in plan["runs"]] == [
        (200, 100), (100, 50), (50, 25), (50, 100), (200, 25)
    ]  # fmt: skip
    assert plan["runs"][3]["reason"] == "A at a quarter, the rest whole: what the data of A does to the others."
    assert plan["runs"][3]["variance_after"] is plan["variance_now"] is plan["recommended"] is plan["note"] is None
    assert plan["held"] == {"A": 200, "B": 100}
    assert "first samples of one fixed order" in plan["order"]
    assert api.get(f"{path}/measurement-plan?runs=2").json()["runs"] == plan["runs"][:2]
    made = [run(at, plan["runs"][at]["counts"], A=0.5 + at / 10, B=0.6 + at / 10) for at in (0, 3)]
    assert api.post(f"{path}/observations", json={"observations": made}).status_code == 201
    rest = api.get(f"{path}/measurement-plan").json()["runs"]
    assert rest == [plan["runs"][at] for at in (1, 2, 4)]


def test_of_one_model_compositions_are_planned_and_of_separate_ones_each_group_s_own_sizes(api: Api) -> None:
    path = measured(api)
    assert api.patch(path, json={"model": "joint"}).status_code == 200
    plan = api.get(f"{path}/measurement-plan").json()
    offered = {(50, 100), (100, 100), (200, 25), (200, 50), (25, 12), (12, 6)}
    assert {(run["counts"]["A"], run["counts"]["B"]) for run in plan["runs"]} < offered
    assert len(plan["runs"]) == 5
    assert api.patch(path, json={"model": "separate"}).status_code == 200
    sizes = api.get(f"{path}/measurement-plan").json()
    assert len(sizes["runs"]) == 3
    assert all("the rest whole" not in run["reason"] for run in sizes["runs"])


def test_while_nothing_is_known_of_the_metric_it_cannot_be_said_of_separate_models(api: Api) -> None:
    path = api.project(metric={"name": "log loss", "goal": "minimize", "lower": 0.0}, model="separate")
    assert "Nothing is known" in problem(api.get(f"{path}/measurement-plan"), 409)["detail"]


def test_a_project_without_groups_has_nothing_to_measure(api: Api) -> None:
    problem(api.get(f"{api.project(groups=[])}/measurement-plan"), 422)
