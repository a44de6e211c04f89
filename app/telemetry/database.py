"""Numbers of what waits in the database, for Prometheus: read at most every few seconds, however often they are asked
for, and left out where the database does not answer in time."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.errors import TrancheError
from app.store.upkeep.backlog import LATELY, MOST, MOST_EACH, Backlog

log = logging.getLogger(__name__)

FRESH_S = 5.0
PATIENCE_S = 2.0
"""What a scrape waits for the database; its own timeout is 10 s by default."""
STALE_S = 30.0
"""So old may be what is told while the database takes longer."""


class DatabaseNumbers(Collector):
    """What `read` gives, which may take long and raise TrancheError. One reading at a time, in a thread of its own."""

    def __init__(self, read: Callable[[], Backlog]) -> None:
        self.read = read
        self.found: Backlog | None = None
        self.read_at = self.next_read = -STALE_S
        self.reading: threading.Thread | None = None
        self.lock = threading.Lock()

    def newest(self) -> Backlog | None:
        with self.lock:
            if monotonic() >= self.next_read and (self.reading is None or not self.reading.is_alive()):
                self.reading = threading.Thread(target=self.renew, name="metrics", daemon=True)
                self.reading.start()
            reading = self.reading
        if reading is not None:
            reading.join(PATIENCE_S)
        return self.found if monotonic() < self.read_at + STALE_S else None

    def renew(self) -> None:
        found = None
        try:
            found = self.read()
        except TrancheError:
            # Calls that meet it say what it is, and so does /readyz.
            pass
        except Exception:
            log.exception("what waits in the database cannot be counted")
        self.found = found
        self.read_at = monotonic()
        self.next_read = self.read_at + FRESH_S

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        found = self.newest()
        yield GaugeMetricFamily(
            "tranche_database_up", "Whether the database says what waits in it.", value=float(found is not None)
        )
        if found is not None:
            yield from families(found)


def families(found: Backlog) -> Iterator[Metric]:
    most = f"; nothing is counted beyond {MOST:,}"
    most_each = f"{MOST_EACH:,}"
    queues = found.queues.items()
    yield labelled("jobs_waiting", f"Jobs whose time has come{most}.", "queue", {one: q.waiting for one, q in queues})
    yield labelled("jobs_running", f"Jobs that workers run{most}.", "queue", {one: q.running for one, q in queues})
    says = "How long the first job of the queue has waited."
    yield labelled("jobs_oldest_wait_seconds", says, "queue", {one: q.oldest_s for one, q in queues})
    says = f"Jobs that failed for good within {LATELY.total_seconds() / 3600:g} hour; {most_each} at most."
    yield labelled("jobs_failed_lately", says, "queue", {one: q.failed for one, q in queues})
    yield alone("jobs_delayed", f"Jobs whose time is still to come{most}.", found.delayed)
    yield alone("workers", "Workers heard of within a minute.", found.workers)
    if found.heard_s is not None:
        yield alone("worker_last_heard_seconds", "Time since the newest word of any worker.", found.heard_s)
    says = (
        f"Webhooks of labeling vendors that wait to be applied, or are quarantined; {most_each} a connection at most."
    )
    yield labelled("vendor_deliveries", says, "outcome", found.vendor_deliveries)
    says = f"Webhooks that wait for another attempt, or failed for good and are kept; {most_each} an endpoint at most."
    yield labelled("webhook_deliveries", says, "state", found.webhook_deliveries)
    yield alone("webhook_endpoints_disabled", "Webhook endpoints that get nothing any more.", found.endpoints_disabled)
    yield alone("webhook_endpoints_behind", "Webhook endpoints with events not sent yet.", found.endpoints_behind)


def alone(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tranche_{name}", says, value=value)


def labelled(name: str, says: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"tranche_{name}", says, labels=[label])
    for one, value in values.items():
        family.add_metric([one], value)
    return family
