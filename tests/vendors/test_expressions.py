"""JMESPath with a budget: what it cannot cost, and that it is JMESPath all the same."""

import json
import tracemalloc
from typing import Any

import jmespath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.store import vendors as store
from app.vendors.base import Headers, VendorEvent
from app.vendors.expressions import LEAST_STEPS, STEPS_PER_BYTE, STEPS_PER_EVENT, Evaluation, TooDear, check, compiled
from app.vendors.generic import Generic, GenericConfig
from app.vendors.values import Unusable
from tests.api_client import Api
from tests.conftest import one_database
from tests.vendors.samples import compact
from tests.vendors.world import World

UNSIGNED = {"scheme": "none", "allow_unsigned": True}
NO_HEADERS = Headers([])


def doublings(count: int) -> str:
    """A list of `count` levels, each of them twice the one below: 2**count leaves."""
    return "|".join(["[@,@]"] * count)


def config(item_id: str, **changes: Any) -> dict[str, Any]:
    fields, state = {"external_item_id": item_id}, {"path": "event.s", "values": {"ok": "accepted"}}
    return {"signature": UNSIGNED, "fields": fields, "state": {**state, "default": "accepted"}, **changes}


def parse(item_id: str, body: bytes, **changes: Any) -> tuple[list[VendorEvent], int]:
    """The events, and the bytes that reading them took at most."""
    adapter = Generic(GenericConfig.model_validate(config(item_id, **changes)))
    tracemalloc.start()
    try:
        events = adapter.parse(NO_HEADERS, body)
        return events, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "expression",
    [
        f"to_string({doublings(31)})",
        f"to_string({doublings(12)}=={doublings(12)} && {doublings(5)})",
        f"contains([{doublings(15)}], {doublings(15)})",
        "|".join(["[@,@][]"] * 15) + "|to_string(@)",
        "[@]|" + "|".join(["map(&[@,@,@,@],@)[]"] * 9) + "|to_string(@)",
    ],
)
def test_what_doubles_ends_at_the_budget_in_time_and_memory(expression: str) -> None:
    [event], memory = parse(expression, b'{"s": "ok"}')
    assert event.kind == "quarantined"
    steps = LEAST_STEPS + STEPS_PER_BYTE * 11 + STEPS_PER_EVENT
    assert f"more than {steps:,} steps" in (event.detail or "")
    assert memory < 5_000_000


def test_an_error_never_writes_out_the_value_it_met() -> None:
    """The library's own message would: 2**31 leaves of it."""
    for expression in (f"abs({doublings(31)})", f"sum({doublings(31)})", f"keys({doublings(31)})"):
        [event], memory = parse(expression, b"{}")
        assert event.kind == "quarantined"
        assert "array" in (event.detail or "")
        assert memory < 5_000_000


def test_texts_that_grow_are_counted_by_their_characters() -> None:
    body = compact({"x": "y" * 10_000})
    twice = "|".join(["join('', [@,@])"] * 12)
    [event], memory = parse(f"event.x|{twice}", body)
    assert event.kind == "quarantined"
    assert "steps" in (event.detail or "")
    assert memory < 5_000_000


@pytest.mark.parametrize("n", [250, 6_000])
def test_what_sees_the_body_alone_is_evaluated_once(n: int) -> None:
    body = compact({"e": [1] * n})
    events, _ = parse("join('-', [to_string(event), to_string(length(body.e[?@ == `7`]))])", body, events="e")
    assert {event.external_item_id for event in events} == {"1-0"}
    assert len(events) == n


def test_what_looks_through_the_body_for_each_event_ends_at_the_budget() -> None:
    body = compact({"e": [1] * 6_000})
    events, _ = parse("to_string(length([event, body.e][1][?@ == `7`]))", body, events="e")
    assert len(events) == 6_000
    assert events[-1].kind == "quarantined"
    assert "steps" in (events[-1].detail or "")
    assert sum(event.kind == "item_state" for event in events) < 20


def test_twenty_thousand_small_events_with_every_field_are_within_the_budget() -> None:
    rows = [{"id": f"item-{n}", "s": "ok", "g": "A", "p": n, "at": "2026-11-20T10:00:00Z"} for n in range(10_000)]
    names = {"external_item_id": "id", "group": "g", "external_parent_id": "p", "occurred_at": "at"}
    fields = {name: f"event.{part}" for name, part in names.items()} | {"external_order_id": "body.order"}
    events, _ = parse("event.id", compact({"order": "o", "rows": rows}), events="rows", fields=fields)
    assert [event.kind for event in events] == ["item_state"] * 10_000


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("ceil(to_number('1e999'))", "infinity"),
        ("avg(`[1e400]`)", ""),
        ("event.n[::0]", "zero"),
        ("contains('a', `1`)", ""),
        ("sum(event.n)", "sum() takes array-number, not str"),
        ("nothing(event)", "nothing"),
    ],
)
def test_whatever_fails_is_quarantined_in_words_that_can_be_stored(expression: str, said: str) -> None:
    [event], _ = parse(expression, b'{"n": ["\\ud800\\u0000"], "s": "ok"}')
    assert event.kind == "quarantined"
    assert said in (event.detail or "")
    assert (event.detail or "").isascii()


# The library's answers

DOCUMENT: dict[str, Any] = {
    "event": {"id": 7, "name": "n", "tags": ["b", "a", "a"], "sizes": [3, 1.5, 2], "on": True, "none": None},
    "body": {"e": [{"id": 1, "s": "ok"}, {"id": 2, "s": "no"}, [1, [2]], None, "x"], "o": {"k": [0], "l": ""}},
}
PATHS = st.sampled_from(
    ["event.id", "event.tags", "event.sizes", "body.e", "body.o", "body.e[0].id", "body.e[*].id", "@", "body", "event",
     "`1`", "'n'", "`[1, 2]`", "body.e[?s=='ok']", "body.e[?id > `1`].s", "body.o.*", "body.e[]", "event.tags[::-1]",
     "event.none", "event.nothing", "body.o.l", "body.e[2][]", "event.on", "event.tags[1:]"]
)  # fmt: skip
UNARY = ["length", "keys", "values", "sort", "reverse", "to_string", "to_number", "to_array", "type", "sum", "avg",
         "max", "min", "abs", "ceil", "floor", "not_null", "merge"]  # fmt: skip
EXPRESSIONS = st.recursive(
    PATHS,
    lambda inner: st.one_of(
        st.builds("{}({})".format, st.sampled_from(UNARY), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["contains", "starts_with", "join", "not_null"]), inner, inner),
        st.builds("{}({}, &{})".format, st.sampled_from(["sort_by", "max_by", "min_by"]), inner, st.just("id")),
        st.builds("map(&{}, {})".format, st.sampled_from(["@", "id", "[@, @]"]), inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{a: {}, b: {}}}".format, inner, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", ">=", "&&", "||", "|"]), inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=8,
)


def answer(search: Any) -> Any:
    """What comes of it, written down so that true is not 1; that it failed, however."""
    try:
        return json.dumps(search(), default=str)
    except TooDear:
        return None
    except Exception:  # noqa: BLE001 - the library raises many kinds
        return "failed"


@given(EXPRESSIONS)
@example("join('-', [to_string(event.id), to_string(body.e)])")
@example("[event.id, body.e[?id == `1`] | [0].s, body.e[*].[id, s]]")
def test_within_the_budget_the_answer_is_the_librarys(expression: str) -> None:
    try:
        tree = compiled(expression)
    except ValueError:
        return
    evaluation = Evaluation(b"")
    plain = answer(lambda: jmespath.search(expression, DOCUMENT))
    for _ in range(2):  # the second time, what sees the body alone is remembered
        ours = answer(lambda: evaluation.of_event(tree, DOCUMENT))
        assert ours in (plain, None)
    other = {**DOCUMENT, "event": {"id": 8, "tags": ["z"], "sizes": []}}
    assert answer(lambda: evaluation.of_event(tree, other)) in (
        answer(lambda: jmespath.search(expression, other)),
        None,
    )


@given(EXPRESSIONS)
def test_what_the_check_refuses_no_body_makes_good(expression: str) -> None:
    try:
        tree = compiled(expression)
        check(tree)
    except ValueError:
        with pytest.raises((ValueError, Unusable)):
            Evaluation(b"{}").of_event(compiled(expression), DOCUMENT)


# Over HTTP


def connect(api: Api, **changes: Any) -> Any:
    body = {"name": "v", "kind": "generic", "config": config("event.id", **changes), "secret": "s3cret-s3cret"}
    return api.post("/v1/vendor-connections", json=body)


@one_database
@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"fields": {"external_item_id": f"to_string({doublings(24)})"}}, "/config/fields/external_item_id", "steps"),
        ({"fields": {"external_item_id": "id(event)"}}, "/config/fields/external_item_id", "no function id()"),
        ({"fields": {"external_item_id": "join(event.id)"}}, "/config/fields/external_item_id", "2 arguments, not 1"),
        ({"events": "|".join(["[@,@][]"] * 15)}, "/config/events", "steps"),
        ({"state": {"path": "merge()", "values": {"a": "accepted"}}}, "/config/state/path", "1 or more arguments"),
    ],
)
def test_an_expression_that_no_body_makes_good_is_refused_when_it_is_saved(
    api: Api, changes: dict[str, Any], pointer: str, said: str
) -> None:
    refused = connect(api, **changes)
    assert refused.status_code == 422
    assert [(one["pointer"], said in one["detail"]) for one in refused.json()["errors"]] == [(pointer, True)]
    made = connect(api)
    assert made.status_code == 201, made.text
    path = f"/v1/vendor-connections/{made.json()['id']}"
    assert api.patch(path, json={"config": config("event.id", **changes)}).status_code == 422
    tried = api.post(f"{path}/dry-run", json={"body": {}, "config": config("event.id", **changes)})
    assert tried.status_code == 422


def test_what_is_stored_already_is_read_on_and_its_events_quarantined(world: World) -> None:
    """A configuration of before the check."""
    generic = {"name": "old", "kind": "generic", "config": config("event.id"), "secret": "s3cret-s3cret"}
    made = world.api.post("/v1/vendor-connections", json=generic).json()
    with world.context.database.writing() as session:
        [row] = [one for one in store.all_connections(session) if str(one.id) == made["id"]]
        row.config = config(f"to_string({doublings(24)})")
    tried = world.api.post(f"/v1/vendor-connections/{made['id']}/dry-run", json={"body": {"id": 1}})
    assert tried.status_code == 200, tried.text
    [event] = tried.json()["events"]
    assert (event["kind"], "steps" in event["detail"]) == ("quarantined", True)


def test_a_dry_run_waits_for_no_writer_and_holds_no_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = world.api.app.state.runtime.database.engine.pool
    held: list[int] = []
    plain = Generic.parse

    def watched(self: Generic, headers: Headers, body: bytes) -> list[VendorEvent]:
        held.append(pool.checkedout())
        return plain(self, headers, body)

    monkeypatch.setattr(Generic, "parse", watched)
    made = connect(world.api).json()["id"]
    before = pool.checkedout()
    with world.context.database.writing() as session:
        [row] = [one for one in store.all_connections(session) if str(one.id) == made]
        assert store.locked_connection(session, row.id) is not None
        answer = world.api.post(f"/v1/vendor-connections/{made}/dry-run", json={"body": {"id": "a", "s": "ok"}})
    assert answer.status_code == 200, answer.text
    assert [event["external_item_id"] for event in answer.json()["events"]] == ["a"]
    assert held == [before]
