"""What a workspace feels of its neighbour: B asks every tenth of a second while A asks for the dearest there is.

    python benchmarks/bench_neighbours.py [--seconds 20] [--groups 300] [--only NAME …] [--against CHECKOUT]

Starts `tranche serve`, with its worker, on a fresh SQLite file and, where TEST_DATABASE_URL is set, on a PostgreSQL
database, and plays one attack after the other, each after a quiet time. Printed: how long B's GET and PATCH take, what
was refused with 503, what A was answered, and the resident memory of all processes, beside the quiet ones. Read ratios
of one run: times are wall time on this machine, now. Writes benchmarks/results/neighbours.json, unless it measures
another checkout.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import results_files
from processes import tree_memory_mb
from serving import ACCURACY, ROOT, Service, databases, environment, serving

from app.services.access.secrets import new_secret_key

RESULTS = Path(__file__).parent / "results" / "neighbours.json"
EVERY_S = 0.1
DRAWS = 2000
SLOW_EVENTS, SLOW_EXPRESSION = 6_000, "to_string(length(body.e[?@ == `7`]))"
"""Each event goes over all of them."""


@dataclass
class Felt:
    """What B felt: seconds of its GETs and PATCHes, how many were refused with 503; `peak`: memory in MB."""

    gets: list[float] = field(default_factory=list)
    patches: list[float] = field(default_factory=list)
    refused: int = 0
    peak: float = 0.0

    def told(self) -> dict[str, float]:
        """Milliseconds, counts and MB."""
        return {
            "GET p50": 1000 * quantile(self.gets, 0.5),
            "GET p99": 1000 * quantile(self.gets, 0.99),
            "GET max": 1000 * quantile(self.gets, 1.0),
            "PATCH p50": 1000 * quantile(self.patches, 0.5),
            "PATCH max": 1000 * quantile(self.patches, 1.0),
            "503": self.refused,
            "MB": self.peak,
        }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that the share of `values` does not pass, one of them; nan without any."""
    if not values:
        return float("nan")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


@dataclass(frozen=True)
class Place:
    """Where an attack is played: A's client and project, and the service's address."""

    a: httpx.Client
    project: str
    address: tuple[str, int]
    stop: threading.Event

    def ask(self, method: str, path: str, **options: Any) -> str:
        """The status of A's answer, as a word."""
        try:
            return str(self.a.request(method, path, **options).status_code)
        except httpx.HTTPError as error:
            return type(error).__name__


Attack = Callable[[Place], Sequence[str]]
"""Plays itself until it is answered, or told to stop; what A was answered."""


def idle_connections(place: Place) -> Sequence[str]:
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(socket.create_connection(place.address))
        place.stop.wait()
    return ["500 connections"]


def bodies_without_a_key(place: Place) -> Sequence[str]:
    """Ten of 49 MB, whose last byte never comes."""
    head = (
        f"PUT {place.project}/groups HTTP/1.1\r\nHost: {place.address[0]}\r\nContent-Type: application/json\r\n"
        "Content-Length: 49000010\r\n\r\n"
    ).encode()
    cut = 0
    with ExitStack() as stack:
        for _ in range(10):
            one = stack.enter_context(socket.create_connection(place.address))
            try:
                one.sendall(head + b" " * 49_000_000)
            except OSError:
                cut += 1
        place.stop.wait()
    return [f"{cut} of 10 cut off"]


def event_streams(place: Place) -> Sequence[str]:
    body = {"policies": ["equal"], "replicates": 2, "rounds": 1}
    job = place.a.post(f"{place.project}/simulations", json=body).json()["job_id"]

    def listen(_: int) -> str:
        try:
            # Of one client: fifty would make fifty TLS contexts, for seconds of this very process, where B is timed.
            with place.a.stream("GET", f"/v1/jobs/{job}/events", timeout=60) as answer:
                for _part in answer.iter_raw():
                    if place.stop.is_set():
                        break
                return str(answer.status_code)
        except httpx.HTTPError as error:
            return type(error).__name__

    with ThreadPoolExecutor(50) as pool:
        return list(pool.map(listen, range(50)))


def dry_run(place: Place) -> Sequence[str]:
    config = {"events": "e", "fields": {"external_item_id": SLOW_EXPRESSION, "state": "'accepted'", "group": "'g0'"}}
    made = place.a.post("/v1/vendor-connections", json={"name": "slow", "kind": "generic", "config": config})
    if made.status_code >= 300:
        return [f"connection {made.status_code}"]
    path = f"/v1/vendor-connections/{made.json()['id']}/dry-run"
    return [place.ask("POST", path, json={"body": {"e": [1] * SLOW_EVENTS}, "signed": False})]


def allocation(place: Place) -> Sequence[str]:
    return [place.ask("GET", f"{place.project}/allocations/next", params={"draws": DRAWS, "seed": 1})]


def twelve_allocations(place: Place) -> Sequence[str]:
    def one(seed: int) -> str:
        return place.ask("GET", f"{place.project}/allocations/next", params={"draws": DRAWS, "seed": seed})

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(one, range(100, 112)))


def report(place: Place) -> Sequence[str]:
    return [place.ask("GET", f"{place.project}/report", params={"seed": 2})]


def workbook(place: Place) -> Sequence[str]:
    return [place.ask("GET", f"{place.project}/tables.xlsx", params={"seed": 3})]


def proposal(place: Place) -> Sequence[str]:
    version = place.a.get(place.project).json()["data_version"]
    body = {"external_id": f"p{time.monotonic_ns()}", "data_version": version, "query": {"draws": DRAWS, "seed": 4}}
    return [place.ask("POST", f"{place.project}/rounds", json=body)]


def what_if(place: Place) -> Sequence[str]:
    scenarios = [{"name": str(number), "budget": str(1000 + number)} for number in range(20)]
    body = {"scenarios": scenarios, "draws": DRAWS, "seed": 5}
    return [place.ask("POST", f"{place.project}/allocations/what-if", json=body)]


def requirements(place: Place) -> Sequence[str]:
    body = {"chance": 0.8, "joint": True, "draws": DRAWS, "seed": 6}
    return [place.ask("POST", f"{place.project}/requirements", json=body)]


def simulations(place: Place) -> Sequence[str]:
    body = {"policies": ["equal"], "replicates": 200, "rounds": 10, "draws": 20}
    return [place.ask("POST", f"{place.project}/simulations", json=body) for _ in range(61)]


ATTACKS: Mapping[str, Attack] = {
    "500 idle connections": idle_connections,
    "10 × 49 MB without a key": bodies_without_a_key,
    "50 event streams": event_streams,
    "dry-run, 6,000 events": dry_run,
    "allocations/next": allocation,
    "12 allocations/next at once": twelve_allocations,
    "report": report,
    "tables.xlsx": workbook,
    "POST rounds": proposal,
    "what-if, 20 scenarios": what_if,
    "requirements, joint": requirements,
    "61 simulations": simulations,
}


def project_of(client: httpx.Client, groups: int) -> str:
    """A project with four runs. Returns its path."""
    keys = [f"g{number}" for number in range(groups)]
    made = client.post("/v1/projects", json={
        "name": f"{groups} groups", "model": "separate", "metric": ACCURACY, "budget": {"total": "100000", "rounds": 4},
        "groups": [{"key": key, "initial_count": 100 + at, "unit_cost": "1", "target": 0.8}
                   for at, key in enumerate(keys)],
    })  # fmt: skip
    made.raise_for_status()
    path = f"/v1/projects/{made.json()['id']}"
    runs = [run_of(keys, share) for share in (0.25, 0.5, 0.75, 1.0)]
    client.post(f"{path}/observations", json={"observations": runs}).raise_for_status()
    return path


def run_of(keys: Sequence[str], share: float) -> dict[str, Any]:
    counts = {key: int((100 + at) * share) for at, key in enumerate(keys)}
    metrics = {
        key: {"value": round(0.9 - 0.5 * (count + 1) ** -0.3, 4), "stderr": 0.01} for key, count in counts.items()
    }
    return {"external_id": f"share-{share}", "counts": counts, "metrics": metrics}


@contextmanager
def neighbour(base_url: httpx.URL, key: str, path: str, pid: int) -> Iterator[Felt]:
    """B, who asks while the block runs."""
    felt, stop = Felt(), threading.Event()

    def every(act: Callable[[httpx.Client], httpx.Response], times: list[float]) -> None:
        with httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:
            while not stop.is_set():
                began = time.perf_counter()
                answer = act(client)
                times.append(time.perf_counter() - began)
                felt.refused += answer.status_code == 503
                stop.wait(EVERY_S)

    def weigh() -> None:
        while not stop.is_set():
            felt.peak = max(felt.peak, tree_memory_mb(pid))
            stop.wait(0.2)

    acts = (
        (lambda client: client.get(path), felt.gets),
        (lambda client: client.patch(f"{path}/groups/g0", json={"name": str(time.monotonic_ns())}), felt.patches),
    )
    threads = [threading.Thread(target=every, args=one) for one in acts] + [threading.Thread(target=weigh)]
    for one in threads:
        one.start()
    try:
        yield felt
    finally:
        stop.set()
        for one in threads:
            one.join()


def key_of(url: str, root: Path, workspace: str) -> str:
    command = [sys.executable, "-m", "app", "key", "create", "--scopes", "admin", "--workspace", workspace]
    made = subprocess.run(command, env=environment(url, root), cwd=root, check=True, capture_output=True, text=True)
    return made.stdout.strip()


def measure(url: str, service: Service, root: Path, options: argparse.Namespace) -> dict[str, Any]:
    key = key_of(url, root, "neighbour")
    with httpx.Client(base_url=service.client.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as b:
        own = project_of(b, 4)
    theirs = project_of(service.client, options.groups)
    service.settle()
    base = service.client.base_url
    found: dict[str, Any] = {}
    for name, attack in {"quiet": quiet_for(options.seconds), **ATTACKS}.items():
        if options.only and name != "quiet" and name not in options.only:
            continue
        place = Place(service.client, theirs, (base.host, base.port or 80), threading.Event())
        with neighbour(base, key, own, service.pid) as felt:
            found[name] = felt.told() | {"answers": played(attack, place, options.seconds)}
            found[name] |= felt.told()
        print(row_of(name, found[name]), flush=True)
    return found


def quiet_for(seconds: float) -> Attack:
    def wait(place: Place) -> Sequence[str]:
        place.stop.wait(seconds)
        return []

    return wait


def played(attack: Attack, place: Place, seconds: float) -> dict[str, int]:
    """How often A was answered what. An attack that only holds is stopped after so many seconds."""
    timer = threading.Timer(seconds, place.stop.set)
    timer.start()
    try:
        return dict(Counter(attack(place)))
    finally:
        timer.cancel()


def row_of(name: str, figures: Mapping[str, Any]) -> str:
    numbers = "  ".join(f"{figures[one]:9.0f}" for one in Felt().told())
    return f"{name:28}  {numbers}  {json.dumps(figures['answers'])}"


def main() -> None:
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--seconds", type=float, default=20.0)
    top.add_argument("--groups", type=int, default=300)
    top.add_argument("--only", nargs="*", choices=list(ATTACKS), default=[])
    top.add_argument("--against", type=Path, default=ROOT, help="another checkout, to be measured instead")
    options = top.parse_args()
    os.environ["TRANCHE_SECRET_KEY"] = new_secret_key()
    found: dict[str, Any] = {}
    with databases() as urls:
        for name, url in urls.items():
            print(f"{name:28}  " + "  ".join(f"{one:>9}" for one in Felt().told()))
            with serving(url, options.against) as service:
                found[name] = measure(url, service, options.against, options)
    if options.against == ROOT and not options.only:
        results_files.write(RESULTS, {"options": {"seconds": options.seconds, "groups": options.groups}, **found})


if __name__ == "__main__":
    main()
