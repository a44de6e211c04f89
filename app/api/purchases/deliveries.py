"""What is recorded by hand of an order: deliveries and corrections."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from app.api.http.answers import RoundNumber, WarningOut
from app.api.http.problems import declared
from app.api.http.shapes import MAX_COUNT, Answer, Count, MoneyIn, Shape, Text, Whole
from app.api.http.transactions import Call, Route, posts
from app.api.keys.keys import Key, Keyed
from app.api.purchases.orders import OrderOut, get_order, order_shape, progress_one
from app.errors import Conflict, Fault, KeyTaken, NotFound, invalid
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.purchases.rounds import get_round
from app.store.models.purchases import Order

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["rounds"], route_class=Route)

Change = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT), Whole]


class CountsIn(Shape):
    accepted: Count = 0
    rejected: Count = 0
    pending: Count = 0


class DeliveryIn(Shape):
    """What came. `cost` is what the vendor charged for it, where that is not the order's price. `license` is what the
    lot came with: where its source is under another one, all of it is counted as unmapped until a correction maps
    it."""

    external_id: Text | None = None
    groups: Annotated[dict[Key, CountsIn], Field(max_length=20_000, default_factory=dict), Keyed]
    unmapped: Count = 0
    cost: MoneyIn | None = None
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = None
    license: Text | None = None


class ChangesIn(Shape):
    accepted: Change = 0
    rejected: Change = 0
    pending: Change = 0


class CorrectionIn(Shape):
    """What was recorded wrongly: samples more, or fewer by a minus sign. The order's price follows; a `refund`,
    what the vendor gave back, takes its place."""

    external_id: Text | None = None
    groups: Annotated[dict[Key, ChangesIn], Field(max_length=20_000, default_factory=dict), Keyed]
    unmapped: Change = 0
    refund: MoneyIn | None = None
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class DeliveryOut(Answer):
    """What was recorded, and the order after it."""

    id: UUID
    kind: str
    external_id: str | None
    license: str | None
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
    project_id: str, number: RoundNumber, order_id: str, body: DeliveryIn, call: Annotated[Call, posts("deliver")]
) -> DeliveryOut:
    """Counts and spending change together. Name an `external_id`, or send an Idempotency-Key, so that a repeat has no
    second effect."""
    groups = {key: counts.model_dump() for key, counts in body.groups.items()}
    said = Recording("delivery", body.external_id, groups, body.unmapped, body.cost, body.note, body.license)
    return recorded(call, project_id, number, order_id, said)


@router.post(
    "/rounds/{number}/orders/{order_id}/corrections",
    status_code=201,
    summary="Correct what was recorded",
    responses=declared(Conflict, KeyTaken),
)
def post_correction(
    project_id: str, number: RoundNumber, order_id: str, body: CorrectionIn, call: Annotated[Call, posts("deliver")]
) -> DeliveryOut:
    """Appends the difference; what was recorded before stays readable. No total falls below 0."""
    groups = {key: counts.model_dump() for key, counts in body.groups.items()}
    cost = None if body.refund is None else -body.refund
    said = Recording("correction", body.external_id, groups, body.unmapped, cost, body.note)
    return recorded(call, project_id, number, order_id, said)


def recorded(call: Call, project_id: str, number: RoundNumber, order_id: str, said: Recording) -> DeliveryOut:
    """Records what was said of an order. Raises Invalid, NotFound, and as the ledger."""
    if said.external_id is None and call.idempotency_key is None:
        raise invalid(Fault("/external_id", "is required here, or send an Idempotency-Key"))
    project = call.project(project_id)
    purchase = get_round(call.session, project, number)
    order = get_order(call, project, order_id)
    if order.round_id != purchase.id:
        raise NotFound(f"There is no such order in round {number}.")
    row, _ = record_delivery(call.session, project, purchase, order, said, call.caller, call.now, call.enqueue)
    shape = order_shape(progress_one(call, project, order))
    differs = licence_warning(row.license, shape) if row.groups != said.stored else []
    return DeliveryOut.of(row, project, order=shape, warnings=[*differs, *delivery_warnings(order, shape)])


def licence_warning(licence: str | None, shape: OrderOut) -> list[WarningOut]:
    """What to do about a lot that was not counted as it was said, for its licence."""
    detail = (
        f"This lot came under '{licence}', and its source '{shape.source}' is under another licence or names none:"
        " it is counted as unmapped. Settle which holds, then map it by a correction: fewer `unmapped`, more of its"
        " groups."
    )
    return [WarningOut(code="licence_differs", group=None, source=shape.source, detail=detail)]


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
