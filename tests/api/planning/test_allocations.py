"""The next allocation over HTTP."""

import math
from decimal import Decimal
from typing import Any

import pytest

from tests.api_client import ACCURACY, RUNS, Api, run

OPEN = {"name": "log loss", "goal": "minimize", "lower": 0.0}


def measured(api: Api, **changes: Any) -> str:
    path = api.project(**changes)
    answer = api.post(f"{path}/observations", json={"observations": RUNS})
    assert answer.status_code == 201, answer.text
    return path


def check_books(plan: dict[str, Any], prices: dict[str, str]) -> None:
    """What is ordered, added and paid adds up to the last decimal."""
    budget = {name: Decimal(text) for name, text in plan["budget"].items()}
    assert budget["spend"] + budget["unspent"] == budget["available"]
    assert budget["spend"] == sum(Decimal(group["cost"]) for group in plan["groups"])
    assert budget["spend"] == sum(Decimal(source["cost"]) for source in plan["sources"])
    for source in plan["sources"]:
        assert Decimal(source["cost"]) == source["order"] * Decimal(prices[source["source"]])
    for group in plan["groups"]:
        assert group["add"] == sum(s["order"] for s in plan["sources"] if s["group"] == group["group"])


@pytest.mark.parametrize("policy", ["optimal", "equal", "equal_spend", "proportional"])
def test_every_policy_keeps_the_books(api: Api, policy: str) -> None:
    path = measured(api)
    plan = api.get(f"{path}/allocations/next", params={"policy": policy}).json()
    assert plan["policy"] == policy
    assert plan["budget"]["available"] == "500.00"
    check_books(plan, {"A": "1", "B": "2"})
    assert Decimal(plan["budget"]["remaining"]) == 1000 - Decimal(plan["budget"]["spend"])
    assert (plan["unspent_reason"] is None) == (Decimal(plan["budget"]["unspent"]) == 0)


def test_the_answer_says_how_sure_and_why(api: Api) -> None:
    plan = api.get(f"{measured(api)}/allocations/next").json()
    utility = plan["utility"]
    for split in ("equal", "equal_spend", "proportional"):
        assert utility["after"]["mean"] >= utility[split]["mean"] - 1e-12
        assert utility[split]["p05"] <= utility[split]["mean"] <= utility[split]["p95"]
    assert utility["after"]["mean"] > utility["now"]["mean"]
    rule = utility["best_simple_rule"]
    assert rule["policy"] in ("equal", "equal_spend", "proportional")
    assert rule["utility"] == utility[rule["policy"]]
    assert rule["gain"]["mean"] == pytest.approx(utility["after"]["mean"] - rule["utility"]["mean"])
    assert 0 < rule["gain"]["p_better"] < 1
    for ratio in (rule["budget_ratio"], utility["equal_budget_ratio"]):
        assert all(end is None or end >= 0 for end in ratio.values())
    assert plan["shadow_price"] > 0
    assert 0 <= plan["optimality"]["gap"] < 1e-3
    for group in plan["groups"]:
        assert group["reason"]
        assert group["metric_now"]["p05"] <= group["metric_now"]["p50"] <= group["metric_now"]["p95"]
        assert group["metric_after"]["mean"] >= group["metric_now"]["mean"]
        margins = group["marginal_utility_per_cost"]
        assert margins["after"] <= margins["now"]
    assert plan["round"] == 1
    assert (plan["seed"], plan["draws"], plan["currency"]) == (0, 300, "USD")


def test_the_same_data_and_query_give_the_same_bytes(api: Api) -> None:
    path = measured(api)
    for query in ("", "?seed=3&draws=100", "?budget=123.45", "?policy=equal"):
        assert api.get(f"{path}/allocations/next{query}").content == api.get(f"{path}/allocations/next{query}").content
    assert api.get(f"{path}/allocations/next?seed=1").content != api.get(f"{path}/allocations/next").content


def test_asking_changes_nothing(api: Api) -> None:
    path = measured(api)
    before = api.get(path).content
    api.get(f"{path}/allocations/next")
    api.get(f"{path}/curves")
    assert api.get(path).content == before


def test_the_order_of_the_groups_does_not_matter(api: Api) -> None:
    groups = [
        {"key": "A", "initial_count": 200, "unit_cost": "1"},
        {"key": "B", "initial_count": 100, "unit_cost": "2"},
    ]
    plans = []
    for order in (groups, groups[::-1]):
        plan = api.get(f"{measured(api, groups=order)}/allocations/next").json()
        plans.append({group["group"]: (group["add"], group["metric_after"]) for group in plan["groups"]})
    assert plans[0] == plans[1]


def test_the_budget_is_a_share_of_the_rest_or_what_is_asked(api: Api) -> None:
    path = measured(api, budget={"total": "100", "rounds": 3})
    assert api.get(f"{path}/allocations/next").json()["budget"]["available"] == "33.33"
    assert api.get(f"{path}/allocations/next?budget=100").json()["budget"]["available"] == "100.00"
    assert api.get(f"{path}/allocations/next?budget=100.01").status_code == 422


@pytest.mark.parametrize("budget", ["0", "0.99"])
def test_too_little_money_buys_nothing_and_says_so(api: Api, budget: str) -> None:
    plan = api.get(f"{measured(api)}/allocations/next", params={"budget": budget}).json()
    assert [group["add"] for group in plan["groups"]] == [0, 0]
    assert plan["budget"]["spend"] == "0.00"
    assert budget == "0" or plan["unspent_reason"]


def test_only_what_is_bought_can_be_shown(api: Api) -> None:
    path = measured(api)
    api.patch(f"{path}/groups/B", json={"weight": 0})
    plan = api.get(f"{path}/allocations/next?groups=bought").json()
    assert [group["group"] for group in plan["groups"]] == ["A"]
    assert [source["source"] for source in plan["sources"]] == ["A"]


def test_a_group_without_a_source_gets_nothing_and_a_warning(api: Api) -> None:
    path = measured(api)
    api.delete(f"{path}/sources/B")
    plan = api.get(f"{path}/allocations/next").json()
    assert {group["group"]: group["add"] for group in plan["groups"]}["B"] == 0
    assert ("no_source", "B") in {(one["code"], one["group"]) for one in plan["warnings"]}


def test_of_two_sources_the_cheaper_serves_first(api: Api) -> None:
    path = measured(api)
    api.post(f"{path}/sources", json={"key": "A-cheap", "group": "A", "unit_cost": "0.50", "max_order": 40})
    plan = api.get(f"{path}/allocations/next?policy=equal").json()
    orders = {source["source"]: source for source in plan["sources"]}
    assert orders["A-cheap"]["order"] == 40
    assert "max_order" in orders["A-cheap"]["binding"]
    assert orders["A"]["order"] > 0
    check_books(plan, {"A": "1", "A-cheap": "0.50", "B": "2"})


def test_lots_and_limits_of_an_order_hold(api: Api) -> None:
    path = measured(api)
    api.patch(f"{path}/sources/A", json={"lot_size": 30, "min_order": 60, "max_order": 100})
    api.patch(f"{path}/sources/B", json={"lot_size": 7})
    for policy in ("optimal", "equal", "equal_spend", "proportional"):
        plan = api.get(f"{path}/allocations/next", params={"policy": policy}).json()
        orders = {source["source"]: source["order"] for source in plan["sources"]}
        assert orders["A"] in (0, 60, 90)
        assert orders["B"] % 7 == 0


def test_few_points_are_planned_on_the_wide_prior_and_said(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": [run(1, {"A": 50, "B": 25}, A=0.7, B=0.6)]})
    plan = api.get(f"{path}/allocations/next").json()
    assert sum(group["add"] for group in plan["groups"]) > 0
    assert {one["group"] for one in plan["warnings"] if one["code"] == "few_points"} == {"A", "B"}


def test_without_observations_a_bounded_metric_is_planned_on_the_prior(api: Api) -> None:
    plan = api.get(f"{api.project()}/allocations/next").json()
    assert plan["policy"] == "optimal"
    assert sum(group["add"] for group in plan["groups"]) > 0
    for group in plan["groups"]:
        assert 0 <= group["metric_now"]["p05"] < group["metric_now"]["p95"] <= 1


def test_without_observations_an_open_metric_gets_equal_money(api: Api) -> None:
    path = api.project(metric=OPEN)
    plan = api.get(f"{path}/allocations/next").json()
    assert plan["policy"] == "equal_spend"
    assert {group["add"] for group in plan["groups"]} == {250, 125}
    assert "no_observations" in {one["code"] for one in plan["warnings"]}
    assert plan["utility"] is None
    assert plan["shadow_price"] is None
    assert {group["metric_after"] for group in plan["groups"]} == {None}


def test_an_assumed_curve_is_taken_as_exact(api: Api) -> None:
    """Two groups at losses n^-1/2 and 4 n^-1/2, 1,000 for money: 284 and 716 (a closed form)."""
    groups = [
        {"key": "A", "unit_cost": "1", "assumed_curve": {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}},
        {"key": "B", "unit_cost": "1", "assumed_curve": {"asymptote": 0.0, "scale": 4.0, "exponent": 0.5}},
    ]
    path = api.project(groups=groups, budget={"total": "1000", "rounds": 1})
    plan = api.get(f"{path}/allocations/next").json()
    assert {group["group"]: group["add"] for group in plan["groups"]} == {"A": 284, "B": 716}
    assert math.isclose(plan["groups"][0]["metric_after"]["mean"], 1 - 284**-0.5)
    assert math.isclose(plan["shadow_price"], 5.220652433064977e-05, rel_tol=2e-3)


@pytest.mark.parametrize(
    "objective",
    [{"kind": "utilitarian"}, {"kind": "isoelastic", "aversion": 1.0}, {"kind": "isoelastic", "aversion": 5.0},
     {"kind": "maximin"}, {"kind": "maximin", "stop_ratio": 0.1}],
)  # fmt: skip
@pytest.mark.parametrize("metric", [ACCURACY, OPEN, {"name": "r2", "goal": "maximize", "upper": 1.0}])
def test_every_objective_plans_every_kind_of_metric(
    api: Api, objective: dict[str, Any], metric: dict[str, Any]
) -> None:
    path = measured(api, metric=metric, objective=objective)
    plan = api.get(f"{path}/allocations/next").json()
    check_books(plan, {"A": "1", "B": "2"})
    utility = plan["utility"]
    assert (
        utility["after"]["mean"]
        >= max(utility[name]["mean"] for name in ("now", "equal", "equal_spend", "proportional")) - 1e-12
    )


def test_a_thousand_groups_with_twenty_runs_each_are_planned(api: Api) -> None:
    keys = [f"g{index}" for index in range(1000)]
    groups = [{"key": key, "initial_count": 2000, "unit_cost": "1"} for key in keys]
    path = api.project(groups=groups, budget={"total": "100000", "rounds": 1})
    runs = [
        run(n, dict.fromkeys(keys, n), **{key: 1 - (1 + place % 7) / 8 * n**-0.3 for place, key in enumerate(keys)})
        for n in range(100, 2100, 100)
    ]
    assert api.post(f"{path}/observations", json={"observations": runs}).json()["accepted"] == 20
    plan = api.get(f"{path}/allocations/next?draws=50").json()
    check_books(plan, dict.fromkeys(keys, "1"))
    assert plan["budget"]["unspent"] == "0.00"
    assert plan["utility"]["after"]["mean"] > plan["utility"]["equal"]["mean"]


def test_a_project_without_groups_cannot_be_planned(api: Api) -> None:
    answer = api.get(f"{api.project(groups=[])}/allocations/next")
    assert (answer.status_code, "groups" in answer.json()["detail"]) == (422, True)


def test_a_reader_may_ask_while_others_write(api: Api) -> None:
    path = measured(api)
    requests: list[tuple[str, str, dict[str, Any]]] = []
    for index in range(10):
        item = run(100 + index, {"A": 40 + index, "B": 20}, A=0.69)
        requests.append(("POST", f"{path}/observations", {"json": {"observations": [item]}}))
        requests.append(("GET", f"{path}/allocations/next", {}))
    answers = api.together(requests)
    assert {answer.status_code for answer in answers} == {200, 201}
    by_version: dict[int, set[bytes]] = {}
    for answer in answers[1::2]:
        by_version.setdefault(answer.json()["data_version"], set()).add(answer.content)
    assert all(len(contents) == 1 for contents in by_version.values())


SIZES, FALLING = (100, 200, 400, 800), {"A": (20.0, 9.0, 6.0, 5.0), "B": (50.0, 20.0, 9.0, 5.0)}


def falling(first: float = 20.0, scale: float = 1.0) -> list[dict[str, Any]]:
    """Runs whose losses fall, A's first one `first`, all times `scale`."""
    values = {**FALLING, "A": (first, *FALLING["A"][1:])}
    return [
        {"counts": {"A": n, "B": n}, "metrics": {group: {"value": v[i] * scale} for group, v in values.items()}}
        for i, n in enumerate(SIZES)
    ]


def planned(api: Api, runs: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    path = api.project(metric=OPEN)
    assert api.post(f"{path}/observations", json={"observations": runs}).status_code == 201
    answer = api.get(f"{path}/allocations/next")
    assert answer.status_code == 200, answer.text
    plan: dict[str, Any] = answer.json()
    return path, plan


@pytest.mark.parametrize("first", [1e3, 1e6, 1e15])
def test_a_run_that_exploded_is_named_and_moves_nothing(api: Api, first: float) -> None:
    path, plan = planned(api, falling(first))
    rest = [{**one, "metrics": {"B": one["metrics"]["B"]}} if not i else one for i, one in enumerate(falling())]
    _, without = planned(api, rest)
    assert [group["metric_now"] for group in plan["groups"]] == [group["metric_now"] for group in without["groups"]]
    assert [group["add"] for group in plan["groups"]] == [group["add"] for group in without["groups"]]
    curve = api.get(f"{path}/curves/A").json()
    [outlier] = [one["detail"] for one in curve["warnings"] if one["code"] == "outlier"]
    assert f"count 100, loss {first:.4g}" in outlier
    assert [point["count"] for point in curve["points"]] == [100, 200, 400, 800]
    assert all(point["residual"] is not None for point in curve["points"])


def test_a_run_that_exploded_says_nothing_of_later_forecasts(api: Api) -> None:
    found = []
    for first in (1e9, None):
        runs = falling(first or 20.0)
        if first is None:
            del runs[0]["metrics"]["A"]
        for one in runs:
            for reading in one["metrics"].values():
                reading["stderr"] = 0.5
        path, _ = planned(api, runs)
        later = {"counts": {"A": 1600, "B": 1600}, "metrics": {"A": {"value": 4.5, "stderr": 0.5}}}
        assert api.post(f"{path}/observations", json={"observations": [later]}).status_code == 201
        [forecast] = api.forecasts(path).json()["items"]
        found.append((forecast["p05"], forecast["p95"]))
    assert found[0] == pytest.approx(found[1], rel=0.1)


@pytest.mark.parametrize("scale", [1e-99, 1e-50, 1e12])
def test_a_metric_in_another_unit_gives_the_same_plan(api: Api, scale: float) -> None:
    (_, one), (path, other) = planned(api, falling()), planned(api, falling(scale=scale))
    assert [group["add"] for group in one["groups"]] == [group["add"] for group in other["groups"]]
    for mine, theirs in zip(one["groups"], other["groups"], strict=True):
        assert theirs["metric_now"]["p50"] == pytest.approx(scale * mine["metric_now"]["p50"], rel=1e-6)
    assert api.get(f"{path}/measurement-plan").status_code == 200
    targets = {"targets": {"A": 3.0 * scale, "B": 3.0 * scale}}
    assert api.post(f"{path}/requirements", json=targets).status_code == 200
