"""Labeling vendors: what they sent, what became of it, what waits, and which groups their words mean."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from app.errors import Conflict, Fault, NotFound, TrancheError, invalid
from app.services.ids import as_uuid, new_id
from app.services.ledger.weeks import weeks_of
from app.services.projects.keys import can_be_stored
from app.services.vendors import connections, inbox, placing, schedule, subscriptions
from app.services.vendors.words import choices_of, waiting_words, words_of
from app.store import vendors as store
from app.store.models.vendors import VendorConnection
from app.web.site.sessions import local_path
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

MOST = 200
MOST_WORDS = 500
PER_PAGE = 25
MAX_WORD = 200
"""Characters of a vendor's word, and of its order's id."""
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
    waiting = waiting_words(visit.session, row)
    unlinked = sorted({external for _, external, order, _ in waiting if external is not None and order is None})
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
        unlinked=[(external, external) for external in unlinked],
        words=words_of(visit.session, row)[:MOST_WORDS],
        choices=[(one.key, one.name) for one in choices_of(visit.session, row)],
        sources=store.served_sources(visit.session, row.id),
        free=store.free_sources(visit.session, row.workspace_id, MOST),
        placements=store.unplaced(visit.session, row.id, MOST),
        orders=store.linkable_orders(visit.session, row.id, MOST),
        weakness=connections.adapter_for(row).weakness,
        moment=datetime.fromisoformat,
        weeks=weeks_of(visit.session, row.id, visit.now),
        subscribable=subscriptions.can_subscribe(row),
        by_order=row.kind in subscriptions.BY_ORDER,
        error=error,
    )


@router.post("/connections/{connection_id}/map")
def map_words(connection_id: str, visit: Acts) -> Answer:
    """Each of the vendor's words that got a group, by its key or name, is mapped to it; one that lost it is not any
    more. What came before is counted anew, closed rounds too."""
    row = get(visit, connection_id)
    pairs = zip(visit.form.get("word", ()), visit.form.get("group", ()), strict=False)
    said = {word: group.strip() for word, group in pairs if 0 < len(word) <= MAX_WORD and can_be_stored(word)}
    mapping = {word: key for word, key in {**row.group_map, **said}.items() if key}
    changed = sum(mapping.get(word) != row.group_map.get(word) for word in said)
    try:
        with visit.trying():
            if not changed:
                raise invalid(Fault("", "choose another group for at least one word"))
            connections.change_connection(visit.session, row, visit.runtime.settings, {"group_map": mapping}, visit.now)
            inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    except TrancheError as error:
        return show(visit, row, error=error)
    back = local_path(visit.said("next") or f"/connections/{row.id}")
    return visit.redirect(back, f"{changed} word{'' if changed == 1 else 's'} mapped. What came so is being counted.")


@router.post("/connections/{connection_id}/orders")
def link_order(connection_id: str, visit: Annotated[Visit, acts("write", whole_workspace=True)]) -> Answer:
    """What the vendor says of its order counts for ours."""
    row = get(visit, connection_id)
    external, order_id = visit.said("external_order_id"), as_uuid(visit.said("order"))
    try:
        with visit.trying():
            if not external or len(external) > MAX_WORD or order_id is None:
                raise invalid(Fault("", "choose the order that the vendor's is"))
            placing.link_order(visit.session, row, external, order_id, None, visit.now)
            inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    except TrancheError as error:
        return show(visit, row, error=error)
    return visit.redirect(f"/connections/{row.id}", "Linked: what the vendor said of its order is being counted.")


@router.post("/connections/{connection_id}/placements")
def place_again(connection_id: str, visit: Annotated[Visit, acts("buy", whole_workspace=True)]) -> Answer:
    """What is there already is not placed twice."""
    row = get(visit, connection_id)
    order_id = as_uuid(visit.said("order"))
    if order_id is None:
        raise NotFound("There is no such order of this vendor connection.")
    placing.place_again(visit.session, row, order_id, visit.now, visit.enqueue)
    return visit.redirect(f"/connections/{row.id}", "The order is being placed.")


@router.post("/connections/{connection_id}/reconcile")
def reconcile(connection_id: str, visit: Annotated[Visit, acts("write", whole_workspace=True)]) -> Answer:
    row = get(visit, connection_id)
    if not schedule.ask_to_reconcile(visit.session, row, "button", visit.now, visit.enqueue):
        raise Conflict(f"The kind '{row.kind}' has no API that we read; replay its inbox instead.")
    return visit.redirect(f"/connections/{row.id}", "The vendor's API is being read.")


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
    connections.change_connection(visit.session, row, visit.runtime.settings, {"state": "paused"}, visit.now)
    return visit.redirect(f"/connections/{row.id}", "Paused: webhooks are kept, and applied when it is resumed.")


@router.post("/connections/{connection_id}/resume")
def resume(connection_id: str, visit: Acts) -> Answer:
    row = get(visit, connection_id)
    connections.change_connection(visit.session, row, visit.runtime.settings, {"state": "active"}, visit.now)
    inbox.ask_to_map(visit.session, row.id, visit.enqueue)
    schedule.ask_to_reconcile(visit.session, row, "schedule", visit.now, visit.enqueue)
    return visit.redirect(f"/connections/{row.id}", "Resumed: what came meanwhile is being applied.")
