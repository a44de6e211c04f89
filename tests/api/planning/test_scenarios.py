"""What if: scenarios side by side over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api.planning.test_allocations import measured
from tests.api_client import Api, run
from tests.conftest import new_key, one_database

CURVE = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}


def table(api: Api, path: str, *scenarios: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = api.post(f"{path}/allocations/what-if", json={"scenarios": scenarios, **more})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["scenarios"]
    assert len(rows) == len(scenarios)
    return rows


def adds(row: dict[str, Any]) -> dict[str, int]:
    return {key: cell["add"] for key, cell in row["groups"].items()}


def test_an_empty_scenario_is_the_next_allocation(api: Api) -> None:
    path = measured(api)
    plan = api.get(f"{path}/allocations/next").json()
    [row] = table(api, path, {})
    assert row["name"] == "scenario 1"
    for part in ("policy", "utility", "shadow_price", "optimality", "unspent_reason"):
        assert row[part] == plan[part]
    assert row["budget"] == {name: plan["budget"][name] for name in ("available", "spend", "unspent")}
    assert adds(row) == {group["group"]: group["add"] for group in plan["groups"]}
    assert row["difference"]["spend"] == "0.00"
    assert row["difference"]["utility"] == {"mean": 0.0, "p05": 0.0, "p95": 0.0, "p_better": 0.5}
    assert row["infeasible"] == []


def test_differences_are_to_the_first_row_on_the_same_draws(api: Api) -> None:
    path = measured(api)
    whole, half, again = table(api, path, {"name": "whole"}, {"name": "half", "budget": "250"}, {"budget": "500"})
    assert half["difference"]["spend"] == f"{Decimal(half['budget']['spend']) - Decimal(whole['budget']['spend'])}"
    expected = half["utility"]["after"]["mean"] - whole["utility"]["after"]["mean"]
    assert half["difference"]["utility"]["mean"] == pytest.approx(expected, abs=1e-12)
    assert half["difference"]["utility"]["mean"] < 0
    assert half["difference"]["utility"]["p_better"] < 0.5
    for key, cell in half["groups"].items():
        assert cell["add_difference"] == cell["add"] - whole["groups"][key]["add"]
        metric = cell["metric_after"]["mean"] - whole["groups"][key]["metric_after"]["mean"]
        assert cell["metric_difference"] == pytest.approx(metric, abs=1e-15)
    assert {**again, "name": "whole"} == whole


def test_the_order_of_the_scenarios_changes_no_plan(api: Api) -> None:
    path = measured(api)
    scenarios = [{"budget": "100"}, {"policy": "equal"}, {"sources": {"A": {"unit_cost": "3"}}}]
    forth, back = table(api, path, *scenarios), table(api, path, *scenarios[::-1])
    for one, other in zip(forth, back[::-1], strict=True):
        assert adds(one) == adds(other)
        assert one["utility"] == other["utility"]


def test_another_price_is_planned_as_if_it_were_the_source_s(api: Api) -> None:
    path = measured(api)
    terms = {"unit_cost": "0.50", "max_order": 120, "lot_size": 40}
    _, cheaper = table(api, path, {}, {"sources": {"B": terms}})
    api.patch(f"{path}/sources/B", json=terms)
    plan = api.get(f"{path}/allocations/next").json()
    assert adds(cheaper) == {group["group"]: group["add"] for group in plan["groups"]}
    assert cheaper["utility"] == plan["utility"]


def test_other_bounds_weights_and_limits_are_planned_as_if_they_were_the_project_s(api: Api) -> None:
    path = measured(api)
    limit = {"name": "B", "sources": ["B"], "measure": "cost_share", "max": 0.25}
    scenario = {
        "groups": {"A": {"min_count": 230, "max_count": 320, "weight": 0.5}},
        "set_limits": [limit],
        "objective": {"kind": "isoelastic", "aversion": 2.0},
    }
    _, varied = table(api, path, {}, scenario)
    api.patch(f"{path}/groups/A", json=scenario["groups"]["A"])
    api.patch(path, json={"set_limits": [limit], "objective": scenario["objective"]})
    plan = api.get(f"{path}/allocations/next").json()
    assert adds(varied) == {group["group"]: group["add"] for group in plan["groups"]}
    assert varied["utility"] == plan["utility"]
    assert 230 <= 200 + adds(varied)["A"] <= 320


def test_a_gain_is_judged_by_the_first_scenario_s_objective(api: Api) -> None:
    """By the utilitarian objective no split is better than the utilitarian one, whatever it was made for."""
    path = measured(api)
    _, fair = table(api, path, {}, {"objective": {"kind": "maximin"}})
    assert fair["difference"]["utility"]["mean"] <= 1e-9
    first, _ = table(api, path, {"objective": {"kind": "maximin"}}, {})
    assert first["difference"]["utility"]["mean"] == 0.0


def test_an_assumed_curve_stands_in_for_the_fitted_one(api: Api) -> None:
    """Losses n^-1/2 and 4 n^-1/2, 1,000 for money at one price: 284 and 716 from nothing (a closed form)."""
    groups = [{"key": key, "unit_cost": "1"} for key in ("A", "B")]
    path = api.project(groups=groups, budget={"total": "1000", "rounds": 1})
    runs = [run(1, {"A": 9, "B": 9}, A=0.5, B=0.5), run(2, {"A": 99, "B": 99}, A=0.6, B=0.7)]
    api.post(f"{path}/observations", json={"observations": runs})
    curves = {"A": {"assumed_curve": CURVE}, "B": {"assumed_curve": {**CURVE, "scale": 4.0}}}
    _, assumed, half = table(api, path, {}, {"groups": curves}, {"groups": {"A": curves["A"]}})
    assert adds(assumed) == {"A": 284, "B": 716}
    assert assumed["groups"]["A"]["metric_after"]["mean"] == pytest.approx(1 - 284**-0.5)
    now = api.get(f"{path}/curves/B", params={"at": "0"}).json()["bands"][0]["mean"]
    bought = half["groups"]["B"]["add"]
    band = api.get(f"{path}/curves/B", params={"at": str(bought)}).json()["bands"][0]["mean"]
    assert half["groups"]["B"]["metric_after"]["mean"] == pytest.approx(band, abs=1e-12)
    assert band >= now


def test_a_split_typed_in_is_judged_as_it_stands(api: Api) -> None:
    path = measured(api)
    _, typed, none = table(api, path, {}, {"orders": {"A": 100, "B": 50}}, {"orders": {}})
    assert adds(typed) == {"A": 100, "B": 50}
    assert typed["budget"] == {"available": "500.00", "spend": "200.00", "unspent": "300.00"}
    assert typed["sources"]["B"] == {"order": 50, "cost": "100.00"}
    assert typed["policy"] is None
    assert typed["difference"]["utility"]["mean"] < 0
    assert adds(none) == {"A": 0, "B": 0}
    assert none["utility"]["after"]["mean"] == pytest.approx(none["utility"]["now"]["mean"], abs=1e-15)


def test_the_plan_typed_in_again_is_worth_the_same(api: Api) -> None:
    path = measured(api)
    [row] = table(api, path, {})
    orders = {key: source["order"] for key, source in row["sources"].items()}
    _, typed = table(api, path, {}, {"orders": orders})
    assert typed["utility"]["after"] == row["utility"]["after"]
    assert typed["difference"]["utility"]["mean"] == 0.0


def test_orders_that_are_held_are_kept_and_the_rest_is_optimised(api: Api) -> None:
    path = measured(api)
    _, held = table(api, path, {}, {"hold": {"A": 17}})
    assert held["sources"]["A"]["order"] == 17
    assert held["sources"]["B"]["order"] == (500 - 17) // 2


def test_an_infeasible_scenario_is_told_in_its_row(api: Api) -> None:
    path = measured(api)
    impossible = {"groups": {"A": {"min_count": 1000}, "B": {"min_count": 900}}, "budget": "100"}
    good, bad, dear, last = table(api, path, {}, impossible, {"orders": {"A": 501}}, {"policy": "equal"})
    assert good["infeasible"] == last["infeasible"] == []
    for row in (bad, dear):
        assert row["infeasible"]
        assert (row["budget"], row["utility"], row["difference"], row["groups"]) == (None, None, None, {})
    assert "/budget" in {one["pointer"] for one in bad["infeasible"]}
    assert [one["pointer"] for one in dear["infeasible"]] == ["/budget"]


def test_where_the_first_is_infeasible_there_are_no_differences(api: Api) -> None:
    path = measured(api)
    _, row = table(api, path, {"groups": {"A": {"min_count": 10_000}}}, {})
    assert row["difference"] is None
    assert row["groups"]["A"]["add_difference"] is None
    assert row["groups"]["A"]["add"] > 0


def test_money_may_be_imagined_beyond_what_the_project_has(api: Api) -> None:
    path = measured(api)
    _, rich = table(api, path, {}, {"budget": "1000000"})
    assert rich["budget"]["available"] == "1000000.00"
    assert rich["difference"]["utility"]["mean"] > 0


def test_asking_what_if_changes_nothing_and_needs_no_more_than_read(api: Api, database: Database) -> None:
    path = measured(api)
    places = (path, f"{path}/groups", f"{path}/sources", f"{path}/allocations/next")
    before = [api.get(place).content for place in places]
    reader = api.as_key(new_key(database, "read"))
    scenario = {"groups": {"A": {"weight": 5, "assumed_curve": CURVE}}, "sources": {"A": {"unit_cost": "9"}}}
    rows = table(reader, path, {}, scenario)
    assert rows == table(reader, path, {}, scenario)
    assert [api.get(place).content for place in places] == before
    problem(api.as_key(new_key(database, "observe")).post(f"{path}/allocations/what-if", json={"scenarios": [{}]}), 403)


def test_only_what_is_bought_can_be_shown(api: Api) -> None:
    path = measured(api)
    whole, none = table(api, path, {"groups": {"B": {"weight": 0}}}, {"orders": {}}, groups="bought")
    assert adds(whole).keys() == {"A"}
    assert none["groups"]["A"]["add_difference"] == -adds(whole)["A"]
    assert none["sources"] == {}


def test_where_nothing_is_known_money_is_split_evenly_until_every_curve_is_assumed(api: Api) -> None:
    path = api.project(metric={"name": "log loss", "goal": "minimize", "lower": 0.0})
    curves = {"A": {"assumed_curve": CURVE}, "B": {"assumed_curve": CURVE}}
    blind, stated = table(api, path, {}, {"groups": curves})
    assert (blind["policy"], blind["utility"], blind["shadow_price"]) == ("equal_spend", None, None)
    assert (stated["policy"], stated["utility"] is None) == ("optimal", False)
    assert stated["difference"]["utility"] is None
    assert stated["groups"]["A"]["metric_difference"] is None


@one_database
@pytest.mark.parametrize(
    ("scenario", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"name": ""}, "/name"),
        ({"budget": "-1"}, "/budget"),
        ({"budget": "NaN"}, "/budget"),
        ({"budget": "1e13"}, "/budget"),
        ({"policy": "best"}, "/policy"),
        ({"exploration": 1.5}, "/exploration"),
        ({"exploration": "0.5"}, "/exploration"),
        ({"objective": {"kind": "robust", "weight_vectors": [{"X": 1}]}}, "/objective/weight_vectors/0/X"),
        ({"objective": {"kind": "targets"}}, "/objective/kind"),
        ({"set_limits": [{"name": "l", "sources": ["X"], "measure": "count", "max": 1}]}, "/set_limits/0/sources/0"),
        ({"groups": {"X": {"weight": 1}}}, "/groups/X"),
        ({"groups": {"X/~": {"weight": 1}}}, "/groups/X~1~0"),
        ({"groups": {"A": {"weight": -1}}}, "/groups/A/weight"),
        ({"groups": {"A": {"initial_count": 1}}}, "/groups/A/initial_count"),
        ({"groups": {"A": {"target": 2.0}}}, "/groups/A/target"),
        ({"groups": {"A": {"min_count": 5, "max_count": 4}}}, "/groups/A/min_count"),
        ({"groups": {"A": {"assumed_curve": None}}}, "/groups/A/assumed_curve"),
        ({"groups": {"A": {"assumed_curve": {**CURVE, "exponent": 0}}}}, "/groups/A/assumed_curve/exponent"),
        ({"groups": {"A": {"weight": 0}, "B": {"weight": 0}}}, "/groups"),
        ({"sources": {"X": {"unit_cost": "1"}}}, "/sources/X"),
        ({"sources": {"A": {"unit_cost": "0"}}}, "/sources/A/unit_cost"),
        ({"sources": {"A": {"group": "B"}}}, "/sources/A/group"),
        ({"sources": {"A": {"max_order": 5, "lot_size": 10}}}, "/sources/A/max_order"),
        ({"sources": {"A": {"price_tiers": [{"from": 2, "unit_cost": "1"}] * 2}}}, "/sources/A/price_tiers/1/from"),
        ({"orders": {"X": 1}}, "/orders/X"),
        ({"orders": {"A": -1}}, "/orders/A"),
        ({"orders": {"A": 1.5}}, "/orders/A"),
        ({"orders": {"A": 10**10}}, "/orders/A"),
        ({"orders": {"A": 1}, "policy": "equal"}, "/orders"),
        ({"orders": {"A": 1}, "hold": {"A": 1}}, "/orders"),
        ({"hold": {"X": 1}}, "/hold/X"),
        ({"hold": {"A": True}}, "/hold/A"),
    ],
)
def test_a_bad_scenario_is_named_by_its_pointer(api: Api, scenario: dict[str, Any], pointer: str) -> None:
    path = api.project()
    body = problem(api.post(f"{path}/allocations/what-if", json={"scenarios": [{}, scenario]}), 422)
    assert body["errors"][0]["pointer"] == f"/scenarios/1{pointer}"


@one_database
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scenarios"),
        ({"scenarios": []}, "/scenarios"),
        ({"scenarios": [{}] * 21}, "/scenarios"),
        ({"scenarios": {"a": {}}}, "/scenarios"),
        ({"scenarios": [{}], "draws": 49}, "/draws"),
        ({"scenarios": [{}], "draws": 2001}, "/draws"),
        ({"scenarios": [{}], "seed": -1}, "/seed"),
        ({"scenarios": [{}], "groups": "some"}, "/groups"),
    ],
)
def test_a_bad_question_is_named_by_its_pointer(api: Api, body: dict[str, Any], pointer: str) -> None:
    answer = problem(api.post(f"{api.project()}/allocations/what-if", json=body), 422)
    assert answer["errors"][0]["pointer"] == pointer


def test_the_faults_of_all_scenarios_are_listed_at_once(api: Api) -> None:
    path = api.project()
    scenarios = [
        {"orders": {"X": 1, "Y": 2}},
        {},
        {"groups": {"Z": {}}},
        {"sources": {"A": {"min_order": 7, "max_order": 6}}},
    ]
    body = problem(api.post(f"{path}/allocations/what-if", json={"scenarios": scenarios}), 422)
    assert [fault["pointer"] for fault in body["errors"]] == [
        "/scenarios/0/orders/X", "/scenarios/0/orders/Y", "/scenarios/2/groups/Z", "/scenarios/3/sources/A/max_order",
    ]  # fmt: skip


def test_twenty_scenarios_are_answered(api: Api) -> None:
    path = measured(api)
    rows = table(api, path, *({"budget": str(25 * step)} for step in range(20)))
    gains = [row["difference"]["utility"]["mean"] for row in rows]
    assert gains == sorted(gains)
    assert gains[0] == 0.0


def test_a_project_without_groups_cannot_be_compared(api: Api) -> None:
    problem(api.post(f"{api.project(groups=[])}/allocations/what-if", json={"scenarios": [{}]}), 422)
