"""Bodies over real sockets: not read of who is not let in, in time, and not more at once than there is room for."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.http.runtime import Runtime
from app.settings import Settings
from app.store.db import Database
from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.served import answer_of, head, read_to, served
from tests.waiting import until

pytestmark = one_database
JSON = "Content-Type: application/json"
MANY = 49_000_000


@pytest.fixture
def slow(settings: Settings, database: Database) -> Iterator[Api]:
    """The service, which waits half a second for 10 kB of a body."""
    bounds = settings.model_copy(update={"bodies_mb": 100, "body_timeout_s": 0.5, "body_rate_kb_s": 20})
    made = Api(bounds, new_key(database))
    yield made
    made.close()


def status_of(text: str) -> int:
    return int(text.split()[1])


def problem_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.partition("\r\n\r\n")[2])
    return found


def key_of(api: Api) -> str:
    return f"Authorization: Bearer {api.key}"


@pytest.mark.parametrize("length", [f"Content-Length: {MANY}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("PUT", "/v1/projects/x/groups", JSON, 401),
        ("POST", "/v1/projects", JSON, 401),
        ("GET", "/v1/projects", JSON, 401),
        ("GET", "/v1/jobs/x/events", JSON, 401),
        ("POST", "/v1/hooks/unknown", JSON, 404),
        ("POST", "/projects/new", "Content-Type: multipart/form-data; boundary=x", 303),
        ("POST", "/nowhere", JSON, 404),
        ("POST", "/healthz", JSON, 405),
    ],
)
def test_of_who_is_not_let_in_no_byte_is_waited_for(
    api: Api, method: str, path: str, kind: str, status: int, length: str
) -> None:
    with served(api.app) as address, socket.create_connection(address) as connection:
        connection.sendall(head(method, path, kind, length))
        answer = answer_of(connection)
    assert status_of(answer) == status
    assert "connection: close" in answer


def test_what_the_headers_tell_is_answered_before_the_body_comes(api: Api, database: Database) -> None:
    reader = api.as_key(new_key(database, "read"))
    asked = [
        (head("POST", "/v1/projects", JSON, key_of(reader), "Content-Length: 100"), 403),
        (head("POST", "/v1/projects", "Content-Type: text/csv", key_of(api), "Content-Length: 100"), 415),
        (head("PUT", "/v1/projects/x/groups", "Content-Type: text/csv", key_of(api), "Content-Length: 9"), 415),
        (head("POST", "/v1/projects", JSON, key_of(api), "Content-Encoding: gzip", "Content-Length: 100"), 415),
        (head("POST", "/v1/projects", JSON, key_of(api), "Content-Length: 10000001"), 413),
        (head("PUT", "/v1/projects/x/groups", JSON, key_of(api), "Content-Length: 50000001"), 413),
        (head("POST", "/sign-in", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 16001"), 413),
        (head("POST", "/sign-in", "Origin: http://else.example", "Content-Length: 100"), 403),
    ]
    with served(api.app) as address:
        for sent, status in asked:
            with socket.create_connection(address) as connection:
                connection.sendall(sent)
                assert status_of(answer_of(connection)) == status, sent


def test_a_hook_that_is_known_reads_one_mebibyte(api: Api) -> None:
    made = api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()
    hook = made["hook_url"][made["hook_url"].index("/v1/") :]
    with served(api.app) as address, socket.create_connection(address) as connection:
        connection.sendall(head("POST", hook, JSON, "Content-Length: 1048577"))
        assert status_of(answer_of(connection)) == 413


@pytest.mark.parametrize("start", [b"", b"[" + b" " * 9_000])
def test_a_body_that_stops_or_drips_is_not_waited_for(slow: Api, start: bytes) -> None:
    with served(slow.app) as address, socket.create_connection(address) as connection:
        connection.sendall(head("PUT", "/v1/projects/x/groups", JSON, key_of(slow), "Content-Length: 20000") + start)
        answer = answer_of(connection)
    assert status_of(answer) == 408
    assert problem_of(answer)["type"] == "urn:tranche:problem:body-too-slow"
    assert "connection: close" in answer


def test_bodies_under_way_are_bounded_by_workspace_and_in_all(slow: Api, database: Database) -> None:
    others = [slow.as_key(new_key(database, workspace_name=name)) for name in ("second", "third")]
    runtime: Runtime = slow.app.state.runtime

    def begun(address: tuple[str, int], who: Api, length: int) -> socket.socket:
        connection = socket.create_connection(address)
        connection.sendall(head("PUT", "/v1/projects/x/groups", JSON, key_of(who), f"Content-Length: {length}"))
        return connection

    with served(slow.app) as address:
        with begun(address, slow, MANY):
            until(lambda: runtime.door.bodies.all_held == MANY)
            with begun(address, slow, MANY) as same:
                mine = answer_of(same)
        until(lambda: runtime.door.bodies.all_held == 0)
        with begun(address, slow, MANY), begun(address, others[0], MANY):
            until(lambda: runtime.door.bodies.all_held == 2 * MANY)
            with begun(address, others[1], MANY) as third:
                all_taken = answer_of(third)
            small = head("POST", "/v1/projects", JSON, key_of(others[1]), "Content-Length: 2") + b"{}"
            with socket.create_connection(address) as connection:
                connection.sendall(small)
                assert status_of(read_to(connection, b"}").decode()) == 422, "small bodies need no room"
        until(lambda: runtime.door.bodies.all_held == 0)
    assert (status_of(mine), problem_of(mine)["type"]) == (429, "urn:tranche:problem:rate-limited")
    assert (status_of(all_taken), problem_of(all_taken)["type"]) == (503, "urn:tranche:problem:unavailable")
    assert "retry-after: 5" in mine
    assert "retry-after: 5" in all_taken


def test_a_body_of_no_announced_length_takes_room_as_it_comes(slow: Api) -> None:
    runtime: Runtime = slow.app.state.runtime
    with served(slow.app) as address, socket.create_connection(address) as connection:
        connection.sendall(head("PUT", "/v1/projects/x/groups", JSON, key_of(slow), "Transfer-Encoding: chunked"))
        connection.sendall(b"%x\r\n" % 100_000 + b" " * 100_000 + b"\r\n")
        until(lambda: runtime.door.bodies.all_held == 100_000)
        connection.sendall(b"2\r\n[]\r\n0\r\n\r\n")
        assert status_of(read_to(connection, b"}").decode()) == 404
    assert runtime.door.bodies.all_held == 0
