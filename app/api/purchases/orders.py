"""Orders: what a round buys from one source, and what came of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from app.api.http.shapes import Answer, MoneyOut
from app.api.http.transactions import Call, Route, reads
from app.errors import NotFound
from app.services.ids import as_uuid
from app.services.ledger.deliveries import over_delivered
from app.services.ledger.terms import Terms
from app.services.purchases.progress import OrderProgress, order_progress
from app.store.models.projects import Group, Project
from app.store.models.purchases import Order
from app.store.projects import members
from app.store.reading import find

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["rounds"], route_class=Route)


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
    return OrderOut.of(
        order,
        totals,
        progress,
        billed=Terms.read(order.terms).billed,
        **{state: totals.in_state(state) for state in ("accepted", "rejected", "pending", "unmapped")},
        over_delivered=over_delivered(order, totals),
    )


def get_order(call: Call, project: Project, order_id: str) -> Order:
    """The project's order. Raises NotFound."""
    row = find(call.session, Order, project_id=project.id, id=as_uuid(order_id))
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
