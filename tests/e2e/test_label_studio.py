"""A round's whole life with a real Label Studio: `make test-label-studio` installs it and sets LABEL_STUDIO_ENV."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.services.access.secrets import new_secret_key
from tests.api_client import ACCURACY, RUNS
from tests.e2e.studio import LABELS, RESULT, Studio, free_port, label_studio
from tests.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("LABEL_STUDIO_ENV" not in os.environ, reason="needs Label Studio: make test-label-studio"),
]


class Tranche:
    """Our service in a process of its own, with its worker; it can be taken down and brought up again."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.environment = {
            **os.environ,
            "TRANCHE_DATABASE_URL": f"sqlite:///{folder}/tranche.db",
            "TRANCHE_PORT": str(port),
            "TRANCHE_SECRET_KEY": new_secret_key(),
            "TRANCHE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "TRANCHE_JOB_POLL_S": "0.1",
        }
        self.program = str(Path(sys.executable).parent / "tranche")
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.run("migrate")
        key = self.run("key", "create", "--scopes", "admin").strip()
        self.client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[None]:
        with (
            (self.folder / "tranche.log").open("ab") as log,
            subprocess.Popen([self.program, "serve"], env=self.environment, stdout=log, stderr=log) as process,
        ):
            try:
                until(self.answers, "the service to come up")
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)

    def answers(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.client.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def act(self, path: str) -> Any:
        tag = self.client.get(path.rsplit("/", 1)[0]).headers["ETag"]
        return self.call("POST", path, headers={"If-Match": tag}, json={"note": "wanted"})


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)


def set_up(tranche: Tranche, studio: Studio) -> tuple[str, str]:
    """A project that has been measured, and a source that sells both groups through Label Studio."""
    connection = tranche.call(
        "POST",
        "/v1/vendor-connections",
        json={
            "name": "our annotators",
            "kind": "label_studio",
            "config": {"base_url": studio.url, "label_config": LABELS},
            "api_token": studio.token,
        },
    )
    groups = [{"key": "A", "initial_count": 200}, {"key": "B", "initial_count": 100}]
    body = {"name": "end to end", "metric": ACCURACY, "budget": {"total": "80", "rounds": 2}, "groups": groups}
    project = f"/v1/projects/{tranche.call('POST', '/v1/projects', json=body)['id']}"
    source = {"key": "annotators", "yields": {"A": 0.5, "B": 0.5}, "unit_cost": "1", "connection": connection["id"]}
    tranche.call("POST", f"{project}/sources", json=source)
    tranche.call("POST", f"{project}/observations", json={"observations": RUNS})
    rows = [{"id": f"{key}{n}", "group": key, "data": {"text": f"{key} {n}"}} for key in "AB" for n in range(30)]
    tranche.call("POST", f"/v1/vendor-connections/{connection['id']}/rows", json=rows)
    return project, f"/v1/vendor-connections/{connection['id']}"


def accept_a_round(tranche: Tranche, project: str) -> str:
    seen = tranche.call("GET", f"{project}/allocations/next")
    body = {"external_id": "r1", "data_version": seen["data_version"]}
    tranche.call("POST", f"{project}/rounds", json=body)
    made = tranche.act(f"{project}/rounds/1/accept")
    return f"{project}/orders/{made['orders'][0]['id']}"


def counts(tranche: Tranche, order: str) -> dict[str, dict[str, int]]:
    seen = tranche.call("GET", order)["groups"]
    return {key: {state: n for state, n in by.items() if n} for key, by in seen.items() if any(by.values())}


def test_a_round_is_ordered_labelled_counted_and_changes_the_next_allocation(tmp_path: Path) -> None:
    folders = [tmp_path / "studio", tmp_path / "tranche"]
    for folder in folders:
        folder.mkdir()
    tranche = Tranche(folders[1])
    with label_studio(folders[0]) as studio:
        with tranche.up():
            project, connection = set_up(tranche, studio)
            order = accept_a_round(tranche, project)
            until(lambda: tranche.call("GET", order)["state"] == "placed", "the order to be placed")
            board = tranche.call("GET", order)["external_id"]
            tasks = studio.tasks(board)
            assert sorted(task["data"]["group"] for task in tasks) == ["A"] * 20 + ["B"] * 20
            annotate(studio, tasks)
            expected = studio.counts(board)
            assert expected == {"A": {"accepted": 4}, "B": {"accepted": 2, "rejected": 1}}
            until(lambda: counts(tranche, order) == expected, "webhooks to be counted")
        while_down(studio, board, tasks)
        with tranche.up():
            assert counts(tranche, order) == expected
            assert studio.counts(board) != expected
            tranche.call("POST", f"{connection}/reconcile")
            until(lambda: counts(tranche, order) == studio.counts(board), "the reconciliation")
            [report, *_] = tranche.call("GET", f"{connection}/reconciliations")["items"]
            assert report["differences"]
            assert tranche.call("GET", f"{project}/ledger/check")["entries_add_up"]
            close_and_plan_again(tranche, project, order)
    tranche.client.close()


def annotate(studio: Studio, tasks: list[dict[str, Any]]) -> None:
    """Labels, skips, updates and deletes, so that webhooks of every kind are sent."""
    a, b = ([task["id"] for task in tasks if task["data"]["group"] == key] for key in "AB")
    first = [studio.annotate(task) for task in a[:5]]
    studio.annotate(a[0])
    studio.call("DELETE", f"/api/annotations/{first[4]}/")
    for task in b[:3]:
        studio.annotate(task)
    skipped = studio.annotate(b[3], result=[], was_cancelled=True)
    studio.call("PATCH", f"/api/annotations/{skipped}/", json={"was_cancelled": True})
    studio.call("DELETE", f"/api/tasks/{b[2]}/")


def while_down(studio: Studio, board: str, tasks: list[dict[str, Any]]) -> None:
    """What no webhook tells: all of this happens while nobody listens, the import never makes an annotation event."""
    a = [task["id"] for task in tasks if task["data"]["group"] == "A"]
    for task in a[5:8]:
        studio.annotate(task)
    studio.annotate(a[8], result=[], was_cancelled=True)
    kept = next(task for task in tasks if task["data"]["group"] == "B")["data"]
    ready = [{"data": {**kept, "tranche_item_id": "ready"}, "annotations": [{"result": RESULT}]}]
    studio.call("POST", f"/api/projects/{board}/import", json=ready)


def close_and_plan_again(tranche: Tranche, project: str, order: str) -> None:
    before = tranche.call("GET", f"{project}/allocations/next")
    held = {group["group"]: group["count"] for group in before["groups"]}
    came = counts(tranche, order)
    assert held == {"A": 200 + came["A"]["accepted"], "B": 100 + came["B"]["accepted"]}
    assert tranche.act(f"{project}/rounds/1/close")["state"] == "closed"
    metrics = {"A": {"value": 0.90, "stderr": 0.01}, "B": {"value": 0.72, "stderr": 0.01}}
    run = {"external_id": "run-4", "counts": held, "metrics": metrics}
    tranche.call("POST", f"{project}/observations", json={"observations": [run]})
    after = tranche.call("GET", f"{project}/allocations/next")
    assert after["data_version"] > before["data_version"]
    assert after["groups"] != before["groups"]
    assert after["round"] == 2
