"""Label Studio: 21 recorded deliveries, each to exactly these events."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import VerifyFailed
from app.vendors.base import Headers, VendorEvent
from app.vendors.label_studio import LabelStudio, LabelStudioConfig
from tests.vendors.samples import NOW

RECORDED = sorted((Path(__file__).parent / "data" / "label_studio").glob("*.json"))
ADAPTER = LabelStudio(
    LabelStudioConfig(header="X-Planner-Token", order_field="planner_order_id", item_field="planner_item_id")
)
NO_HEADERS = Headers([])


def instant(seconds: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{seconds}").replace(tzinfo=UTC)


def annotation(
    number: int, task: int, group: str | None, state: Any, at: str, order: Any = "ord_demo_1"
) -> VendorEvent:
    return VendorEvent(
        "item_state",
        external_order_id="2",
        external_item_id=str(number),
        external_parent_id=str(task),
        order_ref=order,
        group=group,
        state=state,
        occurred_at=instant(at),
    )


def gone(*numbers: int) -> list[VendorEvent]:
    return [VendorEvent("item_state", state="retracted", external_item_id=str(number)) for number in numbers]


def tasks_gone(*numbers: int) -> list[VendorEvent]:
    return [VendorEvent("item_state", state="retracted", external_parent_id=str(number)) for number in numbers]


IGNORED_TASKS = [VendorEvent("ignored", detail="tasks without annotations")]
EXPECTED = {
    "001": [VendorEvent("ignored", detail="action 'PROJECT_UPDATED'")],
    "002": IGNORED_TASKS,
    "003": [annotation(1, 1, "A", "accepted", "12:59:00.266157")],
    "004": [annotation(2, 4, "B", "accepted", "12:59:00.983923")],
    "005": [annotation(3, 8, "C", "accepted", "12:59:01.814220")],
    "006": [annotation(4, 10, None, "accepted", "12:59:02.486732")],
    "007": [annotation(5, 5, "B", "rejected", "12:59:03.229188")],
    "008": [annotation(6, 2, "A", "uncounted", "12:59:04.000561")],
    "009": [annotation(7, 1, "A", "accepted", "12:59:04.719661")],
    "010": [annotation(1, 1, "A", "accepted", "12:59:05.580027")],
    "011": [annotation(1, 1, "A", "accepted", "12:59:06.460566")],
    "012": gone(2),
    "013": IGNORED_TASKS,
    "014": [VendorEvent("poke")],
    "015": tasks_gone(8),
    "016": gone(1, 7, 6),
    "017": tasks_gone(6, 7),
    "018": [annotation(10, 3, "A", "accepted", "12:59:12.410329")],
    "019": [annotation(4, 10, "C", "accepted", "12:59:21.214554", order=None)],
    "020": [VendorEvent("poke")],
    "021": [
        annotation(11, 1, "A", "accepted", "13:08:24.969537"),
        annotation(12, 2, "A", "accepted", "13:08:24.969721"),
    ],
}


def recorded(number: str) -> bytes:
    """The bytes that were sent."""
    [path] = [path for path in RECORDED if path.name.startswith(number)]
    return json.dumps(json.loads(path.read_text())["body"]).encode()


@pytest.mark.parametrize("number", sorted(EXPECTED))
def test_a_recorded_delivery_becomes_exactly_these_events(number: str) -> None:
    assert ADAPTER.parse(NO_HEADERS, recorded(number)) == EXPECTED[number]


def test_every_recording_is_read() -> None:
    assert {path.name[:3] for path in RECORDED} == set(EXPECTED)


@pytest.mark.parametrize("number", sorted(EXPECTED))
def test_what_is_stored_has_no_secret_and_says_the_same(number: str) -> None:
    body = json.loads(recorded(number))
    secrets = {"token": "t0ken", "task_data_login": "l0gin", "task_data_password": "passw0rd"}
    if "project" in body:
        body["project"] |= secrets
    stored = ADAPTER.readable(json.dumps(body).encode())
    assert not any(secret.encode() in stored for secret in secrets.values())
    assert ADAPTER.parse(NO_HEADERS, stored) == EXPECTED[number]


def test_each_poke_stands_for_itself_and_nothing_else_does() -> None:
    sent = Headers([("X-Planner-Token", "a secret word")])
    poke = ADAPTER.verify(sent, recorded("020"), ["a secret word"], NOW)
    assert poke.delivery_id is None
    ids = [ADAPTER.verify(sent, recorded(number), ["a secret word"], NOW).delivery_id for number in EXPECTED]
    assert len({one for one in ids if one}) == len(EXPECTED) - 1


def test_a_wrong_or_missing_token_is_refused() -> None:
    for sent in ([("X-Planner-Token", "another word")], [], [("X-Planner-Token", "")]):
        with pytest.raises(VerifyFailed):
            ADAPTER.verify(Headers(sent), recorded("003"), ["a secret word"], NOW)


def test_parallel_lists_are_matched_by_task_not_by_place() -> None:
    body = json.loads(recorded("021"))
    body["task"].reverse()
    assert ADAPTER.parse(NO_HEADERS, json.dumps(body).encode()) == EXPECTED["021"]


def test_an_annotation_without_its_task_is_quarantined() -> None:
    body = json.loads(recorded("003"))
    body["task"]["id"] = 999
    assert [event.kind for event in ADAPTER.parse(NO_HEADERS, json.dumps(body).encode())] == ["quarantined"]


def bulk(*changes: tuple[int, dict[str, Any]]) -> list[VendorEvent]:
    """Three annotations of three tasks, some of them changed: of the annotation, or of its task under `task`."""
    annotations: list[Any] = [{"id": n, "task": 100 + n, "was_cancelled": False} for n in range(3)]
    tasks: list[Any] = [{"id": 100 + n, "project": 12, "data": {"group": "A"}} for n in range(3)]
    for number, change in changes:
        if "task" in change:
            tasks[number] = change["task"]
        else:
            annotations[number] = change["annotation"]
    body = {"action": "ANNOTATIONS_CREATED", "annotation": annotations, "task": tasks, "project": {"id": 12}}
    return ADAPTER.parse(NO_HEADERS, json.dumps(body).encode())


ODD = [
    {"annotation": 7}, {"annotation": None}, {"annotation": {"id": True, "task": 101}},
    {"annotation": {"id": None, "task": 101}}, {"annotation": {"id": 10**300, "task": 101}},
    {"annotation": {"id": 1, "task": {"id": 101}}}, {"annotation": {"id": 1, "task": 999}},
    {"annotation": {"id": 1, "task": 101, "updated_at": "yesterday"}},
    {"annotation": {"id": 1, "task": 101, "was_cancelled": "false"}},
    {"annotation": {"id": 1, "task": 101, "ground_truth": 2}},
    {"task": 7}, {"task": None}, {"task": {"id": {}, "data": {}}}, {"task": {"id": 101}},
    {"task": {"id": 101, "data": []}}, {"task": {"id": 101, "data": {"group": {"a": 1}}}},
    {"task": {"id": 101, "data": {"group": 3.5}}}, {"task": {"id": 101, "project": [], "data": {}}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_one_annotation_or_task_that_cannot_be_read_takes_no_other_along(odd: dict[str, Any]) -> None:
    assert [event.kind for event in bulk((1, odd))] == ["item_state", "quarantined", "item_state"]


def test_a_group_that_a_table_turned_into_a_fraction_is_the_whole_number() -> None:
    assert [event.group for event in bulk((2, {"task": {"id": 102.0, "data": {"group": 3.0}}}))] == ["A", "A", "3"]


@pytest.mark.parametrize(("action", "name"), [("ANNOTATIONS_DELETED", "annotations"), ("TASKS_DELETED", "tasks")])
def test_a_deletion_that_cannot_be_read_takes_no_other_along(action: str, name: str) -> None:
    odd = [{"id": None}, 7, None, {"id": True}, {"id": [1]}, {}, {"id": 4.5}]
    body = {"action": action, name: [{"id": 1}, *odd, {"id": 2.0}]}
    events = ADAPTER.parse(NO_HEADERS, json.dumps(body).encode())
    assert [event.kind for event in events] == ["item_state", *["quarantined"] * len(odd), "item_state"]
    assert [event.external_item_id or event.external_parent_id for event in events[:: len(odd) + 1]] == ["1", "2"]


def test_created_tasks_that_cannot_be_read_hide_no_annotated_one() -> None:
    body = {"action": "TASKS_CREATED", "tasks": [7, {"id": 1, "total_annotations": 1}, None]}
    events = ADAPTER.parse(NO_HEADERS, json.dumps(body).encode())
    assert sorted(event.kind for event in events) == ["poke", "quarantined", "quarantined"]


ACTIONS = st.sampled_from(
    ["ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED", "TASKS_CREATED", "TASKS_DELETED", "x"]
)
SCRAPS = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "task", "data", "group", "project", "updated_at"]), inner)
    ),
    max_leaves=10,
)


@given(ACTIONS, st.dictionaries(st.sampled_from(["annotation", "annotations", "task", "tasks", "project"]), SCRAPS))
def test_a_body_of_any_content_becomes_events(action: str, parts: dict[str, Any]) -> None:
    body = json.dumps({"action": action, **parts}).encode()
    assert all(event.kind for event in ADAPTER.parse(NO_HEADERS, ADAPTER.readable(body)))
