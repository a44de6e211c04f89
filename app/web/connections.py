"""Labeling vendors: what they sent, what became of it, and what waits for a mapping."""

from typing import Annotated

from fastapi import Query

from app.api.keys.keys import read_key
from app.errors import Fault, TrancheError, invalid, refuse
from app.services.ids import new_id
from app.services.vendors import connections, inbox, schedule
from app.store import vendors as store
from app.store.models.vendors import VendorConnection
from app.web.site.sessions import local_path
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

MOST = 200
PER_PAGE = 25
OUTCOMES = ("quarantined", "received", "applied", "ignored")
Looks = Annotated[Visit, sees("admin", whole_workspace=True)]
Acts = Annotated[Visit, acts("admin", whole_workspace=True)]


@router.get("/connections")
def connection_list(visit: Looks) -> Answer:
    rows = store.listed_connections(visit.session, visit.caller.workspace_id).after(None, MOST)
    shown = [(row, store.outcomes(visit.session, row.id)) for row in rows]
    return visit.render("connections.html", connections=shown)


def get(visit: Visit, connection_id: str) -> VendorConnection:
    """Raises NotFound."""
    return connections.get_connection(visit.session, visit.caller, connection_id)


@router.get("/connections/{connection_id}")
def connection_page(
    connection_id: str,
    visit: Looks,
    outcome: Annotated[str | None, Query(pattern="^(received|applied|ignored|quarantined)?$")] = None,
    before: Place = None,
) -> Answer:
    return show(visit, get(visit, connection_id), outcome or None, before)


def show(
    visit: Visit,
    row: VendorConnection,
    outcome: str | None = None,
    before: str | None = None,
    error: TrancheError | None = None,
) -> Answer:
    rows = store.listed_deliveries(visit.session, row.id, outcome)
    found, last = rows.part(place_in(rows, before, "before"), PER_PAGE)
    kept = f"outcome={outcome}&" if outcome else ""
    more = f"/connections/{row.id}?{kept}before={last}" if last else None
    waiting = store.unmapped_words(visit.session, row.id)
    return visit.render(
        "connection.html",
        connection=row,
        counts=store.outcomes(visit.session, row.id),
        unread=store.unread(visit.session, row.id),
        deliveries=found,
        outcome=outcome,
        outcomes=OUTCOMES,
        more=more,
        waiting=waiting,
        words=sorted({word for word, _, _, _ in waiting if word is not None and word not in row.group_map}),
        weakness=connections.adapter_for(row).weakness,
        error=error,
    )


@router.post("/connections/{connection_id}/map")
def map_words(connection_id: str, visit: Acts) -> Answer:
    """The vendor's words that got a group's key are added to the mapping; what came before is counted anew."""
    row = get(visit, connection_id)
    pairs = zip(visit.form.get("word", ()), visit.form.get("group", ()), strict=False)
    said = {word: group.strip() for word, group in pairs if group.strip()}
    try:
        with visit.trying():
            mapping = {**row.group_map, **checked(said)}
            connections.change_connection(row, visit.runtime.settings, {"group_map": mapping}, visit.now)
            inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    except TrancheError as error:
        return show(visit, row, error=error)
    back = local_path(visit.said("next") or f"/connections/{row.id}")
    return visit.redirect(back, f"{len(said)} mapped. What waited is being counted.")


def checked(said: dict[str, str]) -> dict[str, str]:
    """The mapping, where there is one and its values are keys as the API takes them. Raises Invalid."""
    faults, read = [], {}
    for word, key in said.items():
        try:
            read[word] = read_key(key)
        except ValueError as error:
            faults.append(Fault("", f"for '{word[:100]}': {error}"))
    if not said:
        faults.append(Fault("", "name the key of a group for at least one word"))
    refuse(faults)
    return read


@router.post("/connections/{connection_id}/replay")
def replay(connection_id: str, visit: Acts) -> Answer:
    row = get(visit, connection_id)
    outcome = visit.said("outcome")
    if outcome not in ("quarantined", "ignored", "applied", ""):
        raise invalid(Fault("outcome", "choose quarantined, ignored, applied or all"))
    count = store.receive_again(visit.session, row.id, outcome or None)
    inbox.enqueue_drain(visit.session, row.id, f"replay-{new_id()}", visit.enqueue)
    return visit.redirect(f"/connections/{row.id}", f"{count} webhooks are being applied once more.")


@router.post("/connections/{connection_id}/pause")
def pause(connection_id: str, visit: Acts) -> Answer:
    row = get(visit, connection_id)
    connections.change_connection(row, visit.runtime.settings, {"state": "paused"}, visit.now)
    return visit.redirect(f"/connections/{row.id}", "Paused: webhooks are kept, and applied when it is resumed.")


@router.post("/connections/{connection_id}/resume")
def resume(connection_id: str, visit: Acts) -> Answer:
    row = get(visit, connection_id)
    connections.change_connection(row, visit.runtime.settings, {"state": "active"}, visit.now)
    inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    schedule.ask_to_reconcile(visit.session, row, "schedule", visit.now, visit.enqueue)
    return visit.redirect(f"/connections/{row.id}", "Resumed: what came meanwhile is being applied.")
