"""Prolific: its webhooks, and a study's life on a server of our own."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import VerifyFailed
from app.vendors.base import Headers, Order, OrderLine, PlacedLine, VendorEvent, VendorRefused
from app.vendors.prolific import ProlificConfig
from app.vendors.prolific_api import ProlificApi, exact_quotas
from tests.vendors.fake_prolific import FEE_PERCENT, FakeProlific
from tests.vendors.samples import NOW, compact, headers

CONFIG = ProlificConfig.model_validate(
    {
        "workspace_id": "w",
        "fee_percent": FEE_PERCENT,
        "study": {
            "description": "Read a text aloud",
            "external_study_url": "https://study.test/?id={{%PROLIFIC_PID%}}",
            "estimated_completion_time": 5,
            "completion_codes": [{"code": "C1", "code_type": "COMPLETED", "actions": [{"action": "MANUALLY_REVIEW"}]}],
        },
        "group_filters": {
            "women": [{"filter_id": "sex", "selected_values": ["1"]}],
            "men": [
                {"filter_id": "sex", "selected_values": ["0"]},
                {"filter_id": "hand", "selected_values": ["l", "r"], "weightings": {"l": 1, "r": 2}},
            ],
        },
    }
)
ADAPTER = ProlificApi(CONFIG)
WOMEN = OrderLine("line-w", "women", 30, Decimal("1.50"))
MEN = OrderLine("line-m", "men", 10, Decimal("1.00"))
ORDER = Order("order-1", "Voices, round 2", "USD", [WOMEN, MEN], "https://tranche.test/v1/hooks/t", "s")


@pytest.fixture
def prolific() -> FakeProlific:
    return FakeProlific()


# Webhooks


def test_a_signed_event_names_the_submission_and_its_state(prolific: FakeProlific) -> None:
    submission = prolific.submit("study-1", "APPROVED")
    sent, body = prolific.webhook(submission, NOW, "e-1")
    verified = ADAPTER.verify(headers(sent), body, [prolific.secret], NOW)
    assert (verified.delivery_id, verified.sent_at) == ("e-1", NOW)
    kept = headers(headers(sent).only(ADAPTER.kept_headers))
    assert ADAPTER.parse(kept, ADAPTER.readable(body)) == [
        VendorEvent("item_state", external_item_id=submission, state="accepted", occurred_at=NOW)
    ]


def test_body_timestamp_and_secret_are_signed(prolific: FakeProlific) -> None:
    sent, body = prolific.webhook(prolific.submit("study-1"), NOW, "e-1")
    later = str(int(NOW.timestamp()) + 1)
    for changed, content, secret in (
        (sent, body + b" ", prolific.secret),
        (sent | {"X-Prolific-Request-Timestamp": later}, body, prolific.secret),
        (sent, body, "another secret"),
        (sent | {"X-Prolific-Request-Signature": "AAAA"}, body, prolific.secret),
    ):
        with pytest.raises(VerifyFailed):
            ADAPTER.verify(headers(changed), content, [secret], NOW)
    with pytest.raises(VerifyFailed, match="too old"):
        ADAPTER.verify(headers(sent), body, [prolific.secret], NOW + timedelta(seconds=301))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"event_type": "study.status.change", "resource_id": "study-1", "status": "ACTIVE"}, "poke"),
        ({"event_type": "workspace.renamed", "resource_id": "w"}, "ignored"),
        ({"event_type": "submission.status.change", "resource_id": "s", "status": "DANCING"}, "quarantined"),
        ({"event_type": "submission.status.change", "resource_id": {}, "status": "ACTIVE"}, "quarantined"),
        ([], "quarantined"),
    ],
)
def test_other_events_are_pokes_ignored_or_quarantined(body: Any, kind: str) -> None:
    assert [event.kind for event in ADAPTER.parse(Headers([]), compact(body))] == [kind]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("RESERVED", "uncounted"),
        ("AWAITING REVIEW", "submitted"),
        ("APPROVED", "accepted"),
        ("REJECTED", "rejected"),
        ("RETURNED", "uncounted"),
        ("TIMED-OUT", "uncounted"),
    ],
)
def test_a_thin_event_is_resolved_to_what_the_api_says_now(prolific: FakeProlific, status: str, state: str) -> None:
    submission = prolific.submit("study-1", status)
    thin = VendorEvent(
        "item_state", external_item_id=submission, state="submitted", occurred_at=NOW - timedelta(days=1)
    )
    with prolific.client() as client:
        [event] = ADAPTER.resolve([thin], client, NOW)
    assert (event.external_order_id, event.state, event.occurred_at) == ("study-1", state, NOW)


def test_a_submission_the_api_does_not_know_is_quarantined(prolific: FakeProlific) -> None:
    with prolific.client() as client:
        [event] = ADAPTER.resolve([VendorEvent("item_state", external_item_id="x", state="accepted")], client, NOW)
    assert event.kind == "quarantined"


def test_an_api_that_is_down_is_tried_again_and_not_guessed_at(prolific: FakeProlific) -> None:
    prolific.failures = [503]
    with prolific.client() as client, pytest.raises(httpx.HTTPError):
        ADAPTER.resolve([VendorEvent("item_state", external_item_id="x", state="accepted")], client, NOW)


# Studies


def test_each_line_becomes_a_published_study_with_exact_places(prolific: FakeProlific) -> None:
    with prolific.client() as client:
        placed = ADAPTER.place(ORDER, client)
    assert [line.line_id for line in placed] == ["line-w", "line-m"]
    women, men = (prolific.studies[line.external_order_id] for line in placed)
    assert (women["total_available_places"], women["reward"], women["status"]) == (30, 120, "ACTIVE")
    assert women["filters"] == [{"filter_id": "sex", "selected_values": ["1"]}]
    assert men["filters"][1]["weightings"] == {"l": 3, "r": 7}


def test_the_reward_with_the_fee_is_never_above_the_price(prolific: FakeProlific) -> None:
    adapter = ProlificApi(CONFIG.model_copy(update={"fee_percent": Decimal("42.8")}))
    for cents in range(200, 400):
        price = Decimal(cents) / 100
        reward = adapter.reward(replace(WOMEN, unit_cost=price))
        assert reward * Decimal("1.428") <= cents < (reward + 1) * Decimal("1.428")


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_an_order_is_placed_once_whichever_answer_is_lost(prolific: FakeProlific, lost: int) -> None:
    with prolific.client() as client:
        for _ in range(lost):
            prolific.lose_answers = 1
            try:
                ADAPTER.place(ORDER, client)
            except httpx.HTTPError:
                continue
        prolific.lose_answers = 0
        placed = ADAPTER.place(ORDER, client)
        assert ADAPTER.place(ORDER, client) == placed
    assert [line.external_order_id for line in placed] == list(prolific.studies)
    assert [study["status"] for study in prolific.studies.values()] == ["ACTIVE", "ACTIVE"]


@pytest.mark.parametrize(
    ("config", "said"),
    [({"group_filters": {}}, "group_filters"), ({"fee_percent": None}, "fee_percent"), ({"study": {}}, "400")],
)
def test_what_cannot_be_placed_is_refused_with_the_reason(prolific: FakeProlific, config: Any, said: str) -> None:
    with prolific.client() as client, pytest.raises(VendorRefused, match=said):
        ProlificApi(CONFIG.model_copy(update=config)).place(ORDER, client)


def test_a_price_too_low_for_a_reward_is_refused() -> None:
    with pytest.raises(VendorRefused, match="no reward"):
        ADAPTER.reward(replace(WOMEN, unit_cost=Decimal("0.01")))


def test_a_snapshot_tells_every_submission_the_counts_and_the_cost(prolific: FakeProlific) -> None:
    with prolific.client() as client:
        [placed, _] = ADAPTER.place(ORDER, client)
        study = placed.external_order_id
        statuses = ["APPROVED"] * 120 + ["REJECTED"] * 3 + ["AWAITING REVIEW"] * 2 + ["RETURNED", "SCREENED OUT"]
        for status in statuses:
            prolific.submit(study, status)
        seen = ADAPTER.snapshot(study, client, NOW)
    assert len(seen.events) == len(statuses)
    assert (seen.accepted, seen.rejected) == (120, 4)
    assert (seen.cost, seen.currency) == (Decimal("180.00"), "USD")
    by_state = [sum(event.state == state for event in seen.events) for state in ("accepted", "rejected", "submitted")]
    assert by_state == [120, 4, 2]


def test_subscribing_shakes_hands_and_happens_once(prolific: FakeProlific) -> None:
    with prolific.client() as client:
        first = ADAPTER.subscribe(ORDER.hook_url, ORDER.hook_secret, [], client)
        assert ADAPTER.subscribe(ORDER.hook_url, ORDER.hook_secret, [], client) == first
    assert all(one["is_enabled"] and one["target_url"] == ORDER.hook_url for one in prolific.subscriptions.values())
    assert len(prolific.subscriptions) == 2


def test_a_wrong_token_is_refused_for_good(prolific: FakeProlific) -> None:
    prolific.token = "another"
    client = prolific.client()
    prolific.token = "prolific-token"
    with client, pytest.raises(VendorRefused, match="401"):
        ADAPTER.place(ORDER, client)


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 1000), min_size=1, max_size=8),
    st.integers(0, 10_000),
)
def test_quotas_add_up_and_are_within_one_of_their_share(weights: dict[str, int], quantity: int) -> None:
    quotas = exact_quotas(weights, quantity)
    total = sum(weights.values())
    assert sum(quotas.values()) == quantity
    assert all(abs(quotas[key] * total - quantity * weight) < total for key, weight in weights.items())


def test_a_placed_line_says_where_it_is(prolific: FakeProlific) -> None:
    with prolific.client() as client:
        placed = ADAPTER.place(replace(ORDER, lines=[WOMEN]), client)
    assert placed == [PlacedLine("study-1", "line-w", "https://app.prolific.com/researcher/studies/study-1")]
