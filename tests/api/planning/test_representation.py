"""Whom the samples are like, over HTTP: worked cases, holes, and what is refused."""

from typing import Any

import pytest

from tests.api.http.test_bad_input import problem
from tests.api_client import Api
from tests.conftest import one_database

pytestmark = one_database

COUNTS = {"F,W": 700, "M,W": 250, "F,B": 40, "M,B": 10}
MARGINS = [
    {"attributes": ["sex"], "shares": {"F": 0.5, "M": 0.5}},
    {"attributes": ["race"], "shares": {"W": 0.8, "B": 0.2}},
]
CELLS = [{"attributes": ["sex", "race"], "shares": {"F,W": 0.4, "M,W": 0.4, "F,B": 0.1, "M,B": 0.1}}]


def groups(**more: int) -> list[dict[str, Any]]:
    return [
        {
            "key": cell.replace(",", ""),
            "initial_count": count,
            "unit_cost": "2",
            "attributes": dict(zip(("sex", "race"), cell.split(","), strict=True)),
        }
        for cell, count in (COUNTS | more).items()
    ]


@pytest.fixture
def path(api: Api) -> str:
    return api.project(groups=groups(), sources=None, population=MARGINS)


def read(api: Api, path: str, **query: Any) -> Any:
    answer = api.get(f"{path}/representation", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_four_fifths_of_men_for_a_half(api: Api) -> None:
    members = [
        {"key": key, "initial_count": count, "unit_cost": cost, "attributes": {"sex": sex}}
        for key, sex, count, cost in (("men", "M", 80, "1"), ("women", "F", 20, "2"))
    ]
    found = read(api, api.project(groups=members, sources=None))
    assert [(one["level"], one["share"], one["target"], one["weight"]) for one in found["levels"]] == [
        ("F", 0.2, 0.5, pytest.approx(2.5)), ("M", 0.8, 0.5, pytest.approx(0.625)),
    ]  # fmt: skip
    assert found["levels"][0]["difference"] == pytest.approx(-0.6626, abs=1e-4)
    assert (found["size"], found["effective_size"]) == (100, pytest.approx(64.0))
    assert [(one["group"], one["unit_cost"], one["effective_size_per_1000"]) for one in found["next"]] == [
        ("women", "2.00", pytest.approx(64**2 * 0.25 / 400 * 500)), ("men", "1.00", pytest.approx(160.0)),
    ]  # fmt: skip


def test_sex_and_race(api: Api, path: str) -> None:
    found = read(api, path, attributes="sex,race", pairs="true")
    assert [one["weight"] for one in found["groups"]] == pytest.approx([0.55, 1.66, 2.86, 8.58], abs=6e-3)
    assert found["effective_size"] == pytest.approx(510, abs=0.5)
    assert [one["level"] for one in found["levels"]] == [
        "F", "M", "B", "W", "F,B", "F,W", "M,B", "M,W",
    ]  # fmt: skip
    assert [one["target"] for one in found["levels"][:4]] == [0.5, 0.5, 0.2, 0.8]
    assert {one["target"] for one in found["levels"][4:]} == {None}
    assert (found["holes"], found["overlaps"], found["warnings"]) == ([], [], [])
    assert found["next"][0]["group"] == "MB"


@pytest.mark.parametrize(("cell", "size"), [(None, 472), ("M,B", 857.5), ("F,W", 484)])
def test_what_two_hundred_more_of_a_cell_bring(api: Api, cell: str | None, size: float) -> None:
    more = {} if cell is None else {cell: COUNTS[cell] + 200}
    found = read(api, api.project(groups=groups(**more), sources=None, population=CELLS))
    assert found["effective_size"] == pytest.approx(size, abs=0.5)
    assert [one["target"] for one in found["levels"] if one["level"] in "FM"] == pytest.approx([0.5, 0.5])


def test_a_level_without_samples_is_a_hole_and_nothing_diverges(api: Api) -> None:
    members = [one for one in groups(**{"F,B": 0}) if one["key"] != "MB"]
    wanted = api.project(groups=[*members, {"key": "MB", "attributes": {"sex": "M", "race": "B"}}], population=CELLS)
    found = read(api, wanted, attributes="sex", pairs="false")
    assert [(one["level"], one["target"], one["because"]) for one in found["holes"]] == [
        ("F,B", 0.1, "no_samples"), ("M,B", 0.1, "no_samples"),
    ]  # fmt: skip
    assert found["effective_size"] is None
    assert {one["weight"] for one in found["groups"]} == {None}
    assert found["next"] == []
    assert api.delete(f"{wanted}/groups/MB", headers={"If-Match": "*"}).status_code == 204
    holes = read(api, wanted, attributes="sex,race", pairs="true")["holes"]
    assert [(one["level"], one["because"]) for one in holes] == [
        ("B", "no_samples"), ("F,B", "no_samples"), ("M,B", "no_group"),
    ]  # fmt: skip


def test_targets_that_contradict_each_other_are_answered(api: Api) -> None:
    shares = {"F,W": 0.7, "M,W": 0.1, "F,B": 0.1, "M,B": 0.1}
    wanted = [MARGINS[0], {"attributes": ["sex", "race"], "shares": shares}]
    found = read(api, api.project(groups=groups(), sources=None, population=wanted))
    assert [one["code"] for one in found["warnings"]] == ["targets_disagree"]
    assert found["effective_size"] is None


def test_groups_that_fall_out_and_groups_that_fall_together_are_told(api: Api) -> None:
    twins = [{"key": f"t{at}", "initial_count": 5, "attributes": {"sex": "X"}} for at in range(2)]
    members = [*groups(), *twins, {"key": "mute", "initial_count": 7}]
    found = read(api, api.project(groups=members, sources=None, population=MARGINS[:1]))
    assert found["overlaps"] == [["t0", "t1"]]
    assert [(one["code"], one["group"]) for one in found["warnings"]] == [
        ("attribute_unsaid", None), ("outside_population", "t0"), ("outside_population", "t1"),
    ]  # fmt: skip
    assert [one["weight"] for one in found["groups"][4:]] == [0.0, 0.0, pytest.approx(1.0, abs=0.02)]


def test_nothing_held_is_answered(api: Api) -> None:
    found = read(api, api.project(groups=[{"key": "a", "attributes": {"x": "y"}}]))
    assert (found["size"], found["effective_size"], found["levels"][0]["share"]) == (0, None, None)
    assert [one["code"] for one in found["warnings"]] == ["unrepresented"]
    assert read(api, api.project(name="none", groups=[], sources=None))["levels"] == []


@pytest.mark.parametrize(
    ("population", "pointer"),
    [
        ([{"attributes": ["sex"], "shares": {"F": 0.5, "M": 0.4}}], "/population/0/shares"),
        ([{"attributes": ["sex"], "shares": {"F": 0.5, "M": 0.500002}}], "/population/0/shares"),
        ([{"attributes": ["age"], "shares": {"F": 1.0}}], "/population/0/attributes/0"),
        ([{"attributes": ["sex"], "shares": {"F": 0.5, "X/Y": 0.5}}], "/population/0/shares/X~1Y"),
        ([{"attributes": ["sex", "race"], "shares": {"F": 1.0}}], "/population/0/shares/F"),
        ([{"attributes": ["sex", "race"], "shares": {"F,X": 1.0}}], "/population/0/shares/F,X"),
        ([{"attributes": ["sex", "sex"], "shares": {"F,F": 1.0}}], "/population/0/attributes"),
        ([*CELLS, {"attributes": ["race", "sex"], "shares": {"W,F": 1.0}}], "/population/1/attributes"),
        ([{"attributes": ["sex"], "shares": {}}], "/population/0/shares"),
        ([{"attributes": ["sex"], "shares": {"F": -1, "M": 2}}], "/population/0/shares/F"),
    ],
)
def test_a_population_that_cannot_be_changes_nothing(api: Api, path: str, population: Any, pointer: str) -> None:
    body = problem(api.patch(path, json={"population": population}), 422)
    assert body["errors"][0]["pointer"] == pointer
    assert api.get(path).json()["population"] == MARGINS
    assert api.patch(path, json={"population": None}).json()["population"] == []


@pytest.mark.parametrize("query", ["attributes=age", "attributes=sex,age", "draws=5", "pairs=some"])
def test_what_cannot_be_asked_is_refused(api: Api, path: str, query: str) -> None:
    body = problem(api.get(f"{path}/representation?{query}"), 422)
    assert [one["pointer"] for one in body["errors"]] == [f"?{query.partition('=')[0]}"]


def test_the_tag_stands_until_the_data_move(api: Api, path: str) -> None:
    tag = api.get(f"{path}/representation").headers["etag"]
    assert api.get(f"{path}/representation", headers={"If-None-Match": tag}).status_code == 304
    api.patch(path, json={"population": CELLS})
    assert api.get(f"{path}/representation", headers={"If-None-Match": tag}).status_code == 200


def test_representative_sampling_is_planned_by_squared_shares(api: Api) -> None:
    """Weights q² and losses of 1/n have the sample of largest effective size as their optimum. A cheap source brings
    mostly the one half, a dear one mostly the other: of 1,000, 403 samples of the first and 199 of the second."""
    curve = {"asymptote": 0, "scale": 1, "exponent": 1}
    members = [{"key": key, "weight": 0.25, "initial_count": 0, "assumed_curve": curve} for key in "ab"]
    offers = [
        {"key": "cheap", "kind": "vendor", "yields": {"a": 0.9, "b": 0.1}, "unit_cost": "1"},
        {"key": "dear", "kind": "vendor", "yields": {"a": 0.4, "b": 0.6}, "unit_cost": "3"},
    ]
    metric = {"name": "variance", "kind": "other", "goal": "minimize", "lower": 0}
    project = api.project(groups=members, sources=offers, metric=metric, budget={"total": "1000", "rounds": 1})
    answer = api.get(f"{project}/allocations/next", params={"draws": 50})
    assert answer.status_code == 200, answer.text
    orders = {one["source"]: one["order"] for one in answer.json()["sources"]}
    assert [orders["cheap"], orders["dear"]] == pytest.approx([403, 199], abs=3)
    held = [{"key": key, "weight": 0.5, "initial_count": n} for key, n in (("a", 442), ("b", 160))]
    assert read(api, api.project(name="then", groups=held))["effective_size"] == pytest.approx(469.3, abs=1)
