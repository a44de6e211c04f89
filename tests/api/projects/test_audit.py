"""Who did what, over HTTP and on the page of the keys."""

from datetime import timedelta
from typing import Any

import pytest

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api_client import NOW, Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of

PATH = "/v1/audit"


def entries(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_setting_is_told_from_what_to_what_and_by_whom(api: Api, database: Database) -> None:
    path = api.project()
    writer = new_key(database, "write", name="ana")
    changed = {"budget": {"total": "2000", "rounds": 2}, "value_per_utility": "5", "name": "two groups"}
    api.as_key(writer).patch(path, json=changed)
    [entry, *_] = entries(api)
    assert (entry["api_key"], entry["api_key_name"]) == (writer.split("_")[1], "ana")
    assert (entry["action"], entry["resource"]) == ("project.changed", f"project:{path.rpartition('/')[2]}")
    assert entry["changes"] == {
        "budget_total": {"from": "1000", "to": "2000"},
        "value_per_utility": {"from": None, "to": "5"},
    }
    assert entry == api.get(f"{path}/audit").json()["items"][-1]
    api.patch(path, json={"name": "two groups"})
    assert entries(api)[0] == entry, "what changes nothing is nothing that was done"


def test_a_refused_change_leaves_nothing(api: Api) -> None:
    path = api.project()
    before = entries(api)
    assert api.patch(path, json={"metric": {"name": "x", "kind": "other", "goal": "maximize"}}).status_code == 422
    assert api.patch(path, json={"name": "n"}, headers={"If-Match": '"x"'}).status_code == 412
    assert entries(api) == before


def test_prices_are_told_whichever_way_they_change(api: Api) -> None:
    path = api.project()
    api.patch(f"{path}/sources/A", json={"unit_cost": "3"})
    api.patch(f"{path}/groups/B", json={"unit_cost": "4", "weight": 2.0})
    rows = [{"key": "A", "unit_cost": "5", "yields": {"A": 1.0}}, {"key": "B", "unit_cost": "4", "yields": {"B": 1.0}}]
    assert api.put(f"{path}/sources", json=rows).status_code == 200
    told = {one["action"] + " " + one["resource"]: one["changes"] for one in entries(api)}
    assert told["source.changed source:A"] == {"unit_cost": {"from": "1", "to": "3"}}
    assert told["source.changed source:B"] == {"unit_cost": {"from": "2", "to": "4"}}
    assert told["group.changed group:B"] == {"weight": {"from": 1.0, "to": 2.0}}
    assert "'unit_cost': '5'" in str(told["sources.replaced sources"]["A"]["to"])
    assert "B" not in told["sources.replaced sources"]


def test_no_secret_and_no_path_of_a_receiver_is_told(api: Api) -> None:
    made = api.post("/v1/webhook-endpoints", json={"url": "https://receiver.example/T0123/B4567?key=hunter22"}).json()
    api.post(f"/v1/webhook-endpoints/{made['id']}/rotate")
    vendor = {"name": "v", "kind": "label_studio", "config": {"label_config": "<View/>"}, "api_token": "hunter-token"}
    connection = api.post("/v1/vendor-connections", json=vendor).json()
    api.patch(f"/v1/vendor-connections/{connection['id']}", json={"api_token": "hunter-token-2"})
    key = api.post("/v1/api-keys", json={"name": "n", "scopes": ["read"]}).json()
    told = api.get(PATH).text
    for secret in (
        "hunter",
        "T0123",
        made["secret"],
        connection["secret"],
        connection["hook_url"][-20:],
        key["secret"],
    ):
        assert secret not in told
    actions = [one["action"] for one in entries(api)]
    assert actions[:5] == ["key.made", "connection.changed", "connection.made", "endpoint.rotated", "endpoint.made"]
    assert entries(api)[1]["changes"] == {"api_token": {"from": "[hidden]", "to": "[hidden]"}}
    assert entries(api)[4]["changes"]["url"]["to"] == "https://receiver.example/…"


def test_sign_ins_refused_ones_and_sign_outs(api: Api, database: Database) -> None:
    token = new_key(database, "read", name="ana")
    browser = Pages(api)
    browser.sign_in(token)
    browser.get("/")
    browser.post("/sign-out")
    browser.sign_in(token[:-1] + "?")
    browser.sign_in("tranche_0000000000000000_guessed")
    found = [(one["action"], one["resource"], one["api_key"]) for one in entries(api, action="session")]
    key = token.split("_")[1]
    assert found == [
        ("session.refused", f"key:{key}", None),
        ("session.ended", f"key:{key}", key),
        ("session.started", f"key:{key}", key),
    ]
    assert token.split("_", 2)[2] not in api.get(PATH).text


def test_it_is_narrowed_and_read_page_by_page(api: Api) -> None:
    first, second = api.project(), api.project()
    api.clock.now = NOW + timedelta(days=1)
    api.patch(first, json={"name": "later"})
    api.delete(second)
    assert [one["action"] for one in entries(api, since=(NOW + timedelta(hours=1)).isoformat())] == [
        "project.archived",
        "project.changed",
    ]
    assert {one["project_id"] for one in entries(api, project=first.rpartition("/")[2])} == {first.rpartition("/")[2]}
    assert [one["action"] for one in entries(api, action="project.made")] == ["project.made"] * 2
    assert entries(api, action="proj") == []
    assert entries(api, action="%") == []
    seen, cursor = [], None
    while True:
        page = api.get(PATH, params={"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == entries(api)
    assert problem(api.get(PATH, params={"project": "x"}), 422)


@pytest.mark.parametrize("way", ["other workspace", "limited"])
def test_nobody_else_reads_it(api: Api, database: Database, way: str) -> None:
    path = api.project()
    limits: dict[str, Any] = {"workspace_name": "b"} if way != "limited" else {"project_ids": [path.rpartition("/")[2]]}
    key = new_key(database, **limits)
    answer = api.as_key(key).get(PATH)
    assert answer.status_code == 403 if way == "limited" else answer.json()["items"] == []
    browser = Pages(api)
    browser.sign_in(key)
    assert "project.made" not in browser.get("/keys").text


def test_the_page_of_the_keys_shows_it(api: Api, database: Database) -> None:
    path = api.project(name="<b>bold</b>")
    api.patch(path, json={"name": "plain"})
    browser = Pages(api)
    browser.sign_in(api.key or "")
    page = browser.get("/keys")
    assert "project.changed" in page.text
    assert "name: <b>bold</b> → plain" in text_of(page)
    assert "<b>bold" not in page.text
