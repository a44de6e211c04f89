"""Does the API get slower when receivers of webhooks misbehave?

    python benchmarks/bench_receivers.py [--rounds 10]

`tranche serve` with its worker on a fresh SQLite file and, where TEST_DATABASE_URL is set, on PostgreSQL; five
endpoints whose receivers never answer, never close, drip headers, send without end, and hang up. In turns, so that both
meet the same machine: their endpoints paused (quiet) and resumed with events under way (busy). Writes
benchmarks/results/receivers.json. Compare quiet and busy of one run.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server, socket

import httpx
import results_files
from bench_jobs import SECRET_KEY
from serving import ACCURACY, databases, serving

RESULTS = Path(__file__).parent / "results" / "receivers.json"
READS, CHANGES = 60, 8
HEAD = b"HTTP/1.1 200 OK\r\n"


def never_answers(_: socket) -> None:
    time.sleep(60)


def never_closes(connection: socket) -> None:
    connection.sendall(HEAD + b"\r\nhello")
    time.sleep(60)


def drips(connection: socket) -> None:
    for _ in range(600):
        connection.sendall(b"X")
        time.sleep(0.1)


def floods(connection: socket) -> None:
    connection.sendall(HEAD + b"\r\n")
    while True:
        connection.sendall(b"z" * 1_000_000)


def hangs_up(connection: socket) -> None:
    connection.close()


@contextmanager
def receiver(behave: Callable[[socket], None]) -> Iterator[str]:
    def serve(connection: socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65_536)
            behave(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def new_project(client: httpx.Client) -> str:
    groups = [{"key": "A", "unit_cost": "1"}, {"key": "B", "unit_cost": "2"}]
    body = {"name": "bench", "metric": ACCURACY, "budget": {"total": "1000"}, "groups": groups}
    return f"/v1/projects/{client.post('/v1/projects', json=body).raise_for_status().json()['id']}"


def seconds(call: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    call().raise_for_status()
    return time.perf_counter() - began


def change(client: httpx.Client, path: str, number: int) -> httpx.Response:
    run = {
        "external_id": f"run-{number}",
        "counts": {"A": 50, "B": 50},
        "metrics": {"A": {"value": 0.5, "stderr": 0.1}},
    }
    return client.post(f"{path}/observations", json={"observations": [run]})


def compare(client: httpx.Client, urls: list[str], rounds: int) -> dict[str, float]:
    path = new_project(client)
    places = []
    for url in urls:
        body = {"url": url, "event_types": ["observations.accepted"]}
        made = client.post("/v1/webhook-endpoints", json=body).raise_for_status()
        places.append(f"/v1/webhook-endpoints/{made.json()['id']}")
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        for state, action in (("quiet", "pause"), ("busy", "resume")):
            for place in places:
                client.post(f"{place}/{action}").raise_for_status()
            time.sleep(1)
            for repeat in range(CHANGES):
                name = f"{number}-{state}-{repeat}"
                posted = seconds(lambda name=name: change(client, path, name))  # type: ignore[misc]
                taken.setdefault(f"post a run, {state}", []).append(posted)
            taken.setdefault(f"read a project, {state}", []).extend(
                seconds(lambda: client.get(path)) for _ in range(READS)
            )
    return {f"{name}, median ms": 1e3 * statistics.median(values) for name, values in taken.items()} | {
        f"{name}, 95th percentile ms": 1e3 * statistics.quantiles(values, n=20)[-1] for name, values in taken.items()
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    rounds = options.parse_args().rounds
    os.environ |= {"TRANCHE_SECRET_KEY": SECRET_KEY, "TRANCHE_OUTBOUND_ALLOW": "127.0.0.0/8"}
    results = {}
    with (
        databases() as found,
        receiver(never_answers) as one,
        receiver(never_closes) as two,
        receiver(drips) as three,
        receiver(floods) as four,
        receiver(hangs_up) as five,
    ):
        for name, url in found.items():
            with serving(url) as served:
                results[name] = compare(served.client, [one, two, three, four, five], rounds)
    for figure in sorted(next(iter(results.values()))):
        print(f"{figure:42}", *(f"{name} {figures[figure]:8.2f}" for name, figures in results.items()))
    results_files.write(RESULTS, results)


if __name__ == "__main__":
    main()
