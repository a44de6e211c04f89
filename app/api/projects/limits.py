"""Limits over named sets of sources or groups."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from app.api.http.shapes import Count, MoneyInSchema, Shape, ShortText, Text, read_money
from app.api.keys.keys import Key
from app.money import plain

MAX_LIMITS = 200
MAX_MEMBERS = 20_000

Keys = Annotated[tuple[Key, ...], Field(min_length=1, max_length=MAX_MEMBERS)]
Where = Annotated[dict[ShortText, ShortText], Field(min_length=1, max_length=50)]
Money = Annotated[Decimal, BeforeValidator(read_money), PlainSerializer(plain, return_type=str), MoneyInSchema]
Fraction = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]


class Limit(Shape):
    """What a set of sources, this round's orders, or of groups, their total counts, may come to at least or at most.
    `where` stands for all groups that have these attributes when a plan is made."""

    name: Text
    sources: Keys | None = None
    groups: Keys | None = None
    where: Where | None = None


class CostLimit(Limit):
    """Money paid to the sources."""

    measure: Literal["cost"]
    min: Money | None = None
    max: Money | None = None


class CountLimit(Limit):
    """Samples."""

    measure: Literal["count"]
    min: Count | None = None
    max: Count | None = None


class ShareLimit(Limit):
    """A share of the money or of the samples, of everything or of the members of `share_of`."""

    measure: Literal["cost_share", "count_share"]
    share_of: Keys | None = None
    min: Fraction | None = None
    max: Fraction | None = None


class OrdersLimit(Limit):
    """How many of the sources get an order this round, however small."""

    measure: Literal["orders"]
    min: Count | None = None
    max: Count | None = None


SetLimit = Annotated[CostLimit | CountLimit | OrdersLimit | ShareLimit, Field(discriminator="measure")]
SetLimits = Annotated[tuple[SetLimit, ...], Field(max_length=MAX_LIMITS)]


def stored_limits(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """As they are stored: only what is said, money as decimal strings."""
    return [limit.model_dump(mode="json", exclude_none=True) for limit in limits]
