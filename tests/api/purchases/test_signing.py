"""Who signs a round: names, words, declining, expiry, and what the verdict asks of who approves."""

from datetime import timedelta
from typing import Any

import pytest

from app.store.db import Database
from tests.api.purchases.test_rounds import accept, act, deliver, look, propose
from tests.api_client import RUNS, Api
from tests.conftest import new_key


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(budget={"total": "1000", "rounds": 2})
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def told(api: Api, type: str) -> list[dict[str, Any]]:
    return [one["data"] for one in api.get("/v1/events", params={"type": type}).json()["items"]]


def key_id(token: str) -> str:
    return token.split("_")[1]


def test_each_step_says_who_took_it_when_and_with_what_words(api: Api, project: str, database: Database) -> None:
    api.patch(project, json={"approval_threshold": "10"})
    ana, ben = (new_key(database, "read,write,buy", name=name) for name in ("Ana", "Ben"))
    body = {"external_id": "r1", "data_version": look(api, project)["data_version"]}
    words = {"note": "needed for the audit", "reference": "PO-1"}
    proposer = api.as_key(ana)
    assert proposer.post(f"{project}/rounds", json={**body, **words}).status_code == 201
    again = proposer.post(f"{project}/rounds", json={**body, "note": "other words"})
    assert again.status_code == 409, "other words are another proposal"
    assert proposer.post(f"{project}/rounds", json={**body, **words}).status_code == 200
    first = act(api.as_key(ben), project, "accept", json={"note": "fine", "reference": "PO-2"})
    assert (first.json()["state"], first.json()["reference"]) == ("proposed", "PO-2")
    done = act(api, project, "accept", json={"note": "go"})
    assert done.json()["state"] == "accepted"
    assert act(api, project, "close", json={"note": "all came"}).status_code == 200
    assert api.delete(f"/v1/api-keys/{key_id(ben)}").status_code == 204
    found = api.get(f"{project}/rounds/1").json()
    steps = [(one["step"], one["by"]["name"], one["note"]) for one in found["steps"]]
    assert steps == [
        ("proposed", "Ana", "needed for the audit"),
        ("approved", "Ben", "fine"),
        ("approved", None, "go"),
        ("closed", None, "all came"),
    ]
    assert found["steps"][1]["by"]["id"] == key_id(ben)
    assert found["steps"][0]["at"] == found["created_at"]
    assert (found["note"], found["reference"]) == ("needed for the audit", "PO-2")
    [listed] = api.get(f"{project}/rounds").json()["items"]
    assert listed["steps"] == found["steps"]
    [proposed] = told(api, "round.proposed")
    assert (proposed["by"], proposed["note"]) == ({"id": key_id(ana), "name": "Ana"}, "needed for the audit")
    [needed] = told(api, "round.approval_needed")
    assert (needed["by"]["name"], needed["approvals"], needed["approvals_needed"]) == ("Ben", 1, 2)


def test_a_declined_proposal_buys_nothing_and_another_can_be_proposed(
    api: Api, project: str, database: Database
) -> None:
    made = propose(api, project).json()
    for body in ({}, {"reason": ""}, {"reason": "x" * 2_001}):
        assert act(api, project, "decline", json=body).status_code == 422
    writer = api.as_key(new_key(database, "read,write"))
    assert act(writer, project, "decline", json={"reason": "no"}).status_code == 403
    assert api.post(f"{project}/rounds/1/decline", json={"reason": "no"}).status_code == 428
    declined = act(api, project, "decline", json={"reason": "too dear"}).json()
    assert (declined["state"], declined["reason"], declined["orders"]) == ("declined", "too dear", [])
    assert declined["declined_at"] is not None
    assert api.get(f"{project}/ledger").json()["items"] == []
    [event] = told(api, "round.declined")
    assert (event["round"], event["note"], event["cost"]) == (1, "too dear", made["cost"])
    assert event["verdict"] == api.get(f"{project}/rounds/1/allocation").json()["verdict"]["sentence"]
    for verb, body in (("accept", {}), ("decline", {"reason": "no"}), ("cancel", {}), ("close", {})):
        refused = act(api, project, verb, json=body)
        assert (refused.status_code, "declined" in refused.json()["detail"]) == (409, True), verb
    held = {line["source"]: 5 for line in made["lines"]}
    body = {"external_id": "r2", "data_version": look(api, project)["data_version"], "query": {"hold": held}}
    second = api.post(f"{project}/rounds", json=body).json()
    assert second["number"] == 2
    assert {line["source"]: line["quantity"] for line in second["lines"]} == held


def test_a_proposal_that_nobody_accepts_in_time_is_expired(api: Api, project: str) -> None:
    assert api.patch(project, json={"proposal_expires_days": 0}).status_code == 422
    assert api.patch(project, json={"proposal_expires_days": 2}).json()["proposal_expires_days"] == 2
    made = propose(api, project).json()
    tag = api.get(f"{project}/rounds/1").headers["ETag"]
    api.clock.now += timedelta(days=2) - timedelta(seconds=1)
    assert api.get(f"{project}/rounds/1").headers["ETag"] == tag
    assert propose(api, project, "r2").status_code == 409, "it waits until its last second"
    api.clock.now += timedelta(seconds=1)
    assert api.get(f"{project}/rounds/1").json()["state"] == "expired"
    refused = accept(api, project)
    assert refused.status_code == 409
    assert "expired at 2026-11-22" in refused.json()["detail"]
    edited = api.patch(f"{project}/rounds/1", json={"orders": {made["lines"][0]["source"]: 1}})
    assert edited.status_code == 409
    api.patch(project, json={"proposal_expires_days": None})
    second = propose(api, project, "r2").json()
    assert (second["number"], second["expires_at"]) == (2, None)
    assert [one["state"] for one in api.get(f"{project}/rounds").json()["items"]] == ["expired", "proposed"]
    assert accept(api, project, 2).json()["state"] == "accepted"


def test_approving_against_the_verdict_needs_a_written_reason(api: Api, project: str) -> None:
    api.patch(project, json={"smallest_gain": 1e6})
    propose(api, project)
    verdict = api.get(f"{project}/rounds/1/allocation").json()["verdict"]
    assert verdict["kind"] == "keep"
    for options in ({}, {"json": {}}, {"json": {"note": None}}, {"json": {"note": " \n"}}):
        refused = act(api, project, "accept", **options)
        assert refused.status_code == 422, options
        [fault] = refused.json()["errors"]
        assert fault["pointer"] == "/note"
        assert verdict["sentence"] in fault["detail"]
    assert api.get(f"{project}/rounds/1").json()["approvals"] == []
    assert act(api, project, "accept", json={"note": "the law asks for it"}).json()["state"] == "accepted"


def test_an_edit_freezes_anew_what_is_signed(api: Api, project: str) -> None:
    api.patch(project, json={"approval_threshold": "10"})
    propose(api, project)
    assert accept(api, project).json()["approvals"] != []
    assert api.patch(f"{project}/groups/A", json={"weight": 3.0}).status_code == 200
    edited = api.patch(f"{project}/rounds/1", json={"orders": {"A": 10, "B": 5}}).json()
    kept = api.get(f"{project}/rounds/1/allocation").json()
    assert {one["source"]: one["order"] for one in kept["sources"]} == {"A": 10, "B": 5}
    assert kept["budget"]["spend"] == edited["cost"] == "20.00"
    assert kept["data_version"] == edited["data_version"] == look(api, project)["data_version"]
    hold = [f"{key}:{count}" for key, count in edited["query"]["hold"].items()]
    query = {**edited["query"], "hold": hold}
    assert kept == look(api, project, **query), "the round's query asks for what is signed"
    assert [one["step"] for one in edited["steps"]] == ["proposed", "approved", "edited"]
    assert [one["approvals"] for one in told(api, "round.approval_needed")] == [1, 0]


def test_the_purchase_orders_number_can_follow_in_any_state(api: Api, project: str) -> None:
    propose(api, project)
    order = accept(api, project).json()["orders"][0]
    deliver(api, project, order["id"], {"groups": {"A": {"accepted": 1}}})
    act(api, project, "close")
    assert api.patch(f"{project}/rounds/1", json={"reference": "PO-7"}).json()["reference"] == "PO-7"
    assert api.patch(f"{project}/rounds/1", json={"orders": {"A": 1}}).status_code == 409
    assert api.patch(f"{project}/rounds/1", json={"reference": None}).json()["reference"] is None
    entry = api.get(f"{project}/audit?action=round.edited").json()["items"][-1]
    assert entry["changes"] == {"reference": {"from": "PO-7", "to": None}}
