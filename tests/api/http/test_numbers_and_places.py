"""Numbers of rounds, cursors of lists and query parameters: what is none is refused, wherever there is one."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.store.db import Database
from app.store.models.access import Workspace
from tests.api_client import RUNS, Api
from tests.conftest import one_database

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "openapi" / "openapi.json").read_text("utf-8"))
LISTS = sorted(
    path
    for path, methods in CONTRACT["paths"].items()
    if any(one["name"] == "cursor" for one in methods.get("get", {}).get("parameters", ()))
)
OF_ROUNDS = sorted(
    (method, path) for path, methods in CONTRACT["paths"].items() for method in methods if "/rounds/{number}" in path
)
WRONG = [
    "abc",
    "-1",
    "0",
    "9" * 20,
    "9" * 5000,
    "1.0",
    " 1",
    "\0",
    "a\0b",
    "é",
    "\u0663",
    "00000000-0000-0000-0000-000000000000",
    "",
    "9" * 18,
]
SOME_ID = "00000000-0000-0000-0000-000000000001"


def filled(api: Api, path: str) -> str:
    """The path with ids that are there."""
    project = api.project().rpartition("/")[2]
    for part, made in (
        ("{connection_id}", lambda: api.post("/v1/vendor-connections", json={"name": "c", "kind": "standard"})),
        ("{endpoint_id}", lambda: api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook"})),
    ):
        if part in path:
            path = path.replace(part, made().json()["id"])
    if "{order_id}" in path:
        bought = api.post(f"/v1/projects/{project}/purchases", json={"external_id": "p", "groups": {"A": 1}})
        path = path.replace("{order_id}", bought.json()["orders"][0]["id"])
    return path.replace("{project_id}", project)


def forged(workspace: UUID, path: str, position: str) -> str:
    name = hashlib.sha256(f"{workspace}{path} {position}".encode()).hexdigest()[:16]
    return base64.urlsafe_b64encode(f"{name}.{position}".encode()).decode()


def test_there_are_lists_and_rounds() -> None:
    assert len(LISTS) >= 19
    assert len(OF_ROUNDS) >= 8


@pytest.mark.parametrize("path", LISTS)
def test_no_cursor_is_an_error_of_ours(api: Api, database: Database, path: str) -> None:
    where = filled(api, path)
    assert api.get(where).status_code == 200
    with database.reading() as session:
        workspace = session.scalar(select(Workspace.id))
    assert workspace is not None
    for position in WRONG:
        cursor = forged(workspace, where, position)
        if len(cursor) > 500:
            continue
        answer = api.get(where, params={"cursor": cursor})
        # A place that a row could have is one, though none does.
        assert answer.status_code in (200, 422), (position, answer.text)
        kept = base64.urlsafe_b64encode(b"0" * 16 + f".{position}".encode()).decode()
        assert api.get(where, params={"cursor": kept}).status_code == 422, position
    for text in ("", "x", "é", "=", "AAAA", "a" * 501):
        assert api.get(where, params={"cursor": text}).status_code == 422, text


@one_database
def test_a_changed_cursor_is_refused(api: Api) -> None:
    path = api.project()
    cursor = api.get(f"{path}/groups?limit=1").json()["next_cursor"]
    assert api.get(f"{path}/groups", params={"limit": 1, "cursor": cursor}).status_code == 200
    raw = base64.urlsafe_b64decode(cursor)
    for changed in (
        raw + b"0",
        raw[:-1] + (b"1" if raw[-1:] != b"1" else b"2"),
        raw.replace(b".", b".-"),
        raw[:16] + b".\0",
    ):
        cursor = base64.urlsafe_b64encode(changed).decode()
        answer = api.get(f"{path}/groups", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?cursor"), changed


@pytest.mark.parametrize(("method", "path"), OF_ROUNDS)
def test_a_round_of_a_number_beyond_64_bits_is_not_there(api: Api, method: str, path: str) -> None:
    project = api.project().rpartition("/")[2]
    bodies: dict[str, Any] = {
        "deliveries": {"external_id": "d", "groups": {}},
        "corrections": {"external_id": "d", "groups": {"A": {"accepted": -1}}, "note": "n"},
        "cancel": {},
        "decline": {"reason": "why"},
        "{number}": {"orders": {}},
    }
    for number in ("9" * 19, str(2**63), str(-(2**63) - 1), "9" * 3800, "2147483648", "0", "-1"):
        where = path.replace("{project_id}", project).replace("{number}", number).replace("{order_id}", SOME_ID)
        body = {} if method == "get" else {"json": bodies.get(path.rpartition("/")[2], {})}
        answer = api.request(method.upper(), where, headers={"If-Match": "*"}, **body)
        assert answer.status_code == 404, (number[:30], answer.text)
    for number in ("x", "1.5", "", "%C2%B2", "１"):
        where = path.replace("{project_id}", project).replace("{number}", number).replace("{order_id}", SOME_ID)
        assert api.request(method.upper(), where, json={}).status_code in (404, 405, 422), number


@one_database
def test_pages_of_rounds_and_places_in_lists_take_what_they_can(api: Api) -> None:
    path = api.project()
    for question in ("limit=1&limit=2", "archived=true&archived=false"):
        answer = api.get(f"{path}/groups?{question}")
        assert (answer.status_code, "is given twice" in answer.text) == (422, True)
    api.post(f"{path}/observations", json={"observations": RUNS})
    twice = api.get(f"{path}/allocations/next?hold=A:1&hold=B:1&draws=50")
    assert twice.status_code == 200, twice.text


@one_database
@pytest.mark.parametrize("number", ["limit=1.0", "limit=500"])
def test_whole_numbers_may_have_a_point(api: Api, number: str) -> None:
    assert api.get(f"/v1/jobs?{number}").status_code == 200
    assert api.get(f"/v1/jobs?{number}5").status_code == 422
