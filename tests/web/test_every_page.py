"""Every page, with none, one and many of each thing that there may be."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.api.rights import Operation
from app.services.ids import new_id
from app.store.db import Database
from app.store.models.access import ApiKey
from app.store.models.vendors import VendorConnection, VendorDelivery
from app.store.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.api.test_rights import OPERATIONS
from tests.api_client import NOW, RUNS, Api
from tests.conftest import new_key, one_database
from tests.everything import HERE, PLAYED, URL, Everything, ask_of, everything_in
from tests.web.browser_client import Pages

MANY = 60
LOOKED_AT = [one for one in OPERATIONS if one.is_page and one.method == "GET" and one.right is not None]
NOTHING_DRAWN = re.compile(r"[.](svg|png|json|csv|xlsx|md)$|/charts/|/report$|[.]{format}$")
"""Files and the report: without what they are of they say so by a refusal."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Everything]:
    with everything_in(tmp_path_factory.mktemp("everything"), sqlite_template) as made:
        yield made


def look(browser: Pages, path: str, *also: int) -> None:
    """The page, and every page that its pagers lead to, answer 200, or what else is `also` an answer here."""
    known, waiting = {path}, [path]
    while waiting:
        here = waiting.pop()
        answer = browser.get(here)
        assert answer.status_code in (200, *also), f"{here}: {answer.text[:500]}"
        assert "<h1" in answer.text
        further = {unescape(one) for one in re.findall(r'<a href="([^"]+)" rel="next"', answer.text)} - known
        known |= further
        waiting += further


def is_page(operation: Operation) -> bool:
    return not NOTHING_DRAWN.search(operation.path) and not operation.path.endswith("/progress")


def assert_leads_on(page: str, where: str) -> None:
    """It says something in a sentence and has a next step: a link, a button, or a call of the API."""
    main = page.partition("<main")[2].partition("</main>")[0]
    main = re.sub(r"<nav.*?</nav>", "", main, flags=re.DOTALL)
    assert re.search(r"<(p|small|legend|caption)[^>]*>(<b>)?[A-Z][^<]{10,}", main), where
    assert re.search(r"<a href|<button|<code>", main), where


@one_database
def test_pages_of_an_empty_workspace_say_what_there_is_to_do(api: Api, database: Database) -> None:
    browser = Pages(api)
    browser.sign_in(new_key(database, "admin", workspace_name="empty"))
    seen = [one.path for one in LOOKED_AT if "{" not in one.path and is_page(one)]
    for path in seen:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert_leads_on(answer.text, path)
    assert len(seen) >= 5


@one_database
def test_pages_with_nothing_to_show(api: Api) -> None:
    """Where nothing can be planned yet, the page says what is missing."""
    bare = api.project(groups=[]).removeprefix("/v1")
    browser = Pages(api)
    browser.sign_in(api.key or "")
    seen = 0
    for operation in LOOKED_AT:
        if re.search("{(?!project_id)", operation.path):
            continue
        path = operation.path.replace("/projects/{project_id}", bare)
        if is_page(operation):
            look(browser, path, 422)
            assert_leads_on(browser.get(path).text, path)
        else:
            assert browser.get(path).status_code < 500, path
        seen += 1
    assert seen > 12


@pytest.mark.parametrize("operation", [pytest.param(one, id=one.path) for one in LOOKED_AT])
def test_pages_with_one_of_each(operation: Operation, everything: Everything) -> None:
    path = everything.path(operation, ask_of(operation))
    answer = everything.browsers["owner"].get(path)
    if is_page(operation):
        assert answer.status_code == 200, answer.text[:500]
    assert answer.status_code < 500, answer.text


class Loose(HTMLParser):
    """Texts that hold a name and stand where its direction could move what is around them: not in a <bdi>, nor alone in
    an element whose whole content is that name's, or is no prose."""

    APART = frozenset({"bdi", "title", "option", "textarea", "code", "pre", "script", "style"})

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.open, self.found = name, list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("br", "input", "link", "meta", "img", "source", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.name in data and not self.APART & set(self.open):
            self.found.append(f"{'/'.join(self.open[-3:])}: {data.strip()}")


@pytest.mark.parametrize("operation", [pytest.param(one, id=one.path) for one in LOOKED_AT if is_page(one)])
def test_names_of_other_scripts_do_not_move_what_is_beside_them(operation: Operation, everything: Everything) -> None:
    answer = everything.browsers["owner"].get(everything.path(operation, ask_of(operation)))
    loose = Loose(HERE)
    loose.feed(answer.text)
    assert loose.found == []


@one_database
def test_pages_with_many_of_each(api: Api) -> None:
    """Of what pages list: groups, runs, sources, rounds, simulations, projects, keys, connections, endpoints, attempts,
    webhooks of a vendor, stakeholders."""
    many = crowded(api)
    browser = Pages(api)
    browser.sign_in(api.key or "")
    for operation in LOOKED_AT:
        path = operation.path
        for name, value in many.items():
            path = path.replace(f"{{{name}}}", value)
        if "{" not in path and is_page(operation):
            look(browser, path)


def crowded(api: Api) -> dict[str, str]:
    keys = [f"g{at}" for at in range(MANY)]
    objective = {"kind": "utilitarian"}
    path = api.project(
        groups=[{"key": key, "initial_count": 100, "unit_cost": "1"} for key in keys],
        stakeholders=[{"name": f"s{at}", "objective": objective} for at in range(10)],
    )
    measured = {key: {"value": 0.7, "stderr": 0.01} for key in keys}
    runs = [{**RUNS[0], "external_id": f"r{at}", "counts": dict.fromkeys(keys, 50 + at)} for at in range(MANY)]
    assert api.post(f"{path}/observations", json={"observations": [{**one, "metrics": measured} for one in runs]})
    for at in range(3):
        bought = {"external_id": f"p{at}", "orders": dict.fromkeys(keys[:20], 1)}
        assert api.post(f"{path}/purchases", json=bought).status_code == 201
    for _ in range(30):
        played = api.post(f"{path}/simulations", json=PLAYED)
        assert played.status_code == 202, played.text
        # Of a workspace only a few may wait.
        assert api.post(f"/v1/jobs/{played.json()['job_id']}/cancel").status_code == 200
        api.project()
    connection = api.post("/v1/vendor-connections", json={"name": "v", "kind": "standard"}).json()["id"]
    endpoint = api.post("/v1/webhook-endpoints", json={"url": URL}).json()["id"]
    fill(api, connection, endpoint)
    return {
        "project_id": path.rpartition("/")[2],
        "number": "1",
        "simulation_id": played.json()["id"],
        "connection_id": connection,
        "endpoint_id": endpoint,
    }


def fill(api: Api, connection: str, endpoint: str) -> None:
    """Rows beside those, as many as their pages show at once and more."""
    with api.app.state.runtime.database.writing() as session:
        for kind, id in ((VendorConnection, connection), (WebhookEndpoint, endpoint), (ApiKey, None)):
            model = session.query(kind).first() if id is None else session.query(kind).filter_by(id=UUID(id)).one()
            row = {column.name: getattr(model, column.name) for column in kind.__table__.columns}
            for at in range(MANY):
                own = f"{at:016x}" if kind is ApiKey else new_id()
                one = row | {"id": own} | ({"token_hash": f"{at:064x}"} if "token_hash" in row else {})
                session.execute(insert(kind).values(**one))
        for at in range(MANY):
            delivery = new_id()
            common = {"endpoint_id": UUID(endpoint), "created_at": NOW}
            session.add(
                WebhookDelivery(
                    id=delivery, event_id=new_id(), event_type="round.closed", sequence=None, occurred_at=NOW,
                    state="failed", attempts=1, next_attempt_at=None, **common,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                WebhookAttempt(
                    id=new_id(), endpoint_id=UUID(endpoint), delivery_id=delivery, number=1, succeeded=at % 2 == 0,
                    status=None if at % 3 else 200, error=None, detail=None, answer="", duration_ms=3, attempted_at=NOW,
                )
            )  # fmt: skip
            session.add(
                VendorDelivery(
                    connection_id=UUID(connection), delivery_id=str(at), headers={}, body="{}", sent_at=None,
                    received_at=NOW, outcome="quarantined", detail="why", events=0, applied_at=None,
                )
            )  # fmt: skip
