"""Every call has an id, a line and a place in the histogram."""

import logging
import re
from typing import Any

import pytest
from prometheus_client import generate_latest

from app.api.http.runtime import Runtime
from app.api.stopping import Stoppable
from app.services.access.keys import Caller
from app.store.db import Database
from app.telemetry.watch import Watch
from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.telemetry.lines import logged
from tests.web.browser_client import Pages


@one_database
def test_an_answer_names_its_call_as_the_caller_did(api: Api) -> None:
    said = api.get("/v1/projects", headers={"X-Request-ID": "deploy-7.a"})
    assert said.headers["x-request-id"] == "deploy-7.a"
    made = [api.get("/v1/projects").headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)
    assert made[0] != made[1]


@one_database
@pytest.mark.parametrize("unfit", ["", "a b", "x" * 65, "tranche_0123456789abcdef_abc", "a\u00e9", "-a", "a;b"])
def test_an_id_that_is_not_short_and_plain_is_replaced(api: Api, unfit: str) -> None:
    given = api.get("/v1/projects", headers={"X-Request-ID": unfit.encode("latin-1")})  # type: ignore[dict-item]
    assert re.fullmatch(r"[0-9a-f]{32}", given.headers["x-request-id"])


@one_database
def test_problems_and_pages_of_errors_say_the_id(api: Api) -> None:
    for answer in (
        api.as_key(None).get("/v1/projects"),
        api.get("/v1/nowhere"),
        api.put("/v1/projects"),
        api.post("/v1/projects", json={"name": 1}),
        api.post("/v1/projects", content=b"x", headers={"Content-Type": "text/plain"}),
    ):
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert Pages(api).get("/nowhere", headers={"Accept": "text/html"}).headers["x-request-id"]


@one_database
def test_what_fails_unforeseen_is_named_told_and_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Caller:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Runtime, "identify", fail)
    with logged() as lines:
        answer = api.get("/v1/projects")
    assert (answer.status_code, answer.json()["request_id"]) == (500, answer.headers["x-request-id"])
    [line] = lines.of("tranche.access")
    assert (line["level"], line["status"], line["problem"]) == ("ERROR", 500, "internal-error")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert {one["request_id"] for one in lines.of("tranche")} == {line["request_id"]}


@one_database
def test_a_line_says_what_was_called_by_whom_and_how_long_it_took(api: Api) -> None:
    path = api.project()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with logged() as lines:
        answer = api.post(f"{path}/groups", json={"key": "C", "initial_count": 1}, headers={"traceparent": trace})
    [line] = lines.of("tranche.access")
    assert answer.status_code == 201
    runtime: Runtime = api.app.state.runtime
    caller = runtime.identify(api.key)
    assert {
        "method": "POST",
        "route": "/v1/projects/{project_id}/groups",
        "path": f"{path}/groups",
        "status": 201,
        "bytes_in": len(answer.request.content),
        "bytes_out": len(answer.content),
        "key_id": caller.key_id,
        "workspace_id": str(caller.workspace_id),
        "request_id": answer.headers["x-request-id"],
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "level": "INFO",
    }.items() <= line.items()
    assert line["duration_ms"] > 0


@one_database
def test_health_is_told_of_only_where_it_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with logged() as lines:
        assert [api.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        assert lines.of("tranche.access") == []
        runtime: Runtime = api.app.state.runtime
        runtime.database.engine.dispose()
        monkeypatch.setattr(runtime.readiness, "check", lambda: 1 / 0)
        assert api.get("/readyz").status_code == 500
    assert [line["route"] for line in lines.of("tranche.access")] == ["/readyz"]


@one_database
def test_refused_keys_and_sign_ins_are_warnings_with_their_reason(api: Api, database: Database) -> None:
    gone = new_key(database)
    key_id = gone.split("_")[1]
    assert api.delete(f"/v1/api-keys/{key_id}").status_code == 204
    wrong = f"tranche_{key_id}_{'x' * 43}"
    unknown = f"tranche_{'0' * 16}_{'x' * 43}"
    pages = Pages(api)
    pages.get("/sign-in")
    with logged(logging.WARNING) as lines:
        for key in (None, unknown, wrong, gone):
            assert api.as_key(key).get("/v1/projects").status_code == 401
        assert pages.post("/sign-in", {"key": gone, "next": "/"}).status_code == 401
    found = [(line["reason"], line.get("key_id"), line["problem"]) for line in lines.of("tranche.access")]
    expected = [("missing", None), ("unknown", None), ("wrong", key_id), ("revoked", key_id), ("revoked", key_id)]
    assert found == [(*one, "unauthenticated") for one in expected]


@one_database
def test_a_page_says_who_looks(api: Api) -> None:
    pages = Pages(api)
    pages.sign_in(api.key or "")
    with logged() as lines:
        assert pages.get("/").status_code == 200
    [line] = lines.of("tranche.access")
    assert line["key_id"] == (api.key or "").split("_")[1]


@one_database
def test_calls_are_counted_by_route_however_many_paths_there_are(api: Api) -> None:
    counted = generate_latest(api.app.state.metrics.registry)
    for number in range(20):
        api.get(f"/v1/projects/{number}")
        api.get(f"/nowhere/{number}")
        api.request(f"X{number}", "/v1/projects")
    later = generate_latest(api.app.state.metrics.registry)
    new = set(labels(later)) - set(labels(counted))
    assert new <= {
        'method="GET",route="/v1/projects/{project_id}",status="404"',
        'method="GET",route="unmatched",status="404"',
        'method="OTHER",route="/v1/projects",status="405"',
    }
    assert b"tranche_http_requests_under_way 0.0" in later


def labels(exposed: bytes) -> list[str]:
    return re.findall(r"tranche_http_request_duration_seconds_count\{(.*)\}", exposed.decode())


@one_database
def test_what_is_refused_at_a_stop_is_told_and_what_is_watched_twice_is_told_once(api: Api) -> None:
    calls = Stoppable(api.app)
    stopping = Api(api.settings, api.key, Watch(calls, api.app.state.call_counts), api.clock)  # type: ignore[arg-type]
    with logged() as lines:
        assert stopping.get("/v1/projects").status_code == 200
        calls.stopping = True
        refused = stopping.get("/v1/projects")
    assert [line["status"] for line in lines.of("tranche.access")] == [200, 503]
    assert (refused.status_code, refused.json()["request_id"]) == (503, refused.headers["x-request-id"])
    assert refused.headers.get_list("x-request-id") == [refused.json()["request_id"]]
