"""No secret leaves a trace: neither in what OpenTelemetry gets, nor in the log, nor in Prometheus' numbers."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from app.api.vendors import hooks
from app.services.vendors.gathering import Gathering
from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key, one_database
from tests.telemetry.lines import Lines, logged
from tests.vendors.samples import SECRET, compact, standard_headers
from tests.web.browser_client import Pages

BODY = compact({"type": "ping"})


@dataclass
class Seen:
    """What an operator's tools got."""

    app: FastAPI
    spans: InMemorySpanExporter
    metrics: InMemoryMetricReader
    logs: InMemoryLogRecordExporter
    lines: Lines

    def by_place(self) -> dict[str, str]:
        metrics = self.metrics.get_metrics_data()
        return {
            "spans": "".join(span.to_json() for span in self.spans.get_finished_spans()),
            "metrics": metrics.to_json() if metrics else "",
            "logs": "".join(one.to_json() for one in self.logs.get_finished_logs()),
            "lines": "\n".join([*self.lines.text, *map(str, self.lines.json)]),
            # Before anything was cut out of them.
            "records": "\n".join(self.lines.raw),
            "prometheus": generate_latest(self.app.state.metrics.registry).decode(),
        }


@pytest.fixture
def seen(api: Api) -> Iterator[Seen]:
    spans, metrics, logs = InMemorySpanExporter(), InMemoryMetricReader(), InMemoryLogRecordExporter()
    tracer, meter, logger = TracerProvider(), MeterProvider(metric_readers=[metrics]), LoggerProvider()
    tracer.add_span_processor(SimpleSpanProcessor(spans))
    logger.add_log_record_processor(SimpleLogRecordProcessor(logs))
    providers = {"tracer_provider": tracer, "meter_provider": meter, "logger_provider": logger}
    config: dict[str, Any] = api.app._telemetry
    before = {name: config[name] for name in providers}
    config.update(providers)
    with logged(logging.DEBUG) as lines:
        yield Seen(api.app, spans, metrics, logs, lines)
    config.update(before)
    for one in (tracer, meter, logger):
        one.shutdown()


def forms_of(token: str) -> list[str]:
    """The token, both its halves, and as it stands in a path with an encoded sign."""
    half = len(token) // 2
    return [token, token[:half], token[half:], token.replace("-", "%2D").replace("_", "%5F")]


def fails(_: Any) -> list[bool | Exception]:
    raise RuntimeError("the hook's store broke")


def test_the_token_in_a_hooks_address_leaves_no_trace(api: Api, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    made = api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard", "secret": SECRET}).json()
    path = httpx.URL(made["hook_url"]).path
    token = path.rpartition("/")[2]
    vendor = api.as_key(None)
    numbers = iter(range(100))

    def send(path: str = path, method: str = "POST", body: bytes = BODY, **headers: str) -> httpx.Response:
        signed = standard_headers(BODY, SECRET, int(api.clock.now.timestamp()), f"m{next(numbers)}")
        return vendor.request(method, path, content=body, headers={**signed, **headers})

    assert send().status_code == 202
    assert send(path + "?token=" + token).status_code == 202
    assert send(path + "/").status_code == 202
    assert send(path.replace("hooks", "hook%73")).status_code == 202
    assert send(path[:-1] + f"%{ord(path[-1]):X}").status_code == 202
    assert send(path + "x").status_code == 404
    assert send(path + "x" * 200).status_code == 404
    assert send(path + "/more").status_code == 404
    assert send("/" + path).status_code == 404
    assert send("/before" + path).status_code == 404
    assert send(path.upper().replace(token.upper(), token)).status_code == 404
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert send(method=method).status_code == 405
    assert send(body=b"{}").status_code == 401
    assert send(body=b"x" * 1_100_000).status_code == 413
    assert send(**{"Content-Encoding": "gzip"}).status_code == 415
    assert send(Accept="text/html").status_code == 202
    assert send(Referer=f"https://vendor.example{path}").status_code == 202
    working, broken = api.app.state.webhooks, Gathering(fails)
    api.app.state.webhooks = broken
    assert send().status_code == 500
    broken.close()
    api.app.state.webhooks = working
    monkeypatch.setattr(hooks, "Receipt", lambda **_: {"status": "no such word"})
    assert send().status_code == 500
    places = seen.by_place()
    for place, held in places.items():
        assert held, place
        for form in forms_of(token):
            assert form not in held, place
    # The calls themselves are all there.
    assert '"http.route": "/v1/hooks/{token}"' in places["spans"]
    assert '"url.path": "/v1/hooks/{token}"' in places["spans"]
    assert "the hook's store broke" in places["logs"]
    assert 'route="/v1/hooks/{token}",status="202"' in places["prometheus"]
    told = [line for line in seen.lines.of("tranche.access") if "hooks" in str(line["path"]).lower()]
    assert len(told) == next(numbers)
    assert {line.get("reason") for line in told} >= {"wrong", None}


@one_database
def test_no_key_session_or_secret_leaves_a_trace(api: Api, database: Database, seen: Seen) -> None:
    assert api.key is not None
    gone = new_key(database)
    secrets = [api.key, gone, "an-api-token-of-a-vendor", "in-the-url", SECRET]
    secrets += [one.get_secret_value() for one in api.settings.secret_keys]
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    vendor = {"name": "v", "kind": "prolific", "secret": SECRET, "api_token": "an-api-token-of-a-vendor"}
    made = api.post("/v1/vendor-connections", json=vendor)
    secrets += [made.json()["secret"], made.json()["hook_url"].rpartition("/")[2]]
    endpoint = api.post("/v1/webhook-endpoints", json={"url": "https://receiver.example/?token=in-the-url"})
    secrets.append(endpoint.json()["secret"])
    more = api.post("/v1/api-keys", json={"scopes": ["read"], "name": "more"}, headers={"Idempotency-Key": "once"})
    secrets.append(more.json()["secret"])
    assert api.delete(f"/v1/api-keys/{gone.split('_')[1]}").status_code == 204
    mistakes: list[Callable[[str], httpx.Response]] = [
        lambda key: api.as_key(key).get("/v1/projects"),
        lambda key: api.as_key(key + "x").get("/v1/projects"),
        lambda key: api.get("/v1/projects", params={"api_key": key}),
        lambda key: api.get(f"/v1/projects/{key}"),
        lambda key: api.get(f"/{key}/"),
        lambda key: api.get("/v1/projects", headers={"X-Request-ID": key}),
        lambda key: api.get("/v1/projects", headers={"Authorization": key}),
        lambda key: api.post("/v1/projects", json={"name": key, key: key}),
        lambda key: api.post("/v1/projects", content=key.encode(), headers={"Content-Type": "application/json"}),
    ]
    for key in (gone, api.key):
        for mistake in mistakes:
            mistake(key)
    pages = Pages(api)
    secrets.append(pages.csrf)
    for key in (gone, api.key):
        pages.get(f"/sign-in?next=/&key={key}")
        pages.sign_in(key)
    session = pages.cookie("session")
    assert session is not None
    secrets += [session, pages.csrf]
    assert pages.get("/").status_code == 200
    pages.post("/sign-out")
    for place, held in seen.by_place().items():
        assert held or place == "logs", place
        for secret in filter(None, secrets):
            bare = secret.split("_", 2)[-1] if secret.startswith("tranche_") else secret
            assert bare not in held, place
