"""The service over real sockets, in a thread of the test."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from app.commands.crowds import at_most
from tests.waiting import until


@contextmanager
def served(app: ASGIApp, connections: int = 100) -> Iterator[tuple[str, int]]:
    """The address of `app`, served as `tranche serve` does."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=at_most(connections))
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        try:
            until(lambda: server.started)
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def head(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def answer_of(connection: socket.socket) -> str:
    """All that comes until the service closes the connection; what is lost where it breaks is left out."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts).decode()


def read_to(connection: socket.socket, mark: bytes) -> bytes:
    """What comes, up to the part that ends with `mark`, or the end of the connection."""
    found = b""
    while not found.endswith(mark) and (part := connection.recv(65_536)):
        found += part
    return found
