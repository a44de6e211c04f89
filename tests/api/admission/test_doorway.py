"""An answer that leaves before its request's body was read reaches the sender, and ends the connection."""

import socket

import httpx

from tests.api_client import Api
from tests.conftest import one_database
from tests.served import head, read_to, served

pytestmark = one_database


def test_who_goes_on_sending_still_gets_the_answer(api: Api) -> None:
    with served(api.app) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        for length in (100, 500_000, 9_000_000):
            answer = client.post("/v1/projects", content=b" " * length, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.headers["Connection"]) == (401, "close")


def test_a_connection_whose_bodies_were_read_goes_on(api: Api) -> None:
    key = f"Authorization: Bearer {api.key}"
    kind = "Content-Type: application/json"
    with served(api.app) as address, socket.create_connection(address) as connection:
        for _ in range(3):
            connection.sendall(head("POST", "/v1/projects", kind, key, "Content-Length: 2") + b"{}")
            assert read_to(connection, b"}").startswith(b"HTTP/1.1 422")
            connection.sendall(head("GET", "/v1/projects", key))
            assert read_to(connection, b"}").startswith(b"HTTP/1.1 200")
            connection.sendall(head("GET", "/v1/projects"))
            assert read_to(connection, b"}").startswith(b"HTTP/1.1 401")
