"""The service, watched: its calls, what it holds, and what waits in its database."""

from collections.abc import Callable
from typing import get_args

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.services.enqueue import QueueName
from app.store.db import Database
from app.store.upkeep.backlog import backlog
from app.telemetry.database import DatabaseNumbers
from app.telemetry.holdings import KeptFits, count_holdings
from app.telemetry.metrics import Metrics
from app.telemetry.watch import CallCounts, Watch


def watch_service(app: FastAPI, database: Callable[[], Database], fits: Callable[[], KeptFits]) -> None:
    """Watch every call of `app`, those too that fail unforeseen; its answers then say `X-Request-ID`.

    `app.state.metrics` tells the numbers, and others may add to them; `app.state.call_counts` are those of calls.
    """
    metrics = Metrics()
    counts = CallCounts(metrics)
    app.state.metrics, app.state.call_counts = metrics, counts
    count_holdings(metrics, database, fits)
    metrics.registry.register(DatabaseNumbers(lambda: backlog(database(), get_args(QueueName))))
    plain = app.build_middleware_stack

    def watched() -> ASGIApp:
        return Watch(plain(), counts)

    app.build_middleware_stack = watched  # type: ignore[method-assign]
