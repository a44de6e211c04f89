"""Connecting a labeling vendor by form: its kind, secrets and configuration, which sources sell through it, its
subscription, and a webhook tried without effect."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.vendors.connections import ConnectionIn, ConnectionPatch, RotateIn, SubscriptionIn
from app.errors import Fault, Malformed, NotFound, TrancheError, invalid
from app.services.computing import Work, computed
from app.services.projects import sources
from app.services.projects.auditing import source_audited
from app.services.projects.changes import get_member
from app.services.projects.keys import normal_key
from app.services.vendors import connections, inbox, placing, subscriptions
from app.services.vendors.connections import NewConnection
from app.services.vendors.words import groups_of
from app.store.models.projects import Source
from app.store.models.vendors import VendorConnection
from app.strict_json import parse_json
from app.vendors.base import Headers
from app.vendors.presets import presets
from app.vendors.registry import KINDS
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

NEW: TypeAdapter[ConnectionIn] = TypeAdapter(ConnectionIn)
CHANGED: TypeAdapter[ConnectionPatch] = TypeAdapter(ConnectionPatch)
ROTATED: TypeAdapter[RotateIn] = TypeAdapter(RotateIn)
SUBSCRIBED: TypeAdapter[SubscriptionIn] = TypeAdapter(SubscriptionIn)
Looks = Annotated[Visit, sees("admin", whole_workspace=True)]
Acts = Annotated[Visit, acts("admin", whole_workspace=True)]

TITLES = {
    "standard": "A vendor or script that speaks our own contract",
    "label_studio": "Label Studio",
    "prolific": "Prolific",
    "generic": "Another vendor, by a configuration of your own",
}
FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    "label_studio": {
        "base_url": ("Where its API is", "Such as https://studio.example.com"),
        "label_config": ("Labeling interface of projects that we make", "Label Studio's XML; needed to place orders"),
        "annotations_per_task": ("Accepted annotations that make one sample", "Empty for 1"),
    },
    "prolific": {
        "workspace_id": ("Workspace", "Its id at Prolific; needed to subscribe"),
        "project_id": ("Project", "Its id at Prolific, where studies are made"),
        "fee_percent": ("Fee and taxes on top of a reward, per cent", "Needed to place orders"),
        "base_url": ("Where its API is", "Empty for https://api.prolific.com"),
    },
}
"""By kind the parts of the configuration that have a field of their own: label and hint."""
FURTHER = {
    "standard": "Its parts are in docs/vendors/standard.md",
    "label_studio": "Names of fields of its tasks, as in docs/vendors/label_studio.md",
    "prolific": "Needed to place orders: study and group_filters, as in docs/vendors/prolific.md",
    "generic": "How its webhooks are signed and read, as in docs/vendors/README.md",
}
WHOLE = ("annotations_per_task",)
MAX_WEBHOOK = 1_048_576


def kinds() -> list[tuple[str, str]]:
    """What can be connected, by name: the kinds, and the vendors that a preset configures."""
    known = [(name, TITLES[name]) for name in KINDS if name != "generic"]
    return [*known, *((name, one["title"]) for name, one in presets().items()), ("generic", TITLES["generic"])]


def kind_of(name: str) -> tuple[str, str | None]:
    """The kind and preset of that name. Raises NotFound."""
    if name in KINDS:
        return name, None
    if name in presets():
        return "generic", name
    raise NotFound("There is no such kind of vendor; choose one of the list.")


@router.get("/connections/new")
def new_connection(visit: Looks, of: Annotated[str | None, Query(max_length=50)] = None) -> Answer:
    if not of:
        return visit.render("connect_kind.html", kinds=kinds())
    return show_form(visit, None, of, {})


def show_form(
    visit: Visit, row: VendorConnection | None, of: str, said: Mapping[str, str], error: TrancheError | None = None
) -> Answer:
    kind, preset = kind_of(of)
    return visit.render(
        "connect.html",
        connection=row,
        of=of,
        title=dict(kinds())[of],
        documented=presets()[preset]["documented"] if preset else None,
        fields=FIELDS.get(kind, {}),
        further=FURTHER[kind],
        calls_api=kind in connections.CREDENTIALS,
        values=said,
        error=error,
    )


@router.post("/connections/new")
def connect(visit: Acts) -> Answer:
    """Shows the hook's address and the secret, this once."""
    of = visit.said("of")
    kind, preset = kind_of(of)
    try:
        with visit.trying():
            said = {name: visit.said(name) for name in ("name", "secret", "api_token") if visit.said(name)}
            body = validated(NEW, {**said, "kind": kind, "preset": preset, "config": config_of(visit, kind)})
            made = NewConnection(**{name: getattr(body, name) for name in ConnectionIn.model_fields})
            row, token, secret = connections.create_connection(
                visit.session, visit.caller, visit.runtime.settings, made, visit.now
            )
            visit.session.flush()
    except TrancheError as error:
        return show_form(visit, None, of, given(visit), error)
    url = placing.hook_url(visit.runtime.settings.base_url, token)
    return visit.render("connected.html", connection=row, hook_url=url, secret=secret)


def given(visit: Visit) -> dict[str, str]:
    """The form as it was sent, without its secrets."""
    return {name: visit.said(name) for name in visit.form if name not in ("csrf", "secret", "api_token")}


def config_of(visit: Visit, kind: str) -> dict[str, Any]:
    """The configuration: its parts with a field of their own, and the rest as JSON. Raises Invalid."""
    try:
        config = parse_json((visit.said("config") or "{}").encode("utf-8", "replace"))
    except Malformed as problem:
        raise invalid(Fault("/config", f"is not JSON: {problem.detail}")) from None
    if not isinstance(config, dict):
        raise invalid(Fault("/config", "must be a JSON object, such as {}"))
    parts = {name: visit.said(name) for name in FIELDS.get(kind, {}) if visit.said(name)}
    numbers = {name: int(text) for name, text in parts.items() if name in WHOLE and text.isdecimal() and len(text) < 9}
    return {**config, **parts, **numbers}


@router.get("/connections/{connection_id}/edit")
def edit_connection(connection_id: str, visit: Looks) -> Answer:
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    return show_form(visit, row, row.preset or row.kind, values_of(row))


def values_of(row: VendorConnection) -> dict[str, str]:
    """A stored connection as its form shows it."""
    fields = {name: str(row.config[name]) for name in FIELDS.get(row.kind, {}) if row.config.get(name) is not None}
    rest = {name: value for name, value in row.config.items() if name not in FIELDS.get(row.kind, {})}
    return {"name": row.name, "config": json.dumps(rest, indent=2, ensure_ascii=False) if rest else "", **fields}


@router.post("/connections/{connection_id}/edit")
def change_connection(connection_id: str, visit: Acts) -> Answer:
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    try:
        with visit.trying():
            token = {"api_token": visit.said("api_token")} if visit.said("api_token") else {}
            said = {"name": visit.said("name"), "config": config_of(visit, row.kind), **token}
            body: ConnectionPatch = validated(CHANGED, said)
            connections.change_connection(
                visit.session, row, visit.runtime.settings, body.model_dump(exclude_unset=True), visit.now
            )
            inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    except TrancheError as error:
        return show_form(visit, row, row.preset or row.kind, given(visit), error)
    return visit.redirect(f"/connections/{row.id}", "Changed. What waited is read by the new configuration.")


@router.post("/connections/{connection_id}/rotate")
def rotate_secret(connection_id: str, visit: Acts) -> Answer:
    """Shows the new secret, this once; the one before is honoured for a day."""
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    body: RotateIn = validated(ROTATED, {"secret": visit.said("secret") or None})
    secret = connections.rotate_secret(row, visit.runtime.settings, body.secret, visit.now)
    return visit.render("connected.html", connection=row, hook_url=None, secret=secret)


@router.post("/connections/{connection_id}/sources")
def link_source(connection_id: str, visit: Annotated[Visit, acts("write", whole_workspace=True)]) -> Answer:
    """Orders of the source go through the connection from now on, or, where it is `unlink`ed, through none."""
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    project_id, _, key = visit.said("source").partition("/")
    project = visit.project(project_id)
    source = get_member(visit.session, project, Source, normal_key(key))
    linked = None if visit.said("unlink") else row.id
    if linked is None and source.connection_id != row.id:
        raise invalid(Fault("source", "does not sell through this connection"))
    with source_audited(visit, project, source.key):
        sources.update_source(visit.session, project, source, {"connection": linked}, visit.now)
    said = "goes through this vendor" if linked else "goes through no vendor"
    return visit.redirect(f"/connections/{row.id}", f"What is ordered from {source.name or source.key} {said} now.")


@router.post("/connections/{connection_id}/subscription")
def subscribe(connection_id: str, visit: Acts) -> Answer:
    """By the vendor's API; `orders`: those that it is to tell of, parted by blanks or commas."""
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    body: SubscriptionIn = validated(
        SUBSCRIBED,
        {
            "orders": visit.said("orders").replace(",", " ").split() or None,
            "api_token": visit.said("api_token") or None,
        },
    )
    settings = visit.runtime.settings
    if body.api_token is not None:
        connections.change_connection(visit.session, row, settings, {"api_token": body.api_token}, visit.now)
    subscriptions.ask_to_subscribe(visit.session, row, settings, body.orders, visit.now, visit.enqueue)
    return visit.redirect(f"/connections/{row.id}", "The vendor is being asked; load the page again to see its answer.")


@router.get("/connections/{connection_id}/dry-run")
def try_form(connection_id: str, visit: Looks) -> Answer:
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    return visit.render("dry_run.html", connection=row, body="", headers="", events=None)


@router.post("/connections/{connection_id}/dry-run")
def try_webhook(connection_id: str, visit: Acts) -> Answer:
    """What a webhook would say, and which groups its words mean; nothing of it is stored. Signatures are of exact
    bytes, which no form keeps: the API checks them."""
    row = connections.get_connection(visit.session, visit.caller, connection_id)
    text, lines = visit.said("body"), visit.said("headers")
    events, error = None, None
    try:
        raw = text.encode("utf-8", "replace")
        if not raw or len(raw) > MAX_WEBHOOK:
            raise invalid(Fault("/body", "paste what the vendor sends, at most 1 MiB"))
        headers, adapter = headers_of(lines), connections.adapter_for(row)
        kept = Headers(headers.only(adapter.kept_headers).items())
        read = Work(0, lambda: inbox.parse(adapter, kept, adapter.readable(raw)))
        events = computed(visit.session, ("dry run", row.id, raw, lines), read)
    except TrancheError as problem:
        if problem.passes:
            raise
        error = problem
    keys = dict(groups_of(visit.session, row))
    means = {word: key if (key := row.group_map.get(word, normal_key(word))) in keys else None
             for word in {one.group for one in events or () if one.group}}  # fmt: skip
    return visit.render(
        "dry_run.html", connection=row, body=text, headers=lines, events=events, means=means, error=error
    )


def headers_of(lines: str) -> Headers:
    """One `Name: value` a line. Raises Invalid."""
    pairs = [line.partition(":") for line in lines.splitlines() if line.strip()]
    if not all(colon for _, colon, _ in pairs):
        raise invalid(Fault("/headers", "write one header a line, such as X-Event-ID: 7"))
    return Headers((name.strip(), value.strip()) for name, _, value in pairs)
