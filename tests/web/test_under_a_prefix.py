"""The service under a path of its host, behind proxies that take that path away and that do not."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest

from app.main import create_app
from app.settings import Settings
from tests.api.proxies import Proxy
from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

HOST = "https://example.com"
PREFIX = "/teams/plan"
ADDRESS = re.compile(r'\s([a-z-]+)="(/[^"]*)"')
ID = re.compile(r"[0-9a-f-]{36}")
NO_ADDRESS = frozenset({"value"})


@pytest.fixture(params=[True, False], ids=["stripped", "kept"])
def behind(settings: Settings, api: Api, request: pytest.FixtureRequest) -> Iterator[Api]:
    """The service at HOST/PREFIX."""
    here = settings.model_copy(update={"public_url": HOST + PREFIX})
    app = create_app(here, api.clock)
    made = Api(here, api.key, app)
    made.app = Proxy(app, PREFIX, request.param)  # type: ignore[assignment]
    made.app.state = app.state  # type: ignore[attr-defined]
    yield made
    made.borrows = False
    made.close()


@one_database
def test_every_address_of_every_page_is_under_the_prefix_and_there(behind: Api, api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    asked = {"external_id": "r", "data_version": api.get(path).json()["data_version"], "query": {"draws": 50}}
    proposed = api.post(f"{path}/rounds", json=asked)
    assert proposed.status_code == 201, proposed.text
    api.post("/v1/vendor-connections", json={"name": "c", "kind": "standard"})
    api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook"})
    pages = Pages(behind, HOST)
    first = pages.get(f"{PREFIX}/")
    assert (first.status_code, first.headers["location"]) == (303, f"{PREFIX}/sign-in")
    assert pages.get(f"{PREFIX}/sign-in").status_code == 200
    entered = pages.post(f"{PREFIX}/sign-in", {"key": api.key, "next": "/keys"})
    assert (entered.status_code, entered.headers["location"]) == (303, f"{PREFIX}/keys")
    assert {cookie.path for cookie in pages.cookies.jar} <= {PREFIX}
    assert all(cookie.name.startswith("__Secure-") for cookie in pages.cookies.jar)
    waiting, seen, templates = [f"{PREFIX}/"], set[str](), 0
    while waiting:
        address = waiting.pop()
        # One of each kind, whatever it is asked.
        kind = ID.sub("", urlsplit(address).path)
        if kind in seen:
            continue
        seen.add(kind)
        answer = pages.get(address)
        # Nothing was delivered yet that a table could value, and no round is closed to look back on.
        early = re.search("/tables/(source-values|hindsight)", address)
        assert answer.status_code in (200, 303) or early, (address, answer.status_code)
        if answer.status_code == 409:
            continue
        if "html" not in answer.headers["content-type"] or "/docs" in address:
            continue
        templates += 1
        for name, found in ADDRESS.findall(answer.text):
            if name in NO_ADDRESS:
                continue
            assert found.startswith(PREFIX), (address, name, found)
            target = unescape(found)
            # Streams go on, and most forms are posts.
            if name in ("data-events", "action"):
                continue
            waiting.append(urljoin(address, target))
    assert templates > 12, seen


@one_database
def test_the_api_and_its_documentation_work_under_the_prefix(behind: Api, api: Api) -> None:
    made = behind.post(f"{HOST}{PREFIX}/v1/projects", json=api.get(api.project()).json() | {})
    assert made.status_code == 422
    body = {
        "name": "p", "metric": {"name": "a", "kind": "proportion", "goal": "maximize"}, "budget": {"total": "10"},
        "groups": [{"key": "A", "unit_cost": "1"}],
    }  # fmt: skip
    made = behind.post(f"{HOST}{PREFIX}/v1/projects", json=body, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    assert where.startswith(f"{PREFIX}/v1/projects/")
    assert behind.get(HOST + where).json()["id"] == made.json()["id"]
    connection = behind.post(f"{HOST}{PREFIX}/v1/vendor-connections", json={"name": "c", "kind": "standard"})
    assert connection.json()["hook_url"].startswith(f"{HOST}{PREFIX}/v1/hooks/")
    hook = urlsplit(connection.json()["hook_url"]).path
    assert behind.as_key(None).post(HOST + hook, content=b"{}").status_code == 401
    contract = behind.get(f"{HOST}{PREFIX}/openapi.json").json()
    assert contract["servers"] == [{"url": PREFIX}]
    docs = behind.get(f"{HOST}{PREFIX}/docs").text
    named = [part.split('"')[0] for mark in ('src="', 'href="') for part in docs.split(mark)[1:]]
    assert f"url: '{PREFIX}/openapi.json'" in docs
    assert named
    assert all(behind.get(HOST + one).status_code == 200 for one in named)


@one_database
def test_the_service_is_itself_at_its_own_port_too(settings: Settings, api: Api) -> None:
    here = settings.model_copy(update={"public_url": HOST + PREFIX})
    direct = Api(here, api.key, create_app(here, api.clock))
    assert direct.get("/readyz").status_code == direct.get(f"{PREFIX}/readyz").status_code == 200
    assert direct.get(f"{PREFIX}").status_code == direct.get("/").status_code == 303
    assert direct.get(f"{PREFIX}ner/readyz").status_code == 404
    direct.close()


@one_database
def test_a_form_whose_host_was_not_handed_on_says_both_hosts(api: Api) -> None:
    pages = Pages(api, "http://127.0.0.1:8000")
    pages.get("/sign-in")
    answer = pages.post("/sign-in", {"key": api.key}, headers={"Origin": "https://tranche.example.com"})
    assert answer.status_code == 403
    said = text_of(answer)
    assert "https://tranche.example.com" in said
    assert "127.0.0.1:8000" in said
    assert "proxy_set_header Host" in said
    assert pages.post("/sign-in", {"key": api.key}, headers={"Origin": "http://["}).status_code == 403
