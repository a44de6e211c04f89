"""What the calls send, and what they make of answers; tests/e2e holds them against a real service."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tranche import Allocation, Budget, Client, Project, Round, TrancheError

PROJECT: dict[str, Any] = {
    "id": "p", "name": "speech", "currency": "USD", "data_version": 1, "metric": {"name": "accuracy"},
    "objective": {"kind": "utilitarian"}, "budget": {"total": "6000.00", "rounds": 1}, "external_id": "speech-1",
}  # fmt: skip
ROUND: dict[str, Any] = {
    "number": 1, "state": "closed", "external_id": "one", "data_version": 4, "query": {}, "currency": "USD",
    "cost": "100.00", "lines": [{"source": "women", "quantity": 40, "cost": "100.00"}], "proposed_by": "k",
    "approvals": ["k"], "approvals_needed": 1, "reason": None, "created_at": "2026-11-20T10:00:00Z",
    "updated_at": "2026-11-20T10:00:00Z", "accepted_at": "2026-11-20T10:00:00Z", "closed_at": "2026-11-20T10:00:00Z",
    "cancelled_at": None, "spent": "90.00", "committed": "0.00", "orders": [], "groups": [],
}  # fmt: skip
PLAN = Allocation(
    round=1, policy="optimal", data_version=3, seed=0,
    budget=Budget(Decimal(100), Decimal(100), Decimal(0), Decimal(0)), utility={}, groups={}, warnings=(),
    orders={"women": 40, "men": 0}, question={"seed": 2, "budget": Decimal("100.00"), "hold": {"men": 0}},
)  # fmt: skip


class Service:
    """Answers all with one body, and keeps what was asked."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.answer = httpx.Response(status, json=body, headers={"ETag": '"v1"'})
        self.requests: list[httpx.Request] = []
        self.client = Client("http://tranche.test", "key", transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer

    @property
    def said(self) -> tuple[str, str, Any]:
        (request,) = self.requests
        return request.method, request.url.path, json.loads(request.content)


@pytest.mark.parametrize("status", [200, 201])
def test_a_project_is_ensured_under_its_external_id(status: int) -> None:
    service = Service(PROJECT, status)
    project = service.client.ensure_project(
        external_id="speech-1", metric="accuracy", budget=6000, groups=[{"key": "a"}]
    )
    body = {
        "name": "speech-1",
        "metric": "accuracy",
        "budget": 6000,
        "groups": [{"key": "a"}],
        "external_id": "speech-1",
    }
    assert service.said == ("POST", "/v1/projects", body)
    assert (project.id, project.external_id) == ("p", "speech-1")


def test_another_content_under_an_external_id_is_told() -> None:
    service = Service({"title": "Another project has this external id", "status": 409}, 409)
    with pytest.raises(TrancheError, match="409 Another project"):
        service.client.ensure_project(external_id="speech-1", name="speech", metric="accuracy", budget=7000)
    assert len(service.requests) == 1


def test_a_project_is_found_by_its_external_id() -> None:
    service = Service({"items": [PROJECT], "next_cursor": None})
    found = service.client.find_project(external_id="speech-1")
    assert found is not None
    assert found.id == "p"
    assert dict(service.requests[0].url.params) == {"external_id": "speech-1"}
    assert Service({"items": [], "next_cursor": None}).client.find_project(external_id="x") is None


@pytest.mark.parametrize("asked", [{}, {"name": "a", "external_id": "b"}])
def test_a_project_is_sought_by_one_thing(asked: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="either a name or an external_id"):
        Service(PROJECT).client.find_project(**asked)


@pytest.mark.parametrize(
    ("bought", "body"),
    [
        ({"orders": PLAN}, {"orders": {"women": 40}}),
        ({"orders": {"women": 3, "men": 0}}, {"orders": {"women": 3, "men": 0}}),
        ({"groups": {"a": 5}}, {"groups": {"a": 5}}),
        (
            {"orders": PLAN, "spent": Decimal("90.50"), "external_id": "round-1", "note": "by mail"},
            {"orders": {"women": 40}, "spent": "90.50", "external_id": "round-1", "note": "by mail"},
        ),
        ({"groups": {}, "spent": 0}, {"groups": {}, "spent": 0}),
    ],
)
def test_a_purchase_is_one_call(bought: dict[str, Any], body: dict[str, Any]) -> None:
    service = Service(ROUND, 201)
    project = Project("p", "speech", "USD", 1, {}, {}, {})
    closed = service.client.record_purchase(project, **bought)
    assert service.said == ("POST", "/v1/projects/p/purchases", body)
    assert "Idempotency-Key" in service.requests[0].headers
    assert (closed.project_id, closed.state, closed.spent, closed.etag) == ("p", "closed", Decimal("90.00"), '"v1"')


@pytest.mark.parametrize("bought", [{}, {"orders": {"a": 1}, "groups": {"a": 1}}])
def test_a_purchase_is_of_orders_or_of_groups(bought: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"either orders .* or groups"):
        Service(ROUND).client.record_purchase("p", **bought)


def test_a_proposal_names_what_was_looked_at() -> None:
    service = Service(ROUND, 201)
    service.client.propose_round("p", PLAN, external_id="one")
    query = {"seed": 2, "budget": "100.00", "hold": {"men": 0}}
    assert service.said == ("POST", "/v1/projects/p/rounds", {"external_id": "one", "data_version": 3, "query": query})


def test_hindsight_is_asked_of_closed_rounds() -> None:
    estimate = {"mean": -0.1, "p05": -0.2, "p95": -0.05}
    best = {"policy": "optimal", "hindsight": True, "added": {"women": 60}, "utility": estimate,
            "difference": {"mean": 0.01, "p05": 0.0, "p95": 0.02, "p_better": 0.97}}  # fmt: skip
    equal = {"policy": "equal", "hindsight": False, "added": {}, "utility": None, "difference": None}
    review = {
        "spent": "90.00",
        "actual": {"added": {"women": 40}, "utility": estimate},
        "policies": [equal],
        "best": best,
    }
    one = {**review, "number": 1, "forecast": None, "as_today": ["/groups/women/weight"]}
    service = Service({"rounds": [one], "all": review, "forecasts": 3, "coverage": 1.0, "left_out": 0})
    found = service.client.hindsight("p", policies=["equal", "greedy"], draws=50)
    [request] = service.requests
    assert (request.method, request.url.path) == ("GET", "/v1/projects/p/rounds/hindsight")
    assert dict(request.url.params) == {"policies": "equal,greedy", "draws": "50"}
    [past] = found.rounds
    assert (past.number, past.spent, past.added["women"], found.all.number) == (1, Decimal("90.00"), 40, None)
    assert past.policies["equal"].difference is None
    assert past.best.difference is not None
    assert past.best.difference.p_better == 0.97
    assert [row["policy"] for row in found.to_dicts()] == ["equal", "optimal"]


def test_a_change_of_a_round_is_sent_with_the_version_that_was_seen() -> None:
    service = Service(ROUND)
    seen = service.client.get_round("p", 1)
    for change in (service.client.accept_round, service.client.close_round, service.client.cancel_round):
        assert change(seen) is seen
    service.client.edit_round(seen, {"men": 1})
    assert [(one.method, one.url.path.rsplit("/", 1)[-1]) for one in service.requests] == [
        ("GET", "1"), ("POST", "accept"), ("POST", "close"), ("POST", "cancel"), ("PATCH", "1"),
    ]  # fmt: skip
    assert all(one.headers["If-Match"] == '"v1"' for one in service.requests[1:])


def test_an_order_that_a_round_does_not_have_is_named() -> None:
    service = Service(ROUND)
    seen = service.client.get_round("p", 1)
    with pytest.raises(KeyError, match=r"round 1 \(closed\) has no order from 'men'"):
        service.client.record_delivery(seen, "men", {"men": 1})


def test_a_file_that_is_refused_is_an_error_and_no_file() -> None:
    with pytest.raises(TrancheError, match="404 Not found"):
        Service({"title": "Not found", "status": 404}, 404).client.report("p")


def test_a_manifest_is_sent_as_it_is_and_told_rule_by_rule() -> None:
    answers = iter([{"rows": 1, "accepted": 1, "rules": []}, ROUND])
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=next(answers), headers={"ETag": '"v2"'})

    client = Client("http://tranche.test", "key", transport=httpx.MockTransport(serve))
    counts = dict.fromkeys(("delivered", "accepted", "rejected", "pending", "unmapped", "over_delivered"), 0)
    order = {
        "id": "o", "source": "women", "state": "placed", "quantity": 40, "cost": "100.00", "spent": "0.00",
        "committed": "100.00", "groups": {}, **counts,
    }  # fmt: skip
    seen = Round.of("p", {**ROUND, "orders": [order]}, '"v1"')
    found = client.send_manifest(seen, "women", "item,group\na,women\n", license="CC-BY-4.0")
    assert found["accepted"] == 1
    sent = asked[0]
    assert (sent.method, sent.url.path, dict(sent.url.params)) == (
        "POST", "/v1/projects/p/orders/o/manifests", {"license": "CC-BY-4.0"},
    )  # fmt: skip
    assert sent.content == b"item,group\na,women\n"
    assert sent.headers["Content-Type"] == "text/csv"
    assert seen.etag == '"v2"'


def test_a_plan_says_what_the_licence_rule_leaves_out() -> None:
    because = [{"term": "commercial", "value": "forbidden", "required": "allowed"}]
    budget = {"available": "1.00", "spend": "0.00", "unspent": "1.00", "remaining": "1.00"}
    answer = {
        "round": 1, "policy": "optimal", "data_version": 1, "seed": 0, "budget": budget, "utility": None, "groups": [],
        "sources": [], "warnings": [], "excluded": [{"source": "nc", "because": because}],
    }  # fmt: skip
    assert Allocation.of(answer).excluded == {"nc": "commercial is forbidden, not allowed"}


def test_holdouts_are_listed_and_retired() -> None:
    item = {
        "name": "a/b", "first_used": "2026-11-20T10:00:00Z", "runs": 1, "recipes": 1, "candidates": 20,
        "rounds_decided": 0, "groups": {"a": {"half_width": 0.03}}, "state": "used", "advice": None, "note": None,
    }  # fmt: skip
    [one] = Service({"items": [item], "next_cursor": None}).client.holdouts("p")
    assert (one.name, one.candidates, one.groups["a"]["half_width"]) == ("a/b", 20, 0.03)
    service = Service({"name": "a/b", "retired": True, "note": "why"})
    service.client.retire_holdout("p", "a/b", "why")
    [request] = service.requests
    assert (request.method, request.url.raw_path) == ("PATCH", b"/v1/projects/p/holdouts/a%2Fb")
    assert json.loads(request.content) == {"retired": True, "note": "why"}
