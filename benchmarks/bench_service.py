"""The service under its largest everyday load: 1,000 groups × 20 observations, over HTTP, on each database.

    python benchmarks/bench_service.py [--groups 1000] [--observations 20] [--repeats 5]

Starts `tranche serve` on a fresh SQLite file and, where TEST_DATABASE_URL is set, on a fresh PostgreSQL database;
prints medians and writes benchmarks/results/service.json. Times are wall time seen by the client, on this machine, now:
compare columns of one run, not runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

RESULTS = Path(__file__).parent / "results" / "service.json"
PORT = 18_321
ACCURACY = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Fresh databases by name, gone at the end."""
    server = os.environ.get("TEST_DATABASE_URL")
    with TemporaryDirectory() as folder:
        found = {"sqlite": f"sqlite:///{folder}/bench.db"}
        if not server:
            yield found
            return
        url = make_url(server).set(drivername="postgresql+psycopg")
        name = f"tranche_bench_{os.getpid()}"
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield {**found, "postgresql": url.set(database=name).render_as_string(hide_password=False)}
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def service(url: str, figures: dict[str, float]) -> Iterator[httpx.Client]:
    """A service on the database, with a client that holds an admin key."""
    environment = os.environ | {"TRANCHE_DATABASE_URL": url}
    command = [sys.executable, "-m", "app"]
    subprocess.run([*command, "migrate"], env=environment, check=True)
    made = subprocess.run(
        [*command, "key", "create", "--scopes", "admin"], env=environment, check=True, capture_output=True, text=True
    )
    began = time.perf_counter()
    serving = subprocess.Popen(
        [*command, "serve", "--port", str(PORT)], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=300) as client:
        while not answers(client):
            time.sleep(0.02)
        figures["start to first answer, s"] = time.perf_counter() - began
        time.sleep(2)
        figures["idle memory, MB"] = memory_mb(serving.pid)
        yield client
        figures["memory after all, MB"] = memory_mb(serving.pid)
    serving.terminate()
    serving.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def timed(repeats: int, call: Callable[[int], httpx.Response]) -> float:
    """Median seconds of `call`, which must succeed each time."""
    seconds = []
    for number in range(repeats):
        began = time.perf_counter()
        answer = call(number)
        seconds.append(time.perf_counter() - began)
        if answer.status_code not in (200, 201, 304):
            raise SystemExit(answer.text[:2000])
    return statistics.median(seconds)


def runs(keys: list[str], observations: int) -> list[dict[str, Any]]:
    """Runs on nested subsets of 2,000 samples per group, on one holdout, from power laws of many shapes."""
    rng = np.random.default_rng(7)
    scale, exponent, floor = (
        rng.uniform(0.3, 1.5, len(keys)),
        rng.uniform(0.2, 0.8, len(keys)),
        rng.uniform(0, 0.2, len(keys)),
    )
    made = []
    for number, n in enumerate(np.geomspace(50, 2000, observations).astype(int)):
        loss = np.clip(floor + scale * n**-exponent + rng.normal(0, 0.005, len(keys)), 0, 1)
        metrics = {key: {"value": float(1 - value), "eval_size": 1000} for key, value in zip(keys, loss, strict=True)}
        made.append({"external_id": f"run-{number}", "counts": dict.fromkeys(keys, int(n)), "metrics": metrics})
    return made


def measure(url: str, groups: int, observations: int, repeats: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    keys = [f"group-{index:05}" for index in range(groups)]
    items = runs(keys, observations)
    body = {
        "name": "bench",
        "metric": ACCURACY,
        "budget": {"total": "1000000", "rounds": 1},
        "groups": [{"key": key, "initial_count": 2000, "unit_cost": "1.50"} for key in keys],
    }
    with service(url, figures) as client:
        made: list[str] = []

        def create(_: int) -> httpx.Response:
            answer = client.post("/v1/projects", json=body)
            made.append(f"/v1/projects/{answer.json()['id']}")
            return answer

        def post(number: int) -> httpx.Response:
            return client.post(f"{made[number]}/observations", json={"observations": items})

        def allocate(number: int) -> httpx.Response:
            return client.get(f"{made[0]}/allocations/next?seed={number}")

        figures["create project, s"] = timed(repeats, create)
        figures["post observations, s"] = timed(repeats, post)
        figures["next allocation, s"] = timed(repeats, allocate)
        tag = client.get(f"{made[0]}/allocations/next").headers["ETag"]
        same = {"If-None-Match": tag}
        figures["next allocation unchanged (304), s"] = timed(
            repeats, lambda _: client.get(f"{made[0]}/allocations/next", headers=same)
        )
        figures["page of 50 curves, s"] = timed(
            repeats, lambda number: client.get(f"{made[0]}/curves?at=100,1000,10000&seed={number}")
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--observations", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with databases() as found:
        table = {
            name: measure(url, options.groups, options.observations, options.repeats) for name, url in found.items()
        }
    print(f"{options.groups} groups x {options.observations} observations, medians of {options.repeats}")
    print(f"{'':38}" + "".join(f"{name:>12}" for name in table))
    for row in next(iter(table.values())):
        print(f"{row:38}" + "".join(f"{figures[row]:12.3f}" for figures in table.values()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"options": vars(options), "figures": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()
