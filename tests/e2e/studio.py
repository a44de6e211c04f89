"""A real Label Studio, headless on loopback, in its own environment; nothing of it is reached from elsewhere."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import PATIENCE_S

START_S = 400
LABELS = (
    '<View><Text name="t" value="$text"/><Choices name="lab" toName="t">'
    '<Choice value="yes"/><Choice value="no"/></Choices></View>'
)
RESULT = [{"from_name": "lab", "to_name": "t", "type": "choices", "value": {"choices": ["yes"]}}]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Studio:
    """Its API as annotators and managers use it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=PATIENCE_S)

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.client.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def tasks(self, project: str) -> list[dict[str, Any]]:
        asked = {"project": project, "page": 1, "page_size": 500, "fields": "all"}
        found: list[dict[str, Any]] = self.call("GET", "/api/tasks", params=asked)["tasks"]
        return found

    def annotate(self, task: int, **changes: Any) -> int:
        made = self.call("POST", f"/api/tasks/{task}/annotations/", json={"result": RESULT, **changes})
        return int(made["id"])

    def counts(self, project: str) -> dict[str, dict[str, int]]:
        """Group → accepted and rejected tasks: rejected where every annotation was skipped; ground truth left out."""
        found: dict[str, dict[str, int]] = {}
        for task in self.tasks(project):
            counted = [one for one in task["annotations"] if not one["ground_truth"]]
            if counted:
                state = "rejected" if all(one["was_cancelled"] for one in counted) else "accepted"
                by = found.setdefault(task["data"]["group"], {})
                by[state] = by.get(state, 0) + 1
        return found


@contextmanager
def label_studio(folder: Path) -> Iterator[Studio]:
    """Starts it on a data folder of its own; with LABEL_STUDIO_CACHE set, on a copy of the migrated one kept there."""
    program = Path(os.environ["LABEL_STUDIO_ENV"]) / "bin" / "label-studio"
    cache = Path(os.environ["LABEL_STUDIO_CACHE"]) if "LABEL_STUDIO_CACHE" in os.environ else None
    data, port = folder / "data", free_port()
    token = secrets.token_hex(20)
    if cache is not None and (cache / "token").exists():
        shutil.copytree(cache / "data", data)
        token = (cache / "token").read_text()
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": "planner@example.com", "LABEL_STUDIO_PASSWORD": secrets.token_urlsafe(12),
        "LABEL_STUDIO_USER_TOKEN": token, "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "SSRF_PROTECTION_ENABLED": "false", "LATEST_VERSION_CHECK": "false", "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "", "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    studio = Studio(f"http://127.0.0.1:{port}", token)
    command = [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (
        (folder / "label-studio.log").open("wb") as log,
        subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait_until_up(studio, process)
            if cache is not None and not cache.exists():
                cache.mkdir(parents=True)
                shutil.copytree(data, cache / "data")
                (cache / "token").write_text(token)
            yield studio
        finally:
            studio.client.close()
            process.terminate()


def wait_until_up(studio: Studio, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        assert process.poll() is None, "Label Studio ended while it was starting; see its log"
        assert time.monotonic() < end, "Label Studio did not come up"
        try:
            if studio.client.get("/health").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
