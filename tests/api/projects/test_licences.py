"""The licence rule over HTTP: in plans, what-if, requirements, acceptance and deliveries."""

from typing import Any

import pytest

from tests.api.http.test_bad_input import problem
from tests.api_client import Api
from tests.conftest import one_database

RULE = {"require": ["commercial"], "methods": None, "unspecified": "exclude"}
CURVE = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}
SOURCES: list[dict[str, Any]] = [
    {"key": "nc", "group": "A", "unit_cost": "1", "license": "CC-BY-NC-4.0"},
    {"key": "bare", "group": "A", "unit_cost": "1.20"},
    {"key": "by", "group": "A", "unit_cost": "2", "license": "CC-BY-4.0"},
]


def toy(api: Api, rule: dict[str, Any] | None, **changes: Any) -> str:
    """One group of error n^-.5, and three ways to it: non-commercial, unspecified, CC-BY-4.0."""
    group = {"key": "A", "initial_count": 4, "assumed_curve": CURVE} | changes.pop("group", {})
    return api.project(
        budget={"total": "1200", "rounds": 1}, groups=[group], sources=SOURCES, licence_rule=rule, **changes
    )


def orders(plan: dict[str, Any]) -> dict[str, int]:
    return {one["source"]: one["order"] for one in plan["sources"] if one["order"]}


@one_database
def test_the_toy_buys_1200_1000_or_600(api: Api) -> None:
    bought = {}
    for name, rule in (("none", None), ("warn", RULE | {"unspecified": "warn"}), ("exclude", RULE)):
        plan = api.get(f"{toy(api, rule)}/allocations/next").json()
        bought[name] = orders(plan)
        told = {one["source"]: one["because"] for one in plan["excluded"]}
        codes = [one["code"] for one in plan["warnings"]]
        assert ("licence_unspecified" in codes) == (name == "warn")
    assert bought == {"none": {"nc": 1200}, "warn": {"bare": 1000}, "exclude": {"by": 600}}
    assert told == {
        "nc": [{"term": "commercial", "value": "forbidden", "required": "allowed"}],
        "bare": [{"term": "commercial", "value": "unspecified", "required": "allowed"}],
    }


def test_what_the_rule_costs_is_one_what_if(api: Api) -> None:
    path = toy(api, RULE)
    body = {"scenarios": [{}, {"licence_rule": None}, {"licence_rule": RULE | {"unspecified": "warn"}}]}
    rows = api.post(f"{path}/allocations/what-if", json=body).json()["scenarios"]
    assert [sum(cell["add"] for cell in row["groups"].values()) for row in rows] == [600, 1200, 1000]
    after = [1.0 - (4 + count) ** -0.5 for count in (600, 1200, 1000)]
    for row, value in zip(rows, after, strict=True):
        assert row["difference"]["utility"]["mean"] == pytest.approx(value - after[0], rel=1e-6)
    typed = {"scenarios": [{}, {"orders": {"nc": 10}}, {"hold": {"nc": 10}, "licence_rule": None}]}
    rows = api.post(f"{path}/allocations/what-if", json=typed).json()["scenarios"]
    assert [one["pointer"] for one in rows[1]["infeasible"]] == ["/licence_rule"]
    assert rows[2]["infeasible"] == []


def test_requirements_and_floors_know_the_rule(api: Api) -> None:
    """900 samples at 2 each; a floor of 900 is beyond 600 at 2, and within 1,200 at 1."""
    path = toy(api, RULE, group={"target": 1.0 - 1.0 / 30.0})
    asked = {"chance": 0.5}
    found = api.post(f"{path}/requirements", json=asked)
    assert found.json()["spend"] == "1792.00", found.text
    api.patch(f"{path}/groups/A", json={"min_count": 900})
    refused = problem(api.get(f"{path}/allocations/next"), 409)
    assert [one["pointer"] for one in refused["errors"]] == ["/licence_rule"]
    assert refused["errors"][0]["detail"].endswith("the sources that it excludes: bare, nc.")
    assert api.get(f"{path}/sources/nc").json()["effective_terms"]["commercial"] == "forbidden"


def test_terms_that_changed_since_the_proposal_stop_its_acceptance(api: Api) -> None:
    path = toy(api, RULE)
    plan = api.get(f"{path}/allocations/next").json()
    row = api.post(f"{path}/rounds", json={"data_version": plan["data_version"], "external_id": "r"})
    assert row.status_code == 201, row.text
    api.patch(f"{path}/sources/by", json={"terms": {"commercial": "forbidden"}})
    read = api.get(row.headers["Location"])
    accept = {"headers": {"If-Match": read.headers["ETag"], "Idempotency-Key": "a"}, "json": {"note": "wanted"}}
    refused = problem(api.post(f"{path}/rounds/1/accept", **accept), 409)
    assert refused["errors"] == [
        {
            "pointer": "/lines/by",
            "detail": "the licence rule excludes 'by': commercial is forbidden, not allowed",
        }
    ]
    assert api.get(f"{path}/rounds/1").json()["state"] == "proposed"
    api.patch(f"{path}", json={"licence_rule": None})
    accept = {"headers": {"If-Match": api.get(f"{path}/rounds/1").headers["ETag"], "Idempotency-Key": "b"}}
    assert api.post(f"{path}/rounds/1/accept", **accept).json()["state"] == "accepted"


def test_a_lot_of_another_licence_counts_for_no_group_until_it_is_mapped(api: Api) -> None:
    path = toy(api, None)
    plan = api.get(f"{path}/allocations/next").json()
    api.post(f"{path}/rounds", json={"data_version": plan["data_version"], "external_id": "r"})
    tag = api.get(f"{path}/rounds/1").headers["ETag"]
    accepted = api.post(
        f"{path}/rounds/1/accept", headers={"If-Match": tag, "Idempotency-Key": "a"}, json={"note": "wanted"}
    ).json()
    order = f"{path}/rounds/1/orders/{accepted['orders'][0]['id']}"
    lot = {"external_id": "lot", "groups": {"A": {"accepted": 90, "rejected": 10}}, "license": "CC-BY-4.0"}
    came = api.post(f"{order}/deliveries", json=lot).json()
    assert (came["order"]["unmapped"], came["order"]["accepted"], came["license"]) == (100, 0, "CC-BY-4.0")
    assert [one["code"] for one in came["warnings"]] == ["licence_differs", "unmapped"]
    assert api.post(f"{order}/deliveries", json=lot).json() == came
    mapped = {"external_id": "c", "groups": {"A": {"accepted": 90, "rejected": 10}}, "unmapped": -100, "note": "ours"}
    after = api.post(f"{order}/corrections", json=mapped).json()
    assert (after["order"]["unmapped"], after["order"]["accepted"]) == (0, 90)
    same = api.post(f"{order}/deliveries", json=lot | {"external_id": "2", "license": "cc-by-nc-4.0"}).json()
    assert (same["order"]["accepted"], same["warnings"]) == (180, [])
    assert api.get(f"{path}/ledger/check").json()["entries_add_up"]


@one_database
def test_what_is_said_of_a_licence_comes_back_and_slips_are_named(api: Api) -> None:
    path = toy(api, RULE)
    said = {
        "license": "CC-BY-4", "license_url": "https://example.org/l", "method": "scraped", "consent": "form 3",
        "terms": {"commercial": "allowed"}, "collected_from": "2026-01-01", "collected_to": "2026-02-01",
        "derived_from": ["Common Crawl 2025-05"],
    }  # fmt: skip
    read = api.patch(f"{path}/sources/nc", json=said).json()
    stated = {"commercial": "allowed", "derivatives": None, "redistribution": None, "attribution": None}
    assert {name: read[name] for name in said} == said | {"terms": stated | {"share_alike": None}}
    assert (read["effective_terms"]["commercial"], read["effective_terms"]["derivatives"]) == ("allowed", "unspecified")
    assert "Did you mean CC-BY-4.0?" in read["effective_terms"]["note"]
    assert (
        api.patch(f"{path}/sources/nc", json={"terms": None}).json()["effective_terms"]["commercial"] == "unspecified"
    )
    for body, pointer in (
        ({"collected_to": "2025-12-31"}, "/collected_to"),
        ({"collected_from": "1 May"}, "/collected_from"),
        ({"method": "bought"}, "/method"),
        ({"license_url": "javascript:x"}, "/license_url"),
        ({"terms": {"comercial": "allowed"}}, "/terms/comercial"),
    ):
        answer = problem(api.patch(f"{path}/sources/nc", json=body), 422)
        assert [one["pointer"] for one in answer["errors"]] == [pointer]
    slip = problem(api.patch(path, json={"licence_rule": {"require": ["CC-BY-4.0"]}}), 422)
    assert slip["errors"][0]["pointer"] == "/licence_rule/require/0"
    assert all(term in slip["errors"][0]["detail"] for term in ("commercial", "derivatives", "redistribution"))
    assert api.get(path).json()["licence_rule"] == RULE
