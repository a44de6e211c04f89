"""`tranche serve --processes`: one socket, several processes, one that keeps and stops them all."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from app.services.access.secrets import new_secret_key
from app.settings import Settings
from app.store.db import connect
from tests.conftest import empty, new_key
from tests.e2e.test_worker import children, gone, posted, serving
from tests.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="several processes serve PostgreSQL alone"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes"),
]


@pytest.fixture
def settings(postgresql_url: str, postgresql_engine: Engine) -> Settings:
    empty(postgresql_engine)
    return Settings(database_url=postgresql_url, secret_keys=(SecretStr(new_secret_key()),))


def those_that_serve(process: subprocess.Popen[str]) -> set[int]:
    return {pid for pid in children(process) if "--on-socket" in words(pid)}


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def stopped(pids: set[int]) -> Iterator[None]:
    """Meanwhile these take no connection: the others answer."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def fresh(client: httpx.Client) -> Iterator[httpx.Client]:
    """The same caller by a new connection."""
    with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=PATIENCE_S) as other:
        yield other


def test_what_one_process_took_all_know_and_one_that_dies_is_replaced(settings: Settings) -> None:
    database = connect(settings)
    key = new_key(database)
    database.close()
    with serving(settings, key, "--processes", "2") as (process, client):
        until(lambda: len(those_that_serve(process)) == 2)
        first, second = those_that_serve(process)
        all_answer(process, client)
        with stopped({second}), fresh(client) as by_first:
            job = posted(by_first)
            listed = by_first.get("/v1/projects").json()
            repeated = {"Idempotency-Key": "once"}
            body = {"name": "again", "metric": "accuracy", "budget": 10, "groups": [{"key": "A", "unit_cost": "1"}]}
            made = by_first.post("/v1/projects", json=body, headers=repeated)
            assert made.status_code == 201, made.text
        with stopped({first}), fresh(client) as by_second:
            again = by_second.post("/v1/projects", json=body, headers=repeated)
            assert (again.json(), again.headers["Idempotent-Replayed"]) == (made.json(), "true")
            until(lambda: by_second.get(job).json()["state"] == "succeeded")
            project = f"/v1/projects/{listed['items'][0]['id']}"
            plan = by_second.get(f"{project}/allocations/next").json()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(those_that_serve(process) - {first}) == 2)
        [third] = those_that_serve(process) - {first, second}
        with stopped({second}), fresh(client) as by_third:
            assert by_third.get(f"{project}/allocations/next").json() == plan
        family = children(process)
        with fresh(client) as watching, watching.stream("GET", f"{posted(client)}/events") as stream:
            assert next(stream.iter_lines()).startswith("event: ")
            process.send_signal(signal.SIGTERM)
            said = process.said()
    assert process.returncode == 0
    assert {second, third} < set(family)
    assert all(gone(pid) for pid in family)
    assert re.search(r"process [12] ended with -9; it is started again", said)
    assert "Traceback" not in said


def all_answer(process: subprocess.Popen[str], client: httpx.Client) -> None:
    """Each has started: it answers while the others are stopped."""
    for pid in those_that_serve(process):
        with stopped(those_that_serve(process) - {pid}), fresh(client) as one:
            assert one.get("/healthz").status_code == 200


def test_processes_end_with_a_parent_that_is_killed(settings: Settings) -> None:
    database = connect(settings)
    key = new_key(database)
    database.close()
    with serving(settings, key, "--processes", "2", "--no-worker") as (process, client):
        all_answer(process, client)
        family = children(process)
        assert set(family) == those_that_serve(process)
        process.kill()
        until(lambda: all(gone(pid) for pid in family))
    assert len(family) == 2
