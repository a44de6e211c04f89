"""Runs posted to Tranche beside metrics logged to MLflow's tracking server, in turns, over HTTP.

    make bench-peers [BENCH_ARGS='--rounds 10 --database-url postgresql://...']

Both serve on one host with their default settings, each on a fresh SQLite file or, with --database-url, on a database
of that PostgreSQL server; one client sends one request at a time on a connection kept open, bodies ready beforehand.

- *one run*: one run of 4 groups, beside `log-batch` of 4 metrics;
- *batches*: 250 runs of 4 groups at once, beside `log-batch` of 1,000 metrics (its most).

A round posts to a new project, or a new MLflow run, and ends when the side rests: all that the service's worker does
for the runs (curves, scores, events) is in its CPU time, though no request waits for it.
The rates are by the clock and count what answered while the worker was at work beside it; CPU seconds are those of the
whole tree of processes. Compare the sides of one run. Writes benchmarks/results/peers.json, by database.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import results_files
from pairs import Ratio, turns
from processes import rest, tree_cpu_s
from serving import ACCURACY, ROOT, Service, free_port, fresh_database, serving, wait_until_ready
from sqlalchemy.engine import make_url

RESULTS = results_files.RESULTS / "peers.json"
MLFLOW = ROOT / ".peers" / "env" / "bin" / "mlflow"
KEYS = ("A", "B", "C", "D")
BATCH = 250
"""Runs of a batch: MLflow takes 1,000 metrics at once."""


@dataclass(frozen=True)
class Peer:
    """start: makes what one round posts to and says where; body: what is posted, from the number of the first run and
    how many there are."""

    name: str
    client: httpx.Client
    pid: int
    start: Callable[[], str]
    path: Callable[[str], str]
    body: Callable[[str, int, int], Any]
    settle: Callable[[], None]


def score(number: int, at: int) -> float:
    """A learning curve with some noise."""
    return 0.9 - (0.5 + at / 10) * (100 + 10 * number) ** -0.4 + 0.003 * ((7 * number + 3 * at) % 5 - 2)


def tranche(service: Service) -> Peer:
    def start() -> str:
        groups = [{"key": key, "initial_count": 100_000, "unit_cost": "1"} for key in KEYS]
        body = {"name": "peers", "metric": ACCURACY, "budget": {"total": "1000"}, "groups": groups}
        made: str = service.client.post("/v1/projects", json=body).raise_for_status().json()["id"]
        return made

    def run(number: int) -> dict[str, Any]:
        metrics = {key: {"value": score(number, at), "eval_size": 1000} for at, key in enumerate(KEYS)}
        return {"external_id": f"run-{number}", "counts": dict.fromkeys(KEYS, 100 + 10 * number), "metrics": metrics}

    def body(_: str, first: int, count: int) -> Any:
        return {"observations": [run(number) for number in range(first, first + count)]}

    return Peer("Tranche", service.client, service.pid, start, "/v1/projects/{}/observations".format, body,
                service.settle)  # fmt: skip


@contextmanager
def mlflow(url: str) -> Iterator[Peer]:
    """MLflow's server on an empty database, with as many workers as it starts by itself."""
    if not MLFLOW.exists():
        raise SystemExit(f"{MLFLOW} is not there: make bench-peers installs it")
    port = free_port()
    with TemporaryDirectory() as folder:
        words = ["server", "--backend-store-uri", url, "--artifacts-destination", folder, "--port", str(port)]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        process = subprocess.Popen(
            [str(MLFLOW), *words],
            env=own_environment() | quiet,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # It closes idle connections after seconds: one that rested through another round is not used again.
            limits = httpx.Limits(keepalive_expiry=1.0)
            base = f"http://127.0.0.1:{port}/api/2.0/mlflow"
            with httpx.Client(base_url=base, timeout=120, limits=limits) as client:
                wait_until_ready(client, f"http://127.0.0.1:{port}/health", process)
                experiment = client.post("/experiments/create", json={"name": "bench"}).raise_for_status()
                yield _mlflow(client, process.pid, experiment.json()["experiment_id"])
        finally:
            process.terminate()
            process.wait()


def own_environment() -> dict[str, str]:
    """Without the packages of this checkout: MLflow has an environment of its own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _mlflow(client: httpx.Client, pid: int, experiment: str) -> Peer:
    def start() -> str:
        body = {"experiment_id": experiment, "start_time": int(1000 * time.time())}
        made: str = client.post("/runs/create", json=body).raise_for_status().json()["run"]["info"]["run_id"]
        return made

    def body(run_id: str, first: int, count: int) -> Any:
        at = int(1000 * time.time())
        metrics = [
            {"key": key, "value": score(number, place), "timestamp": at + number, "step": number}
            for number in range(first, first + count)
            for place, key in enumerate(KEYS)
        ]
        return {"run_id": run_id, "metrics": metrics}

    return Peer("MLflow", client, pid, start, lambda _: "/runs/log-batch", body, lambda: rest(lambda: tree_cpu_s(pid)))


def measured(peer: Peer, posts: int, count: int) -> dict[str, float]:
    """One round of `posts` requests of `count` runs: rows (a group's value in a run) a second until the last answer,
    and until the side rests; CPU seconds a post."""
    target = peer.start()
    path = peer.path(target)
    bodies = [json.dumps(peer.body(target, number * count, count)).encode() for number in range(posts)]
    used, began = tree_cpu_s(peer.pid), time.perf_counter()
    for body in bodies:
        answer = peer.client.post(path, content=body, headers={"Content-Type": "application/json"})
        if answer.status_code not in (200, 201):
            raise SystemExit(f"{peer.name}: {answer.status_code} {answer.text[:2000]}")
    answered, at_answer = time.perf_counter() - began, tree_cpu_s(peer.pid)
    peer.settle()
    rows = posts * count * len(KEYS)
    return {
        "posts/s": posts / answered,
        "rows/s": rows / answered,
        "CPU s per post, until answered": (at_answer - used) / posts,
        "CPU s per post, until at rest": (tree_cpu_s(peer.pid) - used) / posts,
    }


def compare(peers: Sequence[Peer], rounds: int, posts: int, count: int) -> dict[str, Any]:
    """By figure: each side's median, and the ratio of the first to the second. A first round, not counted, warms up."""
    found: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in peers}
    for number in range(rounds + 1):
        for peer in turns(peers, number):
            one = measured(peer, posts, count)
            if number:
                found[peer.name].append(one)
    ours, theirs = found.values()
    table = {}
    for figure in ours[0]:
        values = {name: [one[figure] for one in each] for name, each in found.items()}
        ratio = Ratio.of([one[figure] for one in ours], [one[figure] for one in theirs])
        table[figure] = {name: statistics.median(each) for name, each in values.items()} | {"ratio": vars(ratio)}
        medians = "".join(f"{name} {statistics.median(each):10.4g}  " for name, each in values.items())
        print(f"  {figure:32} {medians} ratio {ratio}", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--posts", type=int, default=100, help="requests of a round, one run each")
    parser.add_argument("--batches", type=int, default=10, help=f"requests of a round, {BATCH} runs each")
    parser.add_argument("--database-url", help="a PostgreSQL server, whose user may create databases; SQLite without")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    kind = "postgresql" if given.database_url else "sqlite"
    with (
        fresh_database(given.database_url) as ours,
        fresh_database(given.database_url) as theirs,
        serving(ours) as service,
        mlflow(for_mlflow(theirs)) as other,
    ):
        peers = [tranche(service), other]
        figures = {}
        for name, posts, count in (("one run", given.posts, 1), ("batches", given.batches, BATCH)):
            print(f"{kind}, {name}, {given.rounds} rounds of {posts} posts of {count} x {len(KEYS)}", flush=True)
            figures[name] = compare(peers, given.rounds, posts, count)
    version = subprocess.run([MLFLOW, "--version"], env=own_environment(), capture_output=True, text=True, check=True)
    options = {"rounds": given.rounds, "posts": given.posts, "batches": given.batches}
    found = {"options": options, "peer": version.stdout.strip(), **figures}
    results_files.write_part(given.out, kind, found)


def for_mlflow(url: str) -> str:
    """MLflow's environment has psycopg2."""
    made = make_url(url)
    return (
        url if made.drivername == "sqlite" else made.set(drivername="postgresql").render_as_string(hide_password=False)
    )


if __name__ == "__main__":
    main()
