"""The API keys of the workspace: who may do what, and taking a key's rights away."""

from typing import Annotated

from app.services.access.keys import is_valid, revoke_key
from app.store.access import key_name, keys_of_workspace
from app.store.ledger import listed_audit
from app.store.models.purchases import AuditEntry
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 50


@router.get("/keys")
def key_list(visit: Annotated[Visit, sees("admin")], after: Place = None, before: Place = None) -> Answer:
    """With what was done in the workspace, for who may see all of it: newest first, before an entry's number."""
    keys = keys_of_workspace(visit.session, visit.caller.workspace_id, visit.caller.project_ids)
    rows, last = keys.part(place_in(keys, after, "after"), PER_PAGE)
    shown = [(row, is_valid(row, visit.now)) for row in rows]
    more = f"/keys?after={last}" if last else None
    done: list[AuditEntry] = []
    earlier = None
    if visit.may("admin", whole_workspace=True):
        audit = listed_audit(visit.session, visit.caller.workspace_id, newest_first=True)
        done, oldest = audit.part(place_in(audit, before, "before"), PER_PAGE)
        earlier = f"/keys?before={oldest}#done" if oldest else None
    names = {row.id: key_name(row, row.api_key_id) for row in done}
    return visit.render("keys.html", keys=shown, more=more, done=done, names=names, earlier=earlier)


@router.post("/keys/{key_id}/revoke")
def revoke(key_id: str, visit: Annotated[Visit, acts("admin")]) -> Answer:
    """It stops working at once; whoever revokes the own key is signed out by it."""
    revoke_key(visit.session, visit.caller, key_id, visit.now)
    return visit.redirect("/keys", f"The key {key_id} is revoked.")
