"""The sources' own terms as arrays, money aside: read once, whatever budgets they are asked with (method.md 6).

S sources. Money is in whole millionths of the currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.sources import MOST, Source

LARGEST = 2**62
"""Integers beyond it, such as an absurd lot, count as it: they can no longer be bought anyway."""
RANKED_PRICE = 1
"""Millionths by which solvers rank samples that cost nothing: they divide by prices. Costs are exact all the same."""
LARGEST_EXACT = 2**53
"""Up to it a double is an integer's own value, so that a quotient of two is rounded once."""


@dataclass(frozen=True)
class Offers:
    """Arrays [S] in the order of `sources`.

    unit_cost: millionths per billed sample in the first tier, RANKED_PRICE where it costs nothing. lot, least: samples.
    cap: the largest order, LARGEST where there is no limit; capped: whether there is one. linear: whether a sample
    costs unit_cost and nothing else. fixed: orders held fixed, −1 where none is.
    """

    sources: tuple[Source, ...]
    unit_cost: IntArray
    lot: IntArray
    least: IntArray
    cap: IntArray
    capped: BoolArray
    linear: BoolArray
    fixed: IntArray

    @classmethod
    def of(cls, sources: Sequence[Source]) -> "Offers":
        """The terms of the sources."""
        open_ended = [one.max_order is None and one.max_total is None and not one.excluded for one in sources]
        caps = [None if without else one.cap for without, one in zip(open_ended, sources, strict=True)]
        simple = [not one.tiers and not one.fixed_cost and one.billed == "delivered" for one in sources]
        return cls(
            sources=tuple(sources),
            unit_cost=whole([one.unit_cost or RANKED_PRICE for one in sources]),
            lot=whole([one.lot_size for one in sources]),
            least=whole([one.least for one in sources]),
            cap=whole([LARGEST if cap is None else cap for cap in caps]),
            capped=np.array([cap is not None for cap in caps], dtype=np.bool_),
            linear=np.array(
                [plain or one.is_linear for plain, one in zip(simple, sources, strict=True)], dtype=np.bool_
            ),
            fixed=whole([-1 if one.fixed_order is None else one.fixed_order for one in sources]),
        )

    def affordable(self, money: int) -> IntArray:
        """The largest orders [S] that `money` millionths pay for: `Source.affordable` of each."""
        if money > LARGEST or not self.linear.all():
            return np.array([one.affordable(money) for one in self.sources], dtype=np.int64)
        most = np.where(self.is_free, self.cap, np.minimum(np.minimum(self.cap, MOST), money // self.unit_cost))
        most = most // self.lot * self.lot
        return np.where(most >= self.least, most, 0)

    def shares(self, budget: int) -> FloatArray:
        """unit_cost / budget [S]: quotients of integers, rounded once, so that scaling prices and budget alike changes
        no bit of them."""
        money = max(budget, 1)
        if money <= LARGEST_EXACT and int(self.unit_cost.max(initial=0)) <= LARGEST_EXACT:
            return np.asarray(self.unit_cost / money)
        return np.array([(one.unit_cost or RANKED_PRICE) / money for one in self.sources], dtype=np.float64)

    @cached_property
    def is_fixed(self) -> BoolArray:
        """Whether an order is held fixed [S]."""
        return self.fixed >= 0

    @cached_property
    def is_free(self) -> BoolArray:
        """Whether a sample costs nothing [S]."""
        return np.array([not one.unit_cost for one in self.sources], dtype=np.bool_)

    @cached_property
    def is_single(self) -> bool:
        """Whether every source feeds one group."""
        return all(len(one.yields) == 1 for one in self.sources)

    @cached_property
    def is_plain(self) -> bool:
        """Whether an ordered sample is one of its group's, at one price, and nothing is held fixed."""
        return (
            self.is_single
            and bool(self.linear.all())
            and not self.is_fixed.any()
            and not self.is_free.any()
            and all(one.yields[0][1] * one.acceptance_rate * one.quality == 1.0 for one in self.sources)
        )

    @cached_property
    def has_tiers(self) -> bool:
        """Whether a source's price changes with the order."""
        return any(one.tiers for one in self.sources)

    @cached_property
    def has_fixed_costs(self) -> bool:
        """Whether an order costs something however small it is."""
        return any(one.fixed_cost for one in self.sources)

    @cached_property
    def billed_share(self) -> FloatArray:
        """The share of the ordered samples that the price is charged on [S]."""
        return np.array([one.billed_share for one in self.sources], dtype=np.float64)

    @cached_property
    def by_price(self) -> IntArray:
        """The sources [S] by unit_cost, cheapest first."""
        return np.argsort(self.unit_cost, kind="stable")


def whole(numbers: Sequence[int]) -> IntArray:
    """Integers, those beyond LARGEST as it."""
    return np.array([min(LARGEST, number) for number in numbers], dtype=np.int64)
