"""Our own contract, message by message."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Malformed, VerifyFailed
from app.vendors.base import Headers, VendorEvent
from app.vendors.standard import Standard, StandardConfig
from tests.vendors.samples import NOW, SECRET, compact, headers, standard_headers

ADAPTER = Standard(StandardConfig())
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NO_HEADERS = Headers([])


def parse(message: Any) -> list[VendorEvent]:
    return ADAPTER.parse(NO_HEADERS, compact(message))


def message(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "timestamp": "2026-11-20T09:00:00Z", "data": data}


def test_the_delivery_is_known_by_its_webhook_id() -> None:
    body = compact(message("ping"))
    sent = headers(standard_headers(body, message_id="msg_7"))
    assert ADAPTER.verify(sent, body, [SECRET], NOW).delivery_id == "msg_7"
    with pytest.raises(VerifyFailed):
        ADAPTER.verify(sent, body + b" ", [SECRET], NOW)


def test_changed_items_become_item_states() -> None:
    item = {"id": "i-1", "state": "accepted", "group": "A", "parent_id": 7, "line_id": "l-1", "cost": "1.20",
            "currency": "USD", "updated_at": "2026-11-20T10:00:00+02:00"}  # fmt: skip
    assert parse(message("items.changed", order_id="o-1", items=[item])) == [
        VendorEvent(
            "item_state",
            external_order_id="o-1",
            external_item_id="i-1",
            external_parent_id="7",
            order_ref="o-1",
            line_ref="l-1",
            group="A",
            state="accepted",
            cost=Decimal("1.20"),
            currency="USD",
            occurred_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        )
    ]


def test_an_item_without_an_instant_takes_the_messages() -> None:
    [event] = parse(message("items.changed", items=[{"id": 1, "state": "submitted"}]))
    assert (event.external_item_id, event.occurred_at) == ("1", AT)


def test_deleted_items_and_parents_are_retracted() -> None:
    assert parse(message("items.deleted", ids=["i-1"], parent_ids=["p-1"])) == [
        VendorEvent("item_state", state="retracted", external_item_id="i-1", occurred_at=AT),
        VendorEvent("item_state", state="retracted", external_parent_id="p-1", occurred_at=AT),
    ]


def test_counts_are_totals_and_deltas_are_changes_with_an_id() -> None:
    counts = [{"group": "A", "accepted": 5, "rejected": 1}, {"accepted": 9}]
    first, second = parse(message("order.counts", order_id="o", as_of="2026-11-20T08:00:00Z", counts=counts))
    assert (first.kind, first.group, first.accepted, first.rejected) == ("counts", "A", 5, 1)
    assert (second.group, second.accepted, second.rejected) == (None, 9, 0)
    assert first.occurred_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    [delta] = parse(message("order.delta", id="d-1", order_id="o", counts=[{"group": "A", "accepted": -2}]))
    assert (delta.kind, delta.event_id, delta.accepted) == ("delta", "d-1/A", -2)


def test_other_types_are_ignored() -> None:
    assert [event.kind for event in parse({"type": "ping"})] == ["ignored"]
    assert [event.kind for event in parse({"type": ["a"], "data": 1})] == ["ignored"]


@pytest.mark.parametrize(
    "item",
    [
        {"id": "i"},
        {"id": "i", "state": "done"},
        {"state": "accepted"},
        {"id": "i" * 201, "state": "accepted"},
        {"id": "a\0b", "state": "accepted"},
        {"id": "\ud800", "state": "accepted"},
        {"id": {}, "state": "accepted"},
        {"id": True, "state": "accepted"},
        {"id": 1, "state": "accepted", "cost": "-1"},
        {"id": 1, "state": "accepted", "cost": "0.0000001"},
        {"id": 1, "state": "accepted", "cost": "1e999999"},
        {"id": 1, "state": "accepted", "currency": "dollars"},
        {"id": 1, "state": "accepted", "updated_at": "yesterday"},
        {"id": 1, "state": "accepted", "updated_at": 1e300},
        7,
    ],
)
def test_an_item_we_cannot_read_is_quarantined_and_the_others_are_not(item: Any) -> None:
    good = {"id": "good", "state": "accepted"}
    kinds = [event.kind for event in parse(message("items.changed", items=[good, item, good]))]
    assert kinds == ["item_state", "quarantined", "item_state"]


ODD_IDS = [True, None, "", 4.5, {}, [], [1], {"id": 1}, 10**300, "x" * 201, "a\0b", "\ud800"]


@pytest.mark.parametrize("odd", ODD_IDS, ids=repr)
@pytest.mark.parametrize("name", ["ids", "parent_ids"])
def test_a_deletion_with_an_id_we_cannot_read_takes_the_others(name: str, odd: Any) -> None:
    events = parse(message("items.deleted", **{name: ["a1", odd, 3.0, 12345678901234567890]}))
    assert [event.kind for event in events] == ["item_state", "quarantined", "item_state", "item_state"]
    assert f"data.{name}[1]" in (events[1].detail or "")
    gone = [event.external_item_id or event.external_parent_id for event in events]
    assert gone == ["a1", None, "3", "12345678901234567890"]


def test_ids_that_are_no_list_leave_the_parents_to_be_read() -> None:
    events = parse(message("items.deleted", ids="a1", parent_ids=["p"]))
    assert [event.kind for event in events] == ["quarantined", "item_state"]
    assert [event.kind for event in parse(message("items.deleted"))] == ["quarantined"]


@pytest.mark.parametrize("kind", ["order.counts", "order.delta"])
@pytest.mark.parametrize(
    "odd",
    [7, None, {"group": True}, {"group": {}}, {"group": "B", "accepted": -(10**12)}, {"group": "B", "rejected": 1.5}],
)
def test_a_row_of_counts_we_cannot_read_takes_the_others(kind: str, odd: Any) -> None:
    rows = [{"group": "A", "accepted": 3.0}, odd, {"group": "C", "rejected": 2}]
    events = parse(message(kind, id="d", order_id="o", counts=rows))
    assert [(event.kind == "quarantined", event.group) for event in events] == [
        (False, "A"), (True, None), (False, "C"),
    ]  # fmt: skip
    assert "data.counts[1]" in (events[1].detail or "")


def test_counts_that_name_no_order_are_quarantined() -> None:
    for kind in ("order.counts", "order.delta"):
        [event] = parse(message(kind, id="d", counts=[{"group": "A", "accepted": 1}]))
        assert (event.kind, event.detail) == ("quarantined", "data.order_id is missing")


def test_an_instant_of_the_message_that_cannot_be_read_is_no_matter_to_items_with_their_own() -> None:
    own, none = {"id": 1, "state": "accepted", "updated_at": "2026-11-20T09:00:00Z"}, {"id": 2, "state": "accepted"}
    body = {"type": "items.changed", "timestamp": "yesterday", "data": {"items": [own, none]}}
    assert [event.kind for event in parse(body)] == ["item_state", "quarantined"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(b"3.0", "3"), (b"1e2", "100"), (b"12345678901234567890.0", "12345678901234567890"), (b"-0.0", "0")],
)
def test_a_whole_number_is_one_however_it_is_written(number: bytes, text: str) -> None:
    body = b'{"type":"items.changed","data":{"items":[{"id":%b,"state":"accepted","group":%b}]}}' % (number, number)
    [event] = ADAPTER.parse(NO_HEADERS, body)
    assert (event.external_item_id, event.group) == (text, text)


def test_a_fraction_that_a_float_takes_for_a_whole_number_is_none() -> None:
    body = b'{"type":"items.changed","data":{"items":[{"id":9007199254740993.5,"state":"accepted"}]}}'
    assert [event.kind for event in ADAPTER.parse(NO_HEADERS, body)] == ["quarantined"]


def test_ten_thousand_items_in_one_delivery_are_read() -> None:
    items = [{"id": index, "state": "accepted", "group": "A"} for index in range(10_000)]
    events = parse(message("items.changed", items=items))
    assert len({event.external_item_id for event in events}) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"type":NaN}',
        b'{"type":Infinity}',
        b'{"type":"a","type":"b"}',
        b'{"n":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
    ],
    ids=["empty", "cut", "not UTF-8", "NaN", "infinity", "name twice", "5000 digits", "no end", "65 deep"],
)
def test_a_body_that_is_no_sound_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        ADAPTER.readable(body)
    with pytest.raises(Malformed):
        ADAPTER.parse(NO_HEADERS, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "ids", "state", "items", "counts", "accepted", "group", "cost"]), inner
        )
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(["items.changed", "items.deleted", "order.counts", "order.delta", "x"])


@given(TYPES, JSON)
def test_a_signed_message_of_any_content_becomes_events(kind: str, data: Any) -> None:
    for event in parse({"type": kind, "data": data}):
        assert event.kind != "item_state" or event.state is not None


def test_the_example_of_the_contracts_page_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "vendors" / "standard.md").read_text()
    examples = [block.split("```")[0] for block in page.split("```json\n")[1:]]
    kinds = [{event.kind for event in parse(json.loads(example))} for example in examples]
    assert kinds == [{"item_state"}, {"item_state"}, {"counts"}, {"delta"}]
