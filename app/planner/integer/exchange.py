"""Whole orders in any market, and what one lot more or less of each source would do (method.md 6).

Sources may feed several groups, have tiers and fixed costs, bounds and limits, under any utility. S sources, k groups;
orders [S] in samples, money in millionths. One step of a source is its next lot, or its smallest order from nothing;
one step back is a lot, or all of a smallest order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.constraints import Region
from app.planner.problem.market import Market
from app.planner.utility.values import Values


@dataclass
class Cart:
    """Orders [S] with what is known of them: left: money not spent. counts [k]: effective, held included.

    step_up, step_down [S]: samples of a step each way, 0 where there is none; cost_up, cost_down: its money.
    """

    market: Market
    region: Region
    values: Values
    held: FloatArray
    orders: IntArray

    def __post_init__(self) -> None:
        market = self.market
        self.fed = market.feeds
        self.rows = csc_array(self.region.samples), csc_array(self.region.costs)
        self.spent = market.costs(self.orders)
        self.left = market.budget - sum(self.spent)
        self.row_values = self.region.values(market, self.orders)
        self.counts = self.held + market.added(self.orders)
        self._stand()
        size = len(self.orders)
        self.step_up, self.step_down = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.cost_up, self.cost_down = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.rise, self.fall = np.zeros(self.fed.nnz), np.zeros(self.fed.nnz)
        self._refresh(np.arange(size))

    @property
    def total(self) -> float:
        """U after the orders."""
        return self.values.utility.total(self.value)

    @property
    def is_allowed(self) -> bool:
        """Whether the orders keep the budget and the region."""
        return self.left >= 0 and not self.region.missed(self.row_values).any()

    def move(self, changes: Sequence[tuple[int, int]]) -> None:
        """Change the orders of some sources by so many samples each."""
        for source, samples in changes:
            self.orders[source] += samples
            cost = self.market.sources[source].cost(int(self.orders[source]))
            self.left -= cost - self.spent[source]
            self.spent[source] = cost
        touched = [source for source, _ in changes]
        if not self.region.is_open:
            self.row_values = self.region.values(self.market, self.orders)
        self.counts = self.held + self.market.added(self.orders)
        if self.values.crossed:
            self._stand()
            self._refresh(np.arange(len(self.orders)))
            return
        groups = _entries(self.fed, touched)
        self.value[groups] = self.values.utility.select(groups).terms(self.counts[groups]).value
        self._refresh(np.union1d(_entries(self.market.effective, groups.tolist()), touched))

    def _stand(self) -> None:
        self.value = self.values.at(self.counts).copy()
        if self.values.crossed:
            self.standing = self.values.standing(self.counts)

    def _refresh(self, sources: IntArray) -> None:
        market = self.market
        for at in sources.tolist():
            source, order = market.sources[at], int(self.orders[at])
            lot, least, most = source.lot_size, source.least, int(market.most[at])
            up = lot if order else least
            down = lot if order - lot >= least else order
            free = source.fixed_order is None
            self.step_up[at] = up = up if free and order + up <= most else 0
            self.step_down[at] = down = down if free else 0
            self.cost_up[at] = source.cost(order + up) - self.spent[at]
            self.cost_down[at] = self.spent[at] - source.cost(order - down)
        if not self.values.crossed:
            self._tabulate(sources)

    def _tabulate(self, sources: IntArray) -> None:
        """What a step of these sources does to the value of each group it feeds: rise and fall [entries of `fed`]."""
        places = np.concatenate([np.arange(*self.fed.indptr[at : at + 2]) for at in sources] or [np.zeros(0, int)])
        if not len(places):
            return
        owner = np.repeat(np.arange(len(self.orders)), np.diff(self.fed.indptr))[places]
        group, rate = self.fed.indices[places], self.fed.data[places]
        base = self.counts[group]
        ends = np.stack(
            [base + rate * self.step_up[owner], np.maximum(base - rate * self.step_down[owner], 0.0)], axis=1
        )
        found = self.values.utility.select(group).terms(ends)
        self.rise[places] = found.value[:, 0] - self.value[group]
        self.fall[places] = self.value[group] - found.value[:, 1]

    @property
    def is_exact(self) -> bool:
        """Whether `estimates` are no estimates: no step changes what another group's value counts for."""
        return self.values.utility.is_additive and not self.values.crossed

    def estimates(self) -> tuple[FloatArray, FloatArray]:
        """What a step up gains and a step back loses [S], F taken as linear."""
        if self.values.crossed:
            return self._crossed_estimates()
        share = self.values.utility.gradient(self.value)[self.fed.indices]
        ends = self.fed.indptr[:-1]
        empty = np.diff(self.fed.indptr) == 0
        gain = np.where(empty, 0.0, np.add.reduceat(np.append(share * self.rise, 0.0), ends))
        loss = np.where(empty, 0.0, np.add.reduceat(np.append(share * self.fall, 0.0), ends))
        return gain, loss

    def _crossed_estimates(self) -> tuple[FloatArray, FloatArray]:
        _, gradient = self.values.tangents(self.counts)
        per_sample = np.asarray((self.values.utility.gradient(self.value) @ gradient) @ self.fed)
        return per_sample * self.step_up, per_sample * self.step_down

    def promise(self) -> FloatArray:
        """What else speaks for a step up [S] where none raises U: how much it raises those that are worst off."""
        utility = self.values.utility
        if self.values.crossed or utility.is_additive:
            return np.zeros(len(self.orders))
        span = np.ptp(self.value[utility.counted]) or 1.0
        # A group that does not count may lie far below all that do.
        behind = np.maximum(self.value - self.value[utility.counted].min(), 0.0) / span
        urgent = np.exp(-20.0 * behind) * utility.counted
        ends, empty = self.fed.indptr[:-1], np.diff(self.fed.indptr) == 0
        raised = np.add.reduceat(np.append(urgent[self.fed.indices] * self.rise, 0.0), ends)
        return np.where(empty, 0.0, raised)

    def lowest(self) -> FloatArray:
        """The least value [S] that a step back leaves a group that counts with; inf where it touches none."""
        if self.values.crossed:
            return np.zeros(len(self.orders))
        group = self.fed.indices
        left = np.where(self.values.utility.counted[group], self.value[group] - self.fall, np.inf)
        empty = np.diff(self.fed.indptr) == 0
        return np.where(empty, np.inf, np.minimum.reduceat(np.append(left, np.inf), self.fed.indptr[:-1]))

    def total_after(self, changes: Sequence[tuple[int, int]]) -> float:
        """U were the orders changed so."""
        counts = self.counts.copy()
        groups: list[int] = []
        for source, samples in changes:
            own = slice(*self.fed.indptr[source : source + 2])
            counts[self.fed.indices[own]] += samples * self.fed.data[own]
            groups += self.fed.indices[own].tolist()
        counts = np.maximum(counts, 0.0)
        if self.values.crossed:
            return self.standing.total_beside(counts)
        value, at = self.value.copy(), np.unique(groups)
        value[at] = self.values.utility.select(at).terms(counts[at]).value
        return self.values.utility.total(value)

    def keeps(self, samples: FloatArray, costs: FloatArray) -> BoolArray:
        """Whether every row is missed by no more than now after steps of so many samples and millionths [S]."""
        return self.region.keeps(self.market, self.row_values, self.orders, samples, costs)


def _entries(matrix: csc_array | csr_array, lines: Sequence[int]) -> IntArray:
    """Where the columns of a CSC matrix, or the rows of a CSR one, have entries: ascending, each once."""
    parts = [matrix.indices[matrix.indptr[line] : matrix.indptr[line + 1]] for line in lines]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
