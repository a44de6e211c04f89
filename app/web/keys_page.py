"""The API keys of the workspace: who may do what; making a key, naming it, and taking its rights away."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.projects.keys import ApiKeyIn, ApiKeyPatch
from app.errors import Fault, TrancheError, invalid
from app.services.access.keys import SCOPES, KeyRequest, get_key, is_valid, make_key, revoke_key
from app.store.access import key_name, keys_of_workspace
from app.store.ledger import listed_audit
from app.store.models.purchases import AuditEntry
from app.store.projects import projects_of_workspace
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 50
MOST_PROJECTS = 200
"""That the form names."""
MAKE: TypeAdapter[ApiKeyIn] = TypeAdapter(ApiKeyIn)
RENAME: TypeAdapter[ApiKeyPatch] = TypeAdapter(ApiKeyPatch)


@router.get("/keys")
def key_list(visit: Annotated[Visit, sees("admin")], after: Place = None, before: Place = None) -> Answer:
    """With what was done in the workspace, for who may see all of it: newest first, before an entry's number."""
    return shown(visit, after, before)


def shown(
    visit: Visit, after: Place = None, before: Place = None, error: TrancheError | None = None, token: str = ""
) -> Answer:
    """token: of a key that was just made, which nothing can show again."""
    caller = visit.caller
    keys = keys_of_workspace(visit.session, visit.caller.workspace_id, visit.caller.project_ids)
    rows, last = keys.part(place_in(keys, after, "after"), PER_PAGE)
    listed = [(row, is_valid(row, visit.now)) for row in rows]
    more = f"/keys?after={last}" if last else None
    done: list[AuditEntry] = []
    earlier = None
    if visit.may("admin", whole_workspace=True):
        audit = listed_audit(visit.session, visit.caller.workspace_id, newest_first=True)
        done, oldest = audit.part(place_in(audit, before, "before"), PER_PAGE)
        earlier = f"/keys?before={oldest}#done" if oldest else None
    names = {row.id: key_name(row, row.api_key_id) for row in done}
    projects = projects_of_workspace(visit.session, caller.workspace_id, caller.project_ids, archived=False)
    return visit.render(
        "keys.html",
        keys=listed,
        more=more,
        done=done,
        names=names,
        earlier=earlier,
        scopes=[one for one in SCOPES if visit.may(one)],
        projects=projects.after(None, MOST_PROJECTS),
        token=token,
        error=error,
    )


@router.post("/keys")
def make(visit: Annotated[Visit, acts("admin")]) -> Answer:
    """The page that answers shows the key, this once."""
    try:
        with visit.trying():
            said = validated(MAKE, {
                "name": visit.said("name"),
                "scopes": visit.form.get("scope", []),
                "project_ids": visit.form.get("project") or None,
            })  # fmt: skip
            only = None if said.project_ids is None else [str(one) for one in said.project_ids]
            wanted = KeyRequest(said.scopes, only, end_of(visit.said("until")), said.name)
            _, token = make_key(visit.session, visit.caller, wanted, visit.runtime.hash_keys[0], visit.now)
    except TrancheError as error:
        return shown(visit, error=error)
    return shown(visit, token=token)


def end_of(day: str) -> datetime | None:
    """The end of a date, by UTC; None where none is said. Raises Invalid."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        raise invalid(Fault("/expires_at", "give a date such as 2027-03-31")) from None


@router.post("/keys/{key_id}/rename")
def rename(key_id: str, visit: Annotated[Visit, acts("admin")]) -> Answer:
    try:
        with visit.trying():
            key = get_key(visit.session, visit.caller, key_id)
            key.name = validated(RENAME, {"name": visit.said("name") or None}).name
    except TrancheError as error:
        return shown(visit, error=error)
    return visit.redirect("/keys", f"The key {key_id} has another name now.")


@router.post("/keys/{key_id}/revoke")
def revoke(key_id: str, visit: Annotated[Visit, acts("admin")]) -> Answer:
    """It stops working at once; whoever revokes the own key is signed out by it."""
    revoke_key(visit.session, visit.caller, key_id, visit.now)
    return visit.redirect("/keys", f"The key {key_id} is revoked.")
