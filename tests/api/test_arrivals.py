"""What is settled before a route is looked for."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from app.api.arrivals import Heads
from app.main import create_app
from app.settings import OWN_PATHS, Settings
from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.fuzz.pages import routes_of

KEYED = {"Idempotency-Key": "once"}
JSON = {"Content-Type": "application/json", **KEYED}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/api-keys/A%00"),
        ("GET", "/v1/projects?cursor=%00"),
        ("GET", "/v1/jobs?state=%01"),
        ("GET", "/healthz?x=%0a"),
        ("POST", "/v1/projects/x/groups/A%00/restore"),
        ("POST", "/v1/projects/x/groups/A%7F/restore"),
        ("POST", "/v1/projects/x/orders/A%00/corrections"),
        ("GET", "/v1/projects/%FF"),
        ("GET", "/v1/projects/%ED%A0%80"),
        ("GET", "/v1/projects?cursor=%C3%28"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_else(api: Api, method: str, path: str) -> None:
    for key in (api.key, None):
        answer = api.as_key(key).request(method, path, headers=JSON if method == "POST" else {})
        in_query = "?" in path
        assert answer.status_code == (422 if in_query else 404), answer.text
        assert answer.json()["detail"].startswith("query: " if in_query else "There is nothing at this path: it ")
        assert answer.headers["content-type"] == "application/problem+json"


@one_database
def test_control_characters_in_headers_are_refused(api: Api) -> None:
    for value in (b"a\x00b", b"a\x1fb", b"\x7f"):
        answer = api.post("/v1/projects", json={}, headers={"Idempotency-Key": value})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "header idempotency-key")
    assert api.get("/v1/projects", headers={"X-Note": "a\tb é".encode()}).status_code == 200


@one_database
def test_raw_bytes_in_a_query_are_refused(api: Api) -> None:
    async def ask(query: bytes, path: str = "/v1/projects") -> int:
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": None, "query_string": query, "scheme": "http",
            "headers": [(b"accept", b"text/html")], "http_version": "1.1", "server": ("t", 80), "root_path": "",
        }  # fmt: skip
        await api.app(scope, receive, send)
        return int(said[0]["status"])

    assert asyncio.run(ask(b"a=\xff")) == 422
    assert asyncio.run(ask(b"", "/v1/projects/\udcff")) == 404
    assert asyncio.run(ask(b"", "/lost\udcff")) == 404


@one_database
def test_a_path_without_end_is_not_found(api: Api) -> None:
    path = api.project()
    assert api.get(f"{path}/groups/{'a' * 5000}").status_code == 404
    assert api.post(f"{path}/groups/{'%C3%A9' * 700}/restore", headers=KEYED).status_code == 404
    longest = "\U0001f9ea" * 100
    assert api.post(f"{path}/groups", json={"key": longest}).status_code == 201
    assert api.get(f"{path}/groups/{longest}").status_code == 200


@one_database
def test_a_slash_at_the_end_leads_nowhere_in_clear(api: Api) -> None:
    """A redirect would name the scheme that the service sees, which behind a proxy is not the caller's."""
    answer = api.get("/v1/projects/", headers={"Host": "tranche.example.com", "X-Forwarded-Proto": "https"})
    assert answer.status_code == 404
    assert "no slash at the end" in answer.json()["detail"]
    assert "location" not in answer.headers


@one_database
def test_head_is_answered_as_get_without_the_body(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    paths = ["/healthz", "/readyz", "/docs", "/openapi.json", "/sign-in", "/", "/v1/projects", path, f"{path}/curves"]
    for one in [*paths, f"{path}/tables/observations.csv", f"{path}/nothing", "/v1/projects?bad=1"]:
        whole = {"Accept-Encoding": "identity"}
        got, head = api.get(one, headers=whole), api.request("HEAD", one, headers=whole)
        assert head.content == b"", one
        assert head.status_code == got.status_code, one
        kept = {"content-type", "content-length", "etag", "location"}
        assert {n: v for n, v in head.headers.items() if n in kept} == {
            n: v for n, v in got.headers.items() if n in kept
        }, one
    assert api.request("HEAD", f"{path}/groups/A/restore").status_code == 405
    tag = api.get(path).headers["ETag"]
    assert api.request("HEAD", path, headers={"If-None-Match": tag}).status_code == 304


@one_database
def test_head_of_a_stream_ends_at_once(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    asked = {"policies": ["equal"], "replicates": 2, "rounds": 1}
    job = api.post(f"{path}/simulations", json=asked, headers=KEYED).headers["location"]
    answer = api.request("HEAD", f"{job}/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_stream_behind_head_is_cancelled() -> None:
    ended = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0)
        finally:
            ended.append(scope["method"])

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    asyncio.run(Heads(endless)({"type": "http", "method": "HEAD"}, receive, send))
    assert ended == ["GET"]
    assert [one.get("body") for one in said] == [None, b""]


ORIGIN = {"Origin": "https://notebooks.example.com"}


def test_named_sites_may_call_from_a_browser(settings: Settings, api: Api) -> None:
    named = settings.model_copy(update={"cors_origins": (ORIGIN["Origin"],)})
    open_to = Api(named, api.key, create_app(named, api.clock))
    try:
        asked = {**ORIGIN, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
        answer = open_to.as_key(None).request("OPTIONS", "/v1/projects", headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN["Origin"])
        got = open_to.get("/v1/projects", headers=ORIGIN)
        assert got.headers["access-control-allow-origin"] == ORIGIN["Origin"]
        assert "ETag" in got.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in got.headers
        refused = open_to.as_key(None).get("/v1/projects", headers=ORIGIN)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN["Origin"])
        other = open_to.get("/v1/projects", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    finally:
        open_to.close()
    closed = api.get("/v1/projects", headers=ORIGIN)
    assert "access-control-allow-origin" not in closed.headers


def test_an_address_of_ipv6_has_brackets() -> None:
    assert Settings(host="::1", port=27415).base_url == "http://[::1]:27415"
    assert Settings(host="127.0.0.1").base_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("https://example.com", ""),
        ("https://example.com/", ""),
        ("https://example.com/plan/", "/plan"),
        ("https://[::1]:8443/teams/plan-b", "/teams/plan-b"),
    ],
)
def test_a_public_address_may_have_a_path(url: str, prefix: str) -> None:
    assert Settings(public_url=url).path_prefix == prefix


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/v1", "https://example.com/projects/x", "https://example.com/a?b=c", "https://example.com/#a",
        "https://me@example.com", "https:///plan", "https://example.com/a b", "https://example.com/%41",
        "https://example.com/a/../b", "https://[/plan", "https://example.com:0/",
    ],
)  # fmt: skip
def test_other_public_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(public_url=url)


@one_database
def test_no_prefix_hides_a_path_of_the_service(api: Api) -> None:
    """Every first part of a path is known to the setting that refuses it as a prefix."""
    first = {path.split("/")[1] for path in api.get("/openapi.json").json()["paths"]}
    pages = {route.path.split("/")[1] for route in routes_of(api.app)} - {""}
    assert first | pages | {"docs", "redoc", "openapi.json", "static", "static-offline-docs"} <= OWN_PATHS


@pytest.mark.parametrize("origins", ["notebooks.example.com", "https://a.example/path", "https://*.example", "null"])
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        Settings(cors_origins=origins)  # type: ignore[arg-type]
    named = Settings(cors_origins="https://a.example, http://localhost:8888")  # type: ignore[arg-type]
    assert named.cors_origins == ("https://a.example", "http://localhost:8888")
