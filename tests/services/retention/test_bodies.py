"""What vendors sent, once it was applied: nothing personal of it is left in the database."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import make_url

from app.services.retention.pruning import REDUCED, prune
from app.store.models.purchases import Order
from app.store.models.vendors import VendorConnection, VendorDelivery, VendorRow
from app.store.upkeep.space import empty_log, rewrite
from tests.services.retention.rows import naming
from tests.vendors.samples import compact
from tests.vendors.test_label_studio import RECORDED
from tests.vendors.world import World

PERSON = {"email": "ada.lovelace@example.org", "first_name": "Augusta Ada", "phone": "+41 79 555 01 23"}
WORDS = "she told me that her mother was ill"
PERSONAL = (*PERSON.values(), WORDS)


def with_person(body: Any) -> Any:
    """The body with a person and what she wrote in every object of it."""
    if isinstance(body, list):
        return [with_person(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {name: with_person(value) for name, value in body.items()} | {"completed_by": PERSON, "comment": WORDS}


def prune_at(world: World, days: float, **settings: float) -> dict[str, int]:
    chosen = world.context.settings.model_copy(update=settings)
    now = world.now + timedelta(days=days)
    return prune(world.context.database, chosen, now, lambda: True)[0]


def personal_texts(world: World) -> list[str]:
    """Those that stand in the database, in SQLite's file and its log to the last byte."""
    database, settings = world.context.database, world.context.settings
    with database.reading() as session:
        found = {text for text in PERSONAL if naming(session, text)}
    if settings.database_url.startswith("sqlite"):
        file = Path(make_url(settings.database_url).database or "")
        stored = b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))
        found |= {text for text in PERSONAL if text.encode() in stored}
    return sorted(found)


def label_studio(make_world: Callable[..., World]) -> World:
    fields = {"header": "X-Tranche-Token", "order_field": "planner_order_id", "item_field": "planner_item_id"}
    world = make_world(kind="label_studio", config=fields)
    mapped = world.api.patch(world.connection, json={"group_map": {"C": "A"}})
    assert mapped.status_code == 200, mapped.text
    return world


def deliver_all(world: World) -> None:
    """Every recorded delivery, of the world's order, with a person in it."""
    for number, file in enumerate(RECORDED):
        text = file.read_text().replace("ord_demo_1", world.order_id)
        body = with_person(json.loads(text)["body"]) | {"nonce": number}
        answer = world.post(compact(body), {"X-Tranche-Token": world.secret})
        assert answer.status_code == 202, answer.text
    world.drain()


def test_of_every_recorded_delivery_nothing_personal_is_left(make_world: Callable[..., World]) -> None:
    world = label_studio(make_world)
    deliver_all(world)
    counts = world.counts()
    assert personal_texts(world) == sorted(PERSONAL)
    before = world.outcomes()
    assert set(before) == {"applied", "ignored", "quarantined"}
    assert prune_at(world, 2.9) == {}
    # What waits for its group is kept whole, and can be mapped until its own term is over.
    done = prune_at(world, 3.1)
    assert done[REDUCED] == before["applied"] + before["ignored"]
    assert {one["outcome"] for one in world.deliveries() if WORDS in one["body"]} == {"quarantined"}
    assert prune_at(world, 366)["vendor_deliveries"] == sum(before.values())
    empty_log(world.context.database)
    rewrite(world.context.database)
    assert personal_texts(world) == []
    assert world.counts() == counts


def test_what_is_left_says_what_was_counted(world: World) -> None:
    body = {"id": "1", "state": "accepted", "group": "A", "cost": "2.50", "currency": "USD", "line_id": world.line("A")}
    world.send({**body, **PERSON, "comment": WORDS}, {"id": "2", "state": "rejected", "group": "B"})
    prune_at(world, 4)
    [kept] = world.deliveries()
    left = json.loads(kept["body"])
    assert len(left.pop("sha256")) == 64
    common = {"kind": "item_state", "external_order_id": world.order_id, "quantity": 1, "order_ref": world.order_id}
    at = {"occurred_at": world.now.isoformat()}
    assert left == {
        "events": [
            {**common, "external_item_id": "1", "state": "accepted", "cost": "2.50", "currency": "USD", **at},
            {**common, "external_item_id": "2", "state": "rejected", **at},
        ]
    }
    assert (kept["outcome"], kept["events"], kept["headers"]) == ("applied", 2, {})
    assert kept["reduced_at"] is not None


def test_a_repeat_of_a_reduced_delivery_is_known_and_it_is_not_replayed(world: World) -> None:
    body = world.items({"id": "1", "state": "accepted", "group": "A", **PERSON})
    sent = world.signed(body, "msg_a")
    world.post(body, sent)
    world.drain()
    prune_at(world, 4)
    assert world.post(body, sent).json() == {"status": "known"}
    assert world.api.post(f"{world.connection}/replay", json={}).json() == {"deliveries": 0}
    world.drain()
    assert world.counts() == {"A": {"accepted": 1}}


def test_what_is_to_be_applied_once_more_is_not_reduced(world: World) -> None:
    world.send({"id": "1", "state": "accepted", "group": "A"})
    assert world.api.post(f"{world.connection}/replay", json={}).json() == {"deliveries": 1}
    assert prune_at(world, 4) == {}
    world.drain()
    assert prune_at(world, 4) == {REDUCED: 1}


def test_a_quarantined_delivery_is_mapped_after_months(world: World) -> None:
    world.send({"id": "1", "state": "accepted", "group": "women", **PERSON})
    assert world.outcomes() == {"quarantined": 1}
    assert prune_at(world, 200) == {}
    assert world.api.patch(world.connection, json={"group_map": {"women": "B"}}).status_code == 200
    world.map()
    assert (world.counts(), world.outcomes()) == ({"B": {"accepted": 1}}, {"applied": 1})


def test_a_body_that_the_configuration_reads_no_more_becomes_its_digest(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.send({"id": "1", "state": "accepted", "group": "A"})
    with world.context.database.writing() as session:
        for row in session.query(VendorConnection):
            row.config = {"signature": "none that there is"}
    assert prune_at(world, 4) == {REDUCED: 1}
    with world.context.database.reading() as session:
        [row] = session.query(VendorDelivery)
        assert json.loads(row.body)["events"] == []


def test_0_keeps_bodies_for_ever(world: World) -> None:
    world.send({"id": "1", "state": "accepted", "group": "A"})
    assert prune_at(world, 80, vendor_body_retention_days=0) == {}


def test_rows_keep_their_ids_alone_once_their_order_has_ended(world: World) -> None:
    rows = [{"id": f"r{number}", "group": "A", "data": {"text": WORDS}} for number in range(3)]
    assert world.api.post(f"{world.connection}/rows", json=rows).status_code == 201
    with world.context.database.writing() as session:
        taken = session.query(VendorRow).filter(VendorRow.external_id != "r2")
        for row in taken:
            row.order_id = UUID(world.order_id)
        order = session.get_one(Order, UUID(world.order_id))
        order.state, order.closed_at = "closed", world.now
    assert prune_at(world, 29) == {}
    assert prune_at(world, 31) == {"vendor_rows, data emptied": 2}
    assert prune_at(world, 32) == {}
    again = world.api.post(f"{world.connection}/rows", json=rows)
    assert again.json()["added"] == 0, again.text
