"""What jobs and webhooks cost: events delivered per second, what a change pays for them in its request, and an idle
service.

    python benchmarks/bench_jobs.py [--events 2000] [--endpoints 16] [--idle 60]

On a fresh SQLite file with the one worker of `tranche serve` and, where TEST_DATABASE_URL is set, on a fresh PostgreSQL
database with two workers; the receiver is on loopback, in this process. Writes benchmarks/results/jobs.json. Wall times
are of this machine, now; CPU times (of the API and the workers, from /proc) and ratios bear a comparison.
"""

import argparse
import base64
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import httpx
import results_files
from processes import cpu_s, stats, tree, tree_cpu_s
from serving import ACCURACY, databases, free_port

from app.jobs.client import JobClient
from app.jobs.schema import migrate
from app.services.access.keys import create_key, peppers
from app.services.jobs import plan_watch
from app.services.webhooks.events import record
from app.settings import Settings
from app.store.access import workspace_named
from app.store.db import Database, Session, connect
from app.store.projects import present_project

RESULTS = Path(__file__).parent / "results" / "jobs.json"
SECRET_KEY = base64.b64encode(bytes(32)).decode()


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to everything and counts."""

    protocol_version = "HTTP/1.1"
    arrivals: list[float] = []  # noqa: RUF012 -- one receiver, one list

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.arrivals.append(time.perf_counter())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "TRANCHE_DATABASE_URL": settings.database_url,
        "TRANCHE_SECRET_KEY": SECRET_KEY,
        "TRANCHE_OUTBOUND_ALLOW": "127.0.0.0/8",
        "TRANCHE_LOG_LEVEL": "warning",
    }


@contextmanager
def running(settings: Settings, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
    )
    yield process
    process.terminate()
    process.wait()


def new_key(database: Database) -> str:
    with database.writing() as session:
        return create_key(session, datetime.now(UTC), peppers(Settings().secret_keys)[0], ["admin"])


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def service(settings: Settings, key: str, words: Sequence[str] = ()) -> Iterator[tuple[httpx.Client, int]]:
    headers = {"Authorization": f"Bearer {key}"}
    port = free_port()
    with (
        running(settings, "serve", "--port", str(port), *words) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client,
    ):
        wait_for(lambda: ready(client))
        yield client, process.pid


def record_events(database: Database, client: JobClient, count: int) -> None:
    """Events of the workspace, each with its change's own transaction."""
    workspace = workspace_of(database)
    for number in range(count):
        with database.writing() as session:
            data = {"url": "/v1/somewhere", "number": number}
            record(session, workspace, "observations.accepted", None, data, datetime.now(UTC), client.enqueue)


def workspace_of(database: Database) -> UUID:
    with database.reading() as session:
        workspace = workspace_named(session, "default")
        assert workspace is not None
        return workspace.id


def delivery(
    settings: Settings, database: Database, client: JobClient, events: int, endpoints: int
) -> dict[str, float]:
    """A backlog of events, delivered to all endpoints by the workers of the database."""
    workers = 1 if settings.database_url.startswith("sqlite") else 2
    total = events * endpoints
    with receiver() as url:
        with service(settings, new_key(database), ["--no-worker"]) as (api, _):
            paths = [api.post("/v1/webhook-endpoints", json={"url": url}).json()["id"] for _ in range(endpoints)]
        record_events(database, client, events)
        Receiver.arrivals.clear()
        with ExitStack() as stack:
            processes = [stack.enter_context(running(settings, "worker")) for _ in range(workers)]
            wait_for(lambda: len(Receiver.arrivals) >= total // 10)
            began = len(Receiver.arrivals)
            used = sum(tree_cpu_s(one.pid) for one in processes)
            wait_for(lambda: len(Receiver.arrivals) >= total)
            used = sum(tree_cpu_s(one.pid) for one in processes) - used
        counted = len(Receiver.arrivals) - began
        took = Receiver.arrivals[-1] - Receiver.arrivals[began]
        with service(settings, new_key(database), ["--no-worker"]) as (api, _):
            for path in paths:
                api.delete(f"/v1/webhook-endpoints/{path}")
    return {"deliveries/s": counted / took, "worker CPU ms per delivery": 1000 * used / counted}


def request_cost(settings: Settings, database: Database, client: JobClient, repeats: int = 300) -> dict[str, float]:
    """Milliseconds (median) of a transaction that changes a project, with more and more of what belongs to it. In
    turns, so that all meet the same machine."""
    with service(settings, new_key(database), ["--no-worker"]) as (api, _):
        body = {"name": "x", "metric": ACCURACY, "budget": {"total": "1"}, "groups": [{"key": "A", "unit_cost": "1"}]}
        project_id = UUID(api.post("/v1/projects", json=body).json()["id"])
    workspace = workspace_of(database)

    def change(session: Session, step: int) -> None:
        project = present_project(session, project_id, lock=True)
        assert project is not None
        project.data_version += 1
        now = datetime.now(UTC)
        if step == 1 or step == 3:
            record(session, workspace, "observations.accepted", project.id, {"url": "/"}, now, client.enqueue)
        if step >= 2:
            args = {"n": project.data_version}
            client.enqueue(session, "nothing", args, f"bench-{project_id}-{project.data_version}")
        if step == 3:
            plan_watch.request(session, project, client.enqueue, now)

    names = ("the change alone", "and an event", "and a job", "and an event, a job and a refit asked for")
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for step, name in enumerate(names):
            began = time.perf_counter()
            with database.writing() as session:
                change(session, step)
            taken[name].append(time.perf_counter() - began)
    waiting = client.engine.list_workflows(name="nothing", load_input=False)
    client.engine.delete_workflows([job.workflow_id for job in waiting])
    return {f"{name}, ms": 1000 * statistics.median(times) for name, times in taken.items()}


def idle_cost(settings: Settings, database: Database, seconds: float) -> dict[str, float]:
    """Share of a core that a service with nothing to do uses, its worker included, at the default polling."""
    with service(settings, new_key(database)) as (_, pid), ExitStack() as stack:
        if not settings.database_url.startswith("sqlite"):
            stack.enter_context(running(settings, "worker"))
        time.sleep(10)
        workers = [child for child in tree(pid, {one: stat.parent for one, stat in stats().items()}) if child != pid]
        before = cpu_s(pid), sum(map(cpu_s, workers))
        time.sleep(seconds)
        after = cpu_s(pid), sum(map(cpu_s, workers))
    return {
        "idle API, % of a core": 100 * (after[0] - before[0]) / seconds,
        "idle worker, % of a core": 100 * (after[1] - before[1]) / seconds,
    }


def measure(url: str, options: argparse.Namespace) -> dict[str, float]:
    settings = Settings(database_url=url)
    migrate(settings)
    database = connect(settings)
    client = JobClient(database)
    new_key(database)
    figures = idle_cost(settings, database, options.idle)
    figures |= request_cost(settings, database, client)
    for endpoints in (1, options.endpoints):
        found = delivery(settings, database, client, options.events // endpoints, endpoints)
        figures |= {f"{name}, {endpoints} endpoints": value for name, value in found.items()}
    client.close()
    database.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000, help="deliveries per measurement")
    parser.add_argument("--endpoints", type=int, default=16)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to watch an idle service")
    options = parser.parse_args()
    with databases() as urls:
        results = {name: measure(url, options) for name, url in urls.items()}
    columns = list(results)
    print(f"{'':60}" + "".join(f"{name:>14}" for name in columns))
    for row in results[columns[0]]:
        print(f"{row:60}" + "".join(f"{results[name][row]:14.2f}" for name in columns))
    results_files.write(RESULTS, results)


if __name__ == "__main__":
    main()
