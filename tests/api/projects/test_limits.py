"""Limits and objectives that name groups and sources, over HTTP."""

from typing import Any

import pytest

from tests.api.http.test_bad_input import problem
from tests.api_client import ACCURACY, Api
from tests.conftest import one_database

LIMIT: dict[str, Any] = {"name": "A at most 40 %", "sources": ["A"], "measure": "cost_share", "max": 0.4}


def limited(**changes: Any) -> list[dict[str, Any]]:
    return [{**LIMIT, **changes}]


def test_limits_come_back_as_they_were_sent(api: Api) -> None:
    limits = [
        {"name": "money", "sources": ["A", "B"], "measure": "cost", "min": "10.00", "max": "999999999999.999999"},
        {"name": "samples", "groups": ["A", "B"], "measure": "count", "min": 500},
        {"name": "clean", "sources": ["A"], "measure": "count_share", "share_of": ["A", "B"], "min": 0.1},
        {"name": "vendors", "sources": ["A", "B"], "measure": "orders", "min": 1, "max": 1},
        LIMIT,
    ]
    path = api.project(set_limits=limits)
    read = api.get(path).json()["set_limits"]
    assert [{name: part for name, part in limit.items() if part is not None} for limit in read] == limits
    assert api.patch(path, json={"set_limits": []}).json()["set_limits"] == []


def test_money_in_a_limit_is_taken_from_its_text(api: Api) -> None:
    path = api.project(set_limits=[{"name": "m", "sources": ["A"], "measure": "cost", "max": 0.1}])
    assert api.get(path).json()["set_limits"][0]["max"] == "0.10"


@one_database
@pytest.mark.parametrize(
    ("limits", "pointers"),
    [
        (limited(sources=["X"]), ["/set_limits/0/sources/0"]),
        (limited(share_of=["A", "X"]), ["/set_limits/0/share_of/1"]),
        (limited(sources=["A", "A"]), ["/set_limits/0/sources"]),
        (limited(sources=[]), ["/set_limits/0/sources"]),
        (limited(sources=None), ["/set_limits/0/sources"]),
        (limited(groups=["A"]), ["/set_limits/0/sources"]),
        (limited(sources=None, groups=["A"]), ["/set_limits/0/groups"]),
        (limited(sources=None, groups=["A"], measure="cost", max="3"), ["/set_limits/0/groups"]),
        (limited(max=None), ["/set_limits/0/min"]),
        (limited(min=0.5), ["/set_limits/0/min"]),
        (limited(max=1.5), ["/set_limits/0/max"]),
        (limited(max="0.4"), ["/set_limits/0/max"]),
        (limited(measure="weight"), ["/set_limits/0"]),
        (limited(measure="count", max=0.5), ["/set_limits/0/max"]),
        (limited(measure="count", max=-1), ["/set_limits/0/max"]),
        (limited(measure="count", max=3, share_of=["B"]), ["/set_limits/0/share_of"]),
        (limited(measure="orders", sources=None, groups=["A"], max=1), ["/set_limits/0/groups"]),
        (limited(measure="orders", max=1.5), ["/set_limits/0/max"]),
        (limited(measure="orders", min=2, max=None), ["/set_limits/0/min"]),
        (limited(measure="orders", max=1, share_of=["B"]), ["/set_limits/0/share_of"]),
        (limited(measure="cost", max="-1"), ["/set_limits/0/max"]),
        (limited(measure="cost", max="NaN"), ["/set_limits/0/max"]),
        (limited(measure="cost", min="2", max="1.999999"), ["/set_limits/0/min"]),
        ([LIMIT, LIMIT], ["/set_limits/1/name"]),
        (limited(name=""), ["/set_limits/0/name"]),
        ({"a": 1}, ["/set_limits"]),
        (limited(sources=["X", "A", "A"], min=0.5) + limited(name="n", groups=["A"], sources=None),
         ["/set_limits/0/sources", "/set_limits/0/min", "/set_limits/1/groups", "/set_limits/0/sources/0"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_limit_is_named(api: Api, limits: Any, pointers: list[str]) -> None:
    path = api.project()
    before = api.get(path).content
    body = problem(api.patch(path, json={"set_limits": limits}), 422)
    assert [fault["pointer"] for fault in body["errors"]] == pointers
    assert api.get(path).content == before
    new = {"name": "x", "metric": ACCURACY, "budget": {"total": "1"}, "set_limits": limits}
    problem(api.post("/v1/projects", json=new), 422)


def test_a_project_can_be_made_with_its_sources_and_limits_at_once(api: Api) -> None:
    sources = [{"key": f"x-{number}", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": number} for number in (1, 2)]
    limits = [{"name": "X at most 40 %", "sources": ["x-1", "x-2"], "measure": "cost_share", "max": 0.4}]
    path = api.project(sources=sources, set_limits=limits)
    assert [source["key"] for source in api.get(f"{path}/sources").json()["items"]] == ["A", "B", "x-1", "x-2"]
    assert api.get(path).json()["data_version"] == 1


@pytest.mark.parametrize(
    ("objective", "read"),
    [
        ({"kind": "cvar"}, {"kind": "cvar", "tail": 0.25}),
        ({"kind": "cvar", "tail": 0.1, "risk": 0.5}, {"kind": "cvar", "tail": 0.1, "risk": 0.5}),
        ({"kind": "targets", "power": 2}, {"kind": "targets", "power": 2}),
        ({"kind": "gap", "lambda": 0.5}, {"kind": "gap", "lambda": 0.5}),
        ({"kind": "robust", "weight_vectors": [{"A": 1, "B": 3}, {"B": 1}]},
         {"kind": "robust", "mode": "worst_case", "weight_vectors": [{"A": 1.0, "B": 3.0}, {"B": 1.0}]}),
        ({"kind": "robust", "mode": "regret", "weight_vectors": [{"A": 1}]},
         {"kind": "robust", "mode": "regret", "weight_vectors": [{"A": 1.0}]}),
    ],
)  # fmt: skip
def test_every_objective_comes_back_as_it_was_sent(api: Api, objective: dict[str, Any], read: dict[str, Any]) -> None:
    path = api.project(objective=objective)
    assert api.get(path).json()["objective"] == read
    other = api.project()
    assert api.patch(other, json={"objective": objective}).json()["objective"] == read


def named_everywhere(api: Api) -> str:
    return api.project(
        objective={"kind": "robust", "weight_vectors": [{"A": 1}, {"A": 1, "B": 2}]},
        set_limits=[
            {"name": "sources", "sources": ["A"], "measure": "cost_share", "share_of": ["A", "B"], "max": 0.4},
            {"name": "groups", "groups": ["A", "B"], "measure": "count", "min": 5},
        ],
    )


def test_a_new_key_is_followed_wherever_the_old_one_was_named(api: Api) -> None:
    path = named_everywhere(api)
    assert api.patch(f"{path}/groups/A", json={"key": "G"}).status_code == 200
    assert api.patch(f"{path}/sources/A", json={"key": "S"}).status_code == 200
    read = api.get(path).json()
    assert read["objective"]["weight_vectors"] == [{"G": 1.0}, {"G": 1.0, "B": 2.0}]
    assert read["set_limits"][0]["sources"] == ["S"]
    assert read["set_limits"][0]["share_of"] == ["S", "B"]
    assert read["set_limits"][1]["groups"] == ["G", "B"]
    assert api.get(f"{path}/sources/S").json()["yields"] == {"G": 1.0}


@pytest.mark.parametrize("place", ["groups/B", "sources/B"])
def test_what_is_named_cannot_be_archived(api: Api, place: str) -> None:
    path = named_everywhere(api)
    body = problem(api.delete(f"{path}/{place}"), 409)
    assert body["type"] == "urn:tranche:problem:in-use"
    expected = {
        "groups/B": {"/set_limits/1/groups/1", "/objective/weight_vectors/1/B"},
        "sources/B": {"/set_limits/0/share_of/1"},
    }
    assert {fault["pointer"] for fault in body["errors"]} == expected[place]
    listed = [{"key": "A", "group": "A", "unit_cost": "1"}] if place == "sources/B" else [{"key": "A"}]
    whole = api.put(f"{path}/{place[:-2]}?archive_missing=true", json=listed)
    assert problem(whole, 409)["type"] == "urn:tranche:problem:in-use"
    assert api.get(f"{path}/{place}").status_code == 200
    freed = {"objective": {"kind": "utilitarian"}, "set_limits": []}
    assert api.patch(path, json=freed).status_code == 200
    assert api.delete(f"{path}/{place}").status_code == 204


def test_a_group_cannot_be_archived_while_a_limit_names_a_source_that_would_go_with_it(api: Api) -> None:
    path = api.project(set_limits=[{"name": "l", "sources": ["B"], "measure": "count", "max": 5}])
    body = problem(api.delete(f"{path}/groups/B"), 409)
    assert [fault["pointer"] for fault in body["errors"]] == ["/set_limits/0/sources/0"]
