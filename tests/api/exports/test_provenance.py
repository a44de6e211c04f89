"""The provenance card: every lot with its licence, and sums that are the groups' and the ledger's."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from app.settings import Settings
from app.store.db import Database
from app.store.models.purchases import LedgerEntry
from tests.api_client import Api
from tests.jobs.worker import job_context
from tests.vendors.world import World

DELIVERIES = [
    {"groups": {"A": {"accepted": 30, "rejected": 4}, "B": {"accepted": 7}}},
    {"groups": {"B": {"accepted": 11, "pending": 5}}, "unmapped": 3},
    {"groups": {"A": {"accepted": 6}}, "license": "CC-BY-4.0"},
    {"groups": {"A": {"accepted": 8}}, "license": "MIT"},
]
CORRECTIONS = [
    {"groups": {"A": {"accepted": -9, "rejected": 9}}, "note": "reviewed again"},
    {"groups": {"B": {"accepted": 2}}, "unmapped": -2, "note": "their group is known"},
]
EACH = {"A": 30 + 6 - 9, "B": 7 + 11 + 2}
"""What one set of all of them brings; the lot under MIT is not the source's and counts for no group."""


@pytest.fixture
def world(api: Api, settings: Settings) -> Iterator[World]:
    with job_context(settings, api.clock) as context:
        yield documented(World(api, context))


def documented(made: World) -> World:
    """Its source says under which licence, and how, its samples came to be."""
    said = {
        "license": "CC-BY-4.0", "method": "human", "consent": "form 3", "name": "S | <b>",
        "derived_from": ["a crawl"], "collected_from": "2026-01-01",
    }  # fmt: skip
    assert made.api.patch(f"{made.project}/sources/s", json=said).status_code == 200
    return made


def record(world: World, seed: int) -> None:
    """All deliveries and then all corrections, in an order of the seed's, most of them twice."""
    rng = np.random.default_rng(seed)
    path = f"{world.project}/rounds/1/orders/{world.order_id}"
    for verb, bodies in (("deliveries", DELIVERIES), ("corrections", CORRECTIONS)):
        for at in rng.permutation([*range(len(bodies)), *range(1, len(bodies))]).tolist():
            said = {"external_id": f"{verb}-{seed}-{at}", **bodies[at]}
            answer = world.api.post(f"{path}/{verb}", json=said)
            assert answer.status_code == 201, answer.text


def groups_of(world: World) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in world.api.get(f"{world.project}/groups").json()["items"]}


def test_the_cards_sums_are_the_ledgers_whatever_came_in_which_order(world: World) -> None:
    world.api.patch(f"{world.project}/groups/A", json={"initial_count": 40})
    items = [{"id": f"i{at}", "group": "AB"[at % 2], "state": "accepted"} for at in range(9)]
    for seed in range(3):
        record(world, seed)
        world.send(*(items[at] for at in np.random.default_rng(seed).permutation(len(items))))
    card = world.api.get(f"{world.project}/provenance.json").json()
    held = groups_of(world)
    assert card["adds_up"]
    world.check()
    for one in card["groups"]:
        key = one["group"]
        expected = 3 * EACH[key] + (5 if key == "A" else 4)
        assert one["collected"] == one["ledger"] == held[key]["collected_count"] == expected
        lots = [lot["groups"][key]["accepted"] for lot in card["lots"] if key in lot["groups"]]
        assert sum(lots) == one["initial"] + one["collected"]
    assert [lot["kind"] for lot in card["lots"]].count("delivery") == 3 * len(DELIVERIES)
    assert [lot["kind"] for lot in card["lots"]].count("vendor") == 1
    assert card["lots"][0]["kind"] == "initial"


def test_a_lot_says_where_it_comes_from(world: World) -> None:
    record(world, 0)
    lots = world.api.get(f"{world.project}/provenance.json").json()["lots"]
    mine, foreign = (next(lot for lot in lots if lot["license"] == name) for name in ("CC-BY-4.0", "MIT"))
    assert (mine["source"], mine["round"], mine["order"]) == ("s", 1, world.order_id)
    assert (mine["method"], mine["consent"], mine["derived_from"]) == ("human", "form 3", ["a crawl"])
    assert mine["terms"]["source"] == "https://creativecommons.org/licenses/by/4.0/legalcode"
    assert (foreign["groups"], foreign["unmapped"]) == ({}, 8)
    assert foreign["terms"]["source"] == "https://opensource.org/license/mit"

    answer = world.api.get(f"{world.project}/provenance.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sum(int(row["accepted"]) for row in rows if row["group"] == "A") == EACH["A"]
    assert {row["license"] for row in rows} == {"CC-BY-4.0", "MIT"}

    text = world.api.get(f"{world.project}/provenance.md")
    assert text.headers["Content-Type"].startswith("text/markdown")
    assert text.headers["Content-Disposition"].startswith("attachment;")
    assert "add up to what the ledger says" in text.text
    assert r"### S \| \<b\>" in text.text
    assert "- Licence: CC\\-BY\\-4\\.0" in text.text


def test_a_card_that_does_not_add_up_says_so(world: World, database: Database) -> None:
    """As after a hand in the database: the ledger is held against the records, not against itself."""
    record(world, 0)
    with database.writing() as session:
        session.execute(update(LedgerEntry).where(LedgerEntry.count == 30).values(count=31))
    card = world.api.get(f"{world.project}/provenance.json").json()
    assert not card["adds_up"]
    assert "do not add up" in world.api.get(f"{world.project}/provenance.md").text


def test_a_project_without_purchases_has_a_card(api: Api) -> None:
    path = api.project()
    card = api.get(f"{path}/provenance.json").json()
    assert (card["adds_up"], [lot["kind"] for lot in card["lots"]]) == (True, ["initial"])
    assert card["lots"][0]["groups"]["A"]["accepted"] == 200
    assert "Nothing was bought yet." in api.get(f"{path}/provenance.md").text
    assert api.get(f"{path}/provenance.csv").status_code == 200
