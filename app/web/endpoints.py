"""Endpoints: who is told of events and how, what was sent, and sending it again."""

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.webhooks.endpoints import EndpointIn, EndpointPatch
from app.errors import Conflict, Fault, Invalid, SecretKeyMissing, TrancheError, invalid
from app.services.ids import as_uuid
from app.services.notices.mail import SCHEME, mail_server
from app.services.webhooks import endpoints, replays
from app.services.webhooks.events import EVENT_TYPES
from app.store import webhooks as store
from app.store.models.webhooks import WebhookEndpoint
from app.store.projects import projects_of_workspace
from app.store.webhooks import AttemptFilter
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

MOST = 200
PER_PAGE = 25
REPLAYED = timedelta(days=7)
NEW: TypeAdapter[EndpointIn] = TypeAdapter(EndpointIn)
CHANGE: TypeAdapter[EndpointPatch] = TypeAdapter(EndpointPatch)
KINDS = {"email": "People, by e-mail", "slack": "People, in a channel of Slack", "webhook": "A program, by webhook"}
EVENTS = {
    "round.proposed": "a round is proposed",
    "round.approval_needed": "a round waits for approval",
    "round.declined": "a round is declined",
    "round.accepted": "a round is accepted",
    "round.closed": "a round is closed",
    "order.placed": "an order is with its vendor",
    "delivery.recorded": "the counts of an order changed",
    "observations.accepted": "training runs were stored",
    "allocation.changed": "new data change the plan",
    "target.reached": "a group reaches its target",
    "budget.exhausted": "the budget is used up",
    "endpoint.disabled": "an endpoint was disabled",
}
Looks = Annotated[Visit, sees("admin")]
Acts = Annotated[Visit, acts("admin")]
Fields = dict[str, Any]


@router.get("/endpoints")
def endpoint_list(visit: Looks) -> Answer:
    kind = "slack" if mail_server(visit.runtime.settings) is None else "email"
    return show_all(visit, {"kind": kind, "to": "", "description": "", "events": [], "project": ""})


@router.post("/endpoints")
def make(visit: Acts) -> Answer:
    """A secret is shown in the answer itself, and nowhere after."""
    values = values_of(visit)
    try:
        with visit.trying():
            said = validated(NEW, {"kind": values["kind"], **document(values["kind"], values)})
            settings = visit.runtime.settings
            row, secret = endpoints.create_endpoint(visit.session, visit.caller, said.model_dump(), settings, visit.now)
    except (Invalid, Conflict) as error:
        return show_all(visit, values, error)
    if secret is None:
        return visit.redirect(f"/endpoints/{row.id}", "It is made. Send a test to see that it arrives.")
    return show(visit, row, secret=secret)


def show_all(visit: Visit, values: Fields, error: TrancheError | None = None) -> Answer:
    caller = visit.caller
    rows, removed = (
        store.endpoints_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived).after(None, MOST)
        for archived in (False, True)
    )
    last = {row.id: store.attempts_of_endpoint(visit.session, row.id, AttemptFilter()).after(None, 1) for row in rows}
    return visit.render(
        "endpoints.html", rows=rows, removed=removed, last=last, values=values, error=error, **choices(visit)
    )


def choices(visit: Visit) -> Fields:
    """What the form lets choose from, and how the pages call it."""
    caller = visit.caller
    found = projects_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived=False)
    names = [(str(project.id), project.name) for project in found.after(None, MOST)]
    everything = [] if caller.project_ids is not None else [("", "all projects")]
    return {
        "kinds": KINDS,
        "events": [(type, words) for type, words in EVENTS.items() if type in EVENT_TYPES],
        "projects": everything + names,
        "place": place,
        "can_mail": mail_server(visit.runtime.settings) is not None,
    }


def place(row: WebhookEndpoint) -> str:
    """Where it sends to, as pages show it: who knows the URL of a channel can write there."""
    if row.kind == "slack":
        return f"{urlsplit(row.url).netloc}/…"
    return row.url.removeprefix(SCHEME).replace(",", ", ") if row.kind == "email" else row.url


def values_of(visit: Visit) -> Fields:
    """The form as it was filled in."""
    names = ("kind", "to", "description", "project")
    return {name: visit.said(name) for name in names} | {"events": visit.form.get("event", [])}


def values_from(row: WebhookEndpoint) -> Fields:
    return {
        "kind": row.kind,
        "to": row.url.removeprefix(SCHEME).replace(",", ", "),
        "description": row.description or "",
        "events": row.event_types or [],
        "project": str(row.project_id or ""),
    }


def document(kind: str, values: Fields) -> Fields:
    """The form as the API takes it."""
    to = values["to"]
    return {
        "url": SCHEME + to if kind == "email" and to and not to.startswith(SCHEME) else to,
        "description": values["description"] or None,
        "event_types": values["events"] or None,
        "project_id": values["project"] or None,
    }


@router.get("/endpoints/{endpoint_id}")
def endpoint_page(
    endpoint_id: str,
    visit: Looks,
    failed: bool = False,
    before: Place = None,
) -> Answer:
    row = endpoints.get_endpoint(visit.session, visit.caller, endpoint_id)
    return show(visit, row, failed, before)


def show(
    visit: Visit,
    row: WebhookEndpoint,
    failed: bool = False,
    before: str | None = None,
    error: TrancheError | None = None,
    secret: str | None = None,
    values: Fields | None = None,
) -> Answer:
    """values: of the form, where it was filled in and refused."""
    wanted = AttemptFilter(succeeded=False if failed else None)
    rows = store.attempts_of_endpoint(visit.session, row.id, wanted)
    found, last = rows.part(place_in(rows, before, "before"), PER_PAGE)
    kept = "failed=true&" if failed else ""
    more = f"/endpoints/{row.id}?{kept}before={last}" if last else None
    return visit.render(
        "endpoint.html",
        endpoint=row,
        attempts=found,
        failed=failed,
        more=more,
        error=error,
        secret=secret,
        values=values or values_from(row),
        changing=values is not None,
        **choices(visit),
    )


@router.post("/endpoints/{endpoint_id}/{action}")
def act(endpoint_id: str, action: str, visit: Acts) -> Answer:
    row = endpoints.get_endpoint(visit.session, visit.caller, endpoint_id, archived=action == "restore", lock=True)
    if action == "change":
        return change(visit, row)
    try:
        with visit.trying():
            if action == "rotate":
                return show(visit, row, secret=endpoints.rotate_secret(row, visit.runtime.settings, visit.now))
            said = done(visit, row, action)
    except (Conflict, SecretKeyMissing) as error:
        return show(visit, row, error=error)
    return visit.redirect("/endpoints" if action == "remove" else f"/endpoints/{row.id}", said)


def change(visit: Visit, row: WebhookEndpoint) -> Answer:
    values = values_of(visit) | {"kind": row.kind}
    try:
        with visit.trying():
            said = validated(CHANGE, document(row.kind, values)).model_dump(exclude_unset=True)
            endpoints.update_endpoint(visit.session, visit.caller, row, said, visit.runtime.settings, visit.now)
    except Invalid as error:
        return show(visit, row, error=error, values=values)
    return visit.redirect(f"/endpoints/{row.id}", "Changed, from the next event on.")


def done(visit: Visit, row: WebhookEndpoint, action: str) -> str:
    """Do it; what to tell. Raises Invalid, Conflict."""
    if action == "pause":
        endpoints.pause_endpoint(row, visit.now)
        return "Paused: events wait until it is resumed."
    if action == "resume":
        endpoints.resume_endpoint(visit.session, row, visit.now, visit.enqueue)
        return "Resumed: what waited is being sent."
    if action == "remove":
        endpoints.archive_endpoint(visit.session, row, visit.now)
        return "Removed: it gets nothing more."
    if action == "restore":
        endpoints.restore_endpoint(visit.session, row, visit.now)
        return "It is back, and gets the events after this."
    if action == "test":
        endpoints.send_test(visit.session, row, visit.now, visit.enqueue)
        return "A test is being sent: look for it below in a moment."
    if action == "replay-failed":
        since = visit.now - REPLAYED
        count = replays.replay_failed(visit.session, row, since, visit.now, visit.enqueue)
        return f"{count} events that never arrived in the last seven days are being sent again."
    attempt = as_uuid(visit.said("attempt"))
    if action != "replay" or attempt is None:
        raise invalid(Fault("attempt", "is no attempt of this endpoint"))
    replays.replay_attempt(visit.session, row, attempt, visit.now, visit.enqueue)
    return "The event is being sent again."
