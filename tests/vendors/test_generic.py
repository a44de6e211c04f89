"""Vendors described by data: each preset by its documented body, and what a configuration cannot do."""

import hashlib
import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid, Malformed
from app.vendors.base import Headers, VendorEvent
from app.vendors.generic import Generic, GenericConfig, compiled
from app.vendors.presets import presets
from app.vendors.registry import adapter_of, full_config
from tests.vendors.samples import NOW, compact, headers
from tests.vendors.test_signatures import TOLOKA_BODY

UNSIGNED = {"signature": {"scheme": "none", "allow_unsigned": True}}
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
STAMP = "2026-11-20T09:00:00Z"
NO_HEADERS = Headers([])


def preset(name: str) -> Generic:
    overrides = {} if "signature" in presets()[name]["config"] else UNSIGNED
    adapter = adapter_of("generic", full_config("generic", name, overrides))
    assert isinstance(adapter, Generic)
    return adapter


def item(item_id: str, state: Any, **parts: Any) -> VendorEvent:
    return VendorEvent("item_state", external_item_id=item_id, state=state, **parts)


CVAT_JOB = {"id": 9, "task_id": 4, "project_id": 2, "stage": "acceptance", "state": "completed", "frame_count": 50,
            "updated_date": STAMP}  # fmt: skip
SCALE = {
    "task_id": "t1", "status": "completed", "completed_at": STAMP, "batch": "b1",
    "metadata": {"group": "A", "order_id": "o1", "line_id": "l1"},
}  # fmt: skip
SUPERANNOTATE = {
    "id": 5,
    "project_id": 6,
    "annotation_status": "Completed",
    "approval_status": None,
    "updatedAt": STAMP,
}
UNKNOWN_WORD = (
    "the event: the vendor's word for the state is 'WORKFLOW_ACTION/moved': say in state.values what it means"
)
NO_EVENT = [VendorEvent("ignored", detail="the body holds no event")]
CASES: list[tuple[str, dict[str, str], Any, list[VendorEvent]]] = [
    (
        "toloka",
        {},
        json.loads(TOLOKA_BODY),
        [item("assignment-1", "accepted", external_order_id="pool-1", external_parent_id="task-suite-1",
              occurred_at=datetime(2000, 1, 1, 12, 0, tzinfo=UTC))],
    ),
    (
        "cvat",
        {},
        {"event": "update:job", "job": CVAT_JOB, "before_update": {"state": "in progress"}, "webhook_id": 1},
        [item("9", "accepted", external_order_id="2", external_parent_id="4", quantity=50, occurred_at=AT)],
    ),
    (
        "cvat",
        {},
        {"event": "delete:job", "job": CVAT_JOB},
        [item("9", "retracted", external_order_id="2", external_parent_id="4", quantity=50, occurred_at=AT)],
    ),
    (
        "cvat",
        {},
        {"event": "update:job", "job": CVAT_JOB | {"stage": "annotation", "state": "in progress"}},
        [item("9", "uncounted", external_order_id="2", external_parent_id="4", quantity=50, occurred_at=AT)],
    ),
    ("cvat", {}, {"event": "update:task", "task": {"id": 4}}, NO_EVENT),
    (
        "cvat",
        {},
        {"event": "update:job", "job": CVAT_JOB | {"type": "annotation"}},
        [item("9", "accepted", external_order_id="2", external_parent_id="4", quantity=50, occurred_at=AT)],
    ),
    *(
        ("cvat", {}, {"event": event, "job": CVAT_JOB | {"type": copy}}, NO_EVENT)
        for event in ("create:job", "update:job", "delete:job")
        for copy in ("ground_truth", "consensus_replica")
    ),
    (
        "scale",
        {},
        {"task": SCALE | {"is_test": True}, "response": {}},
        [item("t1", "uncounted", external_order_id="b1", order_ref="o1", line_ref="l1", group="A", occurred_at=AT)],
    ),
    *(
        (
            "kili",
            {},
            {"eventType": "onSubmit", "logPayload": {"projectId": "p"}, "payload": {"label": label, "asset_id": "a"}},
            [item("a", "uncounted", external_order_id="p")],
        )
        for label in ({"labelType": "DEFAULT", "honeypotMark": 0.5}, {"labelType": "AUTOSAVE"})
    ),
    ("superannotate", {}, {"op": "d", "before": {"id": 5, "name": "a folder"}, "after": None},
     [VendorEvent("ignored")]),
    (
        "scale",
        {},
        {"task": SCALE, "response": {}},
        [item("t1", "accepted", external_order_id="b1", order_ref="o1", line_ref="l1", group="A", occurred_at=AT)],
    ),
    (
        "labelbox",
        {"X-Labelbox-Event": "LABEL_DELETED"},
        {"id": "l", "project": {"id": "p"}, "dataRow": {"id": "d"}, "updatedAt": STAMP},
        [item("d", "uncounted", external_order_id="p", occurred_at=AT)],
    ),
    (
        "labelbox",
        {"X-Labelbox-Event": "WORKFLOW_ACTION"},
        {"project": {"id": "p"}, "dataRow": {"id": "d"}, "action": "approved", "updatedAt": STAMP},
        [item("d", "accepted", external_order_id="p", occurred_at=AT)],
    ),
    (
        "labelbox",
        {"X-Labelbox-Event": "WORKFLOW_ACTION"},
        {"project": {"id": "p"}, "dataRow": {"id": "d"}, "action": "moved"},
        [VendorEvent("quarantined", detail=UNKNOWN_WORD)],
    ),
    (
        "datasaur",
        {},
        {"event": "PROJECT_REVIEWED", "project": {"id": "p"}, "timestamp": STAMP},
        [item("p", "accepted", external_order_id="p", occurred_at=AT)],
    ),
    (
        "superannotate",
        {},
        {"op": "u", "before": {"id": 5}, "after": SUPERANNOTATE},
        [item("5", "accepted", external_order_id="6", occurred_at=AT)],
    ),
    (
        "superannotate",
        {},
        {"op": "u", "before": {}, "after": SUPERANNOTATE | {"approval_status": "Disapproved"}},
        [item("5", "rejected", external_order_id="6", occurred_at=AT)],
    ),
    (
        "superannotate",
        {},
        {"op": "d", "before": SUPERANNOTATE, "after": None},
        [item("5", "retracted", external_order_id="6", occurred_at=AT)],
    ),
    (
        "encord",
        {},
        {"uid": "u", "source": "Encord", "event_type": "task_completed_event", "event_created_timestamp": STAMP,
         "payload": {"project_hash": "p", "data_hashes": ["d1", "d2"], "label_hashes": ["x", "y"]}},
        [item(one, "accepted", external_order_id="p", occurred_at=AT) for one in ("d1", "d2")],
    ),
    (
        "kili",
        {},
        {"eventType": "onSubmit", "logPayload": {"runId": "r", "projectId": "p"},
         "payload": {"label": {}, "asset_id": "a"}},
        [item("a", "submitted", external_order_id="p")],
    ),
    (
        "v7",
        {},
        {"event_type": "workflow_complete", "payload": {"dataset_id": 3, "filename": "f.png", "annotations": []}},
        [item("3/f.png", "accepted", external_order_id="3")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "body", "events"), CASES, ids=[case[0] for case in CASES])
def test_a_preset_reads_its_vendors_documented_body(
    name: str, sent: dict[str, str], body: Any, events: list[VendorEvent]
) -> None:
    adapter = preset(name)
    kept = headers(headers(sent).only(adapter.kept_headers))
    assert adapter.parse(kept, adapter.readable(compact(body))) == events


def test_appens_form_is_read_and_stored_without_its_signature() -> None:
    payload = json.dumps({"id": 11, "job_id": 3, "data": {"group": "A", "order_id": "o"}, "updated_at": STAMP})
    digest = hashlib.sha1((payload + "a secret word").encode()).hexdigest()  # noqa: S324 - the vendor's scheme
    body = urlencode({"signal": "unit_complete", "payload": payload, "signature": digest}).encode()
    adapter = preset("appen")
    assert adapter.verify(NO_HEADERS, body, ["a secret word"], NOW).secret_index == 0
    stored = adapter.readable(body)
    assert digest.encode() not in stored
    assert adapter.parse(NO_HEADERS, stored) == [
        item("11", "accepted", external_order_id="3", order_ref="o", group="A", occurred_at=AT)
    ]


@pytest.mark.parametrize("state", ["golden", "hidden_gold"])
def test_appens_test_questions_are_no_samples(state: str) -> None:
    unit = {"id": 11, "job_id": 3, "state": state}
    stored = compact({"signal": "unit_complete", "payload": unit, "signature": "redacted"})
    assert [event.state for event in preset("appen").parse(NO_HEADERS, stored)] == ["uncounted"]


def test_every_preset_says_where_and_when_its_vendor_documents_it() -> None:
    for name, one in presets().items():
        assert re.search(r"https://\S+", one["documented"]), name
        assert re.search(r"\bread 20\d\d-\d\d-\d\d\b", one["documented"]), name


def test_every_preset_has_its_case() -> None:
    assert set(presets()) == {case[0] for case in CASES} | {"appen"}


def test_a_preset_without_a_signature_must_be_given_one() -> None:
    with pytest.raises(Invalid, match="signature"):
        adapter_of("generic", full_config("generic", "encord", {}))


# Configuration


def config(**changes: Any) -> dict[str, Any]:
    fields = {"external_item_id": "event.id"}
    return {**UNSIGNED, "fields": fields, "state": {"path": "event.s", "values": {"ok": "accepted"}}, **changes}


def adapter(**changes: Any) -> Generic:
    return Generic(GenericConfig.model_validate(config(**changes)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"events": "a..b"}, "no JMESPath expression"),
        ({"events": "a" * 513}, "512"),
        ({"events": "[" * 2000}, "512"),
        ({"events": "[" * 40 + "a" + "]" * 40}, "opening brackets"),
        ({"events": ""}, "at least 1"),
        ({"fields": {"external_item_id": "id", "price": "x"}}, "price"),
        ({"fields": {}}, "external_item_id"),
        ({"state": {"path": "s", "values": {"ok": "done"}}}, "accepted"),
        ({"state": {"path": "s", "values": {}}}, "at least 1"),
        ({"signature": {"scheme": "none"}}, "allow_unsigned"),
    ],
)
def test_a_faulty_configuration_is_refused_with_its_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        adapter_of("generic", config(**changes))
    assert any(said in fault.pointer + fault.detail for fault in caught.value.faults)


EXPRESSIONS = st.text(st.sampled_from(list("ab.[]{}()*?@&|!<>=,:'`\"\\0-1 ")), max_size=40) | st.text(max_size=20)


@given(EXPRESSIONS | st.sampled_from(["!" * 512, "a." * 256, "[" * 32, "a|" * 200 + "a", "&" * 500]))
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_any_expression_is_compiled_or_refused(expression: str) -> None:
    with suppress(ValueError):
        compiled(expression)


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(Invalid, match="toloka"):
        full_config("generic", "telecom", {})
    with pytest.raises(Invalid, match="generic"):
        full_config("standard", "toloka", {})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("length(event.n)", {"id": 1, "s": "ok"}),
        ("sum(event.n)", {"id": 1, "s": "ok", "n": ["a"]}),
        ("nothing(event)", {"id": 1, "s": "ok"}),
        ("event.n", {"id": 1, "s": "ok", "n": {}}),
        ("to_number(event.n)", {"id": 1, "s": "ok", "n": "x" * 300}),
    ],
)
def test_an_expression_that_fails_on_a_body_quarantines_the_event(path: str, body: Any) -> None:
    kinds = [event.kind for event in adapter(fields={"external_item_id": path}).parse(NO_HEADERS, compact(body))]
    assert kinds == ["quarantined"]


def test_numbers_keep_their_text_and_count_as_numbers() -> None:
    fields = {"external_item_id": "to_string(event.id)", "cost": "event.cost", "quantity": "sum(event.parts)"}
    body = b'{"id": 1.50, "s": "ok", "cost": 456789.123456, "parts": [1.0, 2]}'
    [event] = adapter(fields=fields).parse(NO_HEADERS, body)
    assert (str(event.cost), event.quantity) == ("456789.123456", 3)


def test_a_named_quantity_that_is_missing_is_quarantined() -> None:
    fields = {"external_item_id": "event.id", "quantity": "event.n"}
    [event] = adapter(fields=fields).parse(NO_HEADERS, b'{"id": 1, "s": "ok"}')
    assert (event.kind, event.detail) == ("quarantined", "the event: quantity is not in the body")


def test_too_many_events_are_quarantined_as_one() -> None:
    body = compact({"all": [{"id": 1, "s": "ok"}] * 20_001})
    assert [event.kind for event in adapter(events="all").parse(NO_HEADERS, body)] == ["quarantined"]


def test_named_values_are_never_stored() -> None:
    stored = adapter(redact=["token"]).readable(b'{"id": 1, "token": "s3cret"}')
    assert json.loads(stored) == {"id": 1, "token": "redacted"}


def test_a_form_without_its_field_is_malformed() -> None:
    form = adapter(body="form")
    for body in (b"a=1", b"payload={", b"\xff=1", b"payload=1&payload=2"):
        with pytest.raises(Malformed):
            form.readable(body)


def test_a_delivery_is_known_by_its_header_or_its_bytes() -> None:
    named = adapter(delivery_id_header="X-Id")
    assert named.verify(headers({"X-Id": "d-1"}), b"{}", [], NOW).delivery_id == "d-1"
    for absent in ({}, {"X-Id": ""}):
        by_hash = named.verify(headers(absent), b"{}", [], NOW).delivery_id
        assert by_hash == hashlib.sha256(b"{}").hexdigest()
    for long in ("x" * 300, "y" * 300):
        by_hash = named.verify(headers({"X-Id": long}), b"{}", [], NOW).delivery_id
        assert by_hash == hashlib.sha256(long.encode()).hexdigest()


PRESETS = [preset(name) for name in presets() if name != "appen"]
NAMES = st.sampled_from(["event", "job", "task", "payload", "events", "id", "state", "stage", "op", "after", "status"])
SCRAPS = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(PRESETS), SCRAPS)
def test_a_body_of_any_content_becomes_events(vendor: Generic, body: Any) -> None:
    assert all(event.kind for event in vendor.parse(NO_HEADERS, vendor.readable(json.dumps(body).encode())))
