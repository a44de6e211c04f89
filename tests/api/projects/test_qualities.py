"""Qualities of sources over HTTP: stated, stated with doubt, learned from runs that say what they were trained on."""

from math import ceil
from typing import Any

import pytest
from scipy.stats import beta

from tests.api_client import Api
from tests.conftest import one_database

METRIC = {"name": "error", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": 1.0}
NOISY = {"key": "noisy", "group": "A", "unit_cost": "0.5"}


def loss(worth: float) -> float:
    """.0525 at 2,500 clean samples."""
    return float(1.625 * worth**-0.5 + 0.02)


def raw(clean: int, noisy: int, quality: float) -> dict[str, Any]:
    """A run posted by its raw counts."""
    value = loss(clean + quality * noisy)
    came = {"from": {"noisy": {"A": noisy}}} if noisy else {}
    return {"counts": {"A": clean + noisy}, "metrics": {"A": {"value": value, "stderr": 0.002}}, **came}


def project(api: Api, initial: int, **source: Any) -> str:
    groups = [{"key": "A", "initial_count": initial, "unit_cost": "1"}]
    path = api.project(metric=METRIC, groups=groups, model="separate", budget={"total": "5000", "rounds": 1})
    answer = api.post(f"{path}/sources", json={**NOISY, "quality": None, **source})
    assert answer.status_code == 201, answer.text
    return path


def test_a_quality_is_stated_or_learned_and_given_back(api: Api) -> None:
    path = project(api, 1000)
    said = api.get(f"{path}/sources/noisy").json()
    assert said["quality"] is None
    assert said["record"]["quality"]["mean"] == pytest.approx(0.686, abs=0.002)
    for quality, mean in (({"p05": 0.4, "p95": 0.8}, 0.6), (0.3, 0.3), ({"p05": 0.625, "p95": 0.625}, 0.625)):
        changed = api.patch(f"{path}/sources/noisy", json={"quality": quality}).json()
        assert changed["quality"] == quality
        assert changed["record"]["quality"]["mean"] == pytest.approx(mean, abs=0.01)
    assert api.patch(f"{path}/sources/noisy", json={"quality": None}).json()["quality"] is None


@one_database
@pytest.mark.parametrize("quality", [{"p05": 0.8, "p95": 0.4}, {"p05": 0.4}, {"p05": -1, "p95": 0.4}, 0, 1.2, "high"])
def test_a_quality_that_cannot_be_is_refused(api: Api, quality: Any) -> None:
    path = project(api, 1000)
    answer = api.patch(f"{path}/sources/noisy", json={"quality": quality})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/quality")


@one_database
@pytest.mark.parametrize("way", ["held at the start", "bought"])
def test_raw_counts_that_say_where_they_came_from_count_for_what_they_are_worth(api: Api, way: str) -> None:
    """1,000 real and 5,000 synthetic samples, worth .3 each: 2,500, whose loss is .0525."""
    path = project(api, 6000 if way == "held at the start" else 1000)
    if way == "bought":
        answer = api.post(f"{path}/purchases", json={"external_id": "p", "orders": {"noisy": 5000}})
        assert answer.status_code == 201, answer.text
    runs = [raw(clean, 0, 0.3) for clean in (125, 250, 500, 1000)]
    runs += [raw(125, 500, 0.3), raw(250, 1000, 0.3), raw(500, 2000, 0.3), raw(1000, 5000, 0.3)]
    assert api.post(f"{path}/observations", json={"observations": runs}).status_code == 201
    record = api.get(f"{path}/sources/noisy").json()["record"]["quality"]
    assert record["p05"] < 0.3 < record["p95"]
    assert record["runs"] == 4
    [group] = api.get(f"{path}/allocations/next").json()["groups"]
    assert group["metric_now"]["mean"] == pytest.approx(0.0525, abs=0.001)
    assert group["raw_count"] == 6000
    assert group["count"] == pytest.approx(1000 + 5000 * record["mean"], abs=1)
    curve = api.get(f"{path}/curves/A").json()
    assert max(one["count"] for one in curve["points"]) == pytest.approx(2500, abs=200)


@one_database
def test_runs_on_clean_samples_alone_may_say_so(api: Api) -> None:
    answers = []
    for origin in ({}, {"from": {}}, {"from": {"noisy": {"A": 0}}}):
        path = project(api, 1000, quality=0.5)
        runs = [{**raw(n, 0, 1.0), **origin} for n in (125, 250, 500, 1000)]
        api.post(f"{path}/observations", json={"observations": runs})
        answer = api.get(f"{path}/allocations/next").json()
        answers.append((answer["groups"], answer["sources"], answer["utility"]))
    assert answers[0] == answers[1] == answers[2]


CURVE = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5, "offset": 0.0}


def two_ways(api: Api, quality: Any, price: str, **source: Any) -> str:
    """One group of a stated curve, clean samples at 1."""
    groups = [{"key": "A", "initial_count": 1000, "unit_cost": "1", "assumed_curve": CURVE}]
    path = api.project(metric=METRIC, groups=groups, budget={"total": "1000", "rounds": 1})
    answer = api.post(f"{path}/sources", json={**NOISY, "quality": quality, "unit_cost": price, **source})
    assert answer.status_code == 201, answer.text
    return path


@one_database
def test_the_plan_buys_by_quality_and_says_up_to_which_price(api: Api) -> None:
    exact = {"p05": 0.625, "p95": 0.625}
    for quality, price, order, verdict in ((exact, "0.5", 2000, "buy"), (exact, "0.63", 0, "leave")):
        path = two_ways(api, quality, price)
        plan = api.get(f"{path}/allocations/next").json()
        sources = {one["source"]: one for one in plan["sources"]}
        assert (sources["noisy"]["order"], sources["noisy"]["verdict"]) == (order, verdict)
        assert sources["noisy"]["break_even"] == "0.625000" or float(sources["noisy"]["break_even"]) == 0.625
        [group] = plan["groups"]
        assert group["count_after"] == (2250 if order else 2000)
    path = two_ways(api, {"p05": 0.4, "p95": 0.8}, "0.5")
    plan = api.get(f"{path}/allocations/next").json()
    assert {one["source"]: one["verdict"] for one in plan["sources"]}["noisy"] == "undecided"


@one_database
def test_risk_counts_on_the_worst_of_quality(api: Api) -> None:
    path = two_ways(api, {"p05": 0.4, "p95": 0.8}, "0.5")
    for risk, order in ((1.0, 2000), (0.25, 0)):
        api.patch(path, json={"objective": {"kind": "utilitarian", "risk": risk}})
        sources = {one["source"]: one for one in api.get(f"{path}/allocations/next").json()["sources"]}
        assert sources["noisy"]["order"] == order


@one_database
def test_risk_reaches_a_floor_at_the_worst_of_what_may_be_accepted(api: Api) -> None:
    """The same for acceptance: stated .75 is Beta(15, 5), so 510 more are 680 ordered on average, more the less `risk`
    is, by SciPy's beta."""
    groups = [
        {"key": "A", "weight": 0, "min_count": 510, "assumed_curve": CURVE},
        {"key": "B", "unit_cost": "1", "assumed_curve": CURVE},
    ]
    path = api.project(metric=METRIC, groups=groups, model="separate", budget={"total": "2000", "rounds": 1})
    source = {"key": "panel", "group": "A", "unit_cost": "1", "acceptance_rate": 0.75}
    assert api.post(f"{path}/sources", json=source).status_code == 201
    law = beta(15, 5)
    for risk in (1.0, 0.6, 0.1):
        api.patch(path, json={"objective": {"kind": "utilitarian", "risk": risk}})
        orders = {one["source"]: one["order"] for one in api.get(f"{path}/allocations/next").json()["sources"]}
        rate = law.expect(lambda x: x, lb=0, ub=law.ppf(risk), conditional=True)
        assert orders["panel"] == ceil(510 / rate - 1e-9)
        assert law.sf(510 / orders["panel"]) >= 1.0 - risk


@one_database
def test_what_costs_nothing_is_taken_up_to_its_limit_unless_it_harms(api: Api) -> None:
    path = two_ways(api, 0.3, "0", max_order=500)
    plan = api.get(f"{path}/allocations/next").json()
    sources = {one["source"]: one for one in plan["sources"]}
    assert (sources["noisy"]["order"], sources["noisy"]["cost"]) == (500, "0.00")
    assert (sources["A"]["order"], sources["A"]["cost"]) == (1000, "1000.00")
    api.patch(f"{path}/sources/noisy", json={"quality": {"p05": -0.3, "p95": -0.1}})
    plan = api.get(f"{path}/allocations/next").json()
    sources = {one["source"]: one for one in plan["sources"]}
    assert (sources["noisy"]["order"], sources["noisy"]["verdict"]) == (0, "leave")
    # Who holds an order from it all the same gets it, counted as nothing.
    held = api.get(f"{path}/allocations/next?hold=noisy:100").json()
    assert {one["source"]: one["order"] for one in held["sources"]} == {"A": 1000, "noisy": 100}
    assert held["groups"][0]["count_after"] == 2000
    for change in ({"max_order": None}, {"price_tiers": [{"from": 10, "unit_cost": "1"}]}):
        answer = api.patch(f"{path}/sources/noisy", json=change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/unit_cost"


@one_database
def test_mixed_runs_that_do_not_say_so_are_named(api: Api) -> None:
    path = project(api, 1000, quality=0.3)
    api.post(f"{path}/purchases", json={"external_id": "p", "orders": {"noisy": 5000}})
    bare = {key: value for key, value in raw(1000, 5000, 0.3).items() if key != "from"}
    api.post(f"{path}/observations", json={"observations": [raw(500, 0, 1), raw(1000, 0, 1)]})
    codes = [one["code"] for one in api.get(f"{path}/allocations/next").json()["warnings"]]
    assert "mixed_unknown" not in codes
    api.post(f"{path}/observations", json={"observations": [bare]})
    warnings = api.get(f"{path}/allocations/next").json()["warnings"]
    [told] = [one for one in warnings if one["code"] == "mixed_unknown"]
    assert (told["group"], told["source"]) == ("A", "noisy")


@one_database
def test_a_pilot_is_swapped_onto_clean_subsets_and_says_whether_it_decides(api: Api) -> None:
    path = project(api, 1000, unit_cost="0.3")
    api.post(f"{path}/observations", json={"observations": [raw(n, 0, 1) for n in (125, 250, 500, 1000)]})
    plan = api.get(f"{path}/measurement-plan", params={"pilot": "noisy:250"}).json()
    pilot = plan["pilot"]
    assert (pilot["source"], pilot["group"], pilot["count"]) == ("noisy", "A", 250)
    assert pilot["break_even"] == pytest.approx(0.3)
    assert pilot["sd_after"] < 0.6 * pilot["sd_now"]
    assert len(pilot["runs"]) == 3
    for one in pilot["runs"]:
        [(_, of_group)] = one["from"].items()
        assert of_group["A"] <= min(250, one["counts"]["A"])
        assert one["counts"]["A"] - of_group["A"] <= 1000
    assert pilot["verdict"] == "decides"
    # Its runs, made and posted as they stand, tell it.
    made = []
    for number, one in enumerate(pilot["runs"]):
        noisy = one["from"]["noisy"]["A"]
        made.append({**raw(one["counts"]["A"] - noisy, noisy, 0.625), "external_id": f"pilot-{number}"})
    assert api.post(f"{path}/observations", json={"observations": made}).status_code == 201
    record = api.get(f"{path}/sources/noisy").json()["record"]["quality"]
    assert record["p05"] < 0.625 < record["p95"]
    assert record["p95"] - record["p05"] < 0.6
    [verdict] = [
        one["verdict"] for one in api.get(f"{path}/allocations/next").json()["sources"] if one["source"] == "noisy"
    ]
    assert verdict == "buy"
    assert "pilot" not in plan or api.get(f"{path}/measurement-plan").json()["pilot"] is None


@one_database
@pytest.mark.parametrize("asked", ["noisy", "noisy:0", ":5", "nosy:250", "noisy:many"])
def test_a_pilot_that_cannot_be_is_refused(api: Api, asked: str) -> None:
    path = two_ways(api, None, "0.5")
    answer = api.get(f"{path}/measurement-plan", params={"pilot": asked})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "?pilot"


@one_database
@pytest.mark.parametrize(("price", "orders"), [("0.5", (182, 1636)), ("0.9", (1000, 0))])
def test_a_least_share_of_clean_samples_is_bought_beside_a_noisy_tier(
    api: Api, price: str, orders: tuple[int, int]
) -> None:
    """A clean sample for 1.75 noisy ones, a tenth clean at least: the noisy are bought down to the floor, or none."""
    path = two_ways(api, 1 / 1.75, price)
    limit = {"name": "a tenth clean", "sources": ["A"], "measure": "count_share", "min": 0.1}
    assert api.patch(path, json={"set_limits": [limit]}).status_code == 200
    sources = {one["source"]: one["order"] for one in api.get(f"{path}/allocations/next").json()["sources"]}
    assert (sources["A"], sources["noisy"]) == pytest.approx(orders, abs=2)


@one_database
def test_a_scenario_may_say_another_quality(api: Api) -> None:
    path = two_ways(api, None, "0.65")
    said: list[Any] = [0.3, 0.9, {"p05": 0.6, "p95": 0.8}]
    scenarios = [{"name": f"{at}", "sources": {"noisy": {"quality": one}}} for at, one in enumerate(said)]
    answer = api.post(f"{path}/allocations/what-if", json={"scenarios": scenarios}).json()
    orders = [{key: part["order"] for key, part in one["sources"].items()} for one in answer["scenarios"]]
    assert [one["noisy"] for one in orders] == [0, 1538, 1538]
    after = [1.0 - one["groups"]["A"]["metric_after"]["mean"] for one in answer["scenarios"]]
    worth = [2000, 1000 + 0.9 * 1538, 1000 + 0.7 * 1538]
    assert after == pytest.approx([1.0 - n**-0.5 for n in worth], abs=1e-4)
