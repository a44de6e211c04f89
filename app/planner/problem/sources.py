"""What samples can be bought from, and at which price (method.md 6).

Money is in whole millionths of the currency and never leaves the integers here.
"""

from dataclasses import dataclass
from typing import Literal

MOST = 10**15
"""The largest order that is ever planned, in samples."""
BILLION = 10**9
"""The share of the ordered samples that is billed is taken in whole billionths, so that every cost is exact."""


BEST_QUALITY = 1.5
"""Samples are worth at most so many of those that are called clean."""


class SourceError(ValueError):
    """A source's numbers contradict themselves; the message names it."""


@dataclass(frozen=True)
class Tier:
    """Samples of one order beyond `start` cost `unit_cost` millionths each, those up to it the price before."""

    start: int
    unit_cost: int


@dataclass(frozen=True)
class Source:
    """An offer of samples; money in millionths of the currency, orders in ordered samples.

    yields: (index of a group, share of the delivered samples that belong to it), ascending; the rest is of no use.
    unit_cost: price of a sample, that of the first tier where there are `tiers`; 0 only where there is a limit. An
    order is 0 or a multiple of lot_size between min_order and max_order (None: no limit). fixed_cost: once per order
    above 0. max_total: over the project, of which `ordered` are ordered already. project_tiers: tiers count from
    `ordered`. acceptance_rate α: share that passes review. quality q: clean samples that an accepted one is worth.
    quality_variance: of q, where it is not known for sure. acceptance_weight: delivered samples that what is known of α
    counts for, None where it is known for sure.
    billed: whether the price is charged on the ordered samples x or on α·x, tiers included. fixed_order: this round's
    order is held at this; the rest is optimised. excluded: the licence rule allows no order.
    """

    key: str
    yields: tuple[tuple[int, float], ...]
    unit_cost: int
    min_order: int = 0
    max_order: int | None = None
    lot_size: int = 1
    tiers: tuple[Tier, ...] = ()
    fixed_cost: int = 0
    max_total: int | None = None
    ordered: int = 0
    project_tiers: bool = False
    acceptance_rate: float = 1.0
    quality: float = 1.0
    quality_variance: float = 0.0
    acceptance_weight: float | None = None
    billed: Literal["delivered", "accepted"] = "delivered"
    fixed_order: int | None = None
    excluded: bool = False

    def __post_init__(self) -> None:
        """Raises SourceError where a term is out of its range."""
        if self.unit_cost < 0 or (not self.unit_cost and (self.cap is None or self.tiers)):
            needed = "above 0, or 0 with a max_order or max_total and without tiers"
            raise SourceError(f"source {self.key}: unit_cost is {self.unit_cost} millionths; it must be {needed}")
        if self.lot_size < 1:
            raise SourceError(f"source {self.key}: lot_size is {self.lot_size}; it must be at least 1")
        for name in ("min_order", "max_order", "fixed_cost", "max_total", "ordered", "fixed_order"):
            number = getattr(self, name)
            if number is not None and number < 0:
                raise SourceError(f"source {self.key}: {name} is {number}; it must be at least 0")
        for name, most in (("acceptance_rate", 1.0), ("quality", BEST_QUALITY)):
            if not 0.0 < getattr(self, name) <= most:
                detail = f"{name} is {getattr(self, name)}; it must lie above 0, up to {most:g}"
                raise SourceError(f"source {self.key}: {detail}")
        self._check_yields()
        self._check_tiers()

    def _check_yields(self) -> None:
        """Raises SourceError where shares are not in order or sum to more than 1."""
        places = [group for group, _ in self.yields]
        if not places or places != sorted(set(places)):
            raise SourceError(f"source {self.key}: yields must name at least one group, each once, in their order")
        if not all(share > 0.0 for _, share in self.yields) or sum(share for _, share in self.yields) > 1.0 + 1e-9:
            raise SourceError(f"source {self.key}: yields must be above 0 and sum to at most 1")

    def _check_tiers(self) -> None:
        """Raises SourceError where tiers are not in order or cost nothing."""
        starts = [tier.start for tier in self.tiers]
        if starts != sorted(set(starts)) or any(start <= 0 for start in starts):
            raise SourceError(f"source {self.key}: tiers must begin above 0 and be listed by where they begin")
        if any(tier.unit_cost <= 0 for tier in self.tiers):
            raise SourceError(f"source {self.key}: the unit_cost of every tier must be above 0")

    @property
    def least(self) -> int:
        """The smallest order above 0: whole lots that reach min_order."""
        return max(1, -(-self.min_order // self.lot_size)) * self.lot_size

    @property
    def cap(self) -> int | None:
        """The largest order in whole lots, 0 where that lies below the smallest or is excluded; None: no limit."""
        if self.excluded:
            return 0
        limits = [self.max_order, None if self.max_total is None else max(0, self.max_total - self.ordered)]
        known = [limit for limit in limits if limit is not None]
        if not known:
            return None
        whole = min(known) // self.lot_size * self.lot_size
        return whole if whole >= self.least else 0

    @property
    def is_linear(self) -> bool:
        """Whether an order costs unit_cost per ordered sample and nothing else."""
        return not self.tiers and not self.fixed_cost and self.billed_share == 1.0

    @property
    def billed_share(self) -> float:
        """The share of the ordered samples that the price is charged on."""
        return self._billed_parts / BILLION

    @property
    def _billed_parts(self) -> int:
        return BILLION if self.billed == "delivered" else max(1, round(self.acceptance_rate * BILLION))

    def cost(self, order: int) -> int:
        """What an order costs, in millionths, rounded up where the accepted samples are not whole."""
        if order <= 0:
            return 0
        if not self.tiers:
            return self.fixed_cost - (-order * self._billed_parts * self.unit_cost // BILLION)
        low = (self.ordered if self.project_tiers else 0) * self._billed_parts
        high = low + order * self._billed_parts
        parts = 0
        for start, end, price in self._steps():
            first, last = max(low, start * BILLION), high if end is None else min(high, end * BILLION)
            parts += max(0, last - first) * price
        return self.fixed_cost - (-parts // BILLION)

    def segments(self) -> list[tuple[float, float, float]]:
        """(start, length, price) of every stretch of one price, in ordered samples and millionths per one."""
        done = float(self.ordered if self.project_tiers else 0)
        found = []
        for start, end, price in self._steps():
            first = max(0.0, start / self.billed_share - done)
            last = float("inf") if end is None else end / self.billed_share - done
            if last > first:
                found.append((first, last - first, price * self.billed_share))
        return found

    def next_price(self, order: int) -> float:
        """Price of a further sample, in millionths per ordered one, beyond an order; the fixed cost aside."""
        return next(price for start, length, price in self.segments() if order < start + length)

    def affordable(self, money: int) -> int:
        """The largest order in whole lots that its limits allow and `money` millionths pay for; 0: none."""
        cap = self.cap
        most = MOST if cap is None else min(cap, MOST)
        if self.is_linear and self.unit_cost:
            most = min(most, money // self.unit_cost)
        low, high = 0, most // self.lot_size
        if self.cost(high * self.lot_size) <= money:
            low = high
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.cost(middle * self.lot_size) <= money else (low, middle - 1)
        return low * self.lot_size if low * self.lot_size >= self.least else 0

    def _steps(self) -> list[tuple[int, int | None, int]]:
        """(start, end, price) of the tiers, counted in billed samples; end None: without end."""
        starts = [0, *(tier.start for tier in self.tiers)]
        prices = [self.unit_cost, *(tier.unit_cost for tier in self.tiers)]
        return list(zip(starts, [*starts[1:], None], prices, strict=True))
