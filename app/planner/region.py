"""Which orders are allowed beside the budget: bounds of groups and limits over sets, as linear rows (planner.md 4).

R rows lower ≤ X x + C c ≤ upper, x [S] the orders in samples, c [S] their costs as shares of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.market import Market

SLACK = 1e-9
"""A row counts as kept where it is missed by less than this share of its largest possible term."""


@dataclass(frozen=True)
class Bound:
    """What a row stands for. name: as in `Culprit`. unit: the constraint's unit per unit of the row.

    offset: what is held of it already, in the constraint's unit: the constraint's own bound is unit · row's + offset.
    """

    name: str
    unit: float
    offset: float


@dataclass(frozen=True)
class Region:
    """samples X and costs C, both [R, S]; lower, upper [R], infinite where there is none; bounds: what each row says."""

    samples: csr_array
    costs: csr_array
    lower: FloatArray
    upper: FloatArray
    bounds: tuple[Bound, ...]

    @classmethod
    def joined(cls, parts: Sequence["Region"], sources: int) -> "Region":
        """The rows of all parts, one after the other."""
        none = csr_array((0, sources))
        return cls(
            samples=csr_array(vstack([none, *(part.samples for part in parts)])),
            costs=csr_array(vstack([none, *(part.costs for part in parts)])),
            lower=np.concatenate([np.zeros(0), *(part.lower for part in parts)]),
            upper=np.concatenate([np.zeros(0), *(part.upper for part in parts)]),
            bounds=tuple(bound for part in parts for bound in part.bounds),
        )

    @cached_property
    def is_open(self) -> bool:
        """Whether there is no row at all."""
        return not self.bounds

    def values(self, market: Market, orders: IntArray) -> FloatArray:
        """The rows' values [R] at whole orders [S]."""
        shares = np.array([cost / max(market.budget, 1) for cost in market.costs(orders)])
        return np.asarray(self.samples @ orders + self.costs @ shares, dtype=np.float64)

    def missed(self, values: FloatArray) -> FloatArray:
        """By how much each row [R] is missed at its value, 0 where it is kept."""
        size = np.maximum(np.where(np.isfinite(self.lower), np.abs(self.lower), 0.0), np.abs(values))
        size = np.maximum(size, np.where(np.isfinite(self.upper), np.abs(self.upper), 0.0))
        away = np.maximum(np.maximum(self.lower - values, values - self.upper), 0.0)
        return np.where(away > SLACK * (1.0 + size), away, 0.0)

    def allows(self, market: Market, orders: IntArray) -> bool:
        """Whether whole orders [S] keep every row."""
        return self.is_open or not self.missed(self.values(market, orders)).any()

    @property
    def allows_nothing(self) -> bool:
        """Whether buying nothing keeps every row."""
        return not self.missed(np.zeros(len(self.bounds))).any()

    def without(self, rows: BoolArray) -> "Region":
        """The region with the rows [R] marked left out."""
        kept = np.flatnonzero(~rows)
        bounds = tuple(self.bounds[at] for at in kept)
        return Region(self.samples[kept], self.costs[kept], self.lower[kept], self.upper[kept], bounds)
