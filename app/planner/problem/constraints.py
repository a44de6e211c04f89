"""Which orders are allowed beside the budget: bounds of groups and limits over sets, as linear rows (method.md 6).

R rows lower ≤ X x + C c + O o ≤ upper, x [S] the orders in samples, c [S] their costs as shares of the budget, o [S] 1
where x is above 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import Constraint
from app.planner.problem.market import Market
from app.planner.problem.problem import Limit

SLACK = 1e-12
"""A row counts as kept where it is missed by less than this share of its largest possible term."""


@dataclass(frozen=True)
class Bound:
    """What a row stands for.

    lower, upper: the constraint, by the side that is meant. unit: the constraint's unit per unit
    of the row, and offset: what is held of it already: a bound of the row is (the constraint's − offset) / unit.
    group: the group whose counts are bounded, None: a set. share: of a limit on a share, the share itself, else None;
    whole [S] and whole_held: what it is a share of, per unit of each order or of its cost (of_money), and held already.
    """

    lower: Constraint
    upper: Constraint
    unit: float = 1.0
    offset: float = 0.0
    share: float | None = None
    group: int | None = None
    whole: FloatArray | None = None
    whole_held: float = 0.0
    of_money: bool = False


@dataclass(frozen=True)
class Region:
    """samples X, costs C, opens O [R, S]; lower, upper [R], infinite where there is none; bounds: what rows say."""

    samples: csr_array
    costs: csr_array
    opens: csr_array
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
            opens=csr_array(vstack([none, *(part.opens for part in parts)])),
            lower=np.concatenate([np.zeros(0), *(part.lower for part in parts)]),
            upper=np.concatenate([np.zeros(0), *(part.upper for part in parts)]),
            bounds=tuple(bound for part in parts for bound in part.bounds),
        )

    @cached_property
    def is_open(self) -> bool:
        """Whether there is no row at all."""
        return not self.bounds

    @cached_property
    def counts_orders(self) -> BoolArray:
        """The rows [R] that say how many sources get an order."""
        return np.diff(self.opens.indptr) > 0

    @cached_property
    def counted(self) -> BoolArray:
        """The sources [S] whose order, however small, counts in such a row."""
        found = np.zeros(self.opens.shape[1], dtype=np.bool_)
        found[self.opens.indices] = True
        return found

    @cached_property
    def entries(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Row and source of every place where X, C or O is not 0, and the three there [3, places]."""
        matrices = [self.samples.tocoo(), self.costs.tocoo(), self.opens.tocoo()]
        size = self.samples.shape[1]
        keys, place = np.unique(
            np.concatenate([part.coords[0].astype(np.int64) * size + part.coords[1] for part in matrices]),
            return_inverse=True,
        )
        parts = np.zeros((3, len(keys)))
        ends = np.cumsum([part.nnz for part in matrices])
        for at, (part, places) in enumerate(zip(matrices, np.split(place, ends[:-1]), strict=True)):
            parts[at, places] = part.data
        return keys // size, keys % size, parts

    def values(self, market: Market, orders: IntArray) -> FloatArray:
        """The rows' values [R] at whole orders [S]."""
        shares = np.array([cost / max(market.budget, 1) for cost in market.costs(orders)])
        found = np.asarray(self.samples @ orders + self.costs @ shares, dtype=np.float64)
        return found + self.opens @ (orders > 0) if self.counted.any() else found

    def missed(self, values: FloatArray) -> FloatArray:
        """By how much each row [R] is missed at its value, 0 where it is kept."""
        size = np.maximum(np.where(np.isfinite(self.lower), np.abs(self.lower), 0.0), np.abs(values))
        size = np.maximum(size, np.where(np.isfinite(self.upper), np.abs(self.upper), 0.0))
        away = np.maximum(np.maximum(self.lower - values, values - self.upper), 0.0)
        return np.where(away > SLACK * np.maximum(size, 1e-3), away, 0.0)

    def allows(self, market: Market, orders: IntArray) -> bool:
        """Whether whole orders [S] keep every row."""
        return self.is_open or not self.missed(self.values(market, orders)).any()

    def keeps(
        self, market: Market, values: FloatArray, orders: IntArray, samples: FloatArray, costs: FloatArray
    ) -> BoolArray:
        """Whether every row, of these values [R], is missed by no more than now after a step of each source alone.

        orders [S]: as they are; samples, costs [S]: what the steps add, in ordered samples and in millionths.
        """
        fine = np.ones(len(samples), dtype=np.bool_)
        if self.is_open:
            return fine
        row, source, (per_sample, per_share, per_order) = self.entries
        before, lower, upper = values[row], self.lower[row], self.upper[row]
        after = before + per_sample * samples[source] + per_share * costs[source] / max(market.budget, 1)
        opened = np.subtract(orders + samples > 0.0, orders > 0, dtype=np.float64)
        after = after + per_order * opened[source]
        away = np.maximum(np.maximum(lower - after, after - upper), 0.0)
        was = np.maximum(np.maximum(lower - before, before - upper), 0.0)
        bad = away > np.maximum(was, SLACK * np.maximum(np.abs(before), 1e-3))
        fine[source[bad]] = False
        return fine

    def at_budget(self, times: float) -> "Region":
        """The rows where the budget is so many times what it was: limits on money, which are shares of it, move."""
        scale = np.array([times if one.of_money and one.share is None else 1.0 for one in self.bounds])
        bounds = tuple(replace(one, unit=one.unit * by) for one, by in zip(self.bounds, scale.tolist(), strict=True))
        return replace(self, lower=self.lower / scale, upper=self.upper / scale, bounds=bounds)

    @property
    def allows_nothing(self) -> bool:
        """Whether buying nothing keeps every row."""
        return not self.missed(np.zeros(len(self.bounds))).any()

    def without(self, rows: BoolArray) -> "Region":
        """The region with the rows [R] marked left out."""
        kept = np.flatnonzero(~rows)
        bounds = tuple(self.bounds[at] for at in kept)
        samples, costs, opens = self.samples[kept], self.costs[kept], self.opens[kept]
        return Region(samples, costs, opens, self.lower[kept], self.upper[kept], bounds)


def region_of(
    market: Market,
    keys: Sequence[str],
    raw: FloatArray,
    least: FloatArray | None,
    most: FloatArray | None,
    limits: Sequence[Limit],
) -> Region:
    """The rows over the market's sources. raw [groups]: accepted counts that are there or on their way.

    least, most [groups]: bounds on the raw counts after buying, nan = none. The limits' members are positions in the
    market, or among the groups.
    """
    parts = [_groups(market, keys, raw, least, most)]
    for limit in limits:
        parts += [_limit(market, raw, limit, share) for share in _shares(limit)]
    return Region.joined(parts, len(market.sources))


def _groups(
    market: Market, keys: Sequence[str], raw: FloatArray, least: FloatArray | None, most: FloatArray | None
) -> Region:
    none = np.full(len(keys), np.nan)
    low = (none if least is None else least) - raw
    # What is there beyond a bound stays: no more of it may be bought.
    high = np.maximum((none if most is None else most) - raw, 0.0)
    low, high = np.where(low > 0.0, low, -np.inf), np.where(np.isnan(high), np.inf, high)
    rows = np.flatnonzero(np.isfinite(low) | np.isfinite(high))
    bounds = tuple(
        Bound(
            Constraint("group", keys[at], "min_count"),
            Constraint("group", keys[at], "max_count"),
            offset=float(raw[at]),
            group=at,
        )
        for at in rows.tolist()
    )
    empty = csr_array((len(rows), len(market.sources)))
    return Region(csr_array(market.delivered[rows]), empty, empty, low[rows], high[rows], bounds)


def _shares(limit: Limit) -> list[tuple[float | None, float | None, float | None]]:
    """(share, minimum, maximum) of each row a limit needs: one, or for shares one per side."""
    if not limit.is_share:
        return [(None, limit.minimum, limit.maximum)]
    found: list[tuple[float | None, float | None, float | None]] = []
    if limit.minimum is not None:
        found.append((limit.minimum, 0.0, None))
    if limit.maximum is not None:
        found.append((limit.maximum, None, 0.0))
    return found


def _limit(
    market: Market, raw: FloatArray, limit: Limit, row: tuple[float | None, float | None, float | None]
) -> Region:
    share, minimum, maximum = row
    size = len(market.sources) if limit.over == "sources" else market.groups
    members, whole = np.zeros(size), np.zeros(size)
    members[list(limit.members)] = 1.0
    whole[list(range(size) if limit.share_of is None else limit.share_of)] = 1.0
    weights = members - (share or 0.0) * whole
    by_group = limit.over == "groups"
    offset = float(weights @ raw) if by_group else 0.0
    unit = float(max(market.budget, 1)) if limit.measure == "cost" else 1.0
    low = -np.inf if minimum is None else (minimum - offset) / unit
    high = np.inf if maximum is None else (maximum - offset) / unit
    line = csr_array((weights @ market.delivered if by_group else weights).reshape(1, -1))
    empty = csr_array(line.shape)
    of_money = limit.measure in ("cost", "cost_share")
    samples, costs = (empty, line) if of_money else (line, empty)
    samples, opens = (empty, line) if limit.measure == "orders" else (samples, empty)
    constraint = Constraint("set", limit.name)
    bound = Bound(
        constraint,
        constraint,
        unit,
        offset,
        share,
        whole=np.asarray(whole @ market.delivered if by_group else whole),
        whole_held=float(whole @ raw) if by_group else 0.0,
        of_money=of_money,
    )
    return Region(samples, costs, opens, np.array([low]), np.array([high]), (bound,))
