"""From a webhook to counts per group: whatever repeats, comes late or is lost on the way, on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

from app.settings import Settings
from tests.jobs.worker import working
from tests.vendors.samples import compact
from tests.vendors.world import World
from tests.waiting import until


def item(name: str, state: str = "accepted", group: str | None = "A", **more: Any) -> dict[str, Any]:
    return {"id": name, "state": state, **({"group": group} if group else {}), **more}


def test_items_become_counts_and_money_in_the_ledger(world: World) -> None:
    world.send(item("1"), item("2"), item("3", "rejected"), item("4", "submitted", "B"))
    assert world.counts() == {"A": {"accepted": 2, "rejected": 1}, "B": {"pending": 1}}
    seen = world.read()
    assert (seen["spent"], seen["committed"], seen["delivered"]) == ("8.00", "192.00", 4)
    events = [event["type"] for event in world.api.get("/v1/events").json()["items"]]
    assert events.count("delivery.recorded") == 1


def test_a_webhook_is_answered_before_it_is_applied(world: World) -> None:
    assert world.post(world.items(item("1"))).json() == {"status": "stored"}
    assert world.counts() == {}
    assert world.outcomes() == {"received": 1}
    world.drain()
    assert world.outcomes() == {"applied": 1}


def test_the_same_delivery_twice_is_one(world: World) -> None:
    body = world.items(item("1"))
    sent = world.signed(body, "msg_a")
    assert [world.post(body, sent).json()["status"] for _ in range(2)] == ["stored", "known"]
    world.drain()
    assert world.counts() == {"A": {"accepted": 1}}
    assert len(world.deliveries()) == 1


def test_fifty_copies_of_a_delivery_at_once_are_one(world: World) -> None:
    body = world.items(item("1"))
    options = {"content": body, "headers": world.signed(body, "msg_a")}
    answers = world.api.as_key(None).together([("POST", world.hook, options)] * 50)
    assert [answer.status_code for answer in answers] == [202] * 50
    assert sorted(answer.json()["status"] for answer in answers) == ["known"] * 49 + ["stored"]
    world.drain()
    assert world.counts() == {"A": {"accepted": 1}}


def test_the_same_event_under_another_delivery_id_changes_nothing(world: World) -> None:
    body = world.items(item("1"))
    for name in ("msg_a", "msg_b", "msg_c"):
        assert world.post(body, world.signed(body, name)).json() == {"status": "stored"}
    world.drain()
    assert world.counts() == {"A": {"accepted": 1}}


def test_a_newer_state_holds_and_an_older_one_comes_too_late(world: World) -> None:
    world.send(item("1", "rejected", updated_at="2026-11-20T09:00:02Z"))
    world.send(item("1", "accepted", updated_at="2026-11-20T09:00:03Z"))
    world.send(item("1", "submitted", updated_at="2026-11-20T09:00:01Z"))
    assert world.counts() == {"A": {"accepted": 1}}


def test_an_unknown_group_is_quarantined_and_counted_once_it_is_mapped(world: World) -> None:
    world.send(item("1", group="women of colour"), item("2"))
    assert world.counts() == {"A": {"accepted": 1}, "": {"unmapped": 1}}
    assert world.outcomes() == {"quarantined": 1}
    assert world.api.get(f"{world.connection}/waiting").json() == [
        {"group": "women of colour", "external_order_id": world.order_id, "order_id": world.order_id, "samples": 1}
    ]
    patched = world.api.patch(world.connection, json={"group_map": {"women of colour": "B"}})
    assert patched.status_code == 200, patched.text
    world.map()
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    assert world.outcomes() == {"applied": 1}
    assert world.api.get(f"{world.connection}/waiting").json() == []


def test_an_item_without_a_group_waits_for_one(world: World) -> None:
    world.send(item("1", group=None))
    assert world.counts() == {"": {"unmapped": 1}}
    world.later()
    world.send(item("1", group="B"))
    assert world.counts() == {"B": {"accepted": 1}}


def test_a_line_of_ours_inside_the_item_says_order_and_group(world: World) -> None:
    world.send(item("1", group=None, line_id=world.line("B")), order="their own name")
    assert world.counts() == {"B": {"accepted": 1}}


def test_an_item_that_moves_to_another_group_takes_its_count_along(world: World) -> None:
    world.send(item("1"), item("2"))
    world.later()
    world.send(item("1", group="B"))
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 1}}
    assert world.read()["spent"] == "4.00"


def test_an_unknown_order_is_kept_and_counted_once_it_is_linked(world: World) -> None:
    world.send(item("1"), order="pool-9")
    assert world.counts() == {}
    assert world.deliveries()[0]["outcome"] == "quarantined"
    linked = world.api.post(f"{world.connection}/orders/pool-9", json={"order_id": world.order_id})
    assert linked.status_code == 202, linked.text
    world.map()
    assert world.counts() == {"A": {"accepted": 1}}
    other = world.order(10)
    refused = world.api.post(f"{world.connection}/orders/pool-9", json={"order_id": other})
    assert refused.status_code == 409


def test_a_vendors_order_of_one_group_needs_no_word(world: World) -> None:
    body = {"order_id": world.order_id, "group": "B"}
    assert world.api.post(f"{world.connection}/orders/pool-9", json=body).status_code == 202
    world.send(item("1", group=None), order="pool-9")
    assert world.counts() == {"B": {"accepted": 1}}


def test_a_vendor_cannot_speak_of_orders_of_others(make_world: Callable[..., World]) -> None:
    mine, other = make_world(), make_world()
    mine.send(item("1"), order=other.order_id)
    mine.send(item("2", line_id=other.line("A")), order="x")
    assert other.counts() == {}
    assert mine.outcomes() == {"quarantined": 2}


def test_over_delivery_is_counted_and_flagged(world: World) -> None:
    world.send(*(item(str(number)) for number in range(103)))
    assert world.read()["over_delivered"] == 3
    assert world.counts() == {"A": {"accepted": 103}}


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_what_comes_for_an_ended_order_is_kept(world: World, state: str) -> None:
    order = world.order(10, state)
    world.send(item("1"), order=order)
    seen = world.read(order)
    assert seen["accepted"] == (1 if state == "closed" else 0)
    if state == "cancelled":
        assert "cancelled" in world.deliveries()[0]["detail"]


def test_a_stated_cost_takes_the_place_of_the_price(world: World) -> None:
    world.send(item("1", cost="0.40", currency="USD"), item("2", cost="0.60", currency="USD"))
    assert world.read()["spent"] == "1.00"
    world.send(item("3", cost="9", currency="EUR"))
    assert world.read()["delivered"] == 3


def test_stated_totals_hold_until_newer_items_are_heard_of(world: World) -> None:
    def counts(at: str, *rows: dict[str, Any]) -> bytes:
        data = {"order_id": world.order_id, "as_of": at, "counts": list(rows)}
        return compact({"type": "order.counts", "timestamp": at, "data": data})

    for at, n in (("2026-11-20T09:02:00Z", 7), ("2026-11-20T09:01:00Z", 5)):
        world.post(counts(at, {"group": "A", "accepted": n, "rejected": 1}))
    world.drain()
    assert world.counts() == {"A": {"accepted": 7, "rejected": 1}}
    world.send(item("1", updated_at="2026-11-20T09:03:00Z"))
    assert world.counts() == {"A": {"accepted": 1}}
    world.post(counts("2026-11-20T09:04:00Z", {"accepted": 4}))
    world.drain()
    assert world.counts() == {"A": {"accepted": 1}, "": {"unmapped": 3}}


def test_a_delta_is_applied_once(world: World) -> None:
    def delta(name: str, accepted: int) -> bytes:
        rows = [{"group": "A", "accepted": accepted, "rejected": 1}]
        data = {"id": name, "order_id": world.order_id, "counts": rows}
        return compact({"type": "order.delta", "timestamp": "2026-11-20T09:00:00Z", "data": data})

    for name, accepted in (("d1", 5), ("d1", 5), ("d2", -2)):
        assert world.post(delta(name, accepted)).json() == {"status": "stored"}
    world.drain()
    assert world.counts() == {"A": {"accepted": 3, "rejected": 2}}


def test_ten_thousand_items_in_one_delivery_are_counted(world: World) -> None:
    items = [{"id": number, "state": "accepted", "group": "AB"[number % 2]} for number in range(10_000)]
    body = world.items(*items)
    assert len(body) < 1_048_576
    assert world.post(body).status_code == 202
    world.drain()
    assert world.counts() == {"A": {"accepted": 5_000}, "B": {"accepted": 5_000}}


def test_replaying_the_whole_inbox_changes_nothing(world: World) -> None:
    world.send(item("1"), item("2", "submitted"), item("3", group="?"))
    world.later()
    world.send(item("1", "rejected"), item("2", group="B"))
    world.post(compact({"type": "items.deleted", "timestamp": world.now.isoformat(), "data": {"ids": ["2"]}}))
    world.drain()
    before, entries = world.counts(), len(ledger(world))
    assert before == {"A": {"rejected": 1}, "": {"unmapped": 1}}
    assert world.api.post(f"{world.connection}/replay", json={}).json() == {"deliveries": 3}
    assert world.outcomes() == {"received": 3}
    world.drain()
    assert (world.counts(), len(ledger(world))) == (before, entries)
    assert world.outcomes() == {"applied": 2, "quarantined": 1}


def ledger(world: World) -> list[Any]:
    found: list[Any] = world.api.get(f"{world.project}/ledger?limit=500").json()["items"]
    return found


def test_a_paused_connection_stores_and_applies_when_it_is_resumed(world: World) -> None:
    assert world.api.post(f"{world.connection}/pause").json()["state"] == "paused"
    world.send(item("1"))
    assert world.counts() == {}
    assert world.outcomes() == {"received": 1}
    assert world.api.post(f"{world.connection}/resume").json()["state"] == "active"
    world.map()
    assert world.counts() == {"A": {"accepted": 1}}


# What is refused


def test_a_bad_signature_is_401_and_leaves_nothing(world: World) -> None:
    body = world.items(item("1"))
    for sent in ({}, world.signed(body + b" "), world.signed(body) | {"webhook-signature": "v1,\xff"}):
        answer = world.post(body, {name: value.encode("latin-1") for name, value in sent.items()})  # type: ignore[dict-item]
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:tranche:problem:verify-failed")
    assert world.deliveries() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"a":NaN}', 400),
        (b'{"a":1,"a":2}', 400),
        (b"[" * 100_000, 400),
        (b'{"n":' + b"9" * 5000 + b"}", 400),
        (b"x" * 1_048_577, 413),
        (b'{"type":"items.changed","data":{"items":[{"id":"\\ud800","state":"accepted"}]}}', 202),
        (b'{"type":"items.changed","data":{"items":[{"id":"a\\u0000","state":"accepted"}]}}', 202),
        (b'"\\u0000\\ud800"', 202),
    ],
    ids=["cut", "not UTF-8", "NaN", "name twice", "deep", "5000 digits", "too large", "surrogate", "NUL", "text"],
)
def test_a_poisoned_body_never_breaks_anything(world: World, body: bytes, status: int) -> None:
    answer = world.post(body)
    assert answer.status_code == status, answer.text
    world.drain()
    assert world.outcomes() == ({"quarantined": 1} if status == 202 else {})


def test_a_body_of_exactly_one_mebibyte_is_taken(world: World) -> None:
    body = b'{"type":"' + b"x" * (1_048_576 - 11) + b'"}'
    assert len(body) == 1_048_576
    assert world.post(body).status_code == 202


def test_a_delivery_id_of_any_length_and_letters_is_taken_once(world: World) -> None:
    body = world.items(item("1"))
    for name in ("x" * 5_000, "é" * 200):
        sent = {key: value.encode("latin-1") for key, value in world.signed_as(body, name).items()}
        answers = [world.post(body, sent).json()["status"] for _ in range(2)]  # type: ignore[arg-type]
        assert answers == ["stored", "known"]


def test_an_unknown_address_is_404(world: World) -> None:
    answer = world.api.as_key(None).post("/v1/hooks/unknown", content=b"{}")
    assert answer.status_code == 404


def test_a_worker_applies_what_was_stored(world: World, settings: Settings) -> None:
    with working(settings, clock=world.api.clock):
        for number in range(5):
            assert world.post(world.items(item(str(number)))).status_code == 202
        until(lambda: world.outcomes() == {"applied": 5})
    assert world.counts() == {"A": {"accepted": 5}}
