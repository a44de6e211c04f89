"""Erasing a project over HTTP: confirmed by name, refused while money is at vendors, gone at once, with a receipt."""

import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.jobs.refit import forecast
from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.jobs.worker import run_waiting
from tests.services.retention.rows import naming
from tests.vendors.conftest import make_world, world
from tests.vendors.world import World

__all__ = ["make_world", "world"]

NAME = {"name": "two groups"}
MARK = "for the eyes of nobody"


def erase(api: Api, path: str, **said: Any) -> dict[str, Any]:
    answer = api.post(f"{path}/erasure", json={**NAME, **said})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/erasures/{made['id']}"
    return made


def test_a_used_project_is_gone_at_once_and_then_from_every_table(world: World, database: Database) -> None:
    api, path = world.api, world.project
    for runs in (RUNS[:2], RUNS[2:]):
        key = {"Idempotency-Key": f"of {len(runs)}"}
        answer = api.post(f"{path}/observations", json={"observations": runs}, headers=key)
        assert answer.status_code == 201, answer.text
    forecast(world.context, UUID(path.rpartition("/")[2]), until=math.inf)
    world.send({"id": "i1", "state": "accepted", "group": "A", "note": MARK})
    noted = {"order_id": world.order_id, "counts": {"B": {"accepted": 3}}, "note": MARK}
    api.post(f"{path}/deliveries", json=noted, headers={"Idempotency-Key": "noted"})
    api.post(f"{path}/simulations", json={"policies": ["equal"], "replicates": 2, "rounds": 1})
    order, project = world.order_id, path.rpartition("/")[2]
    made = erase(api, path, abandon_orders=True)
    assert (made["project_id"], made["ended_at"], made["rows"]) == (project, None, {})
    assert made["money"] == {"USD": {"ordered": "200.00", "spent": "2.00", "committed": "198.00"}}
    for gone in (path, f"{path}?archived=true", f"{path}/groups", f"{path}/orders/{order}"):
        assert api.get(gone).status_code == 404, gone
    assert api.post(f"{path}/restore").status_code == 404
    assert api.get("/v1/projects?archived=true").json()["items"] == []
    run_waiting(world.context)
    receipt = api.get(f"/v1/erasures/{made['id']}").json()
    assert receipt["ended_at"] is not None
    assert receipt["rows"]["observations"] == 3
    assert receipt["rows"]["vendor_deliveries"] == 1
    assert {"forecasts", "ledger_entries", "simulations", "jobs", "events"} <= receipt["rows"].keys()
    assert api.get("/v1/erasures").json()["items"] == [receipt]
    with database.reading() as session:
        assert naming(session, MARK, order, "run-1") == {}
        assert set(naming(session, project)) == {"erasures"}
    assert api.get("/v1/events").json()["items"] == []


def test_the_name_confirms(api: Api) -> None:
    path = api.project()
    wrong = api.post(f"{path}/erasure", json={"name": "two Groups"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/name")
    assert api.get(path).status_code == 200
    assert api.get("/v1/erasures").json()["items"] == []


def test_money_at_vendors_is_not_forgotten_by_accident(world: World) -> None:
    answer = world.api.post(f"{world.project}/erasure", json=NAME)
    assert answer.status_code == 409
    assert "open in round" in answer.json()["detail"]
    assert "abandon" in answer.json()["detail"]
    assert world.api.get(world.project).status_code == 200


def test_a_repeat_gets_the_first_answer_and_another_call_a_404(world: World) -> None:
    api, path = world.api, world.project
    said = {"json": {**NAME, "abandon_orders": True}, "headers": {"Idempotency-Key": "e"}}
    first = api.post(f"{path}/erasure", **said)
    run_waiting(world.context)
    again = api.post(f"{path}/erasure", **said)
    assert (again.status_code, again.json()) == (202, first.json())
    assert api.post(f"{path}/erasure", json=NAME).status_code == 404


def test_only_admins_of_the_project_erase_it_and_see_the_receipt(api: Api, database: Database) -> None:
    path, other = api.project(), api.project()
    limits = {"project_ids": [path.rpartition("/")[2]]}
    for scopes in ("read", "write", "buy"):
        lesser = api.as_key(new_key(database, scopes))
        assert lesser.post(f"{path}/erasure", json=NAME).status_code == 403
        assert lesser.get("/v1/erasures").status_code == 403
    stranger = api.as_key(new_key(database, workspace_name="other"))
    assert stranger.post(f"{path}/erasure", json=NAME).status_code == 404
    mine = api.as_key(new_key(database, **limits))
    assert mine.post(f"{other}/erasure", json=NAME).status_code == 404
    elsewhere = erase(api, other)
    made = erase(mine, path)
    assert [one["id"] for one in mine.get("/v1/erasures").json()["items"]] == [made["id"]]
    assert mine.get(f"/v1/erasures/{elsewhere['id']}").status_code == 404
    assert stranger.get(f"/v1/erasures/{made['id']}").status_code == 404
    assert stranger.get("/v1/erasures/x").status_code == 404


def test_its_external_id_is_free_at_once(api: Api) -> None:
    body = {"external_id": "mine", "name": "a"}
    path = api.project(**body)
    api.post(f"{path}/erasure", json={"name": "a"})
    assert api.project(**body) != path


def test_a_connection_that_projects_share_keeps_what_is_of_the_other(
    make_world: Callable[..., World], database: Database
) -> None:
    world = make_world()
    mine, order = world.project, world.order_id
    world.send({"id": "i1", "state": "accepted", "group": "A"})
    world.project = world.api.project(groups=[{"key": "A", "initial_count": 0}, {"key": "B", "initial_count": 0}])
    source = {"key": "s", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": "2", "connection": world.connection_id}
    assert world.api.post(f"{world.project}/sources", json=source).status_code == 201
    world.order_id = world.order(50)
    world.send({"id": "i2", "state": "accepted", "group": "B"})
    world.send({"id": "i3", "state": "accepted", "group": "B"}, order="nobody's")
    erase(world.api, mine, abandon_orders=True)
    run_waiting(world.context)
    assert world.counts() == {"B": {"accepted": 1}}
    assert sorted(one["outcome"] for one in world.deliveries()) == ["applied", "quarantined"]
    with database.reading() as session:
        assert naming(session, order) == {}
