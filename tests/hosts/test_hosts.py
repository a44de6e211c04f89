"""Workers on another machine than the database lose their link at the worst moments: every effect is there once."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.errors import OutcomeUnknown, Unavailable
from app.jobs.schema import migrate
from app.jobs.worker import BEAT_S
from app.services.simulations.simulations import PART
from app.services.vendors.inbox import DRAIN
from app.services.webhooks.dispatch_jobs import DISPATCH
from app.store.db import Database, connect
from tests.api_client import ACCURACY
from tests.chaos.buyers import GROUPS, Buyer, Simulator
from tests.chaos.fleet import Client, Poster, at_work, drained, listening
from tests.conftest import new_key
from tests.hosts.machines import API_PORT, HOST_A, HOST_B, Machines, inside, machines, missing
from tests.waiting import PATIENCE_S, until

MISSING = missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"two machines cannot be made here without {MISSING}"),
]

PROJECT = {"name": "runs", "metric": ACCURACY, "budget": {"total": "1000", "rounds": 2}, "groups": GROUPS}
DRAIN_S = 600.0


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Machines]:
    """This thread is on host a."""
    with machines(tmp_path) as made, inside(made.a):
        migrate(made.settings)
        yield made


@pytest.fixture
def database(hosts: Machines) -> Iterator[Database]:
    made = connect(hosts.settings)
    yield made
    made.close()


def rows(database: Database, query: str) -> list[Any]:
    with database.reading() as session:
        return list(session.execute(text(query)))


def serve(hosts: Machines, **environment: str) -> str:
    """The API on host a; its URL."""
    hosts.start(hosts.a, "host-a", "serve", "--no-worker", "--host", HOST_A, "--port", str(API_PORT), **environment)
    url = f"http://{HOST_A}:{API_PORT}"
    until(lambda: is_up(url))
    return url


def calling(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=PATIENCE_S).status_code == 200
    except httpx.TransportError:
        return False


def under_way(database: Database) -> set[str]:
    """The kinds of jobs that workers of host b run at this moment."""
    found = rows(
        database, "SELECT name FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id LIKE 'host-b%'"
    )
    return {name for (name,) in found}


def sessions_of_b(database: Database) -> int:
    [(count,)] = rows(database, f"SELECT count(*) FROM pg_stat_activity WHERE client_addr = '{HOST_B}'")  # noqa: S608
    return int(count)


def seats(database: Database) -> dict[str, str]:
    return {seat: str(life) for seat, life in rows(database, "SELECT id, life FROM workers")}


@pytest.mark.parametrize("taken_over", [False, True], ids=["comes back in time", "another host takes over"])
def test_a_link_that_is_cut_under_way_loses_and_doubles_nothing(
    hosts: Machines, database: Database, taken_over: bool
) -> None:
    url, key = serve(hosts), new_key(database)
    workers = [hosts.start(hosts.b, "host-b", "worker") for _ in range(2)]
    until(lambda: seats(database).keys() == {"host-b", "host-b-2"})
    with ExitStack() as stack:
        calls = [stack.enter_context(calling(url, key)) for _ in range(3)]
        poster, buyer, simulator = Poster(calls[0]), Buyer(calls[1]), Simulator(calls[2])
        listener = stack.enter_context(listening(poster, stumbles=False, host=HOST_A))
        poster.project = f"/v1/projects/{poster.made('/v1/projects', PROJECT)['id']}"
        buyer.prepare(1)
        simulator.prepare()
        # One whose link held, for the others to be like.
        simulator.ask()
        until(simulator.settled)
        with at_work([poster, buyer, simulator]):
            for kind in [PART] if taken_over else [PART, DRAIN, DISPATCH]:
                until(lambda kind=kind: kind in under_way(database))
                hosts.cut()
                if taken_over:
                    hosts.start(hosts.a, "host-a", "worker")
                    until(lambda: seats(database).keys() == {"host-a"})
                # Whatever host b held is free.
                until(lambda: sessions_of_b(database) == 0)
                hosts.mend()
        clients = (buyer, simulator)
        until(lambda: all(client.settled() for client in clients), DRAIN_S)
        events = drained(poster, [listener], DRAIN_S)
        for client in clients:
            client.check()
        buyer.check_events(events)
        assert len(simulator.asked) > 1
        stored = {run["external_id"] for run in poster.all_items(f"{poster.project}/observations")}
        assert poster.acknowledged.keys() == stored
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    ids = {event["id"]: event["sequence"] for event in events}
    assert {one["id"]: one["sequence"] for one in listener.arrivals} == ids
    assert listener.first_sequences() == sorted(ids.values())
    print(f"{len(ids)} events, {len(listener.arrivals) - len(ids)} sent again, {len(buyer.rounds)} rounds, "
          f"{len(buyer.letters)} webhooks, {len(simulator.asked)} simulations")  # fmt: skip
    if taken_over:
        # They find their seats gone and end.
        until(lambda: [worker.poll() for worker in workers] == [1, 1])
    else:
        assert [worker.poll() for worker in workers] == [None, None]
        assert seats(database).keys() == {"host-b", "host-b-2"}


def test_a_row_that_a_lost_host_holds_is_free_again_and_what_it_did_is_not(hosts: Machines, database: Database) -> None:
    url, key = serve(hosts, TRANCHE_LOCK_TIMEOUT_S="1"), new_key(database)
    with ExitStack() as stack:
        http = stack.enter_context(
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)
        )
        project = f"/v1/projects/{Client(http).made('/v1/projects', PROJECT)['id']}"
        lost = connect(hosts.settings)
        stack.callback(lost.close)

        def hold() -> None:
            with lost.writing() as session:
                session.execute(text("UPDATE projects SET name = 'by host b'"))
                hosts.cut()
                refused = http.patch(project, json={"name": "by host a"})
                assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True)
                until(lambda: http.patch(project, json={"name": "by host a"}).status_code == 200)
                hosts.mend()

        with inside(hosts.b):
            lost.engine.connect().close()
        with pytest.raises((Unavailable, OutcomeUnknown)):
            hold()
        assert http.get(project).json()["name"] == "by host a"


def test_hosts_of_one_name_keep_to_themselves(hosts: Machines, database: Database) -> None:
    """Each has the process ids of a container of one image: the same."""
    options = ["serve", "--port", str(API_PORT)]
    first = hosts.start(hosts.a, "twin", *options, container=True)
    until(lambda: "twin" in seats(database))
    second = hosts.start(hosts.b, "twin", *options, container=True)
    until(lambda: seats(database).keys() == {"twin", "twin-2"})
    before = seats(database)
    # Whoever is taken for dead ends at its next beat.
    both_beat(database, 3)
    assert seats(database) == before
    for host, seat in ((first, "twin"), (second, "twin-2")):
        kill_worker(host)
        until(lambda seat=seat: seats(database)[seat] != before[seat])
        assert seats(database).keys() == {"twin", "twin-2"}
        [(silence,)] = rows(database, f"SELECT max(now() - seen_at) FROM workers WHERE id = '{seat}'")  # noqa: S608
        assert silence.total_seconds() < 60


def both_beat(database: Database, times: int) -> None:
    [(start,)] = rows(database, "SELECT max(seen_at) FROM workers")
    late = f"SELECT count(*) FROM workers WHERE seen_at >= '{start}'::timestamp + interval '{times * BEAT_S} s'"  # noqa: S608
    until(lambda: rows(database, late) == [(2,)])


def kill_worker(host: subprocess.Popen[bytes]) -> None:
    """kill -9 of the worker that a `tranche serve` in a container keeps."""
    inner = children(host.pid)
    for worker in [one for parent in inner for one in children(parent)]:
        os.kill(worker, signal.SIGKILL)


def children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in listed.stdout.split()]
