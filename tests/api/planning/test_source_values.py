"""What sources have been worth: a case worked out by hand over HTTP, vendors joined, and before anything came."""

from typing import Any

import pytest

from tests.api.vendors.test_connections import create
from tests.api_client import Api
from tests.conftest import one_database

CURVE = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}


@pytest.fixture
def path(api: Api) -> str:
    return two_vendors(api)


def two_vendors(api: Api) -> str:
    """One group, f = n^-.5, 100 held; A and B delivered 300 each, C nothing."""
    made = api.project(
        budget={"total": "2000", "rounds": 4},
        groups=[{"key": "g", "initial_count": 100, "assumed_curve": CURVE}],
        sources=[{"key": key, "group": "g", "unit_cost": cost} for key, cost in (("A", "1"), ("B", "2"), ("C", "1"))],
    )
    for key, cost in (("A", "300"), ("B", "600")):
        body = {"external_id": key, "orders": {key: 300}, "spent": cost}
        answer = api.post(f"{made}/purchases", json=body)
        assert answer.status_code == 201, answer.text
    return made


def test_two_that_brought_the_same_are_worth_the_same(api: Api, path: str) -> None:
    answer = api.get(f"{path}/sources/value")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["total"] == pytest.approx(0.062204, abs=1e-6)
    assert (found["method"], found["error"], found["players"]) == ("exact", 0.0, "sources")
    by_source = {one["source"]: one for one in found["items"]}
    assert set(by_source) == {"A", "B"}
    for one in by_source.values():
        assert one["value"]["mean"] == pytest.approx(0.031102, abs=1e-6)
        assert one["leave_one_out"] == pytest.approx(0.012204, abs=1e-6)
        assert one["delivered"] == 300
        assert one["share"] == pytest.approx(0.5)
    assert by_source["A"]["value_per_1000"]["mean"] == pytest.approx(0.031102 / 0.3, rel=1e-4)
    assert by_source["B"]["value_per_1000"]["mean"] == pytest.approx(0.031102 / 0.6, rel=1e-4)
    assert by_source["B"]["closing_costs"] == pytest.approx(0.0, abs=1e-12)
    assert [one["code"] for one in found["warnings"]] == ["shared_credit"]
    tag = answer.headers["etag"]
    assert api.get(f"{path}/sources/value", headers={"If-None-Match": tag}).status_code == 304


@one_database
def test_sources_of_one_vendor_are_credited_together(api: Api, path: str) -> None:
    made = create(api, name="Clinic & sons")
    for key in ("A", "B"):
        changed = api.patch(f"{path}/sources/{key}", json={"connection": made["id"]})
        assert changed.status_code == 200, changed.text
    found = api.get(f"{path}/sources/value", params={"players": "vendors"}).json()
    [one] = found["items"]
    assert (one["source"], one["delivered"], one["share"]) == ("Clinic & sons", 600, 1.0)
    assert one["value"]["mean"] == pytest.approx(found["total"])
    # The third source takes their place, at the price of the cheaper one.
    assert one["closing_costs"] == pytest.approx(0.0, abs=1e-12)


@one_database
@pytest.mark.parametrize("query", [{"players": "people"}, {"draws": 1}, {"nothing": 1}])
def test_a_question_that_cannot_be_is_refused(api: Api, path: str, query: dict[str, Any]) -> None:
    assert api.get(f"{path}/sources/value", params=query).status_code == 422


@one_database
def test_before_anything_came_there_is_nothing_to_credit(api: Api) -> None:
    refused = api.get(f"{api.project()}/sources/value")
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:tranche:problem:nothing-delivered"
