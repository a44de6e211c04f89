"""A vendor's words: mapped to groups that are there, mapped anew, and what was counted moves with its money."""

from typing import Any

import pytest

from tests.vendors.test_doubts import warnings
from tests.vendors.test_inbox import item
from tests.vendors.test_stated_counts import a, say, totals
from tests.vendors.world import World


def map_words(world: World, **group_map: str) -> Any:
    answer = world.api.patch(world.connection, json={"group_map": group_map})
    assert answer.status_code == 200, answer.text
    world.map()
    return answer.json()["group_map"]


def close(world: World) -> None:
    path = f"{world.project}/rounds/1"
    tag = world.api.get(path).headers["ETag"]
    answer = world.api.post(f"{path}/close", headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("closed", [False, True])
def test_a_word_mapped_wrongly_is_mended_and_its_samples_move_with_their_money(world: World, closed: bool) -> None:
    world.send(item("1", group="w"), item("2", group="w"), item("3", "rejected", "w"), item("4", group="A"))
    map_words(world, w="A")
    assert world.counts() == {"A": {"accepted": 3, "rejected": 1}}
    spent = world.read()["spent"]
    if closed:
        close(world)
    assert map_words(world, w="B") == {"w": "B"}
    assert world.counts() == {"A": {"accepted": 1}, "B": {"accepted": 2, "rejected": 1}}
    assert world.read()["spent"] == spent == "8.00"
    groups = {one["key"]: one["collected_count"] for one in world.api.get(f"{world.project}/groups").json()["items"]}
    assert groups == {"A": 1, "B": 2}
    assert warnings(world) == []
    assert map_words(world) == {}
    assert world.counts() == {"A": {"accepted": 1}, "": {"unmapped": 3}}


def test_totals_that_were_stated_move_as_items_do(world: World) -> None:
    say(world, totals(world.order_id, 1, a(7, 2, group="w"), a(5, group="A")))
    [waits] = world.api.get(f"{world.connection}/waiting").json()
    assert (waits["group"], waits["order_id"], waits["samples"]) == ("w", world.order_id, 9)
    map_words(world, w="A")
    assert world.api.get(f"{world.connection}/waiting").json() == []
    assert world.counts() == {"A": {"accepted": 12, "rejected": 2}}
    map_words(world, w="B")
    assert world.counts() == {"A": {"accepted": 5}, "B": {"accepted": 7, "rejected": 2}}


def test_a_fall_is_told_although_words_were_mapped_anew(world: World) -> None:
    say(world, totals(world.order_id, 1, a(30, group="w"), a(20)))
    map_words(world, w="A")
    map_words(world, w="B")
    assert warnings(world) == []
    say(world, totals(world.order_id, 2, a(25, group="w")))
    [warning] = warnings(world)
    assert "25 instead of 30" in warning["detail"]


def test_a_word_is_mapped_to_a_group_that_is_there_by_its_key_or_its_name(world: World) -> None:
    for name in ("B", "A"):
        assert world.api.patch(f"{world.project}/groups/{name}", json={"name": f"People of {name}"}).status_code == 200
    assert map_words(world, w="People of B", v="A") == {"w": "B", "v": "A"}
    refused = world.api.patch(world.connection, json={"group_map": {"w": "People of C", "a/b": "C", "v": "A"}})
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/group_map/w", "/group_map/a~1b"]
    assert "there is no group 'People of C'" in refused.json()["errors"][0]["detail"]
    assert world.api.get(world.connection).json()["group_map"] == {"w": "B", "v": "A"}
    assert world.api.patch(f"{world.project}/groups/A", json={"name": "People of B"}).status_code == 200
    doubted = world.api.patch(world.connection, json={"group_map": {"x": "People of B", "w": "B"}})
    assert doubted.status_code == 422
    assert "is the name of several groups ('A', 'B')" in doubted.json()["errors"][0]["detail"]


def test_groups_of_projects_that_the_connection_does_not_serve_are_none_of_its(world: World) -> None:
    world.api.project(groups=[{"key": "elsewhere", "initial_count": 0}])
    refused = world.api.patch(world.connection, json={"group_map": {"w": "elsewhere"}})
    assert refused.status_code == 422
    said = {"name": "another", "kind": "standard", "group_map": {"w": "elsewhere"}}
    assert world.api.post("/v1/vendor-connections", json=said).status_code == 201
    unknown = world.api.post("/v1/vendor-connections", json={**said, "group_map": {"w": "nowhere"}})
    assert unknown.json()["errors"][0]["pointer"] == "/group_map/w"


def test_what_was_mapped_before_a_source_was_taken_away_stays(world: World) -> None:
    map_words(world, w="B")
    assert world.api.patch(f"{world.project}/sources/s", json={"connection": None}).status_code == 200
    world.api.project(groups=[{"key": "C", "initial_count": 0}])
    assert world.api.patch(world.connection, json={"group_map": {"w": "B", "v": "C"}}).status_code == 200
