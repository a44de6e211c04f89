"""Sources over HTTP: what they deliver, at what price and in what amounts."""

from typing import Any

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api_client import Api
from tests.conftest import new_key, one_database

OFFER: dict[str, Any] = {
    "key": "clinic-7",
    "name": "Clinic 7",
    "kind": "site",
    "yields": {"A": 0.55, "B": 0.35},
    "unit_cost": "2.40",
    "labels_per_item": 5,
    "billed": "accepted",
    "price_tiers": [{"from": 1000, "unit_cost": "2.10"}, {"from": 5000, "unit_cost": "1.999999"}],
    "tier_scope": "project",
    "fixed_cost": "150.00",
    "min_order": 100,
    "max_order": 5000,
    "lot_size": 10,
    "max_total": 20000,
    "acceptance_rate": 0.92,
    "quality": 0.5,
    "license": "CC-BY-4.0",
    "provenance": "consent form 3",
    "lead_time_days": 14,
}


def test_a_source_comes_back_as_it_was_sent(api: Api) -> None:
    path = api.project()
    answer = api.post(f"{path}/sources", json=OFFER)
    assert answer.status_code == 201
    read = api.get(answer.headers["Location"]).json()
    assert read == answer.json()
    assert {name: read[name] for name in OFFER} == OFFER
    assert read["group"] is None


def test_a_source_of_one_group_has_both_forms(api: Api) -> None:
    path = api.project()
    short = api.post(f"{path}/sources", json={"key": "s", "group": "A", "unit_cost": "1"}).json()
    long = api.post(f"{path}/sources", json={"key": "l", "yields": {"A": 0.8}, "unit_cost": "1"}).json()
    assert (short["group"], short["yields"]) == ("A", {"A": 1.0})
    assert (long["group"], long["yields"]) == ("A", {"A": 0.8})


def test_what_a_source_delivers_can_be_changed_from_one_form_to_the_other(api: Api) -> None:
    path = api.project()
    tag = api.get(f"{path}/sources/A").headers["ETag"]
    many = api.patch(f"{path}/sources/A", json={"yields": {"A": 0.5, "B": 0.25}}, headers={"If-Match": tag}).json()
    assert (many["group"], many["yields"]) == (None, {"A": 0.5, "B": 0.25})
    assert api.patch(f"{path}/sources/A", json={"unit_cost": "3"}).json()["yields"] == many["yields"]
    one = api.patch(f"{path}/sources/A", json={"group": "B"}).json()
    assert (one["group"], one["yields"]) == ("B", {"B": 1.0})
    assert api.get(f"{path}/sources").json()["items"][0]["yields"] == {"B": 1.0}


def test_a_whole_list_replaces_what_its_sources_deliver(api: Api) -> None:
    path = api.project()
    items = [
        {"key": "A", "yields": {"A": 0.2, "B": 0.3}, "unit_cost": "1"},
        {"key": "B", "group": "A", "unit_cost": "1"},
    ]
    assert api.put(f"{path}/sources", json=items).status_code == 200
    read = {source["key"]: source["yields"] for source in api.get(f"{path}/sources").json()["items"]}
    assert read == {"A": {"A": 0.2, "B": 0.3}, "B": {"A": 1.0}}


def test_optional_fields_can_be_taken_away(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/sources", json=OFFER)
    emptied = {"max_order": None, "max_total": None, "lead_time_days": None, "price_tiers": [], "fixed_cost": "0"}
    read = api.patch(f"{path}/sources/clinic-7", json=emptied).json()
    assert (read["max_order"], read["max_total"], read["lead_time_days"]) == (None, None, None)
    assert (read["price_tiers"], read["fixed_cost"]) == ([], "0.00")


def test_shares_that_sum_to_one_in_decimals_are_accepted(api: Api) -> None:
    """0.1 + 0.2 + 0.7 is a little more than 1 in floating point."""
    keys = [f"g{index}" for index in range(10)]
    path = api.project(groups=[{"key": key} for key in keys])
    body = {"key": "s", "yields": dict.fromkeys(keys, 0.1), "unit_cost": "1"}
    assert api.post(f"{path}/sources", json=body).status_code == 201


def test_archiving_a_group_takes_only_the_sources_that_deliver_nothing_else(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/sources", json=OFFER)
    assert api.delete(f"{path}/groups/A").status_code == 204
    assert [source["key"] for source in api.get(f"{path}/sources").json()["items"]] == ["B", "clinic-7"]
    plan = api.get(f"{path}/allocations/next")
    assert plan.status_code == 200
    assert {group["group"] for group in plan.json()["groups"]} == {"B"}
    api.patch(f"{path}/groups/B", json={"weight": 1})
    api.post(f"{path}/groups", json={"key": "C"})
    assert api.delete(f"{path}/groups/B").status_code == 204
    assert api.get(f"{path}/sources").json()["items"] == []


def test_a_source_comes_back_only_with_one_of_its_groups(api: Api) -> None:
    path = api.project(groups=[{"key": "A"}, {"key": "B"}, {"key": "C"}])
    api.post(f"{path}/sources", json=OFFER)
    api.delete(f"{path}/groups/A")
    api.delete(f"{path}/groups/B")
    assert "'A', 'B'" in problem(api.post(f"{path}/sources/clinic-7/restore"), 409)["detail"]
    api.post(f"{path}/groups/B/restore")
    restored = api.post(f"{path}/sources/clinic-7/restore")
    assert (restored.status_code, restored.json()["yields"]) == (200, OFFER["yields"])


def test_a_new_source_names_active_groups_only(api: Api) -> None:
    path = api.project()
    api.delete(f"{path}/groups/A")
    assert problem(api.post(f"{path}/sources", json=OFFER), 422)["errors"][0]["pointer"] == "/yields/A"


def test_the_price_of_a_group_is_not_that_of_a_source_of_several(api: Api) -> None:
    path = api.project(groups=[{"key": "A"}, {"key": "B"}])
    api.post(f"{path}/sources", json={**OFFER, "key": "A"})
    problem(api.patch(f"{path}/groups/A", json={"unit_cost": "1"}), 409)


def test_bounds_of_a_group_can_be_set_and_taken_away(api: Api) -> None:
    path = api.project()
    read = api.patch(f"{path}/groups/A", json={"min_count": 250, "max_count": 300}).json()
    assert (read["min_count"], read["max_count"]) == (250, 300)
    refused = problem(api.patch(f"{path}/groups/A", json={"max_count": 249}), 422)
    assert refused["errors"][0]["pointer"] == "/min_count"
    assert api.patch(f"{path}/groups/A", json={"min_count": None}).json()["min_count"] is None


def test_a_first_tier_from_0_is_the_unit_cost(api: Api) -> None:
    path = api.project()
    later = [{"from": 100, "unit_cost": "1.50"}]
    plain = {"group": "A", "unit_cost": "2.00", "price_tiers": later}
    told = plain | {"price_tiers": [{"from": 0, "unit_cost": 2}, *later]}
    left_out, said = (
        api.post(f"{path}/sources", json=body | {"key": key}) for key, body in [("l", plain), ("s", told)]
    )
    assert said.status_code == 201, said.text
    assert said.json() | {"key": "l"} == left_out.json()
    assert api.patch(f"{path}/sources/s", json={"price_tiers": told["price_tiers"]}).json()["price_tiers"] == later
    assert api.get(f"{path}/allocations/next").status_code == 200


def test_a_first_tier_from_0_that_contradicts_the_unit_cost_is_refused_and_changes_nothing(api: Api) -> None:
    path = api.project()
    tiers = {"price_tiers": [{"from": 0, "unit_cost": "3"}, {"from": 10, "unit_cost": "1"}]}
    before = api.get(f"{path}/sources/A").json()
    [fault] = problem(api.patch(f"{path}/sources/A", json=tiers), 422)["errors"]
    assert fault == {
        "pointer": "/price_tiers/0/unit_cost",
        "detail": "a tier from 0 is the unit_cost, which is 1.00; make them equal or leave one out",
    }
    scenario = {"scenarios": [{"sources": {"A": tiers}}]}
    [fault] = problem(api.post(f"{path}/allocations/what-if", json=scenario), 422)["errors"]
    assert fault["pointer"].endswith("/sources/A/price_tiers/0/unit_cost")
    assert api.get(f"{path}/sources/A").json() == before


def test_null_restores_the_defaults_of_a_source(api: Api) -> None:
    path = api.project()
    made = api.post(f"{path}/sources", json=OFFER | {"yields": None, "group": "A", "key": "s"}).json()
    plain = api.post(f"{path}/sources", json={"key": "p", "group": "A", "unit_cost": made["unit_cost"]}).json()
    # A quality of null is one to be learned.
    terms = OFFER.keys() - {"key", "yields", "unit_cost", "quality"}
    changed = api.patch(f"{path}/sources/s", json={**dict.fromkeys(terms), "quality": 1.0}).json()
    assert changed | {"key": "p"} == plain
    problem(api.patch(f"{path}/sources/s", json={"unit_cost": None}), 422)
    nulls = {"key": "n", "group": "A", "unit_cost": made["unit_cost"], **dict.fromkeys(terms)}
    assert api.post(f"{path}/sources", json=nulls).json() | {"key": "p"} == plain


@one_database
def test_several_labels_an_item_are_planned_as_samples_at_their_share_of_its_price(api: Api) -> None:
    """Against the arithmetic done by hand: price ÷ labels, lots of whole items."""
    curve = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}
    groups = [{"key": key, "initial_count": 50, "assumed_curve": curve} for key in "AB"]
    shares = {"key": "images", "yields": {"A": 0.66, "B": 0.34}, "lot_size": 2}
    said = {"unit_cost": "0.30", "labels_per_item": 3, "price_tiers": [{"from": 300, "unit_cost": "0.24"}]}
    by_hand = {"unit_cost": "0.10", "lot_size": 6, "price_tiers": [{"from": 300, "unit_cost": "0.08"}]}
    plans, costs = [], []
    for terms in (said, by_hand):
        path = api.project(groups=groups, sources=[shares | terms], budget={"total": "100", "rounds": 1})
        plan = api.get(f"{path}/allocations/next").json()
        plans.append([plan[part] for part in ("sources", "groups", "utility", "budget")])
        made = api.post(f"{path}/rounds", json={"external_id": "r", "data_version": plan["data_version"]})
        costs.append(made.json()["cost"])
    assert plans[0] == plans[1]
    assert costs[0] == costs[1] == plans[0][0][0]["cost"]
    assert plans[0][0][0]["order"] % 6 == 0


@one_database
def test_vendors_are_asked_for_items_of_one_label(api: Api) -> None:
    made = api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()
    path = api.project()
    before = api.get(f"{path}/sources/A").json()
    changes = {"connection": made["id"], "labels_per_item": 2}
    [fault] = problem(api.patch(f"{path}/sources/A", json=changes), 422)["errors"]
    assert fault["pointer"] == "/labels_per_item"
    assert api.get(f"{path}/sources/A").json() == before


def test_a_key_limited_to_projects_gives_no_source_a_vendor_connection(api: Api, database: Database) -> None:
    path = api.project()
    linked = api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()["id"]
    limited = api.as_key(new_key(database, "write", project_ids=[path.rpartition("/")[2]]))
    source = {"key": "web", "yields": {"A": 1.0}, "unit_cost": "1", "connection": linked}
    for refused in (
        limited.post(f"{path}/sources", json=source),
        limited.put(f"{path}/sources", json=[source]),
        limited.patch(f"{path}/sources/A", json={"connection": linked}),
    ):
        assert (refused.status_code, "limited to named projects" in refused.text) == (403, True)
    assert api.patch(f"{path}/sources/A", json={"connection": linked}).status_code == 200
    kept = limited.patch(f"{path}/sources/A", json={"connection": linked, "unit_cost": "3"})
    assert (kept.status_code, kept.json()["unit_cost"]) == (200, "3.00"), "what it has already may be said again"
