"""Orders, and what is recorded of them by hand: deliveries and corrections."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from app.api.common import Call, Route, posts, reads
from app.api.inputs import MAX_COUNT, Answer, Count, Key, MoneyIn, MoneyOut, Shape, SignedMoneyOut, Text
from app.api.observations import WarningOut
from app.api.pages import Cursor, Limit, Page, page, position
from app.api.problems import declared
from app.errors import Conflict, Fault, KeyTaken, NotFound, invalid
from app.services.deliveries import Recording, over_delivered, record_delivery
from app.services.progress import OrderProgress, order_progress
from app.services.projects import as_uuid
from app.services.rounds import get_round
from app.services.terms import Terms
from app.store.ledger import audit_page, entries_page
from app.store.ledger_models import AuditEntry, LedgerEntry, Order
from app.store.models import Group, Project
from app.store.projects import members
from app.store.rounds import order_by_id

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["rounds"], route_class=Route)

Change = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT)]


class CountsOut(Answer):
    """Samples that passed review, that did not, and that wait for it."""

    accepted: int
    rejected: int
    pending: int


class OrderOut(Answer):
    """What one round orders from one source, and what came of it.

    `cost` is planned, `spent` charged so far, `committed` what may still be charged. `unmapped`: delivered samples of
    no known group. `over_delivered`: samples beyond the quantity.
    """

    id: UUID
    source: str
    state: str
    quantity: int
    cost: MoneyOut
    spent: MoneyOut
    committed: MoneyOut
    billed: str
    delivered: int
    accepted: int
    rejected: int
    pending: int
    unmapped: int
    over_delivered: int
    groups: dict[str, CountsOut]
    external_id: str | None
    created_at: datetime
    placed_at: datetime | None
    closed_at: datetime | None


def order_shape(progress: OrderProgress) -> OrderOut:
    order, totals = progress.order, progress.totals
    return OrderOut(
        id=order.id,
        source=progress.source,
        state=order.state,
        quantity=order.quantity,
        cost=order.cost,
        spent=totals.spent,
        committed=totals.committed,
        billed=Terms.read(order.terms).billed,
        delivered=totals.delivered,
        **{state: totals.in_state(state) for state in ("accepted", "rejected", "pending", "unmapped")},
        over_delivered=over_delivered(order, totals),
        groups={key: CountsOut(**counts) for key, counts in progress.groups.items()},
        external_id=order.external_id,
        created_at=order.created_at,
        placed_at=order.placed_at,
        closed_at=order.closed_at,
    )


class CountsIn(Shape):
    accepted: Count = 0
    rejected: Count = 0
    pending: Count = 0


class DeliveryIn(Shape):
    """What came. `cost` is what the vendor charged for it, where that is not the order's price."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"external_id": "box-7", "groups": {"Black_Female": {"accepted": 90, "rejected": 10}}, "cost": "160.00"}
            ]
        }
    )

    external_id: Text | None = None
    groups: Annotated[dict[Key, CountsIn], Field(max_length=20_000, default_factory=dict)]
    unmapped: Count = 0
    cost: MoneyIn | None = None
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = None


class ChangesIn(Shape):
    accepted: Change = 0
    rejected: Change = 0
    pending: Change = 0


class CorrectionIn(Shape):
    """What was recorded wrongly: samples more, or fewer by a minus sign. The order's price follows; a `refund`,
    what the vendor gave back, takes its place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "external_id": "recount-3",
                    "groups": {"Black_Female": {"accepted": -5, "rejected": 5}},
                    "note": "five were duplicates",
                }
            ]
        }
    )

    external_id: Text | None = None
    groups: Annotated[dict[Key, ChangesIn], Field(max_length=20_000, default_factory=dict)]
    unmapped: Change = 0
    refund: MoneyIn | None = None
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class DeliveryOut(Answer):
    """What was recorded, and the order after it."""

    id: UUID
    kind: str
    external_id: str | None
    order: OrderOut
    data_version: int
    warnings: list[WarningOut]


@router.post(
    "/rounds/{number}/orders/{order_id}/deliveries",
    status_code=201,
    summary="Record a delivery by hand",
    responses=declared(Conflict, KeyTaken),
)
def post_delivery(
    project_id: str, number: int, order_id: str, body: DeliveryIn, call: Annotated[Call, posts("deliver")]
) -> DeliveryOut:
    """Counts and spending change together. Name an `external_id`, or send an Idempotency-Key, so that a repeat has no
    second effect."""
    groups = {key: counts.model_dump() for key, counts in body.groups.items()}
    said = Recording("delivery", body.external_id, groups, body.unmapped, body.cost, body.note)
    return recorded(call, project_id, number, order_id, said)


@router.post(
    "/rounds/{number}/orders/{order_id}/corrections",
    status_code=201,
    summary="Correct what was recorded",
    responses=declared(Conflict, KeyTaken),
)
def post_correction(
    project_id: str, number: int, order_id: str, body: CorrectionIn, call: Annotated[Call, posts("deliver")]
) -> DeliveryOut:
    """Appends the difference; what was recorded before stays readable. No total falls below 0."""
    groups = {key: counts.model_dump() for key, counts in body.groups.items()}
    cost = None if body.refund is None else -body.refund
    said = Recording("correction", body.external_id, groups, body.unmapped, cost, body.note)
    return recorded(call, project_id, number, order_id, said)


def recorded(call: Call, project_id: str, number: int, order_id: str, said: Recording) -> DeliveryOut:
    if said.external_id is None and call.idempotency_key is None:
        raise invalid(Fault("/external_id", "is required here, or send an Idempotency-Key"))
    project = call.project(project_id)
    purchase = get_round(call.session, project, number)
    order = get_order(call, project, order_id)
    if order.round_id != purchase.id:
        raise NotFound(f"There is no such order in round {number}.")
    row, _ = record_delivery(call.session, project, purchase, order, said, call.caller, call.now, call.enqueue)
    shape = order_shape(progress_one(call, project, order))
    return DeliveryOut(
        id=row.id,
        kind=row.kind,
        external_id=row.external_id,
        order=shape,
        data_version=project.data_version,
        warnings=delivery_warnings(order, shape),
    )


def delivery_warnings(order: Order, shape: OrderOut) -> list[WarningOut]:
    found = []
    if shape.over_delivered:
        detail = f"{shape.over_delivered:,} samples more than ordered came; they are counted and charged."
        found.append(WarningOut(code="over_delivery", group=None, source=shape.source, detail=detail))
    if order.state == "closed":
        detail = "The order is closed; what came late is counted and charged all the same."
        found.append(WarningOut(code="order_closed", group=None, source=shape.source, detail=detail))
    if shape.unmapped:
        detail = f"{shape.unmapped:,} samples belong to no known group and count for none: correct them when known."
        found.append(WarningOut(code="unmapped", group=None, source=shape.source, detail=detail))
    return found


def get_order(call: Call, project: Project, order_id: str) -> Order:
    key = as_uuid(order_id)
    row = None if key is None else order_by_id(call.session, project.id, key)
    if row is None:
        raise NotFound("There is no such order in this project.")
    return row


def progress_one(call: Call, project: Project, order: Order) -> OrderProgress:
    groups = members(call.session, Group, project.id, archived=None)
    return order_progress(call.session, project, [order], groups)[0]


@router.get("/orders/{order_id}", summary="Read an order")
def read_order(project_id: str, order_id: str, call: Annotated[Call, reads("read")]) -> OrderOut:
    project = call.project(project_id)
    return order_shape(progress_one(call, project, get_order(call, project, order_id)))


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
    return EntryOut(
        id=row.id,
        order=row.order_id,
        kind=row.kind,
        group=None if row.group_id is None else keys[row.group_id],
        state=row.state,
        count=row.count,
        spent=row.spent,
        committed=row.committed,
        cause=row.cause,
        note=row.note,
        api_key=row.api_key_id,
        created_at=row.created_at,
    )


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

    def fetch(after: str | None, count: int) -> Any:
        return entries_page(call.session, project.id, only, position(after), count)

    return page(call, cursor, limit, fetch, lambda row: entry_shape(row, keys), lambda row: row.id)


class AuditOut(Answer):
    """Who did what: the API key's id, the action, and what it was done to."""

    id: int
    api_key: str
    action: str
    resource: str
    detail: dict[str, Any]
    created_at: datetime


def audit_shape(row: AuditEntry) -> AuditOut:
    columns = {name: getattr(row, name) for name in ("id", "action", "resource", "detail", "created_at")}
    return AuditOut(api_key=row.api_key_id, **columns)


@router.get("/audit", summary="List who did what")
def list_audit(
    project_id: str, call: Annotated[Call, reads("read")], limit: Limit = 50, cursor: Cursor = None
) -> Page[AuditOut]:
    project = call.project(project_id)

    def fetch(after: str | None, count: int) -> Any:
        return audit_page(call.session, project.id, position(after), count)

    return page(call, cursor, limit, fetch, audit_shape, lambda row: row.id)
