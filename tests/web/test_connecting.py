"""A vendor is connected, changed and tried by form, without a script."""

import re
from html import unescape

import httpx
import pytest

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database


def connect(pages: Pages, of: str = "standard", **fields: str) -> httpx.Response:
    pages.get("/connections/new", params={"of": of})
    return pages.post("/connections/new", {"of": of, "name": "Voices", **fields})


def the_one(api: Api) -> dict[str, object]:
    [found] = api.get("/v1/vendor-connections").json()["items"]
    return dict(found)


def test_a_vendor_is_chosen_connected_and_calls_the_address_that_is_shown_once(api: Api, pages: Pages) -> None:
    chosen = text_of(pages.get("/connections/new"))
    assert "Label Studio" in chosen
    assert "Toloka" in chosen
    shown = connect(pages)
    assert shown.status_code == 200
    url, secret = (unescape(one) for one in re.findall(r"<code>([^<]*)</code>", shown.text))
    assert secret.startswith("whsec_")
    made = the_one(api)
    assert (made["name"], made["kind"], made["state"]) == ("Voices", "standard", "active")
    refused = api.as_key(None).post(httpx.URL(url).path, content=b"{}")
    assert refused.status_code == 401
    again = pages.get(f"/connections/{made['id']}").text + pages.get("/connections").text
    assert secret not in again
    assert url not in again


def test_a_preset_and_a_vendor_with_an_api_are_connected_with_their_fields(api: Api, pages: Pages) -> None:
    connect(pages, "toloka", secret="the key given to Toloka")
    assert the_one(api)["preset"] == "toloka"
    shown = connect(
        pages, "label_studio", base_url="https://studio.example.com", label_config="<View/>", annotations_per_task="2",
        api_token="token-of-the-studio", config='{"group_field": "tone"}',
    )  # fmt: skip
    assert "token-of-the-studio" not in shown.text
    made = next(one for one in api.get("/v1/vendor-connections").json()["items"] if one["kind"] == "label_studio")
    assert made["has_api_token"]
    assert made["config"] == {
        "base_url": "https://studio.example.com", "label_config": "<View/>", "annotations_per_task": 2,
        "group_field": "tone"}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "fields", "said"),
    [
        ("standard", {"name": ""}, "Name"),
        ("standard", {"secret": "whsec_AAAAAAAA"}, "24"),
        ("label_studio", {"base_url": "https://10.0.0.8/"}, "address"),
        ("prolific", {"fee_percent": "300"}, "200"),
        ("generic", {"config": "{not json"}, "is not JSON"),
        ("generic", {"config": "[1]"}, "must be a JSON object"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_stored(
    api: Api, pages: Pages, of: str, fields: dict[str, str], said: str
) -> None:
    shown = connect(pages, of, **fields)
    assert shown.status_code == 422
    assert said in text_of(shown)
    assert 'aria-invalid="true"' in shown.text
    assert api.get("/v1/vendor-connections").json()["items"] == []


def test_a_kind_that_is_none_is_not_found(pages: Pages) -> None:
    assert pages.get("/connections/new", params={"of": "nobody"}).status_code == 404


def test_a_connection_is_edited_and_its_secret_renewed(api: Api, pages: Pages) -> None:
    connect(pages, "prolific", secret="prolific-secret", workspace_id="w", config='{"study": {"description": "d"}}')
    at = f"/connections/{the_one(api)['id']}"
    form = pages.get(f"{at}/edit").text
    assert 'value="w"' in form
    assert "prolific-secret" not in form
    changed = pages.post(f"{at}/edit", {"name": "People", "workspace_id": "v", "config": "{}", "api_token": "12345678"})
    assert changed.status_code == 303
    made = the_one(api)
    assert (made["name"], made["config"], made["has_api_token"]) == ("People", {"workspace_id": "v"}, True)
    pages.get(at)
    renewed = pages.post(f"{at}/rotate", {"secret": "another-secret"})
    assert "another-secret" in renewed.text
    assert the_one(api)["old_secret_until"] is not None
    assert pages.post(f"{at}/rotate", {"secret": "another-secret"}).status_code == 409


def test_a_source_is_linked_and_unlinked(api: Api, pages: Pages) -> None:
    connect(pages)
    at = f"/connections/{the_one(api)['id']}"
    project = api.project(groups=[{"key": "A"}])
    source = {"key": "s/1", "name": "Panel", "group": "A", "unit_cost": "2"}
    assert api.post(f"{project}/sources", json=source).status_code == 201
    value = f"{project.rpartition('/')[2]}/s/1"
    assert f'<option value="{value}">' in pages.get(at).text
    assert pages.post(f"{at}/sources", {"source": value}).status_code == 303
    assert api.get(f"{project}/sources").json()["items"][0]["connection"] == the_one(api)["id"]
    assert "goes through this vendor now" in text_of(pages.get(at))
    assert pages.post(f"{at}/sources", {"source": value, "unlink": "yes"}).status_code == 303
    assert api.get(f"{project}/sources").json()["items"][0]["connection"] is None
    assert pages.post(f"{at}/sources", {"source": value, "unlink": "yes"}).status_code == 422
    pages.get(at)
    assert pages.post(f"{at}/sources", {"source": "nothing"}).status_code == 404


def test_a_webhook_is_tried_and_says_what_its_words_mean(api: Api, pages: Pages) -> None:
    connect(pages)
    made = the_one(api)
    at = f"/connections/{made['id']}"
    project = api.project(groups=[{"key": "A"}])
    source = {"key": "s", "group": "A", "unit_cost": "2", "connection": made["id"]}
    assert api.post(f"{project}/sources", json=source).status_code == 201
    api.patch(f"/v1/vendor-connections/{made['id']}", json={"group_map": {"women": "A"}})
    pages.get(f"{at}/dry-run")
    body = """{"type": "items.changed", "timestamp": "2026-11-20T10:00:00Z", "data": {"order_id": "o", "items": [
        {"id": "1", "group": "women", "state": "accepted"}, {"id": "2", "group": "men", "state": "rejected"}]}}"""
    shown = text_of(pages.post(f"{at}/dry-run", {"body": body}))
    assert "item state o 1 accepted women A" in shown
    assert "item state o 2 rejected men no group yet: it would wait" in shown
    bad = pages.post(f"{at}/dry-run", {"body": "{}", "headers": "no colon"})
    assert bad.status_code == 422
    assert pages.post(f"{at}/dry-run", {"body": "{"}).status_code == 400
    assert the_one(api)["deliveries"] == {}


def test_a_subscription_is_asked_for_and_told(api: Api, pages: Pages) -> None:
    connect(pages, "prolific", secret="prolific-secret", workspace_id="w")
    at = f"/connections/{the_one(api)['id']}"
    assert "Not made from here yet" in text_of(pages.get(at))
    assert pages.post(f"{at}/subscription").status_code == 409
    pages.get(at)
    assert pages.post(f"{at}/subscription", {"api_token": "12345678"}).status_code == 303
    assert "The vendor was asked" in text_of(pages.get(at))
