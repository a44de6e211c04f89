"""Vendor connections over HTTP: made, changed, rotated, tried; what they answer and what they keep to themselves."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.services.access.secrets import SecretBox, new_secret_key
from app.services.vendors.connections import opened, renew_secrets
from app.settings import Settings
from app.store.db import Database
from app.store.vendors import all_connections
from tests.api_client import Api
from tests.conftest import new_key
from tests.vendors.samples import OLD_SECRET, SECRET, compact, standard_headers

STANDARD: dict[str, Any] = {"name": "vendor", "kind": "standard", "secret": SECRET}
BODY = compact({"type": "ping"})


def create(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post("/v1/vendor-connections", json={**STANDARD, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def hook_path(made: dict[str, Any]) -> str:
    return "/v1/hooks/" + str(made["hook_url"]).rsplit("/", 1)[1]


def call(api: Api, made: dict[str, Any], secret: str, message_id: str = "m") -> int:
    sent = standard_headers(BODY, secret, int(api.clock.now.timestamp()), message_id)
    return api.as_key(None).post(hook_path(made), content=BODY, headers=sent).status_code


def test_address_and_secret_are_shown_once(api: Api) -> None:
    made = create(api, secret=None)
    assert made["secret"].startswith("whsec_")
    assert len(hook_path(made)) >= len("/v1/hooks/") + 43
    shown = api.get(f"/v1/vendor-connections/{made['id']}").text + api.get("/v1/vendor-connections").text
    assert made["secret"] not in shown
    assert hook_path(made) not in shown


def test_a_repeated_request_makes_one_connection_and_shows_no_secret_again(api: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = (api.post("/v1/vendor-connections", json=STANDARD, headers=headers).json() for _ in range(2))
    assert again == {**first, "secret": None, "hook_url": None, "secret_shown": True}
    assert len(api.get("/v1/vendor-connections").json()["items"]) == 1


def test_secrets_are_not_in_the_database(api: Api, database: Database) -> None:
    made = create(api, kind="prolific", secret="a long hook secret", api_token="an api token")
    with database.reading() as session:
        rows = str(session.execute(text("SELECT * FROM vendor_connections")).all())
    for secret in ("a long hook secret", "an api token", hook_path(made).rsplit("/", 1)[1]):
        assert secret not in rows


def test_secrets_are_renewed_under_a_new_key(settings: Settings, api: Api, database: Database) -> None:
    create(api, kind="prolific", secret="a long hook secret", api_token="an api token")
    new = SecretStr(new_secret_key())
    both = SecretBox((new, *settings.secret_keys))
    with database.writing() as session:
        assert renew_secrets(session, both) == 3
        assert renew_secrets(session, both) == 0
        [row] = all_connections(session)
        assert opened(row, SecretBox((new,)), "secret") == "a long hook secret"


def test_without_a_secret_key_nothing_is_made(database_url: str, database: Database) -> None:
    bare = Api(Settings(database_url=database_url), new_key(database))
    answer = bare.post("/v1/vendor-connections", json=STANDARD)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tranche:problem:secret-key-missing")
    bare.close()


def test_the_old_secret_is_honoured_for_a_day(api: Api) -> None:
    made = create(api)
    path = f"/v1/vendor-connections/{made['id']}"
    rotated = api.post(f"{path}/rotate", json={"secret": OLD_SECRET})
    assert (rotated.status_code, rotated.json()["secret"]) == (200, OLD_SECRET)
    assert [call(api, made, secret, secret[-5:]) for secret in (SECRET, OLD_SECRET)] == [202, 202]
    assert api.post(f"{path}/rotate", json={"secret": OLD_SECRET}).status_code == 409
    api.clock.now += timedelta(hours=24)
    assert [call(api, made, secret, secret[-5:]) for secret in (SECRET, OLD_SECRET)] == [401, 202]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "other"}, "/kind"),
        ({"secret": "whsec_AAAAAAAA"}, "/secret"),
        ({"preset": "toloka"}, "/preset"),
        ({"kind": "generic", "preset": "no such"}, "/preset"),
        ({"kind": "generic", "config": {}}, "/config/signature"),
        ({"config": {"signature": {"scheme": "hmac"}}}, "/config/signature"),
        ({"api_token": "not for this kind"}, "/api_token"),
        ({"group_map": {"their word": "no\tkey"}}, "/group_map"),
    ],
)
def test_bad_input_names_its_place(api: Api, changes: dict[str, Any], pointer: str) -> None:
    answer = api.post("/v1/vendor-connections", json={**STANDARD, **changes})
    assert answer.status_code == 422, answer.text
    assert any(fault["pointer"].startswith(pointer) for fault in answer.json()["errors"]), answer.text
    assert api.get("/v1/vendor-connections").json()["items"] == []


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254/",
        "https://10.0.0.8/",
        "https://[::1]/",
        "http://studio.example.com",
        "https://2130706433/",
    ],
)
def test_an_address_that_may_not_be_called_is_refused(api: Api, base_url: str) -> None:
    """Loopback alone is allowed in tests."""
    said = {"name": "ls", "kind": "label_studio", "secret": "a long secret", "config": {"base_url": base_url}}
    if base_url == "http://studio.example.com":
        assert api.post("/v1/vendor-connections", json=said).status_code == 201
        return
    answer = api.post("/v1/vendor-connections", json=said)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/config/base_url"


def test_a_dry_run_reads_without_effect(api: Api) -> None:
    made = create(api, kind="generic", preset="toloka", secret="a long secret")
    path = f"/v1/vendor-connections/{made['id']}"
    body = {"events": [{"assignment_id": "a-1", "type": "ASSIGNMENT_APPROVED", "pool_id": 7}]}
    tried = api.post(f"{path}/dry-run", json={"body": body})
    assert tried.status_code == 200, tried.text
    [event] = tried.json()["events"]
    assert (event["external_item_id"], event["state"], event["external_order_id"]) == ("a-1", "accepted", "7")
    other = {"fields": {"external_item_id": "event.pool_id"}}
    [event] = api.post(f"{path}/dry-run", json={"body": body, "config": other}).json()["events"]
    assert event["external_item_id"] == "7"
    assert api.post(f"{path}/dry-run", json={"body": body, "signed": True}).status_code == 401
    assert api.post(f"{path}/dry-run", json={"body": "{"}).status_code == 400
    assert api.get(f"{path}/deliveries").json()["items"] == []


def test_a_changed_configuration_holds_from_the_next_webhook_on(api: Api) -> None:
    made = create(api)
    path = f"/v1/vendor-connections/{made['id']}"
    tag = api.get(path).headers["ETag"]
    svix = {"signature": {"scheme": "standard_webhooks", "header_prefix": "svix"}}
    assert api.patch(path, json={"config": svix}, headers={"If-Match": tag}).status_code == 200
    assert api.patch(path, json={"name": "other"}, headers={"If-Match": tag}).status_code == 412
    assert call(api, made, SECRET) == 401


def test_connections_of_other_workspaces_are_not_there(api: Api, database: Database) -> None:
    made = create(api)
    stranger = api.as_key(new_key(database, workspace_name="other"))
    path = f"/v1/vendor-connections/{made['id']}"
    for answer in (
        stranger.get(path),
        stranger.patch(path, json={"name": "x"}),
        stranger.post(f"{path}/rotate", json={}),
        stranger.get(f"{path}/deliveries"),
        stranger.post(f"{path}/replay", json={}),
        stranger.post(f"{path}/rows", json=[]),
    ):
        assert answer.status_code == 404, answer.text
    assert stranger.get("/v1/vendor-connections").json()["items"] == []
    source = {"key": "s", "group": "A", "unit_cost": "1", "connection": made["id"]}
    refused = stranger.post(f"{stranger.project()}/sources", json=source)
    assert refused.json()["errors"][0]["pointer"] == "/connection"


def test_only_admins_manage_connections(api: Api, database: Database) -> None:
    made = create(api)
    reader = api.as_key(new_key(database, "read,write,deliver,buy,observe"))
    assert reader.get(f"/v1/vendor-connections/{made['id']}").status_code == 403
    assert reader.post("/v1/vendor-connections", json=STANDARD).status_code == 403


def test_a_source_shows_its_connection(api: Api) -> None:
    made, project = create(api), api.project()
    source = {"key": "s", "group": "A", "unit_cost": "1", "connection": made["id"]}
    assert api.post(f"{project}/sources", json=source).json()["connection"] == made["id"]
    assert api.patch(f"{project}/sources/s", json={"connection": None}).json()["connection"] is None


@pytest.mark.parametrize(("preset", "weak"), [("toloka", False), ("appen", True), ("scale", True)])
def test_what_a_scheme_does_not_prove_is_told(api: Api, preset: str, weak: bool) -> None:
    made = create(api, kind="generic", preset=preset, secret="a long secret")
    assert (made["weakness"] is not None) == weak


def test_presets_are_listed(api: Api) -> None:
    names = [preset["name"] for preset in api.get("/v1/vendor-connections/presets").json()]
    assert {"toloka", "cvat", "scale", "labelbox", "datasaur", "superannotate", "encord", "kili", "v7", "appen"} == set(
        names
    )


def test_rows_are_kept_once_and_counted_by_group(api: Api) -> None:
    made = create(api, kind="label_studio", secret="a long secret")
    path = f"/v1/vendor-connections/{made['id']}/rows"
    rows = [{"id": str(number), "group": "AB"[number % 2], "data": {"text": "t"}} for number in range(5)]
    assert api.post(path, json=rows).json() == {"added": 5, "free": {"A": 3, "B": 2}}
    assert api.post(path, json=[*rows, *rows]).json()["added"] == 0
