"""Webhooks that come at once: they share a look-up and a commit, and nothing else."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from app.services.vendors import inbox
from app.services.vendors.inbox import Letter
from tests.vendors.world import World


def requests(world: World, names: list[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """One webhook for each name, with one item of that name."""
    bodies = [world.items({"id": name, "state": "accepted", "group": "A"}) for name in names]
    return [
        ("POST", world.hook, {"content": body, "headers": world.signed(body, f"msg_{name}")})
        for body, name in zip(bodies, names, strict=True)
    ]


def test_one_that_does_not_hold_is_refused_alone(world: World) -> None:
    sent = requests(world, [str(number) for number in range(30)])
    method, hook, options = sent[7]
    sent[7] = (method, hook, options | {"content": options["content"] + b" "})
    sent[11] = (method, "/v1/hooks/unknown", sent[11][2])
    statuses = [answer.status_code for answer in world.api.as_key(None).together(sent)]
    assert (statuses[7], statuses[11]) == (401, 404)
    assert statuses.count(202) == 28
    assert len(world.deliveries()) == 28


def test_one_that_cannot_be_stored_harms_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row_of = inbox.row_of

    def refused(letter: Letter, *rest: Any) -> dict[str, Any]:
        return row_of(letter, *rest) | ({"body": None} if letter.delivery_id == "msg_7" else {})

    monkeypatch.setattr(inbox, "row_of", refused)
    sent = requests(world, [str(number) for number in range(30)])
    statuses = [answer.status_code for answer in world.api.as_key(None).together(sent)]
    assert [number for number, status in enumerate(statuses) if status != 202] == [7]
    assert statuses[7] == 500
    world.drain()
    assert world.counts() == {"A": {"accepted": 29}}


def test_nobody_is_answered_before_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    database = world.api.app.state.runtime.database
    writing = type(database).writing

    @contextmanager
    def breaks_at_the_end(self: Any) -> Any:
        with writing(self) as session:
            yield session
            session.flush()
            raise OSError("the power went")

    sent = requests(world, [str(number) for number in range(20)])
    with monkeypatch.context() as patch:
        patch.setattr(type(database), "writing", breaks_at_the_end)
        answers = world.api.as_key(None).together(sent)
    assert {answer.status_code for answer in answers} == {500}
    assert world.deliveries() == []
    again = world.api.as_key(None).together(sent)
    assert {answer.json()["status"] for answer in again} == {"stored"}
    world.drain()
    assert world.counts() == {"A": {"accepted": 20}}


def test_connections_that_come_at_once_each_get_one_job(make_world: Callable[..., World]) -> None:
    worlds = [make_world() for _ in range(3)]
    sent = [one for world in worlds for one in requests(world, ["1", "2", "1"])]
    answers = worlds[0].api.as_key(None).together(sent)
    assert sorted(answer.json()["status"] for answer in answers) == ["known"] * 3 + ["stored"] * 6
    for world in worlds:
        world.drain()
        assert world.counts() == {"A": {"accepted": 2}}
