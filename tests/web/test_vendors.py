"""Connections and webhooks on the pages: what came, what was sent, and doing it again."""

from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of


@pytest.fixture
def connection(api: Api) -> str:
    made = api.post("/v1/vendor-connections", json={"name": "Voices <b>", "kind": "standard"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture
def endpoint(api: Api) -> str:
    made = api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hooks"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture
def project(api: Api, connection: str) -> str:
    """With a source that sells through the connection."""
    made = api.project(groups=[{"key": "bf", "name": "Black women"}, {"key": "wm", "name": "White men"}])
    source = {"key": "s", "yields": {"bf": 0.5, "wm": 0.5}, "unit_cost": "2", "connection": connection}
    assert api.post(f"{made}/sources", json=source).status_code == 201
    return made


def test_words_are_mapped_changed_and_taken_back_by_form(api: Api, pages: Pages, connection: str, project: str) -> None:
    path = f"/connections/{connection}"
    pages.get(path)
    answer = pages.post(f"{path}/map", {"word": ["black women", "others"], "group": ["bf", ""]})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert api.get(f"/v1/vendor-connections/{connection}").json()["group_map"] == {"black women": "bf"}
    page = pages.get(path)
    assert "1 word mapped" in text_of(page)
    assert '<option value="bf" selected>Black women (bf)</option>' in page.text
    pages.post(f"{path}/map", {"word": ["black women"], "group": ["White men"]})
    assert api.get(f"/v1/vendor-connections/{connection}").json()["group_map"] == {"black women": "wm"}
    pages.post(f"{path}/map", {"word": ["black women"], "group": [""]})
    assert api.get(f"/v1/vendor-connections/{connection}").json()["group_map"] == {}
    entries = api.get("/v1/audit", params={"action": "connection"}).json()["items"]
    moved = [one["changes"]["group_map"] for one in entries if "group_map" in one["changes"]]
    assert {"from": {"black women": "bf"}, "to": {"black women": "wm"}} in moved


@pytest.mark.parametrize(
    ("group", "said"),
    [("no\tkey", "there is no group"), ("bf_age0-71", "there is no group"), ("", "for at least one word")],
)
def test_a_bad_mapping_changes_nothing(
    api: Api, pages: Pages, connection: str, project: str, group: str, said: str
) -> None:
    pages.get(f"/connections/{connection}")
    answer = pages.post(f"/connections/{connection}/map", {"word": ["w"], "group": [group]})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert api.get(f"/v1/vendor-connections/{connection}").json()["group_map"] == {}


@pytest.mark.parametrize("kind", ["connections", "endpoints"])
def test_pausing_and_resuming(api: Api, pages: Pages, connection: str, endpoint: str, kind: str) -> None:
    of = {"connections": ("vendor-connections", connection), "endpoints": ("webhook-endpoints", endpoint)}[kind]
    path = f"/{kind}/{of[1]}"
    for action, state in (("pause", "paused"), ("resume", "active")):
        pages.get(path)
        assert pages.post(f"{path}/{action}").status_code == 303
        assert api.get(f"/v1/{of[0]}/{of[1]}").json()["state"] == state
        assert state in text_of(pages.get(path))


def test_replays_are_asked_for(pages: Pages, connection: str, endpoint: str) -> None:
    pages.get("/connections")
    assert pages.post(f"/connections/{connection}/replay", {"outcome": "quarantined"}).status_code == 303
    assert "0 webhooks are being applied once more" in text_of(pages.get(f"/connections/{connection}"))
    assert pages.post(f"/connections/{connection}/replay", {"outcome": "nonsense"}).status_code == 422
    assert pages.post(f"/endpoints/{endpoint}/replay-failed").status_code == 303
    assert pages.post(f"/endpoints/{endpoint}/test").status_code == 303
    assert pages.post(f"/endpoints/{endpoint}/replay", {"attempt": "none"}).status_code == 422
    pages.post(f"/endpoints/{endpoint}/pause")
    paused = pages.post(f"/endpoints/{endpoint}/replay-failed")
    assert paused.status_code == 409
    assert "Resume it first" in text_of(paused)


@pytest.mark.parametrize("scopes", ["read", "read,observe,deliver,write,buy"])
def test_what_holds_addresses_and_answers_is_for_admins(
    api: Api, database: Any, connection: str, endpoint: str, scopes: str
) -> None:
    pages = Pages(api)
    pages.sign_in(new_key(database, scopes))
    start = pages.get("/").text
    for kind, id in (("connections", connection), ("endpoints", endpoint)):
        assert f'href="/{kind}"' not in start
        for answer in (pages.get(f"/{kind}"), pages.get(f"/{kind}/{id}"), pages.post(f"/{kind}/{id}/pause")):
            assert answer.status_code == 403
            assert "admin" in text_of(answer)


def test_other_workspaces_and_limited_keys_find_nothing(
    api: Api, database: Any, connection: str, endpoint: str
) -> None:
    project = api.project().rsplit("/", 1)[-1]
    for key, gone in (
        (new_key(database, workspace_name="others"), 404),
        (new_key(database, project_ids=[project]), 403),
    ):
        pages = Pages(api)
        pages.sign_in(key)
        start = pages.get("/").text
        assert ('href="/connections"' in start) == ("/projects/new" in start) == (gone == 404)
        for path, status in (
            (f"/connections/{connection}", gone),
            (f"/endpoints/{endpoint}", 404),
            ("/endpoints/x", 404),
        ):
            assert pages.get(path).status_code == status, path
            pages.get("/")
            assert pages.post(f"{path}/pause").status_code == status
        assert connection not in pages.get("/connections").text
        assert endpoint not in pages.get("/endpoints").text
