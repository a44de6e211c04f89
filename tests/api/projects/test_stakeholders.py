"""Stakeholders: who else judges a project's plans, and the compromise between them."""

from typing import Any

import pytest

from tests.api.exports.test_tables import table
from tests.api_client import RUNS, Api
from tests.conftest import one_database

A, B = {"A": 1.0}, {"B": 1.0}
TWO: list[dict[str, Any]] = [
    {"name": "for A", "objective": {"kind": "utilitarian"}, "weights": A},
    {"name": "the worst off", "objective": {"kind": "maximin"}, "weights": None},
]


def shares(plan: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["share"] for one in plan["stakeholders"]}


def test_every_plan_says_how_the_stakeholders_fare_and_a_compromise_serves_both(api: Api) -> None:
    path = api.project(stakeholders=TWO)
    api.post(f"{path}/observations", json=RUNS)
    own = shares(api.get(f"{path}/allocations/next").json())
    api.patch(path, json={"objective": {"kind": "compromise"}})
    plan = api.get(f"{path}/allocations/next").json()
    assert min(shares(plan).values()) >= min(own.values()) - 1e-3
    assert plan["objective"] == {"kind": "compromise"}
    assert plan["utility"]["now"]["mean"] == 0.0
    assert plan["utility"]["after"]["mean"] == pytest.approx(min(shares(plan).values()), abs=1e-9)
    assert plan["optimality"]["gap"] < 0.01

    body = {"scenarios": [{}, {"objective": {"kind": "maximin"}}, {"policy": "equal"}]}
    answered = api.post(f"{path}/allocations/what-if", json=body).json()
    first, worst, equal = answered["scenarios"]
    assert shares(first) == shares(plan)
    assert shares(worst)["the worst off"] == pytest.approx(1.0, abs=0.01)
    assert min(shares(equal).values()) <= min(shares(first).values()) + 1e-9
    rows = table(api, path, "stakeholders")
    assert {row["stakeholder"]: float(row["share"]) for row in rows} == pytest.approx(shares(plan))
    assert "the worst off" in api.get(f"{path}/report").text


@one_database
def test_what_stakeholders_name_follows_a_rename_and_stays(api: Api) -> None:
    robust = {"kind": "robust", "mode": "regret", "weight_vectors": [A, B]}
    path = api.project(stakeholders=[*TWO, {"name": "unsure", "objective": robust}])
    assert api.get(path).json()["stakeholders"][2] == {"name": "unsure", "objective": robust, "weights": None}
    api.patch(f"{path}/groups/A", json={"key": "Z"})
    first, _, third = api.get(path).json()["stakeholders"]
    assert first["weights"] == {"Z": 1.0}
    assert third["objective"]["weight_vectors"] == [{"Z": 1.0}, B]
    refused = api.delete(f"{path}/groups/Z")
    assert refused.status_code == 409
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [
        "/stakeholders/0/weights/Z",
        "/stakeholders/2/objective/weight_vectors/0/Z",
    ]


@one_database
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"stakeholders": [TWO[0], TWO[0]]}, "/stakeholders/1/name"),
        ({"stakeholders": [TWO[0] | {"weights": {"A": 0}}]}, "/stakeholders/0/weights"),
        ({"stakeholders": [TWO[0] | {"weights": {"nobody": 1}}]}, "/stakeholders/0/weights/nobody"),
        ({"stakeholders": [TWO[0] | {"weights": {"A": -1}}]}, "/stakeholders/0/weights/A"),
        ({"stakeholders": [TWO[0] | {"objective": {"kind": "compromise"}}]}, "/stakeholders/0/objective"),
        ({"stakeholders": TWO * 6}, "/stakeholders"),
        ({"stakeholders": [], "objective": {"kind": "compromise"}}, "/objective/kind"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(api: Api, changes: dict[str, Any], pointer: str) -> None:
    path = api.project(stakeholders=TWO)
    before = api.get(path).json()
    refused = api.patch(path, json=changes)
    assert refused.status_code == 422
    assert pointer in [fault["pointer"] for fault in refused.json()["errors"]]
    assert api.get(path).json() == before


@one_database
def test_who_aims_at_targets_that_are_not_there_is_told(api: Api) -> None:
    path = api.project(stakeholders=[TWO[0] | {"objective": {"kind": "targets"}}])
    refused = api.get(f"{path}/allocations/next")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/stakeholders/0/objective/kind"]


@one_database
def test_games_of_a_compromise_are_played(api: Api) -> None:
    path = api.project(stakeholders=TWO, objective={"kind": "compromise"})
    api.post(f"{path}/observations", json=RUNS)
    made = api.post(f"{path}/simulations", json={"replicates": 4, "rounds": 2, "policies": ["optimal", "equal"]})
    assert made.status_code in (201, 202)
