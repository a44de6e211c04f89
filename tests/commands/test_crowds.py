"""Connections that ask nothing make way, and crowds leave health checks their answer."""

import asyncio
import socket
from contextlib import ExitStack
from threading import Event
from typing import Any

import pytest

from app.commands import crowds
from tests.served import answer_of, head, read_to, served
from tests.waiting import PATIENCE_S, until

END = b"0\r\n\r\n"
"""Of an answer in chunks."""
GET, HEALTH = head("GET", "/"), head("GET", "/healthz")


class Service:
    """Answers at once; at /wait when it is told to, and at /flood without end."""

    def __init__(self) -> None:
        self.waiting, self.go, self.left = 0, Event(), False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            self.waiting += 1
            while not self.go.is_set():
                await asyncio.sleep(0.01)
        await receive()
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while scope["path"] == "/flood" and not self.left:
            await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})
            await asyncio.sleep(0)
            self.left = gone.done()
        await send({"type": "http.response.body", "body": b"done"})


def connected(address: tuple[str, int], held: ExitStack) -> socket.socket:
    return held.enter_context(socket.create_connection(address, timeout=PATIENCE_S))


def test_of_idle_connections_those_that_never_asked_make_way_first() -> None:
    with served(Service(), connections=3) as address, ExitStack() as held:
        kept = connected(address, held)
        kept.sendall(GET)
        assert b"200 OK" in read_to(kept, END)
        first, second = connected(address, held), connected(address, held)
        third = connected(address, held)
        assert first.recv(1) == b"", "the one that has been silent for longest"
        for one in (kept, second, third):
            one.sendall(GET)
            assert b"200 OK" in read_to(one, END)


def test_of_many_that_come_at_once_the_last_are_answered() -> None:
    with served(Service(), connections=3) as address, ExitStack() as held:
        for _ in range(50):
            connected(address, held)
        last = connected(address, held)
        last.sendall(GET)
        assert b"200 OK" in read_to(last, END)


def test_where_all_are_busy_health_checks_alone_are_answered() -> None:
    service = Service()
    with served(service, connections=2) as address, ExitStack() as held:
        busy = [connected(address, held) for _ in range(2)]
        for one in busy:
            one.sendall(head("GET", "/wait"))
        until(lambda: service.waiting == 2)
        late = connected(address, held)
        late.sendall(GET)
        refused = answer_of(late)
        assert refused.startswith("HTTP/1.1 503")
        assert "retry-after: 1" in refused
        assert "urn:tranche:problem:unavailable" in refused
        health = connected(address, held)
        health.sendall(HEALTH)
        assert b"200 OK" in read_to(health, END)
        service.go.set()
        assert all(b"200 OK" in read_to(one, END) for one in busy)


def test_who_says_nothing_or_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "HEAD_S", 0.2)
    monkeypatch.setattr(crowds, "STALL_S", 0.2)
    service = Service()
    with served(service) as address, ExitStack() as held:
        silent, half, second = (connected(address, held) for _ in range(3))
        half.sendall(GET[:-2])
        second.sendall(GET)
        assert b"200 OK" in read_to(second, END)
        second.sendall(GET[:-2])
        assert [one.recv(1) for one in (silent, half, second)] == [b""] * 3
        deaf = connected(address, held)
        deaf.sendall(head("GET", "/flood"))
        assert b"200 OK" in deaf.recv(1024)
        until(lambda: service.left)
