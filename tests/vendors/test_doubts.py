"""What a round says of its vendors: totals that fell, and items that could not be read."""

from typing import Any

from tests.vendors.samples import compact
from tests.vendors.test_inbox import item
from tests.vendors.test_stated_counts import a, say, totals
from tests.vendors.world import World
from tests.web.browser_client import Pages, text_of


def warnings(world: World) -> list[dict[str, Any]]:
    answer = world.api.get(f"{world.project}/rounds/1")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["warnings"]
    return found


def round_page(world: World) -> str:
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    return text_of(pages.get(f"{world.project.removeprefix('/v1')}/rounds/1"))


def timeline(world: World) -> str:
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    return text_of(pages.get(f"{world.project.removeprefix('/v1')}/rounds"))


def test_a_total_that_falls_is_told_until_it_is_back(world: World) -> None:
    say(world, totals(world.order_id, 1, a(120, 8), a(9, group="B")))
    assert warnings(world) == []
    world.later()
    fell = world.now
    say(world, totals(world.order_id, 2, a(100, 8), a(9, group="B")))
    world.later()
    say(world, totals(world.order_id, 3, a(110, 8), a(12, group="B")))
    [warning] = warnings(world)
    assert (warning["code"], warning["source"], warning["group"]) == ("counts_fell", "s", "A")
    assert f"110 instead of 120, 10 fewer, since {fell:%Y-%m-%d %H:%M} UTC" in warning["detail"]
    assert "110 instead of 120" in round_page(world)
    assert "fewer accepted samples of A than it had: 110 instead of 120" in timeline(world)
    assert world.counts() == {"A": {"accepted": 110, "rejected": 8}, "B": {"accepted": 12}}
    say(world, totals(world.order_id, 4, a(121, 8)))
    assert warnings(world) == []


def test_samples_that_are_rejected_after_all_and_samples_that_are_gone_are_told(world: World) -> None:
    world.send(item("1"), item("2"), item("3", "submitted", "B"), item("4", "submitted", "B"))
    world.later()
    world.send(item("1", "rejected"), item("3", "accepted", "B"))
    world.post(compact({"type": "items.deleted", "timestamp": world.now.isoformat(), "data": {"ids": ["4"]}}))
    world.drain()
    said = {(one["group"], one["detail"].split(" samples")[0].rsplit(" ", 1)[1]) for one in warnings(world)}
    assert said == {("A", "accepted"), ("B", "delivered")}


def test_what_is_corrected_by_hand_is_no_fall(world: World) -> None:
    path = f"{world.project}/rounds/1/orders/{world.order_id}"
    came = {"external_id": "d", "groups": {"A": {"accepted": 10}}}
    assert world.api.post(f"{path}/deliveries", json=came).status_code == 201
    fewer = {"external_id": "c", "groups": {"A": {"accepted": -3}}, "note": "counted twice"}
    assert world.api.post(f"{path}/corrections", json=fewer).status_code == 201
    assert warnings(world) == []


def test_items_that_could_not_be_read_are_told_where_people_look(world: World) -> None:
    world.send(item("1"), {"id": True, "state": "accepted"}, {"id": 2, "state": "done"}, item("3"))
    assert world.counts() == {"A": {"accepted": 2}}
    [delivery] = world.deliveries()
    assert (delivery["outcome"], delivery["events"], delivery["unread"]) == ("quarantined", 4, 2)
    assert delivery["detail"].startswith("2 of 4 could not be read: data.items[1].id is neither")
    assert world.api.get(world.connection).json()["unread"] == 2
    [warning] = warnings(world)
    assert (warning["code"], warning["source"]) == ("unread_items", "s")
    assert "2 in its webhooks" in warning["detail"]
    assert "2 in its webhooks" in round_page(world)
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    shown = text_of(pages.get(world.connection.replace("/v1/vendor-connections", "/connections")))
    assert "2 items of this vendor could not be read" in shown


def test_what_is_waiting_to_be_mapped_is_not_unread(world: World) -> None:
    world.send(item("1", group="?"))
    assert world.outcomes() == {"quarantined": 1}
    assert world.api.get(world.connection).json()["unread"] == 0
    assert warnings(world) == []
