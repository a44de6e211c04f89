"""Webhooks out: the endpoints, what was sent to them, and sending it again."""

from datetime import timedelta
from typing import Annotated

from app.errors import Conflict, Fault, TrancheError, invalid
from app.services.ids import as_uuid
from app.services.webhooks import endpoints, replays
from app.store import webhooks as store
from app.store.models.webhooks import WebhookEndpoint
from app.store.webhooks import AttemptFilter
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

MOST = 200
PER_PAGE = 25
REPLAYED = timedelta(days=7)
Looks = Annotated[Visit, sees("admin")]
Acts = Annotated[Visit, acts("admin")]


@router.get("/endpoints")
def endpoint_list(visit: Looks) -> Answer:
    caller = visit.caller
    every = store.endpoints_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived=False)
    rows = every.after(None, MOST)
    last = {row.id: store.attempts_of_endpoint(visit.session, row.id, AttemptFilter()).after(None, 1) for row in rows}
    return visit.render("endpoints.html", endpoints=rows, last=last)


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
) -> Answer:
    wanted = AttemptFilter(succeeded=False if failed else None)
    rows = store.attempts_of_endpoint(visit.session, row.id, wanted)
    found, last = rows.part(place_in(rows, before, "before"), PER_PAGE)
    kept = "failed=true&" if failed else ""
    more = f"/endpoints/{row.id}?{kept}before={last}" if last else None
    return visit.render("endpoint.html", endpoint=row, attempts=found, failed=failed, more=more, error=error)


@router.post("/endpoints/{endpoint_id}/{action}")
def act(endpoint_id: str, action: str, visit: Acts) -> Answer:
    row = endpoints.get_endpoint(visit.session, visit.caller, endpoint_id, lock=True)
    try:
        with visit.trying():
            said = done(visit, row, action)
    except Conflict as error:
        return show(visit, row, error=error)
    return visit.redirect(f"/endpoints/{row.id}", said)


def done(visit: Visit, row: WebhookEndpoint, action: str) -> str:
    """Do it; what to tell. Raises Invalid, Conflict."""
    if action == "pause":
        endpoints.pause_endpoint(row, visit.now)
        return "Paused: events wait until it is resumed."
    if action == "resume":
        endpoints.resume_endpoint(visit.session, row, visit.now, visit.enqueue)
        return "Resumed: what waited is being sent."
    if action == "test":
        endpoints.send_test(visit.session, row, visit.now, visit.enqueue)
        return "A test event is being sent."
    if action == "replay-failed":
        since = visit.now - REPLAYED
        count = replays.replay_failed(visit.session, row, since, visit.now, visit.enqueue)
        return f"{count} events that never arrived in the last seven days are being sent again."
    attempt = as_uuid(visit.said("attempt"))
    if action != "replay" or attempt is None:
        raise invalid(Fault("attempt", "is no attempt of this endpoint"))
    replays.replay_attempt(visit.session, row, attempt, visit.now, visit.enqueue)
    return "The event is being sent again."
