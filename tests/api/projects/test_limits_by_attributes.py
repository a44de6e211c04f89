"""Limits over all groups of a level, over HTTP."""

from typing import Any

import pytest

from tests.api.http.test_bad_input import problem
from tests.api_client import RUNS, Api

WHERE: dict[str, Any] = {"name": "women", "where": {"sex": "F"}, "measure": "count_share", "min": 0.5}


def groups() -> list[dict[str, Any]]:
    return [
        {"key": "A", "initial_count": 200, "unit_cost": "1", "attributes": {"sex": "M"}},
        {"key": "B", "initial_count": 100, "unit_cost": "2", "attributes": {"sex": "F"}},
    ]


@pytest.fixture
def path(api: Api) -> str:
    path = api.project(groups=groups(), set_limits=[WHERE])
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def after(api: Api, path: str) -> dict[str, int]:
    answer = api.get(f"{path}/allocations/next", params={"draws": 50})
    assert answer.status_code == 200, answer.text
    return {one["group"]: one["raw_count"] + one["add"] for one in answer.json()["groups"]}


def test_a_level_is_limited_as_its_groups_are(api: Api, path: str) -> None:
    by_level = after(api, path)
    assert by_level["B"] >= 0.5 * sum(by_level.values())
    by_key = [{name: one for name, one in WHERE.items() if name != "where"} | {"groups": ["B"]}]
    assert api.patch(path, json={"set_limits": by_key}).status_code == 200
    assert after(api, path) == by_level
    assert api.patch(path, json={"set_limits": []}).status_code == 200
    free = after(api, path)
    assert free["B"] < 0.5 * sum(free.values())


def test_a_group_that_comes_later_is_in(api: Api, path: str) -> None:
    more = {"key": "C", "initial_count": 10_000, "attributes": {"sex": "F"}}
    assert api.post(f"{path}/groups", json=more).status_code == 201
    found = after(api, path)
    assert found["B"] < 0.5 * sum(found.values()) <= found["B"] + found["C"]


def test_a_level_that_is_gone_is_told_by_the_plan(api: Api, path: str) -> None:
    assert api.patch(f"{path}/groups/B", json={"attributes": None}).status_code == 200
    body = problem(api.get(f"{path}/allocations/next", params={"draws": 50}), 422)
    assert [one["pointer"] for one in body["errors"]] == ["/set_limits/0/where"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"where": {"age": "old"}}, "/set_limits/0/where/age"),
        ({"where": {"sex": "X"}}, "/set_limits/0/where/sex"),
        ({"where": {}}, "/set_limits/0/where"),
        ({"groups": ["A"]}, "/set_limits/0/sources"),
        ({"sources": ["A"]}, "/set_limits/0/sources"),
        ({"share_of": ["X"]}, "/set_limits/0/share_of/0"),
        ({"measure": "orders", "min": 1}, "/set_limits/0/where"),
    ],
)
def test_what_cannot_be_changes_nothing(api: Api, path: str, changes: dict[str, Any], pointer: str) -> None:
    body = problem(api.patch(path, json={"set_limits": [WHERE | changes]}), 422)
    assert [one["pointer"] for one in body["errors"]] == [pointer]
    [kept] = api.get(path).json()["set_limits"]
    assert kept["where"] == {"sex": "F"}
