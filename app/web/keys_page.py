"""The API keys of the workspace: who may do what, and taking a key's rights away."""

from typing import Annotated

from fastapi import Query

from app.services.access.keys import is_valid, revoke_key
from app.store.access import keys_of_workspace
from app.web.site.visit import Answer, Visit, acts, pages, sees

router = pages()

PER_PAGE = 50


@router.get("/keys")
def key_list(
    visit: Annotated[Visit, sees("admin")], after: Annotated[str | None, Query(max_length=40)] = None
) -> Answer:
    rows, last = keys_of_workspace(visit.session, visit.caller.workspace_id, visit.caller.project_ids).part(
        after, PER_PAGE
    )
    shown = [(row, is_valid(row, visit.now)) for row in rows]
    more = f"/keys?after={last}" if last else None
    return visit.render("keys.html", keys=shown, more=more)


@router.post("/keys/{key_id}/revoke")
def revoke(key_id: str, visit: Annotated[Visit, acts("admin")]) -> Answer:
    """It stops working at once; whoever revokes the own key is signed out by it."""
    revoke_key(visit.session, visit.caller, key_id, visit.now)
    return visit.redirect("/keys", f"The key {key_id} is revoked.")
