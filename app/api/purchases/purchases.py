"""Purchases without vendors: what was bought and has arrived, in one call."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, ValidationError

from app.api.http.problems import declared, repeated
from app.api.http.shapes import Count, MoneyIn, Shape, Text
from app.api.http.transactions import Call, Route, posts
from app.api.keys.keys import Key, Keyed
from app.api.planning.allocations import allocation_json
from app.api.purchases.rounds import RoundOut, shape_of
from app.errors import Conflict, Fault, KeyTaken, TooManyComputations, invalid
from app.services.purchases.arrivals import Arrived
from app.services.purchases.purchases import Bought, record_purchase

router = APIRouter(prefix="/v1/projects/{project_id}/purchases", tags=["rounds"], route_class=Route)


class ArrivedCounts(Shape):
    accepted: Count = 0
    rejected: Count = 0


class ArrivedIn(Shape):
    """What came of an order where a number does not say it: by group, and samples of no known group."""

    groups: Annotated[dict[Key, ArrivedCounts], Field(max_length=20_000, default_factory=dict), Keyed]
    unmapped: Count = 0

    def arrived(self) -> Arrived:
        return Arrived({key: counts.model_dump() for key, counts in self.groups.items()}, self.unmapped)


COUNT: TypeAdapter[int] = TypeAdapter(Count)


def counted(value: Any) -> Any:
    """A number of samples, or the object that stands in its place. Raises ValueError."""
    if isinstance(value, dict | ArrivedIn):
        return value
    try:
        return COUNT.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Input ")
        raise ValueError(f"{reason}; give a number of samples, or what came by group") from None


OrderIn = Annotated[
    Annotated[Count, Tag("number")] | Annotated[ArrivedIn, Tag("came")],
    Discriminator(lambda value: "number" if isinstance(value, int) else "came"),
    BeforeValidator(counted),
]


class PurchaseIn(Shape):
    """What was bought and has arrived: `orders` by source, or `groups` where each has one source that delivers it
    alone. A number is so many samples of the source's one group, all accepted; of a source of several groups, or one of
    whose samples some are rejected, say what came. `spent`: what was paid in all; left out: what the sources' prices
    say."""

    orders: Annotated[dict[Key, OrderIn], Field(max_length=20_000), Keyed] | None = None
    groups: Annotated[dict[Key, Count], Field(max_length=20_000), Keyed] | None = None
    spent: MoneyIn | None = None
    external_id: Text | None = None
    note: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = None

    def purchase(self) -> Bought:
        """Raises Invalid unless it names either orders or groups."""
        if (self.orders is None) == (self.groups is None):
            raise invalid(Fault("/orders", "name either `orders`, by source, or `groups`, by group"))
        orders = None if self.orders is None else {key: came_from(said) for key, said in self.orders.items()}
        return Bought(self.external_id, orders, self.groups, self.spent, self.note)


def came_from(said: int | ArrivedIn) -> int | Arrived:
    return said if isinstance(said, int) else said.arrived()


@router.post(
    "",
    status_code=201,
    summary="Record a purchase",
    responses=declared(Conflict, KeyTaken, TooManyComputations, beside=repeated(RoundOut)),
)
def record(project_id: str, body: PurchaseIn, call: Annotated[Call, posts("buy")]) -> RoundOut:
    """What was bought without vendors and has arrived, as a closed round: its samples count, its cost is spent. Needs
    an `external_id` or an Idempotency-Key, so that a repeat buys nothing twice."""
    if body.external_id is None and call.idempotency_key is None:
        raise invalid(Fault("/external_id", "is required here, or send an Idempotency-Key"))
    said, project = body.purchase(), call.project(project_id)
    fits = call.runtime.fits
    row, new = record_purchase(call.session, fits, project, said, allocation_json, call.caller, call.now, call.enqueue)
    if new:
        call.headers["Location"] = f"/v1/projects/{project.id}/rounds/{row.number}"
    else:
        call.status = 200
    return shape_of(call, project, row)
