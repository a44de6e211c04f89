"""What an order costs by price tiers: exact decimals, payable in the currency (api.md, Sources)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from app.money import MILLIONTH, payable
from app.store.member_rows import AnySource
from app.store.models.projects import Source


@dataclass(frozen=True)
class Terms:
    """A source's price terms as they stood when the order was accepted.

    tiers: (from, unit cost) ascending: a sample beyond `from` costs the tier's price; `start` samples were ordered
    before, where tiers count over the project. billed: 'delivered' or 'accepted' samples are charged. currency: in
    whose minor unit orders are paid; None for those from before that was so, which cost to the millionth.
    """

    unit_cost: Decimal
    tiers: tuple[tuple[int, Decimal], ...]
    fixed_cost: Decimal
    billed: str
    start: int
    currency: str | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Terms":
        return cls(
            unit_cost=Decimal(stored["unit_cost"]),
            tiers=tuple((int(start), Decimal(cost)) for start, cost in stored["tiers"]),
            fixed_cost=Decimal(stored["fixed_cost"]),
            billed=stored["billed"],
            start=int(stored["start"]),
            currency=stored.get("currency"),
        )

    def stored(self) -> dict[str, Any]:
        return {
            "unit_cost": str(self.unit_cost),
            "tiers": [[start, str(cost)] for start, cost in self.tiers],
            "fixed_cost": str(self.fixed_cost),
            "billed": self.billed,
            "start": self.start,
            **({} if self.currency is None else {"currency": self.currency}),
        }

    def cost(self, count: int) -> Decimal:
        """What `count` charged samples cost to pay, the fixed cost with the first."""
        if count == 0:
            return Decimal(0)
        ends = [start for start, _ in self.tiers] + [self.start + count]
        low, price, cost = self.start, self.unit_cost, self.fixed_cost
        for end, following in zip(ends, [cost for _, cost in self.tiers] + [self.unit_cost], strict=True):
            reach = min(max(end, low), self.start + count)
            cost += (reach - low) * price
            low, price = reach, following
        return cost if self.currency is None else payable(cost, self.currency)


def price_of(source: AnySource) -> Decimal:
    """What a sample costs before tiers: of the price of an item the share of one of its labels."""
    return _share(source, source.unit_cost)


def tiers_of(source: AnySource) -> tuple[tuple[int, Decimal], ...]:
    """(from, what a sample beyond it costs), ascending."""
    return tuple((int(tier["from"]), _share(source, Decimal(tier["unit_cost"]))) for tier in source.price_tiers)


def _share(source: AnySource, cost: Decimal) -> Decimal:
    # Rounded up, so that no order costs less than its items, nor a sample nothing.
    return (cost / source.labels_per_item).quantize(MILLIONTH, ROUND_UP)


def terms_of(source: Source, ordered: int, currency: str | None) -> Terms:
    """The source's present terms; `ordered` samples were ordered from it before."""
    return Terms(
        unit_cost=price_of(source),
        tiers=tiers_of(source),
        fixed_cost=source.fixed_cost,
        billed=source.billed,
        start=ordered if source.tier_scope == "project" else 0,
        currency=currency,
    )
