"""API keys of the caller's workspace. The first one is made with `tranche key create`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, Field, StringConstraints

from app.api.http.etags import etag_of
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.shapes import Answer, InstantIn, Patch, Shape, plain_text, unset
from app.api.http.transactions import Call, Route, changes, posts, reads
from app.services.access import keys
from app.services.access.keys import LONGEST_NAME, KeyRequest
from app.store.access import keys_of_workspace
from app.store.models.access import ApiKey

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"], route_class=Route)

KeyName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME), AfterValidator(plain_text)
]
Scope = Literal["read", "observe", "deliver", "write", "buy", "admin"]


class ApiKeyIn(Shape):
    """`project_ids` limits the key to these projects; left out, it is for all. A key that is limited itself can only
    make keys for projects of its own, and has to name them."""

    name: KeyName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=6)]
    project_ids: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = None
    expires_at: InstantIn | None = None


class ApiKeyPatch(Patch):
    """A name is all that can be changed: for other rights, make another key and revoke this one. Null takes the name
    away."""

    made_from = ApiKeyIn

    name: KeyName | None = unset()


class ApiKeyOut(Answer):
    """A key without its secret, which nothing can show again. `made_by` and `revoked_by` are ids of keys, null where it
    was made at the command line. Keys made before there were names have none."""

    id: str
    name: str | None
    scopes: list[str]
    project_ids: list[str] | None
    made_by: str | None
    revoked_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ApiKeyWithSecret(ApiKeyOut):
    """`secret` is what goes behind `Bearer`. It is shown once: a repeat of the same request has null, and
    `secret_shown` true."""

    secret: str | None
    secret_shown: bool


def shape(call: Call, row: ApiKey) -> ApiKeyOut:
    """The key; the ETag that If-Match is held against is its own, whatever the answer holds beside."""
    shown = ApiKeyOut.model_validate(row)
    if call.request.method != "GET":
        call.headers["ETag"] = etag_of(shown.model_dump_json().encode())
    return shown


@router.post("", status_code=201, summary="Make an API key")
def create_key(body: ApiKeyIn, call: Annotated[Call, posts("admin")]) -> ApiKeyWithSecret:
    """Keep the secret: it is shown this once, and nothing can show it again."""
    only = None if body.project_ids is None else [str(one) for one in body.project_ids]
    wanted = KeyRequest(body.scopes, only, body.expires_at, body.name)
    row, token = keys.make_key(call.session, call.caller, wanted, call.runtime.hash_keys[0], call.now)
    call.headers["Location"] = f"{call.path}/{row.id}"
    call.shows_secret = True
    return ApiKeyWithSecret(**shape(call, row).model_dump(), secret=token, secret_shown=False)


@router.get("", summary="List API keys")
def list_keys(call: Annotated[Call, reads("admin")], limit: Limit = 50, cursor: Cursor = None) -> Page[ApiKeyOut]:
    """Revoked and expired ones too. A key that is limited to projects sees those that are limited to some of them."""
    rows = keys_of_workspace(call.session, call.caller.workspace_id, call.caller.project_ids)
    return page(call, cursor, limit, rows, ApiKeyOut.model_validate)


@router.get("/{key_id}", summary="Read an API key")
def read_key(key_id: str, call: Annotated[Call, reads("admin")]) -> ApiKeyOut:
    """Without its secret. The ETag is what a change may be made conditional on."""
    return shape(call, keys.get_key(call.session, call.caller, key_id))


@router.patch("/{key_id}", summary="Rename an API key")
def rename_key(key_id: str, body: ApiKeyPatch, call: Annotated[Call, changes("admin")]) -> ApiKeyOut:
    """Rounds, ledgers and audits that name the key show its new name."""
    row = keys.get_key(call.session, call.caller, key_id)
    call.match(ApiKeyOut.model_validate(row))
    if "name" in body.model_fields_set:
        row.name = body.name
    return shape(call, row)


@router.delete("/{key_id}", status_code=204, summary="Revoke an API key")
def revoke(key_id: str, call: Annotated[Call, changes("admin")]) -> None:
    """It stops working at once. A second time changes nothing."""
    call.match(ApiKeyOut.model_validate(keys.get_key(call.session, call.caller, key_id)))
    keys.revoke_key(call.session, call.caller, key_id, call.now)
