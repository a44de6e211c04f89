"""What every process holds, in numbers: kept fits, and connections to the database."""

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import QueuePool

from app.store.db import Database
from app.telemetry.metrics import Metrics


class KeptFits(Protocol):
    """The fits that are kept: what they weigh in bytes and may weigh, and how often they were there."""

    total: int
    most: int
    hits: int
    misses: int


def count_holdings(metrics: Metrics, database: Callable[[], Database], fits: Callable[[], KeptFits]) -> None:
    metrics.gauge("tranche_kept_fits_bytes", "Memory of the fits that are kept.", lambda: fits().total)
    metrics.gauge("tranche_kept_fits_limit_bytes", "What they may take, TRANCHE_CACHE_MB.", lambda: fits().most)
    metrics.total("tranche_kept_fits_hits_total", "Fits that were looked for and kept.", lambda: fits().hits)
    metrics.total("tranche_kept_fits_misses_total", "Fits that were looked for and not kept.", lambda: fits().misses)

    def in_use() -> float:
        pool = database().engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def at_most() -> float:
        pool = database().engine.pool
        return pool.size() if isinstance(pool, QueuePool) else 1

    metrics.gauge("tranche_database_connections_in_use", "Connections of this process that are in use.", in_use)
    metrics.gauge("tranche_database_connections_limit", "Connections that this process may hold.", at_most)
