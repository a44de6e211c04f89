"""Workers as processes: kept by `tranche serve`, ended with it, stopped in order."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from threading import Thread
from time import monotonic

import httpx
import pytest

from app.jobs.schema import migrate
from app.settings import Settings
from app.store.db import Database
from tests.api_client import RUNS
from tests.conftest import new_key
from tests.test_docs import free_port
from tests.waiting import PATIENCE_S, until


class Process(subprocess.Popen[str]):
    """One whose log is read as it comes: a pipe that nobody reads is full after some hundred requests, and stops it."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "app", *words]
        super().__init__(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.reader = Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        assert self.stderr is not None
        with self.stderr as log:
            self.lines.extend(log)

    def said(self) -> str:
        """All that it logged. Waits for its end."""
        self.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return "".join(self.lines)


def tranche(settings: Settings, *words: str, **environment: str) -> Process:
    base = os.environ | {"TRANCHE_DATABASE_URL": settings.database_url, "TRANCHE_JOB_POLL_S": "0.05"} | environment
    return Process(words, base)


@contextmanager
def serving(settings: Settings, key: str, *words: str) -> Iterator[tuple[Process, httpx.Client]]:
    port = free_port()
    process = tranche(settings, "serve", "--port", str(port), *words)
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S) as client:
            until(lambda: answers(client))
            yield process, client
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.said()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def posted(client: httpx.Client) -> str:
    """The path of the refit that follows new observations."""
    body = {
        "name": "two groups",
        "metric": {"upper": 1.0},
        "budget": {"total": "1000", "rounds": 2},
        "groups": [
            {"key": "A", "initial_count": 200, "unit_cost": "1"},
            {"key": "B", "initial_count": 100, "unit_cost": "2"},
        ],
    }
    project = client.post("/v1/projects", json=body).json()["id"]
    answer = client.post(f"/v1/projects/{project}/observations", json={"observations": RUNS})
    assert answer.status_code == 201, answer.text
    return f"/v1/jobs/{client.get('/v1/jobs').json()['items'][0]['id']}"


def children(process: subprocess.Popen[str]) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes")
def test_serve_keeps_a_worker_through_kill_9_and_takes_it_along(settings: Settings, database: Database) -> None:
    with serving(settings, new_key(database)) as (process, client):
        until(lambda: bool(children(process)))
        [first] = children(process)
        os.kill(first, signal.SIGKILL)
        job = posted(client)
        until(lambda: client.get(job).json()["state"] == "succeeded")
        [second] = children(process)
        assert second != first
        process.kill()
        until(lambda: gone(second))


def test_serve_alone_leaves_jobs_to_a_worker_and_both_stop_in_order(settings: Settings, database: Database) -> None:
    with serving(settings, new_key(database), "--no-worker") as (process, client), idle_connection(client) as idle:
        assert children(process) == []
        job = posted(client)
        worker = tranche(settings, "worker", TRANCHE_WORKER_ID="night-shift")
        until(lambda: client.get(job).json()["state"] == "succeeded")
        worker.send_signal(signal.SIGTERM)
        said = worker.said()
        # httpx and many proxies reuse a connection that was idle for 5 s; the service must not have closed it.
        until(lambda: monotonic() - idle.since > 6)
        assert select.select([idle.socket], [], [], 0)[0] == []
        with client.stream("GET", f"{posted(client)}/events") as stream:
            assert next(stream.iter_lines()) == "event: progress"
            process.send_signal(signal.SIGTERM)
            served = process.said()
    assert (worker.returncode, process.returncode) == (0, 0)
    assert "worker night-shift runs jobs" in said
    assert "Traceback" not in said + served
    assert "conductor" not in said.lower()
    assert not re.search(r"WARNING|ERROR", said)


@dataclass(frozen=True)
class Idle:
    """A connection that answered once and says nothing since then."""

    socket: socket
    since: float


@contextmanager
def idle_connection(client: httpx.Client) -> Iterator[Idle]:
    address = client.base_url.host, client.base_url.port
    with closing(HTTPConnection(*address, timeout=PATIENCE_S)) as connection:
        connection.request("GET", "/readyz")
        connection.getresponse().read()
        yield Idle(connection.sock, monotonic())


def test_a_worker_whose_parent_is_gone_stops(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/alone.db")
    migrate(settings)
    # Standard input is empty: it ends as it would if the parent had.
    worker = tranche(settings, "worker", "--until-parent-ends")
    said = worker.said()
    assert worker.returncode == 0, said
