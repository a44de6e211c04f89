"""The numbers of a process: named as Prometheus wants it, told at a port of their own, and never of a workspace."""

import logging
import re
import socket

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.commands.serve import environment_of
from app.settings import Settings
from app.telemetry.metrics import Metrics, listen
from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.telemetry.lines import logged
from tests.test_docs import free_port

OURS = "tranche_"


def told(api: Api) -> dict[str, float]:
    """Every number without labels, by its name."""
    families = text_string_to_metric_families(generate_latest(api.app.state.metrics.registry).decode())
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


@one_database
def test_names_and_labels_follow_the_conventions(api: Api) -> None:
    api.get("/v1/projects")
    families = list(text_string_to_metric_families(generate_latest(api.app.state.metrics.registry).decode()))
    ours = [family for family in families if family.name.startswith(OURS)]
    assert len(ours) > 15
    for family in ours:
        assert family.documentation.endswith("."), family.name
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert family.type in ("gauge", "counter", "histogram"), family.name
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            assert not {"workspace", "workspace_id", "project", "project_id", "key", "path"} & set(sample.labels)
    assert {"process_resident_memory_bytes", "python_gc_collections"} <= {family.name for family in families}


@one_database
def test_kept_fits_are_counted(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    before = told(api)
    for _ in range(2):
        assert api.get(f"{path}/curves").status_code == 200
    after = told(api)
    assert after["tranche_kept_fits_bytes"] > before["tranche_kept_fits_bytes"]
    assert after["tranche_kept_fits_misses_total"] > before["tranche_kept_fits_misses_total"]
    api.get(f"{path}/allocations/next")
    assert told(api)["tranche_kept_fits_hits_total"] > after["tranche_kept_fits_hits_total"]


def test_connections_in_use_are_told(api: Api) -> None:
    runtime = api.app.state.runtime
    assert told(api)["tranche_database_connections_limit"] == api.settings.pool_size
    with runtime.database.reading() as session:
        session.connection()
        assert told(api)["tranche_database_connections_in_use"] == 1


@one_database
def test_others_add_numbers_of_their_own(api: Api) -> None:
    metrics = Metrics()
    metrics.gauge("tranche_x_bytes", "X.", lambda: 7)
    metrics.total("tranche_y_total", "Y.", lambda: 8)
    lines = generate_latest(metrics.registry).decode().splitlines()
    assert {"tranche_x_bytes 7.0", "tranche_y_total 8.0"} <= set(lines)


def test_they_are_told_at_a_port_of_their_own_where_one_is_set() -> None:
    metrics, port = Metrics(), free_port()
    assert Settings().metrics_port is None
    listen(metrics, Settings())
    with logged() as lines:
        listen(metrics, Settings(metrics_port=port))
    assert str(port) in lines.json[0]["message"]
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "tranche_build_info" in answer.text
    assert httpx.post(f"http://127.0.0.1:{port}/metrics").status_code == 405


def test_a_port_that_is_taken_is_told_and_keeps_nobody_from_serving() -> None:
    with socket.socket() as taken, logged(logging.ERROR) as lines:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen(Metrics(), Settings(metrics_port=taken.getsockname()[1]))
    [line] = lines.json
    assert "set TRANCHE_METRICS_PORT to another" in line["message"]


@pytest.mark.parametrize("place", [0, 4])
def test_each_process_has_a_port_of_its_own(place: int) -> None:
    assert environment_of(Settings(metrics_port=9400), place)["TRANCHE_METRICS_PORT"] == str(9400 + place)
    assert "TRANCHE_METRICS_PORT" not in environment_of(Settings(), place)


@one_database
def test_the_public_port_tells_nothing(api: Api) -> None:
    assert api.get("/metrics").status_code == 404
