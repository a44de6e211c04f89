"""Purchases in one call: what was bought and has arrived becomes a closed round."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.store.db import Database
from app.store.models.vendors import VendorPlacement
from tests.api.purchases.test_rounds import accept, act, deliver, events, look, propose
from tests.api_client import RUNS, Api
from tests.conftest import new_key

MIXED = {
    "key": "panel",
    "yields": {"A": 0.6, "B": 0.4},
    "unit_cost": "1.50",
    "acceptance_rate": 0.9,
    "billed": "accepted",
}


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(budget={"total": "240", "rounds": 3})
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def buy(api: Api, project: str, external_id: str = "p1", **said: Any) -> Any:
    return api.post(f"{project}/purchases", json={"external_id": external_id, **said})


def state_of(api: Api, project: str) -> list[Any]:
    """All that a purchase could change."""
    parts = ("", "/rounds", "/ledger", "/audit", "/groups", "/sources")
    return [*(api.get(project + part).json() for part in parts), events(api)]


def counts(api: Api, project: str) -> dict[str, tuple[int, int]]:
    return {
        group["key"]: (group["initial_count"], group["collected_count"])
        for group in api.get(f"{project}/groups").json()["items"]
    }


def test_a_purchase_is_a_round_from_proposal_to_close(api: Api, project: str) -> None:
    done = buy(api, project, orders={"A": 30, "B": 25}, note="invoice 4711")
    assert done.status_code == 201, done.text
    body = done.json()
    assert (body["number"], body["state"], body["external_id"], body["note"]) == (1, "closed", "p1", "invoice 4711")
    assert (body["cost"], body["spent"], body["committed"]) == ("80.00", "80.00", "0.00")
    assert [(one["source"], one["quantity"], one["accepted"], one["state"]) for one in body["orders"]] == [
        ("A", 30, 30, "closed"),
        ("B", 25, 25, "closed"),
    ]
    assert done.headers["Location"] == f"{project}/rounds/1"
    assert api.get(f"{project}/rounds/1").json() == body
    assert counts(api, project) == {"A": (200, 30), "B": (100, 25)}
    assert events(api)[-6:] == ["round.accepted", *["order.placed", "delivery.recorded"] * 2, "round.closed"]
    audit = [entry["action"] for entry in api.get(f"{project}/audit").json()["items"]]
    assert audit[-5:] == ["round.proposed", "round.approved", "order.delivery", "order.delivery", "round.closed"]
    entries = api.get(f"{project}/ledger").json()["items"]
    assert {entry["note"] for entry in entries if entry["kind"] == "delivery"} == {"invoice 4711"}
    assert sum(Decimal(entry["committed"]) for entry in entries) == 0
    assert api.get(f"{project}/ledger/check").json()["entries_add_up"]


def test_three_purchases_of_80_spend_a_budget_of_240(api: Api, project: str) -> None:
    for number, left in ((1, "160.00"), (2, "80.00"), (3, "0.00")):
        assert look(api, project)["round"] == number
        assert buy(api, project, f"p{number}", groups={"A": 20, "B": 30}).status_code == 201
        money = look(api, project, budget="0")["budget"]
        assert money["remaining"] == left
    plan = look(api, project)
    assert (plan["round"], plan["budget"]["available"]) == (4, "0.00")
    assert "budget is 0" in plan["unspent_reason"]
    assert {row["group"]: row["count"] for row in plan["groups"]} == {"A": 260, "B": 190}
    assert events(api)[-1] == "budget.exhausted"


def test_the_forecast_of_a_purchase_stands_beside_what_is_measured(api: Api, project: str) -> None:
    plan = look(api, project)
    orders = {one["source"]: one["order"] for one in plan["sources"]}
    made = buy(api, project, orders=orders).json()["groups"]
    planned = {row["group"]: row for row in plan["groups"]}
    for row in made:
        said = planned[row["group"]]
        assert (row["count_before"], row["count_after"]) == (said["count"], said["count_after"])
        assert (row["metric_before"], row["metric_forecast"]) == (said["metric_now"], said["metric_after"])
    api.clock.now = api.clock.now.replace(hour=12)
    run = {"counts": {"A": 230, "B": 130}, "metrics": {"A": {"value": 0.79, "stderr": 0.01}}}
    assert api.post(f"{project}/observations", json={"observations": [{"external_id": "after", **run}]}).is_success
    measured = {row["group"]: row["measured"] for row in api.get(f"{project}/rounds/1").json()["groups"]}
    assert (measured["A"]["count"], measured["A"]["value"]) == (230, 0.79)
    assert api.get(f"{project}/rounds/1/allocation").json()["data_version"] == plan["data_version"]


def test_stop_advice_goes_on_from_what_was_bought(api: Api, project: str) -> None:
    api.patch(project, json={"smallest_gain": 1e-9, "value_per_utility": "1000000"})
    before = look(api, project, budget="80")["stop"]
    assert buy(api, project, groups={"A": 20, "B": 30}).status_code == 201
    after = look(api, project, budget="80")["stop"]
    assert before["gain"] > after["gain"] > 0


def test_a_repeat_is_the_same_round_and_another_content_needs_its_own_id(api: Api, project: str) -> None:
    said: dict[str, Any] = {"orders": {"A": 10, "B": 5}, "spent": "17.50", "note": "x"}
    first = buy(api, project, **said)
    before = state_of(api, project)
    again = buy(api, project, **{**said, "spent": 17.5, "orders": {"B": 5, "A": 10}})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    for change in (
        {"spent": "17.51"},
        {"orders": {"A": 10}},
        {"note": "y"},
        {"groups": {"A": 10, "B": 5}, "orders": None},
    ):
        refused = buy(api, project, **{**said, **change})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:tranche:problem:key-taken"), change
    assert state_of(api, project) == before


def test_a_purchase_and_a_proposal_do_not_share_an_external_id(api: Api, project: str) -> None:
    assert propose(api, project, "r1").status_code == 201
    act(api, project, "cancel", json={})
    assert buy(api, project, "r1", orders={"A": 1}).json()["type"] == "urn:tranche:problem:key-taken"
    assert buy(api, project, "p1", orders={"A": 1}).status_code == 201
    assert propose(api, project, "p1").json()["type"] == "urn:tranche:problem:key-taken"


def test_an_idempotency_key_does_instead_of_an_external_id(api: Api, project: str) -> None:
    options = {"json": {"orders": {"A": 10}}, "headers": {"Idempotency-Key": "k"}}
    first, again = (api.post(f"{project}/purchases", **options) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert counts(api, project)["A"] == (200, 10)
    refused = api.post(f"{project}/purchases", json={"orders": {"A": 10}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/external_id"


@pytest.mark.parametrize(
    ("said", "pointer", "words"),
    [
        ({"orders": {"A": 241}}, "/orders", "240.00"),
        ({"orders": {"A": 1}, "spent": "240.01"}, "/spent", "240.00"),
        ({"groups": {"B": 121}}, "/groups", "240.00"),
        ({"orders": {"Z": 1}}, "/orders/Z", "no source 'Z'"),
        ({"groups": {"Z": 1}}, "/groups/Z", "no group 'Z'"),
        ({"orders": {"A": 1.5}}, "/orders/A", "integer"),
        ({"orders": {"A": -1}}, "/orders/A", "greater than or equal to 0"),
        ({"groups": {"A": -1}}, "/groups/A", "greater than or equal to 0"),
        ({"groups": {"A": 0.5}}, "/groups/A", "whole number"),
        ({"orders": {"A": "7"}}, "/orders/A", "integer"),
        ({"orders": {"A": True}}, "/orders/A", "integer"),
        ({"orders": {"A": 0, "B": 0}}, "/orders", "above 0"),
        ({"groups": {"A": 0}}, "/groups", "above 0"),
        ({"orders": {}}, "/orders", "above 0"),
        ({"groups": {}}, "/groups", "above 0"),
        ({}, "/orders", "either"),
        ({"orders": {"A": 1}, "groups": {"A": 1}}, "/orders", "either"),
        ({"orders": {"A": 1}, "spent": "-1"}, "/spent", "0"),
        ({"orders": {"A": 1}, "spent": "NaN"}, "/spent", "amount"),
        ({"orders": {"A": 1}, "spent": "0.0000001"}, "/spent", "six decimals"),
        ({"orders": {"A": {"groups": {"Z": {"accepted": 1}}}}}, "/orders/A/groups/Z", "no group 'Z'"),
        ({"orders": {"A": {"groups": {"A": {"accepted": -1}}}}}, "/orders/A/groups/A/accepted", "greater than"),
        ({"orders": {"A": {"groups": {"A": {"pending": 1}}}}}, "/orders/A/groups/A/pending", "not a field"),
        ({"orders": {"A": 1}, "cost": "1"}, "/cost", "not a field"),
        ({"orders": {"panel": 10}}, "/orders/panel", "delivers A, B"),
        ({"groups": {"A": 10}, "with_panel": True}, "/groups/A", "'A', 'panel'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    api: Api, project: str, said: dict[str, Any], pointer: str, words: str
) -> None:
    said = dict(said)
    if said.pop("with_panel", False) or "panel" in said.get("orders", {}):
        assert api.post(f"{project}/sources", json=MIXED).status_code == 201
    before = state_of(api, project)
    refused = buy(api, project, **said)
    assert refused.status_code in (409, 422), refused.text
    faults = refused.json()["errors"]
    assert any(fault["pointer"] == pointer and words in fault["detail"] for fault in faults), faults
    assert state_of(api, project) == before


def test_groups_need_one_source_that_delivers_them_alone(api: Api, project: str) -> None:
    api.post(f"{project}/groups", json={"key": "C"})
    refused = buy(api, project, groups={"C": 5})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/groups/C")
    assert "no open source" in refused.json()["detail"]
    api.patch(f"{project}/sources/A", json={"acceptance_rate": 0.9})
    refused = buy(api, project, groups={"A": 5})
    assert "a share of 0.9 is accepted" in refused.json()["detail"]
    assert buy(api, project, orders={"A": {"groups": {"A": {"accepted": 5, "rejected": 1}}}}).json()["spent"] == "6.00"


def test_of_a_mixed_source_what_came_is_said_by_group(api: Api, project: str) -> None:
    api.post(f"{project}/sources", json=MIXED)
    came = {"groups": {"A": {"accepted": 12, "rejected": 2}, "B": {"accepted": 7}}, "unmapped": 3}
    done = buy(api, project, orders={"panel": came, "A": 4}).json()
    panel = next(one for one in done["orders"] if one["source"] == "panel")
    assert {name: panel[name] for name in ("quantity", "accepted", "rejected", "unmapped")} == {
        "quantity": 24, "accepted": 19, "rejected": 2, "unmapped": 3,
    }  # fmt: skip
    assert panel["spent"] == "28.50", "billed by what was accepted"
    assert {row["group"]: (row["planned"], row["accepted"]) for row in done["groups"]} == {"A": (16, 16), "B": (7, 7)}
    assert counts(api, project) == {"A": (200, 16), "B": (100, 7)}


def test_what_came_and_was_all_rejected_is_paid_and_counts_for_nobody(api: Api, project: str) -> None:
    done = buy(api, project, orders={"A": {"groups": {"A": {"rejected": 10}}}})
    assert done.status_code == 201, done.text
    assert (done.json()["spent"], done.json()["orders"][0]["rejected"]) == ("10.00", 10)
    assert counts(api, project)["A"] == (200, 0)


def test_prices_are_those_of_an_order_of_a_plan(api: Api, project: str) -> None:
    terms = {
        "fixed_cost": "5", "lot_size": 10, "price_tiers": [{"from": 20, "unit_cost": "0.50"}], "tier_scope": "project",
    }  # fmt: skip
    assert api.patch(f"{project}/sources/A", json=terms).status_code == 200
    plan = look(api, project, hold="A:30", budget="100")
    cost = next(one["cost"] for one in plan["sources"] if one["source"] == "A")
    assert buy(api, project, "p1", orders={"A": 30}).json()["spent"] == cost == "30.00"
    assert buy(api, project, "p2", orders={"A": 7}).json()["spent"] == "8.50", "the tier goes on; no whole lot"


def test_spent_is_shared_by_what_the_prices_say(api: Api, project: str) -> None:
    done = buy(api, project, orders={"A": 10, "B": 10}, spent="10.000001").json()
    assert [order["spent"] for order in done["orders"]] == ["3.33", "6.670001"]
    assert (done["cost"], done["spent"]) == ("10.000001", "10.000001")
    free = buy(api, project, "p2", orders={"A": 500}, spent="0")
    assert (free.status_code, free.json()["spent"]) == (201, "0.00")
    assert look(api, project, budget="0")["budget"]["remaining"] == "229.999999"


@pytest.mark.parametrize(
    "rule",
    [
        {"source": {"max_order": 5}},
        {"source": {"min_order": 50}},
        {"source": {"lot_size": 7}},
        {"source": {"max_total": 5}},
        {"group": {"max_count": 205}},
        {"group": {"min_count": 230}},
        {"project": {"set_limits": [{"name": "cap", "sources": ["A"], "measure": "count", "max": 5}]}},
    ],
    ids=str,
)
def test_what_only_a_plan_must_keep_to_refuses_no_fact(api: Api, project: str, rule: dict[str, Any]) -> None:
    places = {"source": f"{project}/sources/A", "group": f"{project}/groups/A", "project": project}
    for kind, change in rule.items():
        assert api.patch(places[kind], json=change).status_code == 200
    done = buy(api, project, orders={"A": 10})
    assert (done.status_code, done.json()["spent"]) == (201, "10.00")
    assert counts(api, project)["A"] == (200, 10)
    assert api.get(f"{project}/allocations/next").status_code == 200, "the next plan lives with what is"


def test_prices_beyond_all_planning_are_refused_whatever_was_spent(api: Api, project: str) -> None:
    api.patch(f"{project}/sources/A", json={"unit_cost": "999999999999.999999"})
    before = state_of(api, project)
    refused = buy(api, project, orders={"A": 10**9}, spent="10")
    assert refused.status_code == 409
    assert "prices" in refused.json()["detail"]
    assert state_of(api, project) == before
    assert buy(api, project, orders={"A": 1}, spent="10").status_code == 201


def test_what_has_arrived_is_not_ordered_from_the_vendor_of_its_source(
    api: Api, project: str, database: Database
) -> None:
    config = {"label_config": "<View/>", "base_url": "http://127.0.0.1:9"}
    said = {"name": "labels", "kind": "label_studio", "api_token": "token-of-ours", "config": config}
    made = api.post("/v1/vendor-connections", json=said)
    assert made.status_code == 201, made.text
    assert api.patch(f"{project}/sources/A", json={"connection": made.json()["id"]}).status_code == 200
    assert buy(api, project, orders={"A": 10}).json()["orders"][0]["state"] == "closed"
    with database.reading() as session:
        assert session.scalars(select(VendorPlacement)).all() == []
    assert propose(api, project).status_code == 201
    assert accept(api, project, 2).status_code == 200
    with database.reading() as session:
        assert len(session.scalars(select(VendorPlacement)).all()) == 1, "an accepted round is placed there"


def test_an_archived_source_or_group_is_restored_first(api: Api, project: str) -> None:
    assert api.delete(f"{project}/sources/A").status_code == 204
    assert "archived" in buy(api, project, orders={"A": 1}).json()["detail"]
    assert api.delete(f"{project}/groups/B").status_code == 204
    assert "archived" in buy(api, project, groups={"B": 1}).json()["detail"]
    assert api.delete(project).status_code == 204
    refused = buy(api, project, orders={"A": 1})
    assert refused.status_code == 404
    assert "archived" in refused.json()["detail"]


def test_a_waiting_proposal_stands_in_the_way_and_stays_as_it_is(api: Api, project: str) -> None:
    propose(api, project)
    before = state_of(api, project)
    refused = buy(api, project, orders={"A": 1})
    assert refused.status_code == 409
    assert "Round 1 is proposed and waits" in refused.json()["detail"]
    assert state_of(api, project) == before


def test_a_round_of_a_vendor_that_collects_is_no_hindrance_and_is_not_touched(api: Api, project: str) -> None:
    propose(api, project)
    order = next(one for one in accept(api, project).json()["orders"] if one["source"] == "B")
    deliver(api, project, order["id"], {"groups": {"B": {"accepted": 3}}})
    before = api.get(f"{project}/rounds/1").json()
    assert buy(api, project, orders={"B": 4}).json()["number"] == 2
    assert api.get(f"{project}/rounds/1").json() == before
    assert counts(api, project)["B"] == (100, 7)
    refused = buy(api, project, "p2", orders={"A": 1}, spent="160.01")
    assert refused.status_code == 409, "what the open orders commit is not left"


def test_above_the_threshold_one_key_records_nothing(api: Api, project: str) -> None:
    api.patch(project, json={"approval_threshold": "50"})
    before = state_of(api, project)
    refused = buy(api, project, orders={"A": 51})
    assert refused.status_code == 409
    assert "two keys" in refused.json()["detail"]
    assert state_of(api, project) == before
    assert buy(api, project, orders={"A": 50}).status_code == 201


def test_a_purchase_needs_the_scope_to_buy(api: Api, project: str, database: Database) -> None:
    for scopes, status in (("read,write,deliver,observe", 403), ("buy", 201)):
        other = api.as_key(new_key(database, scopes))
        assert buy(other, project, orders={"A": 1}).status_code == status


def test_before_any_run_a_purchase_is_recorded_too(api: Api) -> None:
    path = api.project()
    done = buy(api, path, groups={"A": 5})
    assert done.status_code == 201, done.text
    assert done.json()["groups"][0]["count_after"] == 205


def test_a_correction_mends_a_purchase(api: Api, project: str) -> None:
    order = buy(api, project, orders={"A": 10}).json()["orders"][0]["id"]
    fewer = {"external_id": "c1", "groups": {"A": {"accepted": -4}}, "note": "counted twice"}
    assert api.post(f"{project}/rounds/1/orders/{order}/corrections", json=fewer).status_code == 201
    assert counts(api, project)["A"] == (200, 6)
    assert look(api, project, budget="0")["budget"]["remaining"] == "234.00"


def test_the_same_purchase_at_once_is_made_once(api: Api, project: str) -> None:
    call = ("POST", f"{project}/purchases", {"json": {"external_id": "p1", "orders": {"A": 10}}})
    answers = api.together([call] * 5)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.content for answer in answers}) == 1
    assert counts(api, project)["A"] == (200, 10)


def test_purchases_at_once_never_pass_the_budget(api: Api, project: str) -> None:
    calls = [
        ("POST", f"{project}/purchases", {"json": {"external_id": f"p{n}", "orders": {"A": 80}}}) for n in range(5)
    ]
    answers = api.together(calls)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409]
    assert look(api, project)["budget"]["available"] == "0.00"
    assert [row["number"] for row in api.get(f"{project}/rounds").json()["items"]] == [1, 2, 3]


def warned(api: Api, project: str) -> list[str]:
    return [one["detail"] for one in look(api, project)["warnings"] if one["code"] == "counts_without_purchase"]


def test_counts_raised_after_the_first_run_without_a_purchase_are_told(api: Api, project: str) -> None:
    assert warned(api, project) == []
    api.patch(f"{project}/groups/B", json={"initial_count": 130})
    [detail] = warned(api, project)
    assert "spent: B. " in detail
    assert "/purchases" in detail
    api.patch(f"{project}/groups/B", json={"initial_count": 100})
    assert warned(api, project) == []
    api.patch(f"{project}/groups/B", json={"initial_count": 130})
    assert buy(api, project, orders={"A": 1}).status_code == 201
    assert warned(api, project) == [], "what is bought is recorded by now"


def test_what_the_first_run_was_trained_on_was_held(api: Api) -> None:
    """Counts that are set late, as `counts_exceed_held` asks, are no purchase."""
    path = api.project(groups=[{"key": "A", "unit_cost": "1"}, {"key": "B", "unit_cost": "1"}])
    api.patch(f"{path}/groups/A", json={"initial_count": 50})
    api.post(f"{path}/observations", json={"observations": RUNS})
    for key, count in (("A", 200), ("B", 100)):
        api.patch(f"{path}/groups/{key}", json={"initial_count": count})
    assert warned(api, path) == []
    api.post(f"{path}/groups", json={"key": "C", "initial_count": 70})
    api.patch(f"{path}/groups/C", json={"initial_count": 90})
    assert warned(api, path) == [], "no run knew of it yet"
    run = {
        "external_id": "4",
        "counts": {"A": 200, "B": 100, "C": 90},
        "metrics": {"C": {"value": 0.6, "stderr": 0.01}},
    }
    api.post(f"{path}/observations", json={"observations": [run]})
    api.patch(f"{path}/groups/C", json={"initial_count": 91})
    assert len(warned(api, path)) == 1
