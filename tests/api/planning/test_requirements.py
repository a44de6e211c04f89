"""What targets cost, over HTTP."""

import math
from decimal import Decimal
from typing import Any

import pytest

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api.planning.test_allocations import measured
from tests.api_client import Api
from tests.conftest import new_key, one_database


def curve(scale: float, asymptote: float = 0.0) -> dict[str, float]:
    return {"asymptote": asymptote, "scale": scale, "exponent": 0.5, "offset": 0.0}


def known(api: Api, *groups: dict[str, Any], **changes: Any) -> str:
    """A project whose curves are stated, so that answers have closed forms."""
    return api.project(groups=list(groups), budget={"total": "100000", "rounds": 1}, **changes)


def ask(api: Api, path: str, **question: Any) -> dict[str, Any]:
    answer = api.post(f"{path}/requirements", json=question)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_least_counts_and_their_cost_are_the_closed_form(api: Api) -> None:
    """1 − scale · n^(−1/2) ≥ target from n = (scale/(1 − target))² on."""
    path = known(
        api,
        {"key": "A", "initial_count": 100, "unit_cost": "1.50", "target": 0.95, "assumed_curve": curve(1.0)},
        {"key": "B", "initial_count": 10, "unit_cost": "2", "target": 0.875, "assumed_curve": curve(2.0)},
    )
    found = ask(api, path)
    needed = {"A": (1.0 / 0.05) ** 2, "B": (2.0 / 0.125) ** 2}
    orders = {one["source"]: one for one in found["sources"]}
    for group in found["groups"]:
        key = group["group"]
        assert group["count_needed"] == pytest.approx(needed[key], rel=1e-6)
        assert orders[key]["order"] == math.ceil(needed[key] - 1e-6) - group["count_now"]
        assert (group["chance_now"], group["chance"], group["chance_reachable"]) == (0.0, 1.0, 1.0)
        assert group["reason"]
    assert (orders["A"]["cost"], orders["B"]["cost"]) == ("450.00", "492.00")
    assert (found["spend"], found["method"], found["joint_chance"]) == ("942.00", "exact", 1.0)
    assert found["short"] == []


def test_a_target_below_the_floor_is_unreachable_and_the_others_are_served(api: Api) -> None:
    path = known(
        api,
        {"key": "A", "unit_cost": "1", "target": 0.9, "assumed_curve": curve(1.0)},
        {"key": "B", "unit_cost": "1", "target": 0.9, "assumed_curve": curve(1.0, asymptote=0.2)},
    )
    found = ask(api, path)
    [hopeless] = found["short"]
    assert (hopeless["group"], hopeless["cause"], hopeless["chance"]) == ("B", "out_of_reach", 0.0)
    assert {one["group"]: one["count_needed"] is None for one in found["groups"]} == {"A": False, "B": True}
    assert {one["source"]: one["order"] for one in found["sources"]} == {"A": 100, "B": 0}


def test_what_is_held_costs_nothing(api: Api) -> None:
    path = known(api, {"key": "A", "initial_count": 900, "unit_cost": "1", "target": 0.9, "assumed_curve": curve(1.0)})
    found = ask(api, path)
    assert (found["spend"], found["groups"][0]["chance_now"]) == ("0.00", 1.0)


def test_targets_can_be_named_in_the_question(api: Api) -> None:
    path = known(
        api,
        {"key": "A", "unit_cost": "1", "target": 0.5, "assumed_curve": curve(1.0)},
        {"key": "B", "unit_cost": "1", "assumed_curve": curve(1.0)},
    )
    own = ask(api, path)
    assert [group["group"] for group in own["groups"]] == ["A"]
    named = ask(api, path, targets={"A": None, "B": 0.8})
    assert [(group["group"], group["target"]) for group in named["groups"]] == [("B", 0.8)]
    assert named["sources"] == [
        {"source": "A", "order": 0, "cost": "0.00"}, {"source": "B", "order": 25, "cost": "25.00"},
    ]  # fmt: skip
    assert api.get(f"{path}/groups/B").json()["target"] is None


def test_more_money_never_has_a_smaller_chance(api: Api) -> None:
    path = measured(api)
    targets = {"A": 0.78, "B": 0.74}
    found = ask(api, path, targets=targets, chance=0.6, budgets=["500", "0", "100", "1000"])
    assert [one["budget"] for one in found["curve"]] == ["0.00", "100.00", "500.00", "1000.00"]
    levels = [one["level"] for one in found["curve"]]
    assert levels == sorted(levels)
    for one in found["curve"]:
        assert Decimal(one["spend"]) <= Decimal(one["budget"])
        assert one["chances"].keys() == targets.keys()
        assert one["level"] <= min(one["chances"].values()) + 1e-9
        assert one["joint_chance"] <= min(one["chances"].values()) + 1e-9


def test_all_together_takes_more_than_each_alone(api: Api) -> None:
    path = measured(api)
    question = {"targets": {"A": 0.77, "B": 0.72}, "chance": 0.6}
    each, together = ask(api, path, **question), ask(api, path, joint=True, **question)
    assert Decimal(together["spend"]) >= Decimal(each["spend"])
    for found in (each, together):
        assert all(group["chance"] >= 0.6 for group in found["groups"])
    assert together["joint_chance"] >= 0.6 - 1e-9


def test_the_same_question_has_the_same_bytes_and_needs_no_more_than_read(api: Api, database: Database) -> None:
    path = measured(api)
    reader = api.as_key(new_key(database, "read"))
    body = {"targets": {"B": 0.75}, "budgets": ["10"], "draws": 100, "seed": 3}
    before = api.get(path).content
    first = reader.post(f"{path}/requirements", json=body)
    assert first.content == reader.post(f"{path}/requirements", json=body).content
    assert api.get(path).content == before


def test_a_bound_that_stands_in_the_way_is_named(api: Api) -> None:
    path = known(
        api,
        {"key": "A", "unit_cost": "1", "target": 0.9, "max_count": 50, "assumed_curve": curve(1.0)},
        {"key": "B", "target": 0.9, "assumed_curve": curve(1.0)},
    )
    causes = {one["group"]: one["cause"] for one in ask(api, path)["short"]}
    assert causes == {"A": "bound", "B": "no_source"}


@one_database
@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, "/targets"),
        ({"targets": {}}, "/targets"),
        ({"targets": {"X": 0.5}}, "/targets/X"),
        ({"targets": {"A": 1.5}}, "/targets/A"),
        ({"targets": {"A": "0.5"}}, "/targets/A"),
        ({"targets": ["A"]}, "/targets"),
        ({"targets": {"A": 0.5}, "chance": 0}, "/chance"),
        ({"targets": {"A": 0.5}, "chance": 1}, "/chance"),
        ({"targets": {"A": 0.5}, "chance": "0.9"}, "/chance"),
        ({"targets": {"A": 0.5}, "joint": "yes"}, "/joint"),
        ({"targets": {"A": 0.5}, "budgets": ["-1"]}, "/budgets/0"),
        ({"targets": {"A": 0.5}, "budgets": ["1", "NaN"]}, "/budgets/1"),
        ({"targets": {"A": 0.5}, "budgets": ["1"] * 51}, "/budgets"),
        ({"targets": {"A": 0.5}, "draws": 10}, "/draws"),
        ({"target": {"A": 0.5}}, "/target"),
    ],
)
def test_a_bad_question_is_named_by_its_pointer(api: Api, question: dict[str, Any], pointer: str) -> None:
    body = problem(api.post(f"{api.project()}/requirements", json=question), 422)
    assert body["errors"][0]["pointer"] == pointer


def test_while_nothing_is_known_of_the_metric_it_cannot_be_said(api: Api) -> None:
    path = api.project(metric={"name": "log loss", "goal": "minimize", "lower": 0.0})
    body = problem(api.post(f"{path}/requirements", json={"targets": {"A": 0.5}}), 409)
    assert "Nothing is known" in body["detail"]
