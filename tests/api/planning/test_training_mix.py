"""The training mix over HTTP: worked cases, sources within groups, and what is refused."""

import csv
import io
from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import one_database

pytestmark = one_database


@pytest.fixture
def path(api: Api) -> str:
    groups = [{"key": key, "initial_count": count} for key, count in (("a", 1000), ("b", 100), ("c", 10))]
    return api.project(groups=groups, sources=[{"key": "S", "group": "b", "unit_cost": "1"}])


def mix_of(api: Api, path: str, **query: Any) -> Any:
    answer = api.get(f"{path}/training-mix", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_higher_temperature_shows_the_small_groups_more_often(api: Api, path: str) -> None:
    found = mix_of(api, path, temperature=2)
    [phase] = found["phases"]
    assert [one["share"] for one in phase["items"]] == pytest.approx([0.706, 0.223, 0.071], abs=5e-4)
    assert phase["items"][2]["repeats"] == pytest.approx(7.84, abs=5e-3)
    assert phase["variance_factor"] == pytest.approx(1.66, abs=5e-3)
    assert (found["samples"], [one["group"] for one in found["warnings"]]) == (1110, ["c"])
    assert mix_of(api, path, temperature=2, max_repeats=10)["warnings"] == []


def test_what_sources_brought_stands_within_their_groups(api: Api, path: str) -> None:
    body = {"external_id": "one", "orders": {"S": 300}, "spent": "300"}
    assert api.post(f"{path}/purchases", json=body).status_code == 201
    item = mix_of(api, path)["phases"][0]["items"][1]
    assert (item["group"], item["held"]) == ("b", 400)
    assert (item["repeats"], item["loss_weight"]) == pytest.approx((1.0, 1.0))
    assert [(one["source"], one["held"]) for one in item["sources"]] == [(None, 100), ("S", 300)]
    assert sum(one["share"] for one in item["sources"]) == pytest.approx(item["share"])
    answer = api.get(f"{path}/training-mix.csv", params={"temperature": 3})
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["group"], row["source"], row["held"]) for row in rows] == [
        ("a", "", "1000"), ("b", "", "100"), ("b", "S", "300"), ("c", "", "10"),
    ]  # fmt: skip
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1.0)


def test_the_last_part_of_a_run_may_have_a_temperature_of_its_own(api: Api, path: str) -> None:
    early, late = mix_of(api, path, temperature=5, late_share=0.2)["phases"]
    assert (early["start"], early["end"], late["end"], late["temperature"]) == (0.0, 0.8, 1.0, 1.0)
    assert late["variance_factor"] == pytest.approx(1.0)
    assert early["items"][2]["repeats"] == pytest.approx(0.8 * 21.8, abs=0.05)


def test_the_same_question_has_the_same_tag_until_the_data_move(api: Api, path: str) -> None:
    tag = api.get(f"{path}/training-mix").headers["etag"]
    assert api.get(f"{path}/training-mix", headers={"If-None-Match": tag}).status_code == 304
    assert api.get(f"{path}/training-mix?temperature=2", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("temperature=0.5", "?temperature"),
        ("temperature=101", "?temperature"),
        ("temperature=nan", "?temperature"),
        ("samples=0", "?samples"),
        ("max_repeats=2&samples=2221", "?samples"),
        ("max_repeats=0", "?max_repeats"),
        ("late_share=1", "?late_share"),
        ("late_temperature=2", "?late_temperature"),
        ("draws=50", "?draws"),
    ],
)
def test_what_cannot_be_is_refused(api: Api, path: str, query: str, pointer: str) -> None:
    answer = api.get(f"{path}/training-mix?{query}")
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


def test_nothing_held_cannot_be_mixed(api: Api) -> None:
    empty = api.project(groups=[{"key": "a", "initial_count": 0}])
    answer = api.get(f"{empty}/training-mix")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tranche:problem:conflict")
