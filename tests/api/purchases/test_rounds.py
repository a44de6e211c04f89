"""Rounds over HTTP: proposed as looked at, accepted against the budget, collected, closed."""

from decimal import Decimal
from typing import Any

import pytest

from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(budget={"total": "1000", "rounds": 2})
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def look(api: Api, project: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{project}/allocations/next", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def propose(api: Api, project: str, external_id: str = "r1", **query: Any) -> Any:
    seen = look(api, project, **query)
    body = {"external_id": external_id, "data_version": seen["data_version"], "query": query}
    return api.post(f"{project}/rounds", json=body)


def accept(api: Api, project: str, number: int = 1) -> Any:
    tag = api.get(f"{project}/rounds/{number}").headers["ETag"]
    return api.post(
        f"{project}/rounds/{number}/accept", headers={"If-Match": tag}, json={"note": "the audit is in March"}
    )


def act(api: Api, project: str, verb: str, number: int = 1, **options: Any) -> Any:
    tag = api.get(f"{project}/rounds/{number}").headers["ETag"]
    return api.post(f"{project}/rounds/{number}/{verb}", headers={"If-Match": tag}, **options)


def events(api: Api) -> list[str]:
    return [event["type"] for event in api.get("/v1/events").json()["items"]]


def test_a_proposal_freezes_the_allocation_that_was_looked_at(api: Api, project: str) -> None:
    seen = look(api, project, seed=3)
    made = propose(api, project, seed=3)
    assert made.status_code == 201, made.text
    assert made.headers["Location"].endswith("/rounds/1")
    assert {line["source"]: line["quantity"] for line in made.json()["lines"]} == {
        source["source"]: source["order"] for source in seen["sources"] if source["order"]
    }
    assert made.json()["cost"] == seen["budget"]["spend"]
    frozen = api.get(f"{project}/rounds/1/allocation").json()
    assert frozen == seen


def test_a_proposal_needs_the_data_version_that_is_current(api: Api, project: str) -> None:
    seen = look(api, project)
    api.patch(f"{project}/groups/A", json={"weight": 3.0})
    body = {"external_id": "r1", "data_version": seen["data_version"]}
    refused = api.post(f"{project}/rounds", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:tranche:problem:allocation-changed")
    said = " ".join(fault["detail"] for fault in refused.json()["errors"])
    assert str(seen["data_version"]) in said
    assert str(look(api, project)["data_version"]) in said
    assert api.get(f"{project}/rounds").json()["items"] == []


def test_a_proposal_may_name_the_allocation_by_its_etag(api: Api, project: str) -> None:
    tag = api.get(f"{project}/allocations/next").headers["ETag"]
    body = {"external_id": "r1"}
    assert api.post(f"{project}/rounds", json=body).status_code == 428
    assert api.post(f"{project}/rounds", json=body, headers={"If-Match": '"other"'}).status_code == 409
    assert api.post(f"{project}/rounds", json=body, headers={"If-Match": tag}).status_code == 201


def test_a_repeated_proposal_is_the_same_round_and_another_one_needs_its_own_id(api: Api, project: str) -> None:
    seen = look(api, project)
    body = {"external_id": "r1", "data_version": seen["data_version"]}
    first, again = (api.post(f"{project}/rounds", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = api.post(f"{project}/rounds", json={**body, "query": {"policy": "equal"}})
    assert (other.status_code, other.json()["type"]) == (409, "urn:tranche:problem:key-taken")
    unnamed = api.post(f"{project}/rounds", json={"data_version": seen["data_version"]})
    assert unnamed.status_code == 422
    assert len(api.get(f"{project}/rounds").json()["items"]) == 1


def test_one_proposal_waits_at_a_time(api: Api, project: str) -> None:
    assert propose(api, project).status_code == 201
    refused = propose(api, project, "r2")
    assert refused.status_code == 409
    assert "Round 1" in refused.json()["detail"]
    assert act(api, project, "cancel", json={"reason": "too dear"}).json()["state"] == "cancelled"
    assert propose(api, project, "r2").json()["number"] == 2


def test_accepting_commits_the_money_and_makes_one_order_per_source(api: Api, project: str) -> None:
    proposed = propose(api, project).json()
    done = accept(api, project)
    assert done.status_code == 200, done.text
    body = done.json()
    assert body["state"] == "accepted"
    assert {order["source"]: order["quantity"] for order in body["orders"]} == {
        line["source"]: line["quantity"] for line in proposed["lines"]
    }
    assert (body["committed"], body["spent"]) == (proposed["cost"], "0.00")
    after = look(api, project)
    assert after["round"] == 2
    left = Decimal(1000) - Decimal(proposed["cost"])
    assert Decimal(after["budget"]["available"]) == left
    assert events(api)[-2:] == ["order.placed"] * 2 if len(body["orders"]) == 2 else True
    assert "round.accepted" in events(api)


def test_accepting_needs_the_etag_and_the_scope_to_buy(api: Api, project: str, database: Database) -> None:
    propose(api, project)
    assert api.post(f"{project}/rounds/1/accept").status_code == 428
    assert api.post(f"{project}/rounds/1/accept", headers={"If-Match": '"old"'}).status_code == 412
    writer = api.as_key(new_key(database, "read,write"))
    assert accept(writer, project).status_code == 403
    buyer = api.as_key(new_key(database, "read,buy"))
    assert accept(buyer, project).status_code == 200
    again = accept(buyer, project)
    assert again.status_code == 409
    assert "accepted" in again.json()["detail"]


def test_a_round_over_the_budget_is_refused_and_commits_nothing(api: Api, project: str) -> None:
    propose(api, project)
    api.patch(project, json={"budget": {"total": "100", "rounds": 2}})
    refused = accept(api, project)
    assert refused.status_code == 409
    assert "100" in refused.json()["detail"]
    assert api.get(f"{project}/rounds/1").json()["state"] == "proposed"
    assert api.get(f"{project}/ledger").json()["items"] == []


def test_above_the_threshold_a_second_key_must_accept(api: Api, project: str, database: Database) -> None:
    api.patch(project, json={"approval_threshold": "10"})
    propose(api, project)
    first = accept(api, project).json()
    assert (first["state"], len(first["approvals"]), first["approvals_needed"]) == ("proposed", 1, 2)
    assert accept(api, project).status_code == 409
    second = accept(api.as_key(new_key(database, "read,buy")), project).json()
    assert (second["state"], len(second["approvals"])) == ("accepted", 2)
    actions = [entry["action"] for entry in api.get(f"{project}/audit?action=round").json()["items"]]
    assert actions == ["round.proposed", "round.approved", "round.approved"]
    assert len({entry["api_key"] for entry in api.get(f"{project}/audit").json()["items"]}) == 2


def test_an_edit_replaces_the_orders_and_voids_approvals(api: Api, project: str) -> None:
    api.patch(project, json={"approval_threshold": "10"})
    propose(api, project)
    accept(api, project)
    edited = api.patch(f"{project}/rounds/1", json={"orders": {"A": 10, "B": 5}})
    assert edited.status_code == 200, edited.text
    assert edited.json()["cost"] == "20.00"
    assert edited.json()["approvals"] == []
    assert {group["group"]: group["planned"] for group in edited.json()["groups"]} == {"A": 10, "B": 5}
    assert api.patch(f"{project}/rounds/1", json={"orders": {"C": 1}}).status_code == 422
    assert api.patch(f"{project}/rounds/1", json={"orders": {"A": -1}}).status_code == 422
    assert api.patch(f"{project}/rounds/1", json={"orders": {}}).status_code == 422


def test_a_price_that_changed_since_the_proposal_stops_the_acceptance(api: Api, project: str) -> None:
    propose(api, project)
    api.patch(f"{project}/sources/A", json={"unit_cost": "1.10"})
    refused = accept(api, project)
    assert refused.status_code == 409
    assert "'A'" in refused.json()["detail"]
    lines = {line["source"]: line["quantity"] for line in api.get(f"{project}/rounds/1").json()["lines"]}
    lines["A"] = 10
    assert api.patch(f"{project}/rounds/1", json={"orders": lines}).status_code == 200
    assert accept(api, project).status_code == 200


@pytest.mark.parametrize(
    ("state", "verb", "status"),
    [
        ("proposed", "close", 409),
        ("accepted", "close", 200),
        ("accepted", "cancel", 200),
        ("closed", "close", 409),
        ("closed", "cancel", 409),
        ("closed", "accept", 409),
        ("cancelled", "accept", 409),
        ("cancelled", "close", 409),
        ("collecting", "cancel", 409),
        ("collecting", "close", 200),
    ],
)
def test_only_the_transitions_of_a_round_are_allowed(
    api: Api, project: str, state: str, verb: str, status: int
) -> None:
    propose(api, project)
    if state != "proposed" and state != "cancelled":
        accept(api, project)
    if state == "collecting":
        order = api.get(f"{project}/rounds/1").json()["orders"][0]
        deliver(api, project, order["id"], {"groups": {"A": {"accepted": 1}}})
    if state == "closed":
        act(api, project, "close")
    if state == "cancelled":
        act(api, project, "cancel", json={})
    body = {"json": {}} if verb == "cancel" else {}
    answer = act(api, project, verb, **body)
    assert answer.status_code == status, answer.text
    if status == 409:
        assert state in answer.json()["detail"]


def test_cancelling_an_accepted_round_frees_the_money(api: Api, project: str) -> None:
    propose(api, project)
    accept(api, project)
    assert act(api, project, "cancel", json={"reason": "vendor closed"}).json()["committed"] == "0.00"
    assert look(api, project)["budget"]["available"] == "500.00"
    assert look(api, project)["round"] == 1


def deliver(api: Api, project: str, order: str, body: dict[str, Any], name: str = "d1") -> Any:
    return api.post(f"{project}/rounds/1/orders/{order}/deliveries", json={"external_id": name, **body})


def test_what_is_delivered_counts_in_the_next_allocation(api: Api, project: str) -> None:
    propose(api, project)
    order = next(one for one in accept(api, project).json()["orders"] if one["source"] == "A")
    before = look(api, project)
    waiting = {group["group"]: group["pending"] for group in before["groups"]}
    assert waiting["A"] == order["quantity"]
    done = deliver(api, project, order["id"], {"groups": {"A": {"accepted": 40, "rejected": 10}}})
    assert done.status_code == 201, done.text
    assert (done.json()["order"]["spent"], done.json()["order"]["accepted"]) == ("50.00", 40)
    group = api.get(f"{project}/groups/A").json()
    assert (group["collected_count"], group["effective_count"]) == (40, 40.0)
    after = {row["group"]: row for row in look(api, project)["groups"]}["A"]
    assert after["count"] == 240
    rate = (20 + 40) / (20 + 50)
    assert after["pending"] == pytest.approx(rate * (order["quantity"] - 50), abs=0.51)
    record = api.get(f"{project}/sources/A").json()["record"]
    assert record["acceptance_rate"]["mean"] == pytest.approx(rate)
    assert events(api)[-1] == "delivery.recorded"


def test_a_repeated_delivery_has_one_effect_and_another_one_needs_its_own_id(api: Api, project: str) -> None:
    propose(api, project)
    order = accept(api, project).json()["orders"][0]["id"]
    body = {"groups": {"A": {"accepted": 4}}}
    first, again = deliver(api, project, order, body), deliver(api, project, order, body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert api.get(f"{project}/groups/A").json()["collected_count"] == 4
    assert deliver(api, project, order, {"groups": {"A": {"accepted": 5}}}).status_code == 409
    assert api.post(f"{project}/rounds/1/orders/{order}/deliveries", json=body).status_code == 422


def test_a_correction_appends_the_difference_and_never_falls_below_zero(api: Api, project: str) -> None:
    propose(api, project)
    order = accept(api, project).json()["orders"][0]["id"]
    deliver(api, project, order, {"groups": {"A": {"accepted": 10}}})
    path = f"{project}/rounds/1/orders/{order}/corrections"
    fewer = {"external_id": "c1", "groups": {"A": {"accepted": -3, "rejected": 3}}, "note": "blurred"}
    assert api.post(path, json=fewer).json()["order"]["accepted"] == 7
    too_many = {"external_id": "c2", "groups": {"A": {"accepted": -8}}, "note": "typo"}
    assert api.post(path, json=too_many).status_code == 422
    entries = api.get(f"{project}/ledger", params={"order": order}).json()["items"]
    assert [(entry["kind"], entry["state"], entry["count"]) for entry in entries if entry["count"]] == [
        ("delivery", "accepted", 10),
        ("correction", "accepted", -3),
        ("correction", "rejected", 3),
    ]


def test_a_stated_cost_takes_the_place_of_the_price(api: Api, project: str) -> None:
    propose(api, project)
    order = accept(api, project).json()["orders"][0]
    done = deliver(api, project, order["id"], {"groups": {"A": {"accepted": 10}}, "cost": "7.123456"}).json()["order"]
    assert done["spent"] == "7.123456"
    assert Decimal(done["committed"]) == Decimal(order["cost"]) - Decimal("7.123456")


def test_more_than_was_ordered_is_counted_and_flagged(api: Api, project: str) -> None:
    propose(api, project)
    order = accept(api, project).json()["orders"][0]
    done = deliver(api, project, order["id"], {"groups": {"A": {"accepted": order["quantity"] + 5}}}).json()
    assert done["order"]["over_delivered"] == 5
    assert done["order"]["committed"] == "0.00"
    assert "over_delivery" in [warning["code"] for warning in done["warnings"]]


def test_planned_ordered_delivered_and_measured_stand_side_by_side(api: Api, project: str) -> None:
    propose(api, project)
    order = next(one for one in accept(api, project).json()["orders"] if one["source"] == "A")
    deliver(api, project, order["id"], {"groups": {"A": {"accepted": 30, "rejected": 2}}})
    api.clock.now = api.clock.now.replace(hour=12)
    run = {"external_id": "after", "counts": {"A": 230, "B": 100}, "metrics": {"A": {"value": 0.79, "stderr": 0.01}}}
    assert api.post(f"{project}/observations", json={"observations": [run]}).status_code == 201
    group = next(one for one in api.get(f"{project}/rounds/1").json()["groups"] if one["group"] == "A")
    assert (group["planned"], group["accepted"], group["rejected"]) == (order["quantity"], 30, 2)
    assert group["measured"]["value"] == 0.79
    assert group["count_after"] == 200 + order["quantity"]
    assert group["metric_forecast"]["p05"] <= group["metric_forecast"]["p50"] <= group["metric_forecast"]["p95"]


def test_what_has_open_orders_cannot_be_archived(api: Api, project: str) -> None:
    propose(api, project)
    accept(api, project)
    for path in (f"{project}/sources/A", f"{project}/groups/A", project):
        refused = api.delete(path)
        assert refused.status_code == 409, refused.text
        assert "round 1" in refused.json()["detail"]
    act(api, project, "close")
    assert api.delete(f"{project}/sources/A").status_code == 204


def test_two_acceptances_at_once_commit_once(api: Api, project: str) -> None:
    propose(api, project)
    tag = api.get(f"{project}/rounds/1").headers["ETag"]
    answers = api.together([("POST", f"{project}/rounds/1/accept", {"headers": {"If-Match": tag}})] * 8)
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    entries = api.get(f"{project}/ledger").json()["items"]
    assert sum(Decimal(entry["committed"]) for entry in entries) == Decimal(
        api.get(f"{project}/rounds/1").json()["cost"]
    )


def test_an_exhausted_budget_is_told_once(api: Api, project: str) -> None:
    propose(api, project, budget="1000")
    accept(api, project)
    assert events(api).count("budget.exhausted") == 1
    assert api.get(f"{project}/allocations/next", params={"budget": "10"}).status_code == 422
