"""API keys over HTTP: made with a secret that is shown once, never with more rights than their maker has, named."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api.purchases.test_rounds import accept, propose
from tests.api_client import NOW, RUNS, Api
from tests.conftest import new_key

PATH = "/v1/api-keys"


def make(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post(PATH, json={"name": "cluster", "scopes": ["read"], **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def stored(database: Database) -> str:
    """All that is kept of keys and of answers."""
    with database.reading() as session:
        rows = [
            session.execute(text(f"SELECT * FROM {name}")).all()  # noqa: S608 - our own names
            for name in ("api_keys", "idempotent_calls")
        ]
    return str(rows)


def test_a_key_is_made_with_a_secret_that_is_shown_once_and_kept_nowhere(api: Api, database: Database) -> None:
    project = api.project().rpartition("/")[2]
    until = (NOW + timedelta(days=3)).isoformat().replace("+00:00", "Z")
    body = {"name": "cluster", "scopes": ["read", "observe"], "project_ids": [project], "expires_at": until}
    first, again = (api.post(PATH, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    made = first.json()
    assert first.status_code == again.status_code == 201
    assert again.json() == made | {"secret": None, "secret_shown": True}
    assert made["secret"].startswith(f"tranche_{made['id']}_")
    assert made["secret"].split("_", 2)[2] not in stored(database)
    read = api.get(first.headers["Location"])
    assert {name: made[name] for name in read.json()} == read.json()
    assert read.headers["ETag"] == first.headers["ETag"]
    assert read.json()["made_by"] == (api.key or "").split("_")[1]
    assert (made["scopes"], made["project_ids"], made["expires_at"]) == (["observe", "read"], [project], until)
    assert read.json() in api.get(PATH).json()["items"]
    other = api.as_key(made["secret"])
    assert other.get(f"/v1/projects/{project}").status_code == 200
    assert other.get(api.project()).status_code == 404
    assert problem(other.post(PATH, json=body), 403)
    api.clock.now = NOW + timedelta(days=3)
    assert other.get("/v1/projects").status_code == 401


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": None}, "/name"),
        ({"name": " \n"}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["read", "root"]}, "/scopes/1"),
        ({"scopes": "read"}, "/scopes"),
        ({"project_ids": []}, "/project_ids"),
        ({"project_ids": ["nope"]}, "/project_ids/0"),
        ({"project_ids": ["0198c59f-1c2d-7a3b-8e4f-6a7b8c9d0e1f"]}, "/project_ids/0"),
        ({"expires_at": NOW.isoformat()}, "/expires_at"),
        ({"expires_at": "soon"}, "/expires_at"),
        ({"workspace": "other"}, "/workspace"),
    ],
)
def test_a_bad_key_is_refused_and_not_made(api: Api, change: dict[str, Any], pointer: str) -> None:
    before = api.get(PATH).json()
    answer = api.post(PATH, json={"name": "cluster", "scopes": ["read"], **change})
    assert problem(answer, 422)["errors"][0]["pointer"] == pointer
    assert api.get(PATH).json() == before


def test_a_key_of_some_projects_makes_keys_of_those_alone(api: Api, database: Database) -> None:
    mine, also, foreign = (api.project().rpartition("/")[2] for _ in range(3))
    limited = api.as_key(new_key(database, "admin", project_ids=[mine, also]))
    body = {"name": "n", "scopes": ["admin"]}
    for given in ({}, {"project_ids": None}, {"project_ids": [mine, foreign]}):
        refused = problem(limited.post(PATH, json=body | given), 422)
        assert refused["errors"][0]["pointer"] == ("/project_ids/1" if given.get("project_ids") else "/project_ids")
    fewer = make(limited, scopes=["admin"], project_ids=[also])
    assert api.as_key(fewer["secret"]).get(f"/v1/projects/{mine}").status_code == 404
    [fault] = problem(api.as_key(fewer["secret"]).post(PATH, json=body | {"project_ids": [mine]}), 422)["errors"]
    assert fault["pointer"] == "/project_ids/0"


def test_a_project_of_another_workspace_is_as_one_that_is_not_there(api: Api, database: Database) -> None:
    other = api.as_key(new_key(database, "admin", workspace_name="other"))
    theirs = other.project().rpartition("/")[2]
    body = {"name": "n", "scopes": ["read"], "project_ids": [theirs]}
    assert problem(api.post(PATH, json=body), 422)["errors"][0]["pointer"] == "/project_ids/0"
    key = make(other)["id"]
    for answer in (
        api.get(f"{PATH}/{key}"),
        api.patch(f"{PATH}/{key}", json={"name": "x"}),
        api.delete(f"{PATH}/{key}"),
    ):
        assert answer.status_code == 404
    assert other.get(f"{PATH}/{key}").json()["revoked_at"] is None


def test_a_key_is_renamed_and_nothing_else_of_it_changes(api: Api) -> None:
    made = make(api)
    path, tag = f"{PATH}/{made['id']}", api.get(f"{PATH}/{made['id']}").headers["ETag"]
    renamed = api.patch(path, json={"name": "Zürich, second floor"}, headers={"If-Match": tag})
    assert renamed.json() == api.get(path).json()
    assert {name: made[name] for name in renamed.json()} | {"name": "Zürich, second floor"} == renamed.json()
    assert api.patch(path, json={"name": "late"}, headers={"If-Match": tag}).status_code == 412
    assert problem(api.patch(path, json={"scopes": ["admin"]}), 422)["errors"][0]["pointer"] == "/scopes"
    assert api.patch(path, json={}).json() == renamed.json()
    assert api.patch(path, json={"name": None}).json()["name"] is None
    assert api.as_key(made["secret"]).get("/v1/projects").status_code == 200


def test_who_revoked_a_key_is_kept(api: Api) -> None:
    made = make(api)
    for _ in range(2):
        assert api.delete(f"{PATH}/{made['id']}").status_code == 204
    revoked = api.get(f"{PATH}/{made['id']}").json()
    assert revoked["revoked_by"] == (api.key or "").split("_")[1]
    assert api.as_key(made["secret"]).get("/v1/projects").status_code == 401


def test_a_round_says_who_proposed_and_who_accepted_it(api: Api) -> None:
    project = api.project()
    api.post(f"{project}/observations", json={"observations": RUNS})
    writer, buyer = (make(api, name=name, scopes=[scope, "read"]) for name, scope in (("ana", "write"), ("bo", "buy")))
    assert propose(api.as_key(writer["secret"]), project).status_code == 201
    accept(api.as_key(buyer["secret"]), project)
    api.patch(f"{PATH}/{buyer['id']}", json={"name": "bo, finance"})
    for told in (api.get(f"{project}/rounds/1").json(), api.get(f"{project}/rounds").json()["items"][0]):
        assert (told["proposed_by"], told["proposed_by_name"]) == (writer["id"], "ana")
        assert (told["approvals"], told["approval_names"]) == ([buyer["id"]], ["bo, finance"])
    [proposed, *_] = api.get(f"{project}/audit?action=round").json()["items"]
    assert (proposed["api_key"], proposed["api_key_name"]) == (writer["id"], "ana")
    table = api.get(f"{project}/tables/rounds.csv").text
    assert "ana" in table
    assert '"bo, finance"' in table
    report = api.get(f"{project}/report").text
    assert "<td>ana</td>" in report
    assert "<td>bo, finance</td>" in report
