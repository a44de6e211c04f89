"""Webhooks in every order end in the same counts, and a crash anywhere loses and doubles nothing."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from app.services.vendors import inbox
from tests.vendors.samples import compact
from tests.vendors.test_inbox import item, ledger
from tests.vendors.test_label_studio import recorded
from tests.vendors.world import World


def deleted(**parts: Any) -> bytes:
    return compact({"type": "items.deleted", "timestamp": "2026-11-20T09:00:00Z", "data": parts})


def test_created_updated_moved_and_deleted_in_every_order(world: World) -> None:
    """24 orders of four events, each of an item of its own, and beside it one whose deletion never comes."""
    stories = list(permutations(range(4)))
    for step in range(4):
        for number, story in enumerate(stories):
            kind, name = story[step], f"i{number}"
            both = [f"{name}-gone", f"{name}-kept"]
            if kind == 3:
                world.post(deleted(ids=[f"{name}-gone"]))
                continue
            state, group = (("submitted", "A"), ("rejected", "A"), ("accepted", "B"))[kind]
            at = f"2026-11-20T09:00:0{kind}Z"
            world.post(world.items(*(item(one, state, group, updated_at=at) for one in both)))
        world.drain()
    assert world.counts() == {"B": {"accepted": 24}}


def test_a_deleted_parent_takes_its_items_along_whichever_comes_first(world: World) -> None:
    for number, story in enumerate(permutations(range(3))):
        for kind in story:
            parent = f"p{number}"
            if kind == 2:
                world.post(deleted(parent_ids=[parent]))
            else:
                world.post(world.items(item(f"{parent}-{kind}", parent_id=parent)))
        world.drain()
    world.send(item("other", parent_id="kept"))
    assert world.counts() == {"A": {"accepted": 1}}


def test_the_recorded_deliveries_in_any_order_end_alike(make_world: Callable[..., World]) -> None:
    """Tasks 8, 6 and 7 and annotations 1, 2, 6 and 7 are deleted; 10, 11 and 12 stay, 5 was skipped,
    and 4 came to be of a group C that the project does not have."""
    config = {"order_field": "planner_order_id", "header": "X-Planner-Token"}
    for seed in range(3):
        world = make_world(kind="label_studio", config=config)
        numbers = [f"{number:03}" for number in range(1, 22)]
        random.Random(seed).shuffle(numbers)  # noqa: S311 - an order to send them in
        for number in numbers:
            body = json.loads(recorded(number))
            said = json.dumps(body).replace("ord_demo_1", world.order_id).encode()
            assert world.post(said, {"X-Planner-Token": world.secret}).status_code == 202
        world.drain()
        seen = world.read()
        assert world.counts() == {"A": {"accepted": 3}, "B": {"rejected": 1}, "": {"unmapped": 1}}, seed
        assert seen["delivered"] == 5


def test_a_delivery_that_the_database_refuses_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = inbox.apply_events

    def refusing(session: Any, connection: Any, events: Any, now: Any) -> Any:
        if any(one.external_item_id == "poison" for one in events):
            session.execute(text("INSERT INTO vendor_wakeups SELECT * FROM vendor_wakeups"))
        return plain(session, connection, events, now)

    monkeypatch.setattr(inbox, "apply_events", refusing)
    for name in ("1", "poison", "2"):
        world.post(world.items(item(name)))
    world.drain()
    assert world.outcomes() == {"applied": 2, "quarantined": 1}
    assert world.counts() == {"A": {"accepted": 2}}


def test_a_delivery_whose_cost_no_database_can_hold_holds_up_no_other(world: World) -> None:
    source = {"key": "dear", "yields": {"A": 1.0}, "unit_cost": "1000000", "connection": world.connection_id}
    assert world.api.post(f"{world.project}/sources", json=source).status_code == 201
    order = world.order(1, source="dear")
    data = {"order_id": order, "counts": [{"group": "A", "accepted": 1_000_000_000}]}
    world.post(world.items(item("1")))
    world.post(compact({"type": "order.counts", "timestamp": "2026-11-20T09:00:00Z", "data": data}))
    world.post(world.items(item("2")))
    world.drain()
    assert world.outcomes() == {"applied": 2, "quarantined": 1}
    assert world.read()["accepted"] == 2


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crashing(engine: Engine, statement: int) -> Iterator[None]:
    """Ends whatever runs at its n-th statement."""
    left = [statement]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_a_crash_anywhere_between_inbox_and_effect_applies_all_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ends at its first statement, then at its second, and so on until one run gets through; four batches."""
    monkeypatch.setattr(inbox, "BATCH", 6)
    for number in range(12):
        world.post(world.items(item(str(number), group="AB"[number % 2])))
        world.post(world.items(item("same", "rejected", "AB"[number % 2])))
    statement = 0
    while world.outcomes().get("received"):
        statement += 1
        with suppress(Crash), crashing(world.context.database.engine, statement):
            world.drain()
    assert statement > 20
    assert world.counts() == {"A": {"accepted": 6}, "B": {"accepted": 6, "rejected": 1}}
    entries = len(ledger(world))
    world.api.post(f"{world.connection}/replay", json={})
    world.drain()
    assert len(ledger(world)) == entries
