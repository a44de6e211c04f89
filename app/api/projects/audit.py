"""Who did what in the workspace: with keys, connections, endpoints, settings and money."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AliasChoices, ConfigDict, Field

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.shapes import Answer, InstantIn
from app.api.http.transactions import Call, Route, reads
from app.errors import Fault, invalid
from app.services.ids import as_uuid
from app.store.access import key_name
from app.store.ledger import listed_audit
from app.store.models.purchases import AuditEntry

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=Route)


Action = Annotated[
    str | None, Query(max_length=50, description="Only this action, as `key.made`, or all of one kind, as `key`")
]
Since = Annotated[InstantIn | None, Query(description="Only at or after this instant (RFC 3339)")]


class ChangeOut(Answer):
    """Secrets are `[hidden]`; of addresses the host is told; long values are cut."""

    model_config = ConfigDict(serialize_by_alias=True)

    before: Any = Field(validation_alias=AliasChoices("before", "from"), serialization_alias="from")
    after: Any = Field(validation_alias=AliasChoices("after", "to"), serialization_alias="to")


class AuditOut(Answer):
    """Who did what: the API key's id and its name (null: the command line, or nobody known), the action, what it was
    done to, and which fields changed from what to what."""

    id: int
    project_id: UUID | None
    api_key: str | None
    api_key_name: str | None
    action: str
    resource: str
    changes: dict[str, ChangeOut]
    detail: dict[str, Any]
    created_at: datetime


def audit_shape(row: AuditEntry) -> AuditOut:
    return AuditOut.of(row, api_key=row.api_key_id, api_key_name=key_name(row, row.api_key_id))


@router.get("", summary="List who did what, newest first")
def list_entries(
    call: Annotated[Call, reads("admin", whole_workspace=True)],
    limit: Limit = 50,
    cursor: Cursor = None,
    project: Annotated[str | None, Query(max_length=100, description="Only of this project")] = None,
    action: Action = None,
    since: Since = None,
) -> Page[AuditOut]:
    """Of the whole workspace: keys, sign-ins, vendor connections, webhook endpoints, projects and their settings,
    groups, sources, voided runs, rounds, deliveries, corrections. `GET /v1/projects/{id}/audit` has a project's own."""
    project_id = None if project is None else as_uuid(project)
    if project is not None and project_id is None:
        raise invalid(Fault("?project", "is not a project's id"))
    rows = listed_audit(call.session, call.caller.workspace_id, project_id, action, since, newest_first=True)
    return page(call, cursor, limit, rows, audit_shape)
