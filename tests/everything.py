"""A workspace with one of each thing, and a request for every operation and page, whose effects are taken back."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select

from app.api.rights import Operation, operations_of
from app.services.access.keys import SCOPES
from app.services.access.secrets import new_secret_key
from app.settings import Settings
from app.store.access import key_by_id
from app.store.db import Database, Session, connect
from app.store.models.purchases import AuditEntry
from tests.api_client import NOW, RUNS, Api
from tests.conftest import LOOPBACK, new_key
from tests.web.browser_client import Pages

URL = "https://receiver.example/hooks/0123456789abcdef"
NOWHERE = "http://127.0.0.1:9"
HERE = "נראה only seen from here"
"""Stands in the name of everything there is, so that a leak is found."""


@dataclass(frozen=True)
class Ask:
    """What an operation needs beside its path. at: places in the path that are not the usual ones. seen: the path whose
    ETag goes along as If-Match."""

    json: Any = None
    form: dict[str, Any] | None = None
    content: str | None = None
    kind: str | None = None
    query: dict[str, Any] = field(default_factory=dict)
    at: dict[str, str] = field(default_factory=dict)
    seen: str | None = None


PROJECT = "/v1/projects/{project_id}"
CONNECTION = "/v1/vendor-connections/{connection_id}"
ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
ROUND = f"{PROJECT}/rounds/{{number}}"
METRIC = {"name": "accuracy", "kind": "proportion", "goal": "maximize", "lower": 0.0, "upper": 1.0}
QUICK = {"draws": 50}
PLAYED = {"policies": ["equal", "proportional"], "replicates": 4, "rounds": 2, "draws": 20}
LIST = [{"key": "A", "initial_count": 200, "unit_cost": "1"}, {"key": "B", "initial_count": 100}]
SOURCES = [{"key": key, "unit_cost": "3", "yields": {key: 1.0}} for key in "AB"]
MANIFEST = "item,group\ni1,A\ni2,B\n"
PROPOSED = {"number": "2"}
IDLE = {"project_id": "idle"}
PAUSED = {"connection_id": "paused_connection"}

ASKS: dict[str, Ask] = {
    "POST /v1/api-keys": Ask(json={"name": "n", "scopes": ["read"], "project_ids": ["{project_id}"]}),
    "PATCH /v1/api-keys/{key_id}": Ask(json={"name": "another"}),
    "GET /v1/audit": Ask(),
    "POST /v1/hooks/{token}": Ask(json={"type": "items.changed"}),
    "POST /v1/projects": Ask(json={"name": "p", "metric": METRIC, "budget": {"total": "9", "rounds": 1}}),
    f"PATCH {PROJECT}": Ask(json={"budget": {"total": "2000", "rounds": 3}}),
    f"DELETE {PROJECT}": Ask(at=IDLE),
    f"POST {PROJECT}/restore": Ask(at={"project_id": "archived"}),
    f"POST {PROJECT}/erasure": Ask(json={"name": HERE}, at=IDLE),
    f"GET {PROJECT}/allocations/next": Ask(query=QUICK),
    f"POST {PROJECT}/allocations/what-if": Ask(json={"scenarios": [{"name": "s"}], "draws": 50}),
    f"GET {PROJECT}/charts/{{name}}.{{format}}": Ask(at={"name": "spending", "format": "json"}),
    f"PATCH {PROJECT}/holdouts/{{name}}": Ask(json={"retired": True}, at={"name": "default"}),
    f"GET {PROJECT}/measurement-plan": Ask(query=QUICK),
    f"POST {PROJECT}/groups": Ask(json={"key": "E", "unit_cost": "2"}),
    f"PUT {PROJECT}/groups": Ask(json=LIST, query={"archive_missing": "true"}),
    f"PATCH {PROJECT}/groups/{{key}}": Ask(json={"weight": 2.0}),
    f"DELETE {PROJECT}/groups/{{key}}": Ask(at={"key": "D"}),
    f"POST {PROJECT}/groups/{{key}}/restore": Ask(at={"key": "C"}),
    f"POST {PROJECT}/observations": Ask(
        json={"observations": [{**RUNS[2], "external_id": "run-9"}]}, query={"missing": "zero"}
    ),
    f"DELETE {PROJECT}/observations/{{observation_id}}": Ask(query={"reason": "why"}),
    f"POST {PROJECT}/orders/{{order_id}}/manifests": Ask(content=MANIFEST, kind="text/csv"),
    f"POST {PROJECT}/purchases": Ask(json={"external_id": "x", "orders": {"B": 3}}, at=IDLE),
    f"POST {PROJECT}/requirements": Ask(json={"targets": {"A": 0.78}, "draws": 50}),
    f"GET {PROJECT}/report": Ask(query=QUICK),
    f"POST {PROJECT}/rounds": Ask(
        json={"external_id": "r3", "query": QUICK}, at=IDLE, seen=f"{PROJECT}/allocations/next?draws=50"
    ),
    f"GET {PROJECT}/rounds/hindsight": Ask(query=QUICK),
    f"GET {ROUND}": Ask(),
    f"PATCH {ROUND}": Ask(json={"orders": {"D": 2}}, at=PROPOSED),
    f"POST {ROUND}/accept": Ask(json={"note": "why"}, at=PROPOSED, seen=f"{PROJECT}/rounds/2"),
    f"POST {ROUND}/cancel": Ask(json={"reason": "why"}, at=PROPOSED, seen=f"{PROJECT}/rounds/2"),
    f"POST {ROUND}/close": Ask(json={"note": "all came"}, seen=f"{PROJECT}/rounds/1"),
    f"POST {ROUND}/decline": Ask(json={"reason": "why"}, at=PROPOSED, seen=f"{PROJECT}/rounds/2"),
    f"POST {ROUND}/orders/{{order_id}}/corrections": Ask(
        json={"external_id": "c", "groups": {"A": {"accepted": -1}}, "note": "why"}
    ),
    f"POST {ROUND}/orders/{{order_id}}/deliveries": Ask(json={"external_id": "e", "groups": {"A": {"accepted": 2}}}),
    f"POST {PROJECT}/simulations": Ask(json=PLAYED),
    f"GET {PROJECT}/simulations/{{simulation_id}}/charts/{{name}}.{{format}}": Ask(
        at={"name": "utility", "format": "json"}
    ),
    f"POST {PROJECT}/sources": Ask(json={"key": "E", "unit_cost": "2", "yields": {"A": 1.0}}),
    f"PUT {PROJECT}/sources": Ask(json=SOURCES, query={"archive_missing": "true"}),
    f"PATCH {PROJECT}/sources/{{key}}": Ask(json={"unit_cost": "7"}),
    f"DELETE {PROJECT}/sources/{{key}}": Ask(at={"key": "D"}),
    f"POST {PROJECT}/sources/{{key}}/restore": Ask(at={"key": "F"}),
    f"GET {PROJECT}/sources/value": Ask(query=QUICK),
    f"GET {PROJECT}/tables.xlsx": Ask(query={"draws": "50", "runs": "1"}),
    f"GET {PROJECT}/tables/{{name}}.{{format}}": Ask(at={"name": "orders", "format": "csv"}),
    "POST /v1/vendor-connections": Ask(json={"name": "another", "kind": "standard"}),
    f"PATCH {CONNECTION}": Ask(json={"name": "another", "api_token": "0123456789"}),
    f"POST {CONNECTION}/dry-run": Ask(json={"body": {}, "signed": False}),
    f"POST {CONNECTION}/orders/{{external_order_id}}": Ask(json={"order_id": "{order_id}"}),
    f"POST {CONNECTION}/replay": Ask(json={}),
    f"POST {CONNECTION}/resume": Ask(at=PAUSED),
    f"POST {CONNECTION}/rotate": Ask(json={}),
    f"POST {CONNECTION}/subscription": Ask(json={"orders": ["1"]}),
    f"POST {CONNECTION}/rows": Ask(json=[{"id": "1", "group": "A", "data": {}}]),
    "POST /v1/webhook-endpoints": Ask(json={"url": URL, "project_id": "{project_id}"}),
    f"PATCH {ENDPOINT}": Ask(json={"description": "another", "url": f"{URL}9"}),
    f"POST {ENDPOINT}/restore": Ask(at={"endpoint_id": "archived_endpoint"}),
    f"POST {ENDPOINT}/resume": Ask(at={"endpoint_id": "paused_endpoint"}),
    f"POST {ENDPOINT}/replay": Ask(json={"failed_since": NOW.isoformat()}),
    # Pages.
    "POST /sign-in": Ask(form={"key": "{secret}"}),
    "POST /connections/new": Ask(form={"of": "standard", "name": "another"}),
    "POST /connections/{connection_id}/dry-run": Ask(form={"body": "[]"}),
    "POST /connections/{connection_id}/edit": Ask(form={"name": "another", "base_url": NOWHERE}),
    "POST /connections/{connection_id}/map": Ask(form={"word": "w", "group": "A"}),
    "POST /connections/{connection_id}/orders": Ask(form={"external_order_id": "9", "order": "{order_id}"}),
    "POST /connections/{connection_id}/placements": Ask(form={"order": "{order_id}"}),
    "POST /connections/{connection_id}/reconcile": Ask(form={}),
    "POST /connections/{connection_id}/rotate": Ask(form={}),
    "POST /connections/{connection_id}/sources": Ask(form={"source": "{project_id}/B"}),
    "POST /connections/{connection_id}/subscription": Ask(form={"orders": "1"}),
    "POST /connections/{connection_id}/resume": Ask(at=PAUSED),
    "POST /connections/{connection_id}/replay": Ask(form={"outcome": ""}),
    "POST /endpoints": Ask(form={"kind": "slack", "to": URL, "project": "{project_id}"}),
    "POST /endpoints/{endpoint_id}/{action}": Ask(at={"action": "pause"}),
    "POST /example": Ask(form={}),
    "GET /projects/new/{name}.csv": Ask(at={"name": "groups"}),
    "POST /projects/{project_id}/erase": Ask(form={"name": HERE}, at={"project_id": "archived"}),
    "POST /projects/new": Ask(
        form={
            "step": "create",
            "name": "p",
            "currency": "USD",
            "metric_name": "accuracy",
            "kind": "proportion",
            "goal": "maximize",
            "lower": "0",
            "upper": "1",
            "total": "9",
            "rounds": "1",
            "model": "separate",
            "groups_text": "key,initial_count,unit_cost\nA,1,1\n",
        }
    ),
    "GET /projects/{project_id}/charts/{name}.{format}": Ask(at={"name": "spending", "format": "json"}),
    "POST /projects/{project_id}/model": Ask(form={"model": "joint"}),
    "POST /projects/{project_id}/objective": Ask(form={"objective.kind": "maximin"}),
    "POST /projects/{project_id}/settings": Ask(form={"name": "another"}),
    "POST /projects/{project_id}/archive": Ask(at=IDLE, form={}),
    "POST /projects/{project_id}/new-group": Ask(form={"key": "E"}),
    "POST /projects/{project_id}/groups/{key}": Ask(form={"weight": "2"}),
    "POST /projects/{project_id}/groups/{key}/archive": Ask(form={}, at={"key": "D"}),
    "POST /projects/{project_id}/groups/{key}/restore": Ask(form={}, at={"key": "C"}),
    "POST /projects/{project_id}/new-source": Ask(form={"key": "E", "unit_cost": "2", "yields": "A: 100 %"}),
    "POST /projects/{project_id}/sources/{key}": Ask(form={"unit_cost": "7"}),
    "POST /projects/{project_id}/sources/{key}/archive": Ask(form={}, at={"key": "D"}),
    "POST /projects/{project_id}/sources/{key}/restore": Ask(form={}, at={"key": "F"}),
    "POST /projects/{project_id}/limits": Ask(form={"0.name": "few", "0.max": "9", "0.keys": "A"}),
    "POST /projects/{project_id}/new-runs": Ask(
        form={"step": "keep", "external_id": "r", "n:A": "5", "n:B": "5", "value:A": "0.7", "missing": "zero"}
    ),
    "POST /projects/{project_id}/runs/{observation_id}/void": Ask(form={"reason": "why"}),
    "GET /projects/{project_id}/{name}-file": Ask(at={"name": "groups"}),
    "POST /projects/{project_id}/{name}-file": Ask(
        at={"name": "groups"}, form={"step": "keep", "groups_text": "key,weight\nA,2\n"}
    ),
    "GET /projects/{project_id}/templates/{name}.csv": Ask(at={"name": "runs"}),
    "POST /projects/{project_id}/propose": Ask(at=IDLE, form={"budget": "", "data_version": "{data_version}"}),
    "POST /projects/{project_id}/restore": Ask(at={"project_id": "archived"}),
    "POST /keys": Ask(form={"name": "n", "scope": "read"}),
    "POST /keys/{key_id}/rename": Ask(form={"name": "another"}),
    "POST /projects/{project_id}/rounds/{number}/accept": Ask(
        at=PROPOSED, form={"tag": "{tag_2}", "note": "why", "confirmed": "yes"}
    ),
    "POST /projects/{project_id}/rounds/{number}/cancel": Ask(at=PROPOSED, form={"tag": "{tag_2}"}),
    "POST /projects/{project_id}/rounds/{number}/close": Ask(form={"tag": "{tag_1}", "confirmed": "yes"}),
    "POST /projects/{project_id}/rounds/{number}/decline": Ask(at=PROPOSED, form={"tag": "{tag_2}", "reason": "why"}),
    "POST /projects/{project_id}/rounds/{number}/orders": Ask(at=PROPOSED, form={"tag": "{tag_2}", "order:D": "2"}),
    "POST /projects/{project_id}/rounds/{number}/reference": Ask(form={"tag": "{tag_1}", "reference": "PO-1"}),
    "POST /projects/{project_id}/rounds/{number}/orders/{order_id}/deliveries": Ask(
        form={"external_id": "e", "accepted:A": "2"}
    ),
    "GET /projects/{project_id}/scenarios/chart.{format}": Ask(at={"format": "json"}),
    "GET /projects/{project_id}/scenarios/{table}.{format}": Ask(at={"table": "scenarios", "format": "csv"}),
    "POST /projects/{project_id}/simulations": Ask(
        form={"policy": ["equal", "proportional"], "replicates": "4", "rounds": "2"}
    ),
    "GET /projects/{project_id}/simulations/{simulation_id}/charts/{name}.{format}": Ask(
        at={"name": "utility", "format": "json"}
    ),
    "GET /projects/{project_id}/tables.xlsx": Ask(query={"runs": "1"}),
    "GET /projects/{project_id}/tables/{name}.{format}": Ask(at={"name": "orders", "format": "csv"}),
}

NO_BODY_NEEDED = ("/restore", "/pause", "/resume", "/rotate", "/test", "/cancel", "/reconcile", "/revoke", "/sign-out")
"""Ends of the paths of POSTs that say all there is to say, as do all that place an order again."""


class TakenBack(Database):
    """A database whose writers see what they did, and leave nothing of it. `audited`: the rows of the audit that the
    last one added, as they stand in the database."""

    audited: list[dict[str, Any]]

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with Session(self.writes, expire_on_commit=False) as session:
            last = session.scalar(select(func.max(AuditEntry.id))) or 0
            yield session
            session.flush()
            rows = session.scalars(select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id))
            columns = AuditEntry.__table__.columns.keys()
            object.__setattr__(self, "audited", [{name: getattr(row, name) for name in columns} for row in rows])
            # What a page shows afterwards stays readable, as it does after a commit.
            session.expunge_all()
            session.rollback()


class Everything:
    """`places`: what stands in the paths. `keys`: a key of every kind, by its name. `browsers`: each signed in."""

    def __init__(self, api: Api, database: Database) -> None:
        self.api = api
        self.places = made_of(api, database)
        self.keys = keys_of(api, database, self.places)
        self.browsers = {name: signed_in(api, key) for name, key in self.keys.items()}
        for name in ("revoked", "expired"):
            self.end(database, name)
        runtime = api.app.state.runtime
        self.database = TakenBack(database.engine, database.reads, database.writes)
        api.app.state.runtime = replace(runtime, database=self.database)
        self.operations = [one for one in operations_of(api.app) if not one.path.startswith(("/docs", "/redoc"))]

    def end(self, database: Database, name: str) -> None:
        with database.writing() as session:
            row = key_by_id(session, (self.keys[name] or "").split("_")[1])
            assert row is not None
            row.revoked_at = NOW if name == "revoked" else None
            row.expires_at = NOW if name == "expired" else None

    def path(self, operation: Operation, ask: Ask) -> str:
        return self.filled(operation.path, ask.at)

    def filled(self, said: Any, at: dict[str, str] | None = None) -> Any:
        """With what there is in the places of the braces."""
        if isinstance(said, dict):
            return {name: self.filled(one, at) for name, one in said.items()}
        if isinstance(said, list):
            return [self.filled(one, at) for one in said]
        if not isinstance(said, str) or "{" not in said:
            return said
        places = self.places | {name: self.places.get(place, place) for name, place in (at or {}).items()}
        return said.format(**places)

    def send(self, operation: Operation, who: str, **changes: Any) -> httpx.Response:
        """The operation's request, by the key or the browser of that name. It leaves no effect behind."""
        object.__setattr__(self.database, "audited", [])
        ask = ask_of(operation)
        path = self.path(operation, ask)
        if operation.is_page:
            browser = self.browsers[who]
            form = {"data": {"csrf": browser.csrf, **self.filled(ask.form or {})}} if operation.method == "POST" else {}
            before = browser.cookies
            answer = browser.send(operation.method, path, params=ask.query, **form)
            browser.cookies = before
            return answer
        headers = {}
        if ask.kind is not None:
            headers["Content-Type"] = ask.kind
        if ask.seen is not None:
            headers["If-Match"] = self.places[ask.seen]
        options: dict[str, Any] = {"params": ask.query, "headers": headers, "content": ask.content}
        if ask.json is not None:
            options["json"] = self.filled(ask.json)
        options |= changes
        return self.api.as_key(self.keys[who]).request(operation.method, path, **options)


def ask_of(operation: Operation) -> Ask:
    """Raises KeyError for an operation with a body of which nobody said what it takes."""
    name = f"{operation.method} {operation.path}"
    bodiless = operation.method in ("GET", "DELETE") or operation.path.endswith(NO_BODY_NEEDED)
    if name not in ASKS and not bodiless and not operation.path.endswith("/placements/{order_id}"):
        raise KeyError(f"say in ASKS what {name} is to be sent")
    return ASKS.get(name, Ask())


def made_of(api: Api, database: Database) -> dict[str, str]:
    """One of each thing, by the names that paths have for them."""

    def post(path: str, body: Any = None, **options: Any) -> Any:
        answer = api.post(path, json=body, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def tag_of(path: str, query: dict[str, int] = QUICK) -> str:
        answer = api.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.headers["ETag"]

    config = {"label_config": "<View/>", "base_url": NOWHERE}
    vendor = {"name": HERE, "kind": "label_studio", "config": config, "api_token": "vendor-token-1"}
    connection = post("/v1/vendor-connections", vendor)
    groups = [{"key": key, "initial_count": 200, "name": HERE, "unit_cost": "1"} for key in "ABCD"]
    path = api.project(name=HERE, groups=groups)
    project = path.rpartition("/")[2]
    api.patch(f"{path}/sources/A", json={"connection": connection["id"]})
    post(f"{path}/sources", {"key": "F", "unit_cost": "2", "yields": {"A": 1.0}})
    post(f"{path}/observations?missing=zero", {"observations": RUNS[:2]})
    for gone in ("sources/F", "groups/C"):
        assert api.delete(f"{path}/{gone}").status_code == 204
    post(f"{path}/observations?missing=zero", {"observations": RUNS[2:]})
    post(
        f"{path}/rounds",
        {"external_id": "r1", "query": QUICK},
        headers={"If-Match": tag_of(f"{path}/allocations/next")},
    )
    edited = api.patch(f"{path}/rounds/1", json={"orders": {"A": 5}})
    first = post(f"{path}/rounds/1/accept", {"note": "why"}, headers={"If-Match": edited.headers["ETag"]})
    order = first["orders"][0]["id"]
    came = {"external_id": "d1", "groups": {"A": {"accepted": 2}}}
    post(f"{path}/rounds/1/orders/{order}/deliveries", came)
    manifest = api.post(
        f"{path}/orders/{order}/manifests", content="item,group\ni9,A\n", headers={"Content-Type": "text/csv"}
    )
    assert manifest.status_code in (200, 201, 422), manifest.text
    post(
        f"{path}/rounds",
        {"external_id": "r2", "query": QUICK},
        headers={"If-Match": tag_of(f"{path}/allocations/next")},
    )
    assert api.patch(f"{path}/rounds/2", json={"orders": {"D": 3}}).status_code == 200
    simulation = post(f"{path}/simulations", PLAYED)
    endpoints = [post("/v1/webhook-endpoints", {"url": URL, "description": HERE, "project_id": project}) for _ in "123"]
    whole = post("/v1/webhook-endpoints", {"url": URL, "description": HERE})
    assert api.delete(f"/v1/webhook-endpoints/{endpoints[1]['id']}").status_code == 204
    post(f"/v1/webhook-endpoints/{endpoints[2]['id']}/pause")
    key = post("/v1/api-keys", {"name": HERE, "scopes": ["read"], "project_ids": [project]})
    archived, idle = (api.project(name=HERE).rpartition("/")[2] for _ in range(2))
    assert api.delete(f"/v1/projects/{archived}").status_code == 204
    post(f"/v1/projects/{idle}/observations", {"observations": RUNS})
    gone = api.project(name="gone")
    paused = post("/v1/vendor-connections", {"name": HERE, "kind": "standard"})["id"]
    post(f"/v1/vendor-connections/{paused}/pause")
    places = {
        "secret": api.key or "",
        "paused_connection": paused,
        "project_id": project,
        "archived": archived,
        "idle": idle,
        "gone": gone.rpartition("/")[2],
        "key": "A",
        "group": "A",
        "observation_id": api.get(f"{path}/observations").json()["items"][0]["id"],
        "number": "1",
        "order_id": order,
        "simulation_id": simulation["id"],
        "job_id": simulation["job_id"],
        "connection_id": connection["id"],
        "external_order_id": "41",
        "token": httpx.URL(connection["hook_url"]).path.rpartition("/")[2],
        "endpoint_id": endpoints[0]["id"],
        "archived_endpoint": endpoints[1]["id"],
        "paused_endpoint": endpoints[2]["id"],
        "whole_endpoint": whole["id"],
        "key_id": key["id"],
        "owner": (api.key or "").split("_")[1],
        "data_version": str(api.get(f"/v1/projects/{idle}").json()["data_version"]),
    }
    for number in "12":
        places[f"tag_{number}"] = tag_of(f"{path}/rounds/{number}", {})
        places[f"{PROJECT}/rounds/{number}"] = places[f"tag_{number}"]
    places[f"{PROJECT}/allocations/next?draws=50"] = tag_of(f"/v1/projects/{idle}/allocations/next")
    return places


def keys_of(api: Api, database: Database, places: dict[str, str]) -> dict[str, str | None]:
    """A key of every kind. `elsewhere`: an admin of another project of the same workspace."""
    here, every = [places["project_id"]], "read,observe,deliver,write,buy"
    other = api.project(name="another").rpartition("/")[2]
    keys = {
        "none": None,
        "unknown": "tranche_0123456789abcdef_guessed",
        "revoked": new_key(database),
        "expired": new_key(database, expires_at=NOW + timedelta(days=1)),
        "stranger": new_key(database, workspace_name="another workspace"),
        "elsewhere": new_key(database, project_ids=[other]),
        "limited": new_key(database, every, project_ids=here),
        "limited admin": new_key(database, project_ids=[*here, places["archived"], places["idle"], places["gone"]]),
        "owner": api.key,
        **{scope: new_key(database, scope) for scope in SCOPES},
    }
    erasing = api.post(f"/v1/projects/{places['gone']}/erasure", json={"name": "gone"})
    places["erasure_id"] = erasing.json()["id"]
    return keys


def signed_in(api: Api, key: str | None) -> Pages:
    """A browser that has seen a page of its session."""
    browser = Pages(api)
    browser.sign_in(key or "")
    browser.get("/")
    return browser


@contextmanager
def everything_in(folder: Path, template: Path) -> Iterator[Everything]:
    """Made once for many requests, none of which leaves an effect behind. template: an empty database."""
    shutil.copy(template, folder / "tranche.db")
    settings = Settings(
        calls_per_minute=0,
        failures_per_minute=0,
        database_url=f"sqlite:///{folder}/tranche.db",
        secret_keys=(SecretStr(new_secret_key()),),
        outbound_allow=LOOPBACK,
    )
    database = connect(settings)
    api = Api(settings, new_key(database))
    yield Everything(api, database)
    api.close()
    database.close()
