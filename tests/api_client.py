"""A caller of the service in this process."""

import asyncio
import math
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from fastapi import FastAPI

from app.api.http.runtime import Runtime
from app.api.planning.allocations import allocation_json
from app.jobs.refit import forecast
from app.jobs.workflows import Context
from app.main import create_app
from app.settings import Settings

Answer = TypeVar("Answer")
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

ACCURACY = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}


def run_apart(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Runs it to its end, in a thread of its own where this one has an event loop already (Playwright's)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


IDLE_APPS: list[FastAPI] = []
"""Apps that no test uses now. Each builds its routes at the first call of each, which costs as much as many tests."""


def borrowed_app(settings: Settings, clock: "Clock") -> FastAPI:
    """The service on the database of `settings`, with the routes of one that an earlier test used."""
    made = create_app(settings, clock)
    if not IDLE_APPS:
        return made
    app = IDLE_APPS.pop()
    app.state.runtime, app.state.webhooks = made.state.runtime, made.state.webhooks
    return app


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Api:
    """Sends requests with one key. `as_key` is the same service with another."""

    def __init__(
        self, settings: Settings, key: str | None, app: FastAPI | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.key = key
        self.clock = clock or Clock()
        self.borrows = app is None
        self.app = app or borrowed_app(settings, self.clock)

    def as_key(self, key: str | None) -> "Api":
        return Api(self.settings, key, self.app, self.clock)

    def close(self) -> None:
        runtime: Runtime = self.app.state.runtime
        self.app.state.webhooks.close()
        runtime.database.close()
        if self.borrows:
            self.borrows = False
            IDLE_APPS.append(self.app)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return run_apart(self.send(method, path, **options))

    def together(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """All at once."""

        async def gather() -> list[httpx.Response]:
            return await asyncio.gather(*(self.send(method, path, **options) for method, path, options in requests))

        return run_apart(gather())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def forecasts(self, path: str, **options: Any) -> httpx.Response:
        """The project's forecasts, once those that are due are made, as the worker makes them."""
        runtime: Runtime = self.app.state.runtime
        context = Context(
            self.settings, runtime.database, runtime.clock, runtime.fits, runtime.enqueue, allocation_json
        )
        forecast(context, UUID(path.rpartition("/")[2]), until=math.inf)
        return self.get(f"{path}/forecasts", **options)

    def project(self, **changes: Any) -> str:
        """A project of two groups, A and B, at 1 and 2 USD. Returns its path. A model for each group, whose fits are
        quick; what is said of a project that says nothing is in `tests/api/projects/test_projects.py`."""
        body = {
            "name": "two groups",
            "model": "separate",
            "metric": ACCURACY,
            "budget": {"total": "1000", "rounds": 2},
            "groups": [
                {"key": "A", "initial_count": 200, "unit_cost": "1"},
                {"key": "B", "initial_count": 100, "unit_cost": "2.00"},
            ],
        } | changes
        answer = self.post("/v1/projects", json=body)
        assert answer.status_code == 201, answer.text
        return f"/v1/projects/{answer.json()['id']}"


def run(number: int, counts: dict[str, int], **values: float) -> dict[str, Any]:
    """An observation in which each named group was measured with a standard error of .01."""
    metrics = {key: {"value": value, "stderr": 0.01} for key, value in values.items()}
    return {"external_id": f"run-{number}", "counts": counts, "metrics": metrics}


RUNS = [
    run(1, {"A": 50, "B": 25}, A=0.70, B=0.60),
    run(2, {"A": 100, "B": 50}, A=0.74, B=0.66),
    run(3, {"A": 200, "B": 100}, A=0.77, B=0.71),
]
