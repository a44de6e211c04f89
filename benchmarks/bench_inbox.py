"""A burst of labeling vendors' webhooks: 2,000 deliveries over 16 connections, on each database, over HTTP.

    python benchmarks/bench_inbox.py [--deliveries 2000] [--connections 16] [--senders 16]

Starts `tranche serve`, with its worker, on a fresh SQLite file and, where TEST_DATABASE_URL is set, on a PostgreSQL
database. Every delivery is signed and holds one item of its own. Measured: how fast all were answered 202, each
answer's time, and how long until all were applied; counted: items, which must be as many as deliveries. Writes
benchmarks/results/inbox.json. Times are wall time on
this machine, now: compare columns of one run, not runs.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import results_files
from serving import databases, serving

from app.services.access.secrets import new_secret_key

RESULTS = Path(__file__).parent / "results" / "inbox.json"
PATIENCE_S = 600


@dataclass(frozen=True)
class Hook:
    path: str
    secret: str
    connection: str


def connect(client: httpx.Client, count: int) -> list[Hook]:
    """Connections that speak our own contract. Their order is unknown to us: items are kept and wait for a link, which
    costs what counting them costs, less the ledger."""
    made = [
        client.post("/v1/vendor-connections", json={"name": f"vendor {number}", "kind": "standard"}).json()
        for number in range(count)
    ]
    return [Hook(httpx.URL(one["hook_url"]).path, one["secret"], one["id"]) for one in made]


def signed(hook: Hook, number: int) -> tuple[bytes, dict[str, str]]:
    at = str(int(time.time()))
    item = {"id": f"item-{number}", "state": "accepted", "group": "A", "updated_at": "2026-11-20T09:00:00Z"}
    data = {"order_id": "order", "items": [item]}
    body = json.dumps({"type": "items.changed", "timestamp": "2026-11-20T09:00:00Z", "data": data}).encode()
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    message = f"msg_{number}.{at}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
    return body, {"webhook-id": f"msg_{number}", "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"}


def send_all(base_url: httpx.URL, hooks: list[Hook], deliveries: int, senders: int) -> list[float]:
    """Each answer's time in seconds. Raises where one is not 202."""

    def send_some(first: int) -> Iterator[float]:
        with httpx.Client(base_url=base_url, timeout=60) as client:
            for number in range(first, deliveries, senders):
                hook = hooks[number % len(hooks)]
                body, headers = signed(hook, number)
                began = time.perf_counter()
                answer = client.post(hook.path, content=body, headers=headers)
                took = time.perf_counter() - began
                assert answer.status_code == 202, answer.text
                yield took

    with ThreadPoolExecutor(senders) as pool:
        return [took for some in pool.map(lambda first: list(send_some(first)), range(senders)) for took in some]


def wait_until_applied(client: httpx.Client, hooks: list[Hook]) -> int:
    """Waits until no delivery waits; how many items there are."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        states = [client.get(f"/v1/vendor-connections/{hook.connection}").json()["deliveries"] for hook in hooks]
        if not any(one.get("received") for one in states):
            waiting = [client.get(f"/v1/vendor-connections/{hook.connection}/waiting").json() for hook in hooks]
            return sum(row["samples"] for rows in waiting for row in rows)
        time.sleep(0.2)
    raise TimeoutError("the worker did not apply all deliveries")


def measure(client: httpx.Client, options: argparse.Namespace) -> dict[str, float]:
    hooks = connect(client, options.connections)
    began = time.perf_counter()
    times = sorted(send_all(client.base_url, hooks, options.deliveries, options.senders))
    answered = time.perf_counter() - began
    items = wait_until_applied(client, hooks)
    applied = time.perf_counter() - began
    assert items == options.deliveries, f"{items} items of {options.deliveries} deliveries"
    return {
        "answered, per s": options.deliveries / answered,
        "answer p50, ms": 1000 * statistics.median(times),
        "answer p99, ms": 1000 * times[int(0.99 * len(times))],
        "answer max, ms": 1000 * times[-1],
        "applied, per s": options.deliveries / applied,
    }


def main() -> None:
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--deliveries", type=int, default=2000)
    top.add_argument("--connections", type=int, default=16)
    top.add_argument("--senders", type=int, default=16)
    options = top.parse_args()
    os.environ["TRANCHE_SECRET_KEY"] = new_secret_key()
    found: dict[str, Any] = {}
    with databases() as urls:
        for name, url in urls.items():
            with serving(url) as one:
                found[name] = measure(one.client, options)
    for figure in next(iter(found.values())):
        print(f"{figure:18}", *(f"{name} {figures[figure]:10.1f}" for name, figures in found.items()))
    results_files.write(RESULTS, {"options": vars(options), **found})


if __name__ == "__main__":
    main()
