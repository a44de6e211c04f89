"""The allowed orders as a linear programme, with integers where orders are not divisible (method.md 6).

Columns, S sources, J segments, k groups:  u [J] the money spent on each segment, in shares of the budget;  n [k] the
effective samples bought, in shares of the most that the budget can buy;  t [k] and z the values, bounded by cuts
(`cutting_planes`) and rows of F;  open: 1 where a source has an order;  full: 1 where a falling tier is reached;  lots.

    u_j ≤ p_j · length_j,    Σ u + Σ fixed · open ≤ 1,    n = E u,    x_s = Σ_j u_j / p_j = lot · lots_s,
    least · open ≤ x ≤ most · open,    lower ≤ X x + C c + O open ≤ upper    (`constraints`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.constraints import Region
from app.planner.problem.market import Market

HALF = 0.5
"""A solver's 0 and 1 lie on either side of it."""
LARGE = 1e7
"""Orders of more lots than this are not held to whole lots by the solver, which counts to about this many."""


@dataclass(frozen=True)
class ProgrammeRows:
    """lower ≤ matrix @ columns ≤ upper; matrix [R, columns]."""

    matrix: csr_array
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Programme:
    """The columns and rows of a market within a region. whole: orders in whole lots, else divisible ones;
    single: also where a lot is a single sample.
    money: whether the budget is a row. order_of [S, columns]: x in samples; cost_of [S, columns]: its cost in shares;
    count_of [k, columns]: effective samples. reach [k]: the most of them that the budget can buy of a group.
    """

    market: Market
    region: Region
    extra: int
    whole: bool
    money: bool = True
    single: bool = True

    @cached_property
    def width(self) -> FloatArray:
        """The most money [J] that a segment can take: what its source sells there, and what there is."""
        segments, market = self.market.segments, self.market
        # A fixed cost that leaves no money for the smallest order would be forgotten, and so would the order itself
        # where orders are counted: only open sources pay and count.
        shut = (self._fixed | self.region.counted) & (market.most == 0)
        most = market.most.astype(np.float64) if self.whole else np.where(shut, 0.0, market.limit)
        length = np.minimum(segments.length, np.maximum(most[segments.source] - segments.starts, 0.0))
        width = length * segments.price
        return np.asarray(np.minimum(width, 1.0) if self.money else width)

    @cached_property
    def _fixed(self) -> BoolArray:
        """Whether opening a source [S] costs money."""
        return np.array([source.fixed_cost > 0 for source in self.market.sources], dtype=np.bool_)

    @cached_property
    def opened(self) -> IntArray:
        """The sources [open] of which a small order is no part of a large one, or of which orders are counted."""
        market = self.market
        stepped = market.least > (market.lot if self.whole else 1)
        switched = self._fixed | self.region.counted
        return np.flatnonzero((switched | stepped if self.whole else switched) & (market.most > 0))

    @cached_property
    def filled(self) -> IntArray:
        """The segments [full] that may only be used once those before are used up."""
        segments = self.market.segments
        strict = np.isin(segments.source, self._valued) & (self.market.segments.starts > 0.0)
        return np.flatnonzero((segments.falls | strict) & (self.width > 0.0)) if self.whole else np.zeros(0, np.int64)

    @cached_property
    def _valued(self) -> IntArray:
        """Sources whose money has a lower limit, or is weighed against other money: a dearer tier must not stand in."""
        return np.unique(self.region.costs.tocoo().coords[1])

    @cached_property
    def lotted(self) -> IntArray:
        """The sources [lots] whose orders the solver holds to whole lots."""
        market = self.market
        able = (market.most > 0) & (market.most / market.lot <= LARGE) & (self.single | (market.lot > 1))
        return np.flatnonzero(able & self.whole)

    @cached_property
    def at(self) -> dict[str, slice]:
        """Where each kind of column stands."""
        sizes = {
            "u": len(self.market.segments.price), "n": self.market.groups, "t": self.market.groups, "z": self.extra,
            "open": len(self.opened), "full": len(self.filled), "lots": len(self.lotted),
        }  # fmt: skip
        ends = np.cumsum(list(sizes.values())).tolist()
        return {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.at["lots"].stop)

    @cached_property
    def integrality(self) -> IntArray:
        """1 for the columns [columns] that must be whole."""
        found = np.zeros(self.columns, dtype=np.int64)
        if self.whole:
            found[self.at["open"].start :] = 1
        return found

    @cached_property
    def order_of(self) -> csr_array:
        """x [S, columns], in ordered samples."""
        segments = self.market.segments
        shape = (len(self.market.sources), self.columns)
        places = (segments.source, np.arange(len(segments.price)))
        return csr_array((1.0 / segments.price, places), shape=shape)

    @cached_property
    def cost_of(self) -> csr_array:
        """The cost of every source's order [S, columns], as a share of the budget."""
        segments, market = self.market.segments, self.market
        fixed = [market.sources[at].fixed_cost / max(market.budget, 1) for at in self.opened]
        row = np.concatenate([segments.source, self.opened])
        column = np.concatenate(
            [np.arange(len(segments.price)), np.arange(self.at["open"].start, self.at["open"].stop)]
        )
        values = np.concatenate([np.ones(len(segments.price)), fixed])
        return csr_array((values, (row, column)), shape=(len(market.sources), self.columns))

    @cached_property
    def open_of(self) -> csr_array:
        """open [S, columns], nothing for sources that need none."""
        places = (self.opened, np.arange(self.at["open"].start, self.at["open"].stop))
        return csr_array((np.ones(len(self.opened)), places), shape=(len(self.market.sources), self.columns))

    def shut(self, columns: FloatArray) -> IntArray:
        """The sources that a solution [columns] shuts: a solver leaves them a sample that its tolerances hide."""
        return self.opened[columns[self.at["open"]] < HALF]

    @cached_property
    def count_of(self) -> csr_array:
        """Effective samples bought [k, columns]."""
        return csr_array(self.market.effective @ self.order_of)

    @cached_property
    def reach(self) -> FloatArray:
        """The most effective samples [k] of a group that the budget can buy, 1 where it is none."""
        best = self.market.effective.multiply(self.market.most[None, :].astype(np.float64))
        bought = np.asarray(csr_array(best).sum(axis=1), dtype=np.float64)
        rate = csr_array(self.count_of[:, self.at["u"]].multiply(np.minimum(self.width, 1.0) > 0.0))
        most = rate.max(axis=1).toarray().ravel() if rate.nnz else np.zeros(self.market.groups)
        found = np.minimum(bought, most) if self.market.is_convex else bought
        return np.where(found > 0.0, found, 1.0)

    @cached_property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of every column [columns]."""
        lower, upper = np.zeros(self.columns), np.full(self.columns, np.inf)
        for name in ("t", "z"):
            lower[self.at[name]] = -np.inf
        upper[self.at["u"]] = self.width
        upper[self.at["open"]] = upper[self.at["full"]] = 1.0
        upper[self.at["lots"]] = (self.market.most // self.market.lot)[self.lotted]
        self._hold_fixed(lower, upper)
        return lower, upper

    def _hold_fixed(self, lower: FloatArray, upper: FloatArray) -> None:
        segments = self.market.segments
        for at, source in enumerate(self.market.sources):
            if source.fixed_order is None:
                continue
            own = np.flatnonzero(segments.source == at)
            filled = (
                np.clip(source.fixed_order - self.market.segments.starts[own], 0.0, segments.length[own])
                * segments.price[own]
            )
            lower[own] = upper[own] = filled
            opened = np.flatnonzero(self.opened == at) + self.at["open"].start
            lower[opened] = upper[opened] = float(source.fixed_order > 0)
            full = np.flatnonzero(segments.source[self.filled] == at)
            reached = (source.fixed_order > self.market.segments.starts[self.filled[full]]).astype(np.float64)
            lower[full + self.at["full"].start] = upper[full + self.at["full"].start] = reached
            lots = np.flatnonzero(self.lotted == at) + self.at["lots"].start
            lower[lots] = upper[lots] = source.fixed_order / source.lot_size

    @cached_property
    def rows(self) -> ProgrammeRows:
        """Every row but those of the values: the budget's first, then the region's."""
        parts = [self._within(), self._links(), self._opening(), self._filling(), self._lots()]
        if self.money:
            parts.insert(0, self.budget)
        return ProgrammeRows(
            csr_array(vstack([part.matrix for part in parts])),
            np.concatenate([part.lower for part in parts]),
            np.concatenate([part.upper for part in parts]),
        )

    @cached_property
    def budget(self) -> ProgrammeRows:
        """What is spent, at most 1."""
        spent = csr_array(csr_array(np.ones((1, len(self.market.sources)))) @ self.cost_of)
        return ProgrammeRows(spent, np.array([-np.inf]), np.ones(1))

    def _links(self) -> ProgrammeRows:
        matrix = csr_array(-diags_array(1.0 / self.reach) @ self.count_of) + self._pick(
            "n", np.arange(self.market.groups)
        )
        zero = np.zeros(self.market.groups)
        return ProgrammeRows(csr_array(matrix), zero, zero)

    def _within(self) -> ProgrammeRows:
        scale = self.row_scale
        lower, upper = self.region.lower * scale, self.region.upper * scale
        return ProgrammeRows(csr_array(diags_array(scale) @ self._limited), lower, upper)

    @cached_property
    def _limited(self) -> csr_array:
        """The region's rows over the columns."""
        region = self.region
        found = csr_array(region.samples @ self.order_of + region.costs @ self.cost_of)
        return csr_array(found + region.opens @ self.open_of) if region.counted.any() else found

    @cached_property
    def row_scale(self) -> FloatArray:
        """What each row of the region [R] is multiplied by in the programme."""
        if not self._limited.nnz:
            return np.ones(len(self.region.bounds))
        size = abs(self._limited).max(axis=1).toarray().ravel()
        return np.asarray(1.0 / np.where(size > 0.0, size, 1.0))

    def _opening(self) -> ProgrammeRows:
        """least · open ≤ x ≤ most · open, each in shares of `most`. Where orders are counted the first is in shares of
        `least`: as a share of a huge order the smallest would lie below what the solver tells from 0."""
        market, opened = self.market, self.opened
        most = np.maximum(market.most[opened], 1).astype(np.float64)
        order = csr_array(diags_array(1.0 / most) @ self.order_of[opened])
        pick = self._pick("open", np.arange(len(opened)))
        counted = self.region.counted[opened]
        least = np.where(counted | self.whole, market.least[opened], 0) / most
        size = np.where(counted, most / market.least[opened], 1.0)
        matrix = vstack([order - pick, diags_array(least * size) @ pick - diags_array(size) @ order])
        return _at_most(csr_array(matrix), np.zeros(2 * len(opened)))

    def _filling(self) -> ProgrammeRows:
        """u_j ≤ width_j · full_j, and every segment before it is used up where full_j is 1."""
        segments, filled, width = self.market.segments, self.filled, self.width
        pick, all_u = self._pick("full", np.arange(len(filled))), self._pick("u", np.arange(len(width)))
        beyond = csr_array(diags_array(1.0 / width[filled]) @ all_u[filled]) - pick
        pairs = [(at, i) for at, j in enumerate(filled) for i in range(j) if segments.source[i] == segments.source[j]]
        before = np.array([i for _, i in pairs], dtype=np.int64)
        used = csr_array(diags_array(1.0 / width[before]) @ all_u[before])
        matrix = vstack([beyond, pick[[at for at, _ in pairs]] - used])
        return _at_most(csr_array(matrix), np.zeros(len(filled) + len(pairs)))

    def _lots(self) -> ProgrammeRows:
        market, lotted = self.market, self.lotted
        order = csr_array(diags_array(1.0 / market.lot[lotted]) @ self.order_of[lotted])
        zero = np.zeros(len(lotted))
        return ProgrammeRows(csr_array(order - self._pick("lots", np.arange(len(lotted)))), zero, zero)

    def _pick(self, name: str, places: IntArray) -> csr_array:
        """The columns of a kind at `places` [places, columns]."""
        shape = (len(places), self.columns)
        return csr_array((np.ones(len(places)), (np.arange(len(places)), self.at[name].start + places)), shape=shape)


def _at_most(matrix: csr_array, upper: FloatArray) -> ProgrammeRows:
    return ProgrammeRows(matrix, np.full(len(upper), -np.inf), upper)
