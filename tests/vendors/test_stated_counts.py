"""Totals and changes that a vendor states: whatever comes, in any order and however often, the ledger is its fold."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import one_database
from tests.vendors.samples import compact
from tests.vendors.test_inbox import item
from tests.vendors.world import Counts, World


def at(minute: int) -> str:
    return (datetime.fromisoformat("2026-11-20T09:00:00+00:00") + timedelta(minutes=minute)).isoformat()


def totals(order: str, minute: int, *rows: dict[str, Any]) -> bytes:
    data = {"order_id": order, "as_of": at(minute), "counts": list(rows)}
    return compact({"type": "order.counts", "timestamp": at(minute), "data": data})


def delta(order: str, name: str, minute: int, *rows: dict[str, Any]) -> bytes:
    data = {"id": name, "order_id": order, "counts": list(rows)}
    return compact({"type": "order.delta", "timestamp": at(minute), "data": data})


def a(accepted: int, rejected: int = 0, group: str | None = "A") -> dict[str, Any]:
    return {"accepted": accepted, "rejected": rejected, **({"group": group} if group else {})}


def say(world: World, *bodies: bytes) -> None:
    for body in bodies:
        assert world.post(body).json() == {"status": "stored"}
        world.drain()


@pytest.mark.parametrize("turned", [False, True])
def test_a_change_after_a_total_is_added_to_it_and_one_before_is_part_of_it(world: World, turned: bool) -> None:
    o = world.order_id
    told = [totals(o, 10, a(120, 8)), delta(o, "late", 15, a(15, 1)), delta(o, "early", 5, a(7))]
    say(world, *(reversed(told) if turned else told))
    assert world.counts() == {"A": {"accepted": 135, "rejected": 9}}
    say(world, totals(o, 20, a(140, 9)))
    assert world.counts() == {"A": {"accepted": 140, "rejected": 9}}


def test_a_change_is_added_to_a_total_of_the_whole_order_too(world: World) -> None:
    o = world.order_id
    say(world, totals(o, 10, a(100, group=None)), delta(o, "d", 15, a(15)))
    assert world.counts() == {"A": {"accepted": 15}, "": {"unmapped": 100}}
    say(world, delta(o, "e", 16, a(5, group=None)))
    assert world.counts() == {"A": {"accepted": 15}, "": {"unmapped": 105}}


def test_a_change_sent_again_later_takes_the_place_of_what_it_said(world: World) -> None:
    o = world.order_id
    say(world, delta(o, "d", 5, a(7, 2)), delta(o, "d", 6, a(0, 3)), delta(o, "d", 4, a(50)))
    assert world.counts() == {"A": {"rejected": 3}}


def test_changes_of_words_that_are_mapped_later_are_added(world: World) -> None:
    o = world.order_id
    say(
        world,
        totals(o, 10, a(10, group="women")),
        delta(o, "d", 15, a(5, group="women")),
        delta(o, "e", 5, a(2, group="w")),
    )
    assert world.counts() == {"": {"unmapped": 17}}
    world.api.patch(world.connection, json={"group_map": {"women": "B", "w": "B"}})
    world.map()
    assert world.counts() == {"B": {"accepted": 15}}


def test_a_group_in_two_rows_of_one_message_is_refused_and_the_others_count(world: World) -> None:
    o = world.order_id
    say(world, delta(o, "d", 5, a(7), a(2, group="B"), a(1)), totals(o, 6, a(3, group=None), a(4, group="")))
    assert world.counts() == {"B": {"accepted": 2}}
    details = [one["detail"] for one in world.deliveries()]
    assert [one["unread"] for one in world.deliveries()] == [2, 2]
    assert all("stands in several rows" in detail for detail in details)


def test_items_newer_than_a_total_take_its_place_and_changes_are_added_to_them(world: World) -> None:
    o = world.order_id
    say(world, totals(o, 1, a(7, 1)), delta(o, "d", 2, a(3)))
    world.send(item("1", updated_at=at(3)))
    assert world.counts() == {"A": {"accepted": 4}}


Fact = tuple[str, dict[str, Any]]
GROUPS = st.sampled_from(["A", "B"])
MINUTES = st.integers(1, 9)
PLACE = {"group": GROUPS, "minute": MINUTES}
COUNTS = {"accepted": st.integers(0, 9), "rejected": st.integers(0, 3)}
STATES = st.sampled_from(["accepted", "rejected", "submitted"])
FACTS = st.one_of(
    st.tuples(st.just("total"), st.fixed_dictionaries(PLACE | COUNTS)),
    st.tuples(st.just("delta"), st.fixed_dictionaries(PLACE | COUNTS | {"name": st.sampled_from("pqrs")})),
    st.tuples(st.just("item"), st.fixed_dictionaries(PLACE | {"name": st.sampled_from("xyz"), "state": STATES})),
)


def distinct(facts: list[Fact]) -> list[Fact]:
    """Of one instant a vendor says one thing: of several totals of a group, changes of a name, states of an item."""
    kept: dict[Any, Fact] = {}
    for kind, said in facts:
        name = said.get("name")
        kept[kind, said["minute"], name, said["group"] if name is None or kind == "delta" else None] = (kind, said)
    return list(kept.values())


def expected(facts: list[Fact]) -> Counts:
    """By the rules' own words, from all facts at once."""
    cells: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    items: dict[str, dict[str, Any]] = {}
    for kind, said in facts:
        known = items.get(said.get("name", ""))
        if kind == "item" and (known is None or said["minute"] > known["minute"]):
            items[said["name"]] = said
    deltas: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, said in facts:
        if kind == "delta":
            key = said["name"], said["group"]
            deltas[key] = max(deltas.get(key, said), said, key=lambda one: one["minute"])
    for group in ("A", "B"):
        mine = [one for one in items.values() if one["group"] == group]
        stated = [said for kind, said in facts if kind == "total" and said["group"] == group]
        newest = max(stated, key=lambda one: one["minute"], default=None)
        holds = newest is not None and newest["minute"] >= max((one["minute"] for one in mine), default=0)
        for one in mine:
            if one["state"] == "submitted" or not holds:
                cells[group]["pending" if one["state"] == "submitted" else one["state"]] += 1
        for state in ("accepted", "rejected"):
            cells[group][state] += newest[state] if newest is not None and holds else 0
            cells[group][state] += sum(
                one[state]
                for (_, of), one in deltas.items()
                if of == group and not (newest is not None and holds and one["minute"] <= newest["minute"])
            )
    found = {group: {state: n for state, n in by.items() if n} for group, by in cells.items()}
    return {group: by for group, by in found.items() if by}


def message(world: World, fact: Fact) -> bytes:
    kind, said = fact
    if kind == "item":
        return world.items(item(said["name"], said["state"], said["group"], updated_at=at(said["minute"])))
    row = a(said["accepted"], said["rejected"], said["group"])
    if kind == "total":
        return totals(world.order_id, said["minute"], row)
    return delta(world.order_id, said["name"], said["minute"], row)


@one_database
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(FACTS, max_size=12).map(distinct), st.integers(0, 2**16))
def test_in_any_order_and_with_repeats_the_ledger_is_the_fold_of_what_was_said(
    make_world: Callable[..., World], facts: list[Fact], seed: int
) -> None:
    world = make_world()
    chance = random.Random(seed)  # noqa: S311 - an order to send them in
    sent = facts + [fact for fact in facts if chance.random() < 0.4]
    chance.shuffle(sent)
    for number, fact in enumerate(sent):
        assert world.post(message(world, fact)).status_code == 202
        if number % 3 == 0:
            world.drain()
    world.drain()
    assert world.counts() == expected(facts)
    world.api.post(f"{world.connection}/replay", json={})
    world.drain()
    assert world.counts() == expected(facts)
