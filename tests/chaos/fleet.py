"""The service as real processes that can be killed at any moment, a client that goes on all the while, and receivers
that note what reaches them."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import text

from app.settings import Settings
from app.store.db import Database
from tests.receivers import Receiver, Request, answers, receiving
from tests.test_docs import free_port
from tests.waiting import PATIENCE_S, until

ENDS_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Fleet:
    """An API and its workers: on SQLite `serve` keeps the worker, on PostgreSQL there are two beside it."""

    settings: Settings
    folder: Path
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def on_sqlite(self) -> bool:
        return self.settings.database_url.startswith("sqlite")

    @property
    def commands(self) -> Mapping[str, list[str]]:
        serve = ["serve", "--port", str(self.port)]
        if self.on_sqlite:
            return {"api": serve}
        return {"api": [*serve, "--no-worker"], "worker 1": ["worker"], "worker 2": ["worker"]}

    def start(self, name: str) -> None:
        environment = os.environ | {
            "TRANCHE_DATABASE_URL": self.settings.database_url,
            "TRANCHE_SECRET_KEY": SECRET_KEY,
            "TRANCHE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "TRANCHE_JOB_POLL_S": "0.1",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "app", *self.commands[name]],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def targets(self) -> list[str]:
        return [*self.commands, *(["child"] * 2 if self.on_sqlite else ["backends"])]

    def kill(self, name: str, database: Database) -> None:
        """kill -9 of the API or a worker, which is then started again; the worker of `serve` is by that. On PostgreSQL
        also of everybody's sessions."""
        if name == "backends":
            with database.engine.begin() as session:
                session.execute(ENDS_OTHERS)
            return
        if name == "child":
            for pid in self.children():
                os.kill(pid, signal.SIGKILL)
            return
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)

    def up(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=PATIENCE_S).status_code == 200
        except httpx.TransportError:
            return False

    def children(self) -> list[int]:
        listed = subprocess.run(
            ["pgrep", "-P", str(self.running["api"].pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in listed.stdout.split()]

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@contextmanager
def fleet(settings: Settings, folder: Path) -> Iterator[Fleet]:
    made = Fleet(settings, folder)
    for name in made.commands:
        made.start(name)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.terminate()
        for process in made.running.values():
            process.wait(PATIENCE_S)


def connection(service: Fleet, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{service.port}", headers=headers, timeout=PATIENCE_S)


@dataclass
class Client:
    """Calls until it is answered, each change under one Idempotency-Key, so that it happens once."""

    http: httpx.Client
    project: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """What it does until `stop` is set. Raises AssertionError where an answer is none that it may get."""
        raise NotImplementedError

    def new_key(self) -> str:
        return str(uuid4())

    def call(
        self, method: str, path: str, *, signed: Callable[[], Mapping[str, str]] | None = None, **options: Any
    ) -> httpx.Response:
        """The answer, however long the service is away; one in doubt is asked for again. signed: headers that are made
        anew for every attempt."""
        while True:
            if signed is not None:
                options["headers"] = dict(signed())
            try:
                answer = self.http.request(method, path, **options)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            running = answer.status_code == 409 and answer.json()["type"].endswith(":call-running")
            if answer.status_code not in (429, 503) and not running:
                return answer
            time.sleep(0.05)

    def changed(
        self, method: str, path: str, body: object, *, status: int = 200, etag: str | None = None
    ) -> dict[str, Any]:
        """The answer to a change that has to succeed."""
        headers = {"Idempotency-Key": self.new_key()} if method == "POST" else {}
        answer = self.call(method, path, json=body, headers=headers | ({"If-Match": etag} if etag else {}))
        if answer.status_code != status:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def made(self, path: str, body: object, *, status: int = 201) -> dict[str, Any]:
        return self.changed("POST", path, body, status=status)

    def all_items(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": 500} | ({"cursor": cursor} if cursor else {})
            page = self.call("GET", path, params=query).json()
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def all_events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := self.call("GET", "/v1/events", params={"after": len(found), "limit": 500}).json()["items"]:
            found += page
        return found


@dataclass
class Poster(Client):
    """Posts one run after another, and notes what the service said it did."""

    acknowledged: dict[str, int] = field(default_factory=dict)

    def work(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            self.post_run(f"{self.project[-6:]}-{number}")
            time.sleep(0.1)

    def post_run(self, name: str) -> None:
        # Of another recipe than the project's: stored and told like any other, but no fit grows with it.
        run = {"external_id": name, "counts": {"A": 5, "B": 5}, "metrics": {"A": {"value": 0.5}}, "recipe": "chaos"}
        stored = self.made(f"{self.project}/observations", {"observations": [run]})
        self.acknowledged[name] = stored["data_version"]


@contextmanager
def at_work(clients: Sequence[Client]) -> Iterator[None]:
    """They work until the block ends. Raises what one of them raised."""
    with ThreadPoolExecutor(len(clients)) as pool:
        works = [pool.submit(client.work) for client in clients]
        try:
            yield
        finally:
            for client in clients:
                client.stop.set()
        for work in works:
            work.result()


@dataclass
class Listener:
    """A receiver of events; one that stumbles answers every seventh call with 500."""

    receiver: Receiver

    @property
    def arrivals(self) -> list[dict[str, Any]]:
        """What has arrived, in order: the id, sequence and body of every call."""
        return [{**json.loads(one.body), "id": one.headers["webhook-id"]} for one in list(self.receiver.requests)]

    def first_sequences(self) -> list[int]:
        firsts: dict[str, int] = {}
        for one in self.arrivals:
            firsts.setdefault(one["id"], one["sequence"])
        return list(firsts.values())


@contextmanager
def listening(client: Client, *, stumbles: bool, host: str = "127.0.0.1") -> Iterator[Listener]:
    calls = 0

    def behave(connection: Any, request: Request) -> None:
        nonlocal calls
        calls += 1
        # So that a kill often meets a call under way.
        time.sleep(0.02)
        (answers(500) if stumbles and calls % 7 == 0 else answers())(connection, request)

    with receiving(behave, host=host) as receiver:
        made = client.call("POST", "/v1/webhook-endpoints", json={"url": receiver.url})
        assert made.status_code == 201, made.text
        yield Listener(receiver)


def drained(client: Client, listeners: list[Listener], timeout_s: float) -> list[dict[str, Any]]:
    """All events, when they have reached every listener and no further one has come."""

    def complete() -> bool:
        ids = {event["id"] for event in client.all_events()}
        return all(ids <= {one["id"] for one in listener.arrivals} for listener in listeners)

    def settled() -> bool:
        jobs = client.call("GET", "/v1/jobs", params={"limit": 500}).json()["items"]
        return complete() and all(job["state"] == "succeeded" for job in jobs)

    until(settled, timeout_s)
    return client.all_events()
