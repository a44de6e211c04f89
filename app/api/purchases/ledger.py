"""The ledger's entries, the proof that they add up, and who did what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.shapes import Answer, SignedMoneyOut
from app.api.http.transactions import Call, Route, reads
from app.api.projects.audit import Action, AuditOut, Since, audit_shape
from app.api.purchases.orders import get_order
from app.services.ledger.deliveries import check_ledger
from app.services.vendors.counts import vendor_folds
from app.store.ledger import listed_audit, listed_entries
from app.store.models.projects import Group
from app.store.models.purchases import LedgerEntry
from app.store.projects import members

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["ledger"], route_class=Route)


class EntryOut(Answer):
    """The difference one cause made: samples of a group in a state, or money."""

    id: int
    order: UUID
    kind: str
    group: str | None
    state: str | None
    count: int
    spent: SignedMoneyOut
    committed: SignedMoneyOut
    cause: str
    note: str | None
    api_key: str | None
    created_at: datetime


def entry_shape(row: LedgerEntry, keys: Mapping[int, str]) -> EntryOut:
    group = None if row.group_id is None else keys[row.group_id]
    return EntryOut.of(row, order=row.order_id, group=group, api_key=row.api_key_id)


@router.get("/ledger", summary="List the ledger's entries")
def list_entries(
    project_id: str,
    call: Annotated[Call, reads("read")],
    order: Annotated[str | None, Query(max_length=36, description="Only this order's")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EntryOut]:
    """Append-only: every total is a sum of these."""
    project = call.project(project_id)
    only = None if order is None else get_order(call, project, order).id
    keys = {group.id: group.key for group in members(call.session, Group, project.id, archived=None)}
    rows = listed_entries(call.session, project.id, only)
    return page(call, cursor, limit, rows, lambda row: entry_shape(row, keys))


class DiscrepancyOut(Answer):
    order_id: UUID
    detail: str


class CheckOut(Answer):
    """Whether all entries add up to the deliveries and vendors' items they record, and where they do not."""

    entries_add_up: bool
    discrepancies: list[DiscrepancyOut]


@router.get("/ledger/check", summary="Prove that the ledger adds up")
def check_entries(project_id: str, call: Annotated[Call, reads("read")]) -> CheckOut:
    """Sums the entries anew, order by order, against the records they came from."""
    project = call.project(project_id)
    found = check_ledger(call.session, project, vendor_folds(call.session, project.id))
    shapes = [DiscrepancyOut.model_validate(one) for one in found]
    return CheckOut(entries_add_up=not shapes, discrepancies=shapes)


@router.get("/audit", summary="List who did what")
def list_audit(
    project_id: str,
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    action: Action = None,
    since: Since = None,
) -> Page[AuditOut]:
    """Of its settings, groups, sources, rounds and deliveries, oldest first."""
    project = call.project(project_id)
    rows = listed_audit(call.session, project.workspace_id, project.id, action, since)
    return page(call, cursor, limit, rows, audit_shape)
