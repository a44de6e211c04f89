"""An order at a Label Studio on loopback: placed, labelled, told of by webhooks that get lost, and reconciled."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.jobs.vendors import place_order
from tests.jobs.worker import run_waiting
from tests.vendors.fake_label_studio import FakeLabelStudio
from tests.vendors.serving import served
from tests.vendors.world import World

CONFIG = {"label_config": "<View/>"}


@pytest.fixture
def studio() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture
def world(make_world: Callable[..., World], studio: FakeLabelStudio) -> Iterator[World]:
    with served(studio.handle) as url:
        config = {**CONFIG, "base_url": url}
        made = make_world(kind="label_studio", config=config, api_token=studio.token)
        made.order_id = made.order(20, "open")
        yield made


def post_rows(world: World, **counts: int) -> dict[str, Any]:
    rows = [
        {"id": f"{group}{number}", "group": group, "data": {"text": f"{group} {number}"}}
        for group, n in counts.items()
        for number in range(n)
    ]
    answer = world.api.post(f"{world.connection}/rows", json=rows)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def place(world: World) -> dict[str, Any]:
    asked = world.api.post(f"{world.connection}/placements/{world.order_id}")
    assert asked.status_code == 202, asked.text
    place_order(world.context, {"order_id": world.order_id})
    found: dict[str, Any] = world.api.get(f"{world.connection}/placements").json()["items"][0]
    return found


def deliver(world: World, studio: FakeLabelStudio, keep: Callable[[], bool] = lambda: True) -> None:
    """Send what the studio tells, or lose it."""
    for message in studio.sent:
        if keep():
            answer = world.post(json.dumps(message).encode(), {"X-Tranche-Token": world.secret})
            assert answer.status_code == 202, answer.text
    studio.sent.clear()
    world.drain()


def tasks(studio: FakeLabelStudio, group: str) -> list[int]:
    return [task["id"] for task in studio.tasks.values() if task["data"]["group"] == group]


def test_an_order_becomes_a_project_with_the_rows_of_each_group(world: World, studio: FakeLabelStudio) -> None:
    assert post_rows(world, A=12, B=12)["free"] == {"A": 12, "B": 12}
    placed = place(world)
    assert (placed["state"], placed["problem"]) == ("placed", None)
    [project] = studio.projects.values()
    assert placed["placed"][0]["external_order_id"] == str(project["id"])
    assert project["title"].endswith(world.order_id)
    assert (len(tasks(studio, "A")), len(tasks(studio, "B"))) == (10, 10)
    [hook] = studio.hooks
    assert hook["url"].endswith(world.hook)
    assert hook["headers"] == {"X-Tranche-Token": world.secret}
    assert world.read()["state"] == "placed"
    assert world.read()["external_id"] == str(project["id"])
    assert post_rows(world, A=12)["added"] == 0


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_order_is_placed_once_whichever_answer_is_lost(world: World, studio: FakeLabelStudio, lost: int) -> None:
    post_rows(world, A=10, B=10)
    for _ in range(lost):
        studio.lose_answers = 1
        assert place(world)["state"] == "placing"
    studio.lose_answers = 0
    assert place(world)["state"] == "placed"
    assert place(world)["state"] == "placed"
    assert (len(studio.projects), len(studio.hooks), len(studio.tasks)) == (1, 1, 20)


def test_missing_rows_are_told_and_placed_when_they_come(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=4)
    assert "6 rows are missing" in place(world)["problem"]
    post_rows(world, B=10)
    assert place(world)["problem"] is None
    assert (len(studio.projects), len(tasks(studio, "B"))) == (1, 10)


def test_what_the_vendor_refuses_is_told(world: World, studio: FakeLabelStudio) -> None:
    studio.token = "another token"
    placed = place(world)
    assert placed["state"] == "refused"
    assert "401" in placed["problem"]


def label(studio: FakeLabelStudio) -> None:
    """Some of everything that annotators do."""
    first, second, third, *_ = tasks(studio, "A")
    other, last, gone, *_ = tasks(studio, "B")
    for task in (first, second, third, other, gone):
        studio.annotate(task)
    studio.annotate(first)
    studio.annotate(last, was_cancelled=True)
    skipped = studio.annotate(third, ground_truth=True)
    studio.update(skipped, ground_truth=True)
    deleted = studio.annotate(tasks(studio, "A")[4])
    studio.delete(deleted)
    studio.delete_task(gone)
    changed = studio.annotate(tasks(studio, "B")[4])
    studio.update(changed, was_cancelled=True)


def test_counts_follow_the_annotators_and_a_task_is_one_sample(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    label(studio)
    deliver(world, studio)
    assert world.counts() == studio.counts() == {"A": {"accepted": 3}, "B": {"accepted": 1, "rejected": 2}}
    assert world.read()["spent"] == "12.00"
    assert world.reconcile()["differences"] == {}


def test_an_annotation_that_is_needed_twice_makes_half_a_sample(
    make_world: Callable[..., World], studio: FakeLabelStudio
) -> None:
    with served(studio.handle) as url:
        config = {**CONFIG, "base_url": url, "annotations_per_task": 2}
        world = make_world(kind="label_studio", config=config, api_token=studio.token)
        post_rows(world, A=2, B=2)
        place(world)
        [project] = studio.projects.values()
        assert project["maximum_annotations"] == 2
        first, second = tasks(studio, "A")
        for task in (first, first, second):
            studio.annotate(task)
        deliver(world, studio)
        assert world.counts() == {"A": {"accepted": 1, "pending": 1}}


@pytest.mark.parametrize("seed", range(5))
def test_lost_webhooks_are_made_good_by_reconciling(world: World, studio: FakeLabelStudio, seed: int) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    chance = random.Random(seed)  # noqa: S311 - which messages are lost
    label(studio)
    deliver(world, studio, keep=lambda: chance.random() > 0.3)
    before = world.counts()
    report = world.reconcile()
    assert world.counts() == studio.counts()
    assert report["problem"] is None
    assert bool(report["differences"]) == (before != studio.counts())
    assert world.reconcile()["differences"] == {}


def test_what_makes_no_webhook_is_read_from_the_api(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    studio.annotate(tasks(studio, "A")[0])
    deliver(world, studio)
    studio.tasks[tasks(studio, "A")[0]]["data"]["group"] = "B"
    assert world.counts() == {"A": {"accepted": 1}}
    world.later()
    report = world.reconcile()
    assert report["differences"] == {world.order_id: {"A": {"accepted": -1}, "B": {"accepted": 1}}}
    assert world.counts() == studio.counts() == {"B": {"accepted": 1}}


def test_a_poke_asks_for_a_reading_and_every_poke_counts(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    for _ in range(2):
        answer = world.post(b'{"action": "ANNOTATION_UPDATED"}', {"X-Tranche-Token": world.secret})
        assert answer.json() == {"status": "stored"}
    world.drain()
    studio.annotate(tasks(studio, "A")[0])
    assert "vendors.reconcile" in run_waiting(world.context)
    assert world.counts() == {"A": {"accepted": 1}}


def test_an_api_that_is_away_is_reported_and_changes_nothing(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    studio.annotate(tasks(studio, "A")[0])
    deliver(world, studio)
    studio.token = "another token"
    report = world.reconcile()
    assert "401" in report["problem"]
    assert world.counts() == {"A": {"accepted": 1}}


@pytest.mark.parametrize(
    "odd",
    [
        {"data": {"group": 2.5}}, {"data": {"group": []}}, {"data": None}, {"annotations": None}, {"annotations": 7},
        {"annotations": [{"id": True}]}, {"annotations": [7]}, {"id": None, "annotations": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_task_that_cannot_be_read_stays_as_it_was_and_keeps_no_other_from_being_read(
    world: World, studio: FakeLabelStudio, odd: dict[str, Any]
) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    first, second, third, *_ = tasks(studio, "A")
    studio.annotate(first)
    studio.annotate(second)
    deliver(world, studio)
    world.later()
    studio.annotate(third)
    studio.sent.clear()
    whole = dict(studio.tasks[first])
    studio.tasks[first] = whole | odd
    report = world.reconcile()
    assert world.counts() == {"A": {"accepted": 3}}
    assert (report["items"], report["unread"]) == (2, 1)
    assert "1 of 3 items could not be read" in report["problem"]
    assert world.api.get(world.connection).json()["unread"] == 1
    world.later()
    studio.tasks[first] = whole
    report = world.reconcile()
    assert (report["unread"], report["problem"]) == (0, None)
    assert world.api.get(world.connection).json()["unread"] == 0
    world.later()
    del studio.tasks[second]
    world.reconcile()
    assert world.counts() == {"A": {"accepted": 2}}


def test_a_task_that_was_heard_of_never_and_cannot_be_read_counts_for_nothing(
    world: World, studio: FakeLabelStudio
) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    first, second, third, *_ = tasks(studio, "A")
    for task in (first, second):
        studio.annotate(task)
    deliver(world, studio)
    world.later()
    studio.tasks[third] = {**studio.tasks[third], "annotations": "none"}
    del studio.tasks[second]
    report = world.reconcile()
    assert report["unread"] == 1
    assert world.counts() == {"A": {"accepted": 1}}


def test_no_secret_of_the_vendor_is_kept_or_shown(world: World, studio: FakeLabelStudio) -> None:
    post_rows(world, A=10, B=10)
    place(world)
    studio.annotate(tasks(studio, "A")[0])
    deliver(world, studio)
    shown = world.api.get(f"{world.connection}/deliveries").text + world.api.get(world.connection).text
    for secret in ("secret-token", world.secret, studio.token):
        assert secret not in shown
    assert "redacted" in shown
