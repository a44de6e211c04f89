"""Who may do what."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.store.db import Database
from tests.api.purchases.test_rounds import accept, propose
from tests.api_client import NOW, RUNS, Api, run
from tests.conftest import new_key

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "openapi" / "openapi.json").read_text())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in CONTRACT["paths"].items()
    for method, operation in methods.items()
    # Vendors have no key of ours: their signatures are checked (tests/vendors).
    if not path.startswith("/v1/hooks/")
]
OWNED = [one for one in OPERATIONS if "{" in one[1]]
SECURED = [one for one in OPERATIONS if one[1].startswith("/v1")]


def body_example(operation: dict[str, Any]) -> tuple[bytes, str] | None:
    """A request body that the contract itself shows."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    if "application/json" not in content:
        kind, shown = next(iter(content.items()))
        return shown["example"].encode(), kind
    schema = content["application/json"]["schema"]
    listed = schema.get("type") == "array"
    name = (schema["items"] if listed else schema)["$ref"].rsplit("/")[-1]
    example = CONTRACT["components"]["schemas"][name]["examples"][0]
    return json.dumps([example] if listed else example).encode(), "application/json"


def call(api: Api, method: str, path: str, operation: dict[str, Any]) -> Any:
    shown = body_example(operation)
    options: dict[str, Any] = {"params": {"reason": "a test"}} if "Void" in operation["summary"] else {}
    if shown:
        options |= {"content": shown[0], "headers": {"Content-Type": shown[1]}}
    return api.request(method, path, **options)


@pytest.fixture
def owned(api: Api) -> tuple[str, dict[str, str]]:
    """A project of every kind of thing that a path can name, and their names."""
    project = api.project(groups=[{"key": "Black_Female", "unit_cost": "1"}, {"key": "White_Male"}])
    observation = api.post(
        f"{project}/observations",
        json={"observations": [run(1, {"Black_Female": 1, "White_Male": 1}, White_Male=0.5)]},
    )
    assert observation.status_code == 201
    assert api.key is not None
    propose(api, project)
    gone = api.project(name="gone")
    return project, {
        "project_id": project.rsplit("/")[-1],
        "key": "Black_Female",
        "group": "Black_Female",
        "number": "1",
        "order_id": accept(api, project).json()["orders"][0]["id"],
        "observation_id": api.get(f"{project}/observations").json()["items"][0]["id"],
        "key_id": api.key.split("_")[1],
        "erasure_id": api.post(f"{gone}/erasure", json={"name": "gone"}).json()["id"],
        "endpoint_id": api.post("/v1/webhook-endpoints", json={"url": "https://example.com/"}).json()["id"],
        "job_id": api.get("/v1/jobs").json()["items"][0]["id"],
        "connection_id": api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()["id"],
        "external_order_id": "pool-1",
        "simulation_id": api.post(f"{project}/simulations", json={"replicates": 2}).json()["id"],
    }


def test_what_belongs_to_another_workspace_is_not_there(
    api: Api, database: Database, owned: tuple[str, dict[str, str]]
) -> None:
    project, names = owned
    stranger = api.as_key(new_key(database, workspace_name="another"))
    before = everything(api, project)
    for method, path, operation in OWNED:
        words = {
            "name": "utility" if "simulations" in path else "spending",
            "format": "csv" if "/tables/" in path else "json",
        }
        theirs = call(stranger, method, filled(path, words | names), operation)
        # What is no id is one of a few words that the route knows.
        unknown = dict.fromkeys(names, "0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e4f") | {"number": "99"}
        nowhere = call(stranger, method, filled(path, words | unknown), operation)
        assert theirs.status_code == 404, (method, path, theirs.text)
        same = {"request_id": None}
        assert theirs.json() | same == nowhere.json() | same, (method, path)
        assert everything(api, project) == before, (method, path)


def filled(path: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: names[match.group(1)], path)


def everything(api: Api, project: str) -> list[Any]:
    parts = ("", "/groups", "/sources", "/rounds", "/ledger")
    places = (
        *(f"{project}{part}" for part in parts),
        "/v1/api-keys",
        "/v1/webhook-endpoints",
        "/v1/vendor-connections",
    )
    return [api.get(place).json() for place in places]


def test_no_operation_answers_without_a_key(api: Api) -> None:
    for method, path, operation in SECURED:
        for key in (None, "", "tranche_x_y", "tranche__", "nonsense", f"{api.key}x", (api.key or "")[:-1]):
            answer = call(api.as_key(key), method, path, operation)
            assert answer.status_code == 401, (method, path, key, answer.text)
            assert answer.headers["WWW-Authenticate"] == "Bearer", (method, path, key)


def test_a_key_without_the_scope_is_forbidden(api: Api, database: Database) -> None:
    with_scope = {scope: api.as_key(new_key(database, scope)) for scope in ("read", "deliver")}
    for method, path, operation in SECURED:
        caller = with_scope["read" if "orders/{order_id}/" in path and method == "POST" else "deliver"]
        answer = call(caller, method, path, operation)
        assert answer.status_code == 403, (method, path, answer.text)
        assert "scope" in answer.json()["detail"], (method, path)


def test_each_scope_opens_its_own_doors(api: Api, database: Database) -> None:
    path = api.project()
    reader, observer, writer = (api.as_key(new_key(database, scope)) for scope in ("read", "observe", "write"))
    assert reader.get(path).status_code == 200
    assert reader.post(f"{path}/observations", json={"observations": RUNS}).status_code == 403
    assert observer.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    assert observer.get(path).status_code == 403
    assert writer.patch(path, json={"name": "new"}).status_code == 200
    assert writer.get("/v1/api-keys").status_code == 403


def test_a_revoked_key_stops_at_once(api: Api, database: Database) -> None:
    other = api.as_key(new_key(database))
    assert other.key is not None
    key_id = other.key.split("_")[1]
    assert other.get("/v1/projects").status_code == 200
    assert api.delete(f"/v1/api-keys/{key_id}").status_code == 204
    assert other.get("/v1/projects").status_code == 401
    listed = {key["id"]: key["revoked_at"] for key in api.get("/v1/api-keys").json()["items"]}
    assert listed[key_id] is not None


def test_an_expired_key_stops(api: Api, database: Database) -> None:
    short = api.as_key(new_key(database, expires_at=NOW + timedelta(hours=1)))
    assert short.get("/v1/projects").status_code == 200
    api.clock.now = NOW + timedelta(hours=1)
    assert short.get("/v1/projects").status_code == 401


def test_keys_are_listed_without_their_secrets(api: Api) -> None:
    assert api.key is not None
    assert api.key.split("_", 2)[2] not in api.get("/v1/api-keys").text


def test_only_a_hash_of_the_secret_is_stored(settings: Settings, database: Database) -> None:
    key = new_key(database)
    with database.reading() as session:
        rows = session.connection().exec_driver_sql("SELECT * FROM api_keys").all()
    assert key.split("_", 2)[2] not in str(rows)
