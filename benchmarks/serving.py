"""A service to measure: `tranche serve` with its worker, of this checkout or another, on a fresh database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
from processes import cpu_s, rest, tree_cpu_s
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

ROOT = Path(__file__).parents[1]
ACCURACY = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}
STARTED_CPU_S = 0.3
"""A worker that has used less has not begun its imports."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def fresh_database(server: str | None) -> Iterator[str]:
    """The URL of an empty database, gone at the end: on the PostgreSQL server, or an SQLite file where that is None."""
    if server is None:
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db"
        return
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"tranche_bench_{uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Fresh databases by name, gone at the end: SQLite and, where TEST_DATABASE_URL is set, PostgreSQL."""
    server = os.environ.get("TEST_DATABASE_URL")
    with ExitStack() as stack:
        found = {"sqlite": stack.enter_context(fresh_database(None))}
        if server:
            found["postgresql"] = stack.enter_context(fresh_database(server))
        yield found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class Service:
    """client: holds an admin key; pid: the API's process, whose child is the worker."""

    client: httpx.Client
    pid: int

    def api_cpu_s(self) -> float:
        return cpu_s(self.pid)

    def worker_cpu_s(self) -> float:
        return tree_cpu_s(self.pid) - cpu_s(self.pid)

    def settle(self) -> None:
        """Waits until no job waits and the worker rests."""
        while any(self._jobs(state) for state in ("queued", "running")):
            time.sleep(0.2)
        rest(self.worker_cpu_s)

    def _jobs(self, state: str) -> list[object]:
        found: list[object] = self.client.get("/v1/jobs", params={"state": state, "limit": 1}).json()["items"]
        return found


def environment(url: str, root: Path = ROOT) -> dict[str, str]:
    """For processes of the checkout `root` on the database."""
    packages = f"{root}{os.pathsep}{root / 'client'}"
    # One key makes all the calls; they are counted, and none is one too many.
    unbounded = {"TRANCHE_CALLS_PER_MINUTE": "10000000"}
    return os.environ | ONE_THREAD | unbounded | {"TRANCHE_DATABASE_URL": url, "PYTHONPATH": packages}


@contextmanager
def serving(url: str, root: Path = ROOT) -> Iterator[Service]:
    """The service of the checkout `root` on an empty database, its worker started and at rest."""
    given = environment(url, root)
    command = [sys.executable, "-m", "app"]
    subprocess.run([*command, "migrate"], env=given, cwd=root, check=True)
    made = subprocess.run(
        [*command, "key", "create", "--scopes", "admin"],
        env=given,
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    port = free_port()
    process = subprocess.Popen(
        [*command, "serve", "--port", str(port)],
        env=given,
        cwd=root,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=900) as client:
            wait_until_ready(client, "/readyz", process)
            one = Service(client, process.pid)
            while one.worker_cpu_s() < STARTED_CPU_S:
                time.sleep(0.1)
            rest(one.worker_cpu_s)
            yield one
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(client: httpx.Client, path: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until `path` answers 200. Raises SystemExit where the process ends before."""
    while process.poll() is None:
        try:
            if client.get(path).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} ended with {process.returncode}")
