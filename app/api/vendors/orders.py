"""Orders at labeling vendors: rows to be labelled, how placing went, which vendor's order is ours, reading it back."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path

from app.api.http.bulk import list_body, list_contract
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer, Shape, Text
from app.api.http.transactions import BulkRoute, Call, Route, posts, reads
from app.api.keys.keys import Key
from app.api.vendors.connections import get
from app.errors import Conflict, KeyTaken, NotFound
from app.services.ids import as_uuid
from app.services.vendors import inbox, placing, schedule
from app.store import vendors as store
from app.store.models.purchases import Order
from app.store.models.vendors import VendorOrder, VendorPlacement

router = APIRouter(prefix="/v1/vendor-connections/{connection_id}", tags=["vendors"], route_class=Route)
bulk = APIRouter(prefix=router.prefix, tags=["vendors"], route_class=BulkRoute)

MAX_ROWS = 50_000
ExternalId = Annotated[str, Path(min_length=1, max_length=200)]


class RowIn(Shape):
    """A row to be labelled: its own id, its group, and its data as the labeling interface shows it."""

    id: Text
    group: Key
    data: dict[str, Any]


class RowsOut(Answer):
    """`free`: group → rows that no order has taken yet."""

    added: int
    free: dict[str, int]


@bulk.post("/rows", status_code=201, summary="Post rows to be labelled", openapi_extra=list_contract(RowIn))
def post_rows(
    connection_id: str,
    call: Annotated[Call, posts("write", whole_workspace=True)],
    body: Annotated[list[RowIn], list_body(RowIn, MAX_ROWS)],
) -> RowsOut:
    """Up to 50,000, as a JSON list or one object per line. An order that is placed takes the oldest free rows of each
    of its groups. A row whose id is known is left as it is."""
    row = get(call, connection_id)
    added = placing.add_rows(call.session, row, [one.model_dump() for one in body], call.now)
    return RowsOut(added=added, free=store.free_row_counts(call.session, row.id))


class PlacedOut(Answer):
    """An order as the vendor knows it; `group` where it holds one group alone."""

    external_order_id: str
    group: str | None
    url: str | None


class PlacementOut(Answer):
    """How placing an order went. `problem` says what is missing or why the vendor refused."""

    order_id: UUID
    state: Literal["placing", "placed", "refused"]
    problem: str | None
    tries: int
    placed: list[PlacedOut]
    updated_at: datetime


def placement_shapes(call: Call, pairs: list[tuple[VendorPlacement, Order]]) -> list[PlacementOut]:
    orders = {order.id: order for _, order in pairs}
    groups = store.groups_of_projects(call.session, {order.project_id for order in orders.values()})
    keys = {group_id: key for by_key in groups.values() for key, group_id in by_key.items()}
    there: dict[UUID, list[VendorOrder]] = {}
    for one in store.vendor_orders_of(call.session, list(orders)):
        there.setdefault(one.order_id or UUID(int=0), []).append(one)
    return [
        PlacementOut.of(
            row,
            placed=[
                PlacedOut.of(one, group=None if one.group_id is None else keys[one.group_id])
                for one in there.get(row.order_id, [])
            ],
        )
        for row, _ in pairs
    ]


@router.get("/placements", summary="List how placing orders went")
def list_placements(
    connection_id: str,
    call: Annotated[Call, reads("read", whole_workspace=True)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PlacementOut]:
    row = get(call, connection_id)

    def shown(pair: tuple[VendorPlacement, Order]) -> PlacementOut:
        return placement_shapes(call, [pair])[0]

    return page(call, cursor, limit, store.listed_placements(call.session, row.id), shown)


class AskedOut(Answer):
    status: Literal["asked"]


@router.post("/placements/{order_id}", status_code=202, summary="Place an order again", responses=declared(Conflict))
def place_again(
    connection_id: str, order_id: str, call: Annotated[Call, posts("buy", whole_workspace=True)]
) -> AskedOut:
    """After its rows were posted, or what the vendor refused was mended. What is there already is not placed twice."""
    row = get(call, connection_id)
    key = as_uuid(order_id)
    if key is None:
        raise NotFound("There is no such order of this vendor connection.")
    placing.place_again(call.session, row, key, call.now, call.enqueue)
    return AskedOut(status="asked")


class LinkIn(Shape):
    """Which of our orders it is; `group` where it holds one group alone."""

    order_id: UUID
    group: Key | None = None


@router.post(
    "/orders/{external_order_id}",
    status_code=202,
    summary="Link a vendor's order to ours",
    responses=declared(KeyTaken),
)
def link_order(
    connection_id: str,
    external_order_id: ExternalId,
    body: LinkIn,
    call: Annotated[Call, posts("write", whole_workspace=True)],
) -> AskedOut:
    """For orders placed by hand: what the vendor says of its order counts for ours, what it said before too."""
    row = get(call, connection_id)
    placing.link_order(call.session, row, external_order_id, body.order_id, body.group, call.now)
    inbox.ask_to_map(call.session, row.id, call.enqueue)
    return AskedOut(status="asked")


@router.post("/reconcile", status_code=202, summary="Read the vendor's API now", responses=declared(Conflict))
def reconcile(connection_id: str, call: Annotated[Call, posts("write", whole_workspace=True)]) -> AskedOut:
    """What webhooks missed is taken over, and reported under /reconciliations."""
    row = get(call, connection_id)
    if not schedule.ask_to_reconcile(call.session, row, "button", call.now, call.enqueue):
        raise Conflict(f"The kind '{row.kind}' has no API that we read; replay its inbox instead.")
    return AskedOut(status="asked")


class ReconciliationOut(Answer):
    """What reading the vendor's API changed: order → group ('' for none) → state → samples more or fewer. `items`: how
    many were read; `unread`: how many could not be, `problem` says why. Those stay as they were known."""

    id: int
    reason: str
    items: int
    unread: int
    differences: dict[str, dict[str, dict[str, int]]]
    problem: str | None
    created_at: datetime


@router.get("/reconciliations", summary="List what reading the vendor's API changed, newest first")
def list_reconciliations(
    connection_id: str,
    call: Annotated[Call, reads("read", whole_workspace=True)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReconciliationOut]:
    row = get(call, connection_id)
    rows = store.listed_reconciliations(call.session, row.id)
    return page(call, cursor, limit, rows, ReconciliationOut.model_validate)
