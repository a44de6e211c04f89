"""A study's whole life: ordered on accept, recruited, told of by thin webhooks, reconciled with counts and cost."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.jobs.vendors import place_order
from tests.api_client import RUNS
from tests.jobs.worker import run_waiting
from tests.vendors.fake_prolific import FEE_PERCENT, FakeProlific
from tests.vendors.serving import served
from tests.vendors.world import World

STUDY = {
    "description": "Read a text aloud",
    "external_study_url": "https://study.test/?id={{%PROLIFIC_PID%}}",
    "estimated_completion_time": 5,
    "completion_codes": [{"code": "C1", "code_type": "COMPLETED", "actions": [{"action": "MANUALLY_REVIEW"}]}],
}


@pytest.fixture
def prolific() -> FakeProlific:
    return FakeProlific()


@pytest.fixture
def world(make_world: Callable[..., World], prolific: FakeProlific) -> Iterator[World]:
    filters = {key: [{"filter_id": "sex", "selected_values": [value]}] for key, value in (("A", "0"), ("B", "1"))}
    with served(prolific.handle) as url:
        config = {"base_url": url, "workspace_id": "w", "fee_percent": FEE_PERCENT, "study": STUDY,
                  "group_filters": filters}  # fmt: skip
        made = make_world(kind="prolific", config=config, api_token=prolific.token, secret=prolific.secret)
        made.order_id = made.order(31, "open")
        yield made


def place(world: World) -> dict[str, Any]:
    assert world.api.post(f"{world.connection}/placements/{world.order_id}").status_code == 202
    place_order(world.context, {"order_id": world.order_id})
    found: dict[str, Any] = world.api.get(f"{world.connection}/placements").json()["items"][0]
    return found


def tell(world: World, prolific: FakeProlific, submission: str, event_id: str) -> None:
    sent, body = prolific.webhook(submission, world.now, event_id)
    answer = world.post(body, sent)
    assert answer.status_code == 202, answer.text


def test_the_whole_life_of_a_study(world: World, prolific: FakeProlific) -> None:
    placed = place(world)
    assert placed["state"] == "placed", placed
    studies = {one["group"]: one["external_order_id"] for one in placed["placed"]}
    places = {key: prolific.studies[study]["total_available_places"] for key, study in studies.items()}
    assert places == {"A": 16, "B": 15}
    assert all(one["is_enabled"] for one in prolific.subscriptions.values())
    assert world.read()["state"] == "placed"

    first, second, third = (prolific.submit(studies[key]) for key in ("A", "A", "B"))
    for number, one in enumerate((first, second, third)):
        tell(world, prolific, one, f"e{number}")
    world.drain()
    assert world.counts() == {"A": {"pending": 2}, "B": {"pending": 1}}

    for name, status in ((first, "APPROVED"), (second, "REJECTED"), (third, "RETURNED")):
        prolific.submissions[name]["status"] = status
    world.later()
    tell(world, prolific, first, "e3")
    tell(world, prolific, first, "e3")
    tell(world, prolific, third, "e4")
    world.drain()
    assert world.counts() == {"A": {"accepted": 1, "pending": 1}}

    world.later()
    report = world.reconcile()
    assert report["problem"] is None
    assert report["differences"] == {world.order_id: {"A": {"pending": -1, "rejected": 1}}}
    assert world.counts() == {"A": {"accepted": 1, "rejected": 1}}
    reward = prolific.studies[studies["A"]]["reward"]
    assert world.read()["spent"] == f"{reward * (100 + FEE_PERCENT) / 10_000:.2f}"

    world.later()
    prolific.submissions[first]["status"] = "APPROVED"
    assert world.reconcile()["differences"] == {}


def test_webhooks_that_all_got_lost_are_made_good(world: World, prolific: FakeProlific) -> None:
    studies = {one["group"]: one["external_order_id"] for one in place(world)["placed"]}
    for number in range(15):
        prolific.submit(studies["B"], ("APPROVED", "REJECTED", "AWAITING REVIEW")[number % 3])
    world.later()
    assert world.reconcile()["items"] == 15
    assert world.counts() == {"B": {"accepted": 5, "rejected": 5, "pending": 5}}


def test_an_api_that_is_away_keeps_webhooks_waiting(world: World, prolific: FakeProlific) -> None:
    studies = {one["group"]: one["external_order_id"] for one in place(world)["placed"]}
    submission = prolific.submit(studies["A"], "APPROVED")
    tell(world, prolific, submission, "e1")
    prolific.failures = [503]
    world.drain()
    assert world.outcomes() == {"received": 1}
    assert "vendors.drain" in run_waiting(world.context)
    assert world.counts() == {"A": {"accepted": 1}}


def test_a_vendor_that_cannot_be_reached_is_tried_again(world: World, prolific: FakeProlific) -> None:
    prolific.failures = [503]
    first = place(world)
    assert (first["state"], first["tries"]) == ("placing", 2)
    assert "503" in first["problem"]
    assert "vendors.place" in run_waiting(world.context)
    again = world.api.get(f"{world.connection}/placements").json()["items"][0]
    assert (again["state"], again["problem"]) == ("placed", None)
    assert len(prolific.studies) == 2


def test_a_poke_reads_the_study_back(world: World, prolific: FakeProlific) -> None:
    studies = {one["group"]: one["external_order_id"] for one in place(world)["placed"]}
    prolific.submit(studies["A"], "APPROVED")
    event = {"event_type": "study.status.change", "resource_id": studies["A"], "status": "AWAITING REVIEW"}
    sent, body = prolific.signed(event, world.now, "e9")
    assert world.post(body, sent).status_code == 202
    world.drain()
    run_waiting(world.context)
    assert world.counts() == {"A": {"accepted": 1}}


def test_a_price_that_is_no_whole_number_of_rewards_never_overspends(world: World, prolific: FakeProlific) -> None:
    place(world)
    for study in prolific.studies.values():
        assert study["reward"] * (100 + FEE_PERCENT) <= 200 * 100


def test_a_group_that_nobody_described_is_refused(world: World, prolific: FakeProlific) -> None:
    config = world.api.get(world.connection).json()["config"] | {"group_filters": {}}
    assert world.api.patch(world.connection, json={"config": config}).status_code == 200
    placed = place(world)
    assert placed["state"] == "refused"
    assert "group_filters" in placed["problem"]


def test_the_fixed_cost_of_an_order_is_no_reward(world: World, prolific: FakeProlific) -> None:
    source = {"key": "p", "group": "A", "unit_cost": "2", "fixed_cost": "500", "connection": world.connection_id}
    assert world.api.post(f"{world.project}/sources", json=source).status_code == 201
    world.order_id = world.order(10, "open", source="p")
    place(world)
    [study] = prolific.studies.values()
    assert (study["reward"], study["total_available_places"]) == (160, 10)


def test_accepting_a_round_places_its_order_and_closing_reads_it_back(world: World, prolific: FakeProlific) -> None:
    api, project = world.api, api_project(world)
    seen = api.get(f"{project}/allocations/next", params={"budget": "20"}).json()
    body = {"external_id": "r1", "data_version": seen["data_version"], "query": {"budget": "20"}}
    assert api.post(f"{project}/rounds", json=body).status_code == 201
    accepted = act(world, f"{project}/rounds/1/accept")
    assert [order["state"] for order in accepted["orders"]] == ["open"]
    assert "vendors.place" in run_waiting(world.context)
    [order] = api.get(f"{project}/rounds/1").json()["orders"]
    assert (order["state"], order["quantity"]) == ("placed", 10)
    assert [study["total_available_places"] for study in prolific.studies.values()] == [10]
    prolific.submit(next(iter(prolific.studies)), "APPROVED")
    act(world, f"{project}/rounds/1/close")
    run_waiting(world.context)
    [order] = api.get(f"{project}/rounds/1").json()["orders"]
    assert (order["state"], order["accepted"]) == ("closed", 1)
    reports = api.get(f"{world.connection}/reconciliations").json()["items"]
    assert [report["differences"] for report in reports if report["reason"] == "close"] == [
        {order["id"]: {"A": {"accepted": 1}}}
    ]


def api_project(world: World) -> str:
    """A measured project whose one source sells A through the connection."""
    path = world.api.project(groups=[{"key": "A", "initial_count": 200}, {"key": "B", "initial_count": 100}])
    source = {"key": "p", "group": "A", "unit_cost": "2", "connection": world.connection_id}
    assert world.api.post(f"{path}/sources", json=source).status_code == 201
    assert world.api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def act(world: World, path: str) -> dict[str, Any]:
    tag = world.api.get(path.rsplit("/", 1)[0]).headers["ETag"]
    answer = world.api.post(path, headers={"If-Match": tag}, json={"note": "wanted"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "odd", [7, None, {"id": None, "status": "APPROVED"}, {"id": True, "status": "APPROVED"}, {"id": "sub-0001"},
            {"id": "sub-0001", "status": "PAUSED"}, {"id": "sub-0001", "status": ["APPROVED"]}],
    ids=str,
)  # fmt: skip
def test_a_submission_that_cannot_be_read_keeps_no_other_from_being_read(
    world: World, prolific: FakeProlific, monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    placed = place(world)
    studies = {one["group"]: one["external_order_id"] for one in placed["placed"]}
    for status in ("APPROVED", "REJECTED", "AWAITING REVIEW"):
        prolific.submit(studies["A"], status)
    plain = prolific.listed

    def listed(params: dict[str, str]) -> Any:
        answer = plain(params)
        results = answer.json()["results"]
        return httpx.Response(200, json={"results": [odd, *results[1:]] if results else []})

    monkeypatch.setattr(prolific, "listed", listed)
    report = world.reconcile()
    assert (report["items"], report["unread"]) == (2, 1)
    assert "1 of 3 items could not be read" in report["problem"]
    # The study's own counts tell of the one that its list does not.
    assert world.counts() == {"A": {"accepted": 1, "rejected": 1, "pending": 1}}


@pytest.mark.parametrize(
    ("counts", "cost"),
    [({"APPROVED": "two"}, None), ([1], None), ({"APPROVED": 1, "PAUSED": 3}, None),
     (None, {"rewards": [1]}), (None, {"rewards": {"rewards": {"amount": "ten", "currency": "USD"}}}),
     (None, {"rewards": {"a": {"amount": 1, "currency": "USD"}, "b": {"amount": 1, "currency": "GBP"}}}), (None, 7)],
    ids=str,
)  # fmt: skip
def test_counts_or_costs_that_cannot_be_read_keep_no_submission_from_being_read(
    world: World, prolific: FakeProlific, monkeypatch: pytest.MonkeyPatch, counts: Any, cost: Any
) -> None:
    placed = place(world)
    studies = {one["group"]: one["external_order_id"] for one in placed["placed"]}
    prolific.submit(studies["A"], "APPROVED")
    if counts is not None:
        monkeypatch.setattr(prolific, "counts", lambda _: counts)
        monkeypatch.setattr(prolific, "cost", lambda _: {})
    else:
        monkeypatch.setattr(prolific, "cost", lambda _: cost)
    report = world.reconcile()
    assert world.counts() == {"A": {"accepted": 1}}
    assert "the study's " in report["problem"]


def test_a_webhook_of_a_submission_that_the_api_answers_oddly_is_quarantined_alone(
    world: World, prolific: FakeProlific, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = place(world)
    study = placed["placed"][0]["external_order_id"]
    odd, good = prolific.submit(study, "APPROVED"), prolific.submit(study, "APPROVED")
    tell(world, prolific, odd, "e1")
    tell(world, prolific, good, "e2")
    plain = prolific.one
    monkeypatch.setattr(prolific, "one", lambda name: httpx.Response(200, json=[1]) if name == odd else plain(name))
    world.drain()
    assert world.outcomes() == {"applied": 1, "quarantined": 1}
    assert sum(by.get("accepted", 0) for by in world.counts().values()) == 1
