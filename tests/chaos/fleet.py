"""The service as real processes that can be killed at any moment, a client that goes on all the while, and receivers
that note what reaches them."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.settings import Settings
from tests.receivers import Receiver, Request, answers, receiving
from tests.test_docs import free_port
from tests.waiting import PATIENCE_S, until

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

    def kill_one(self, chance: random.Random) -> str:
        """kill -9 of the API or a worker, which is then started again; the worker of `serve` is by that."""
        name = chance.choice([*self.commands, *(["child"] * 2 if self.on_sqlite else [])])
        if name == "child":
            for pid in self.children():
                os.kill(pid, signal.SIGKILL)
            return name
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)
        return name

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
    """Posts one run after another, each again until it is acknowledged, and notes what the service said it did."""

    http: httpx.Client
    project: str = ""
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer, however long the service is away; one in doubt is asked for again."""
        while True:
            try:
                answer = self.http.request(method, path, **options)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code != 503:
                return answer

    def post_runs(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            self.post_run(f"{self.project[-6:]}-{number}")
            time.sleep(0.1)

    def post_run(self, name: str) -> None:
        # Of another recipe than the project's: stored and told like any other, but no fit grows with it.
        run = {"external_id": name, "counts": {"A": 5, "B": 5}, "metrics": {"A": {"value": 0.5}}, "recipe": "chaos"}
        answer = self.call("POST", f"{self.project}/observations", json={"observations": [run]})
        if answer.status_code == 201:
            self.acknowledged[name] = answer.json()["data_version"]
        else:
            self.refused.append(answer.text)

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
def listening(client: Client, *, stumbles: bool) -> Iterator[Listener]:
    calls = 0

    def behave(connection: Any, request: Request) -> None:
        nonlocal calls
        calls += 1
        # So that a kill often meets a call under way.
        time.sleep(0.02)
        (answers(500) if stumbles and calls % 7 == 0 else answers())(connection, request)

    with receiving(behave) as receiver:
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
