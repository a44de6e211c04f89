"""Numbers for Prometheus: a registry of this process, and the port that tells them."""

import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Info, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.settings import Settings

log = logging.getLogger(__name__)

Read = Callable[[], float]


class Metrics(Collector):
    """What this process tells of itself. Names begin with `tranche_` and end in their unit, those of what only grows
    in `_total`; labels name nothing of a workspace."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._read: list[tuple[type[GaugeMetricFamily] | type[CounterMetricFamily], str, str, Read]] = []
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Info("tranche_build", "The version of the software.", registry=self.registry).info(
            {"version": version("tranche")}
        )
        self.registry.register(self)

    def gauge(self, name: str, says: str, read: Read) -> None:
        """Tell what `read` gives when the metrics are asked for; it must be quick, and raise nothing."""
        self._read.append((GaugeMetricFamily, name, says, read))

    def total(self, name: str, says: str, read: Read) -> None:
        """As `gauge`, for what only grows; its name ends in `_total`."""
        self._read.append((CounterMetricFamily, name.removesuffix("_total"), says, read))

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for family, name, says, read in self._read:
            yield family(name, says, value=read())


def listen(metrics: Metrics, settings: Settings) -> None:
    """Tell the metrics at the port of the settings, if any, in a thread of its own. A port that cannot be had is
    logged: a service that cannot be counted still serves."""
    if settings.metrics_port is None:
        return
    host, port = settings.metrics_host, settings.metrics_port
    try:
        start_http_server(port, host, metrics.registry)
    except OSError as error:
        advice = "no metrics: cannot listen on %s port %d (%s); set TRANCHE_METRICS_PORT to another"
        log.error(advice, host, port, error.strerror or error)  # noqa: TRY400
    else:
        log.info("metrics are told on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
