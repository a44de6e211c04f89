"""API keys of the caller's workspace. They are made with `tranche key create`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, changes, reads
from app.services.access.keys import revoke_key
from app.store.access import keys_of_workspace

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"], route_class=Route)


class ApiKeyOut(Answer):
    """A key without its secret, which nothing can show again."""

    id: str
    scopes: list[str]
    project_ids: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@router.get("", summary="List API keys")
def list_keys(call: Annotated[Call, reads("admin")], limit: Limit = 50, cursor: Cursor = None) -> Page[ApiKeyOut]:
    rows = keys_of_workspace(call.session, call.caller.workspace_id)
    return page(call, cursor, limit, rows, ApiKeyOut.model_validate)


@router.delete("/{key_id}", status_code=204, summary="Revoke an API key")
def delete_key(key_id: str, call: Annotated[Call, changes("admin")]) -> None:
    """It stops working at once. A second time changes nothing."""
    revoke_key(call.session, call.caller, key_id, call.now)
