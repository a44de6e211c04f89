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


def test_a_word_is_mapped_by_form(api: Api, pages: Pages, connection: str) -> None:
    path = f"/connections/{connection}"
    pages.get(path)
    answer = pages.post(f"{path}/map", {"word": ["black women", "others"], "group": ["Black_Female", ""]})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert api.get(f"/v1/vendor-connections/{connection}").json()["group_map"] == {"black women": "Black_Female"}
    assert "1 mapped" in text_of(pages.get(path))


@pytest.mark.parametrize(("group", "said"), [("no\tkey", "a key is printable text"), ("", "at least one word")])
def test_a_bad_mapping_changes_nothing(api: Api, pages: Pages, connection: str, group: str, said: str) -> None:
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


def test_reading_keys_look_but_get_no_forms(api: Api, database: Any, connection: str, endpoint: str) -> None:
    pages = Pages(api)
    pages.sign_in(new_key(database, "read"))
    for path, action in ((f"/connections/{connection}", "pause"), (f"/endpoints/{endpoint}", "pause")):
        page = pages.get(path)
        assert page.status_code == 200
        assert page.text.count('method="post"') == 1, "signing out alone"
        assert pages.post(f"{path}/{action}").status_code == 403
    assert "Voices &lt;b&gt;" in pages.get("/connections").text


def test_other_workspaces_and_limited_keys_find_nothing(
    api: Api, database: Any, connection: str, endpoint: str
) -> None:
    project = api.project().rsplit("/", 1)[-1]
    for key in (new_key(database, workspace_name="others"), new_key(database, project_ids=[project])):
        pages = Pages(api)
        pages.sign_in(key)
        for path in (f"/connections/{connection}", f"/endpoints/{endpoint}", "/connections/x", "/endpoints/x"):
            assert pages.get(path).status_code == 404, path
            pages.get("/")
            assert pages.post(f"{path}/pause").status_code == 404
        assert connection not in pages.get("/connections").text
        assert endpoint not in pages.get("/endpoints").text
