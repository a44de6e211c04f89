"""The groups' values and their gradients at total counts, what a sample does for other groups included (method.md 3).

k groups. With transfer, V_g depends on all counts N through the effective size; its gradient is a row of [k, k].
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from app.planner.arrays import FloatArray, IntArray
from app.planner.utility.benefit import mean, shares
from app.planner.utility.kinds import phi
from app.planner.utility.utility import Utility

CROSS_WORK = 800_000
"""Groups squared times draws up to which transfer enters the plan; beyond it the others' counts are held."""

FARTHER = 100.0
"""How much faster than near the centre thinned cuts may rise, per factor e of the samples bought."""


@dataclass(frozen=True)
class Values:
    """V of a utility whose groups stand at `order` in the fit; crossed: whether V depends on the others' counts."""

    utility: Utility
    order: IntArray
    crossed: bool

    @property
    def clashes(self) -> bool:
        """Whether misfit enters, so that V is not concave in all counts together."""
        transfer = self.utility.posterior.transfer
        return self.crossed and transfer is not None and transfer.clashes

    def bounded(self, least: float, most: float) -> "Values":
        """V with the misfit's concave bound: nowhere lower than V at counts with a sum from `least` to `most`, and V
        where the sum is either."""
        transfer = self.utility.posterior.transfer
        if transfer is None:
            return self
        posterior = replace(self.utility.posterior, transfer=replace(transfer, within=(least, most)))
        return replace(self, utility=replace(self.utility, posterior=posterior))

    @classmethod
    def of(cls, utility: Utility, order: IntArray) -> "Values":
        """Crossed where transfer moves any group and the problem is small enough."""
        transfer = utility.posterior.transfer
        moves = transfer is not None and transfer.moves
        return cls(utility, order, moves and not is_held(utility))

    def at(self, counts: FloatArray) -> FloatArray:
        """V [k] at counts [k]."""
        return self.moved(counts).terms(counts).value

    def total(self, counts: FloatArray) -> float:
        """U at counts [k]."""
        return self.utility.total(self.at(counts))

    def standing(self, counts: FloatArray) -> "Values":
        """The same, quick at counts of which most are those of `counts` [k]."""
        return replace(self, utility=self.moved(counts)) if self.crossed else self

    def tangents(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """V [k] and its gradient [k, k] (row g: of V_g) at counts [k]."""
        utility = self.moved(counts)
        if utility.kind.needs_stakeholders:
            found = [replace(self, utility=part).tangents(counts) for part in self.utility.own_parts]
            value, gradient = (utility.blended(part) for part in zip(*found, strict=True))
            return value + utility.rest, gradient
        posterior, unit = utility.posterior, utility.unit[:, None]
        loss = posterior.loss(counts)
        each, worth = phi(utility.objective, np.maximum(loss, 0.0) / unit, utility.bounded, utility.goal[:, None])
        value, _ = mean(each, each, utility.objective.risk)
        fall = -np.where(loss > 0.0, worth, 0.0) * shares(each, utility.objective.risk) / unit
        gradient = posterior.mean_cross_slope(counts, fall)[:, self.order]
        np.fill_diagonal(gradient, (fall * posterior.slope(counts)).sum(axis=1))
        return utility.lagged(value, gradient)

    def moved(self, counts: FloatArray) -> Utility:
        """The utility with the others' counts where they are at counts [k]."""
        if not self.crossed:
            return self.utility
        held = np.empty_like(counts)
        held[self.order] = counts
        return replace(self.utility, posterior=self.utility.posterior.moved(held))

    def total_beside(self, counts: FloatArray) -> float:
        """U at counts [k], but for rounding, from what is known at those it stands at."""
        held = np.empty_like(counts)
        held[self.order] = counts
        near = replace(self.utility, posterior=self.utility.posterior.shifted(held))
        return self.utility.total(near.terms(counts).value)


def is_held(utility: Utility) -> bool:
    """Whether transfer is there, but in too large a problem, or from groups that are not planned for."""
    transfer = utility.posterior.transfer
    if transfer is None:
        return False
    groups = len(utility.weights)
    return len(transfer.held) != groups or groups * groups * utility.posterior.draws > CROSS_WORK


@dataclass
class Cuts:
    """Tangents t_g ≤ V_g(N') + ∇V_g(N') (N − N'), all that have been found.

    group [C], value [C] and at [C]: of a cut on an own-count value; slope [C]. Crossed cuts: gradient [C, k] and
    at [C, k].
    """

    values: Values
    held: FloatArray
    group: list[IntArray]
    value: list[FloatArray]
    slope: list[FloatArray]
    at: list[FloatArray]

    def __post_init__(self) -> None:
        self.live = np.flatnonzero(self.values.utility.counted)
        self.counted = self.values.utility.select(self.live)

    @classmethod
    def none(cls, values: Values, held: FloatArray) -> "Cuts":
        """No cut yet; counts are measured from `held` [k]."""
        return cls(values, held, [], [], [], [])

    def add(self, counts: FloatArray) -> None:
        """Cuts at every column of counts [k, points]; for crossed values at each as a whole."""
        live = self.live
        if self.values.crossed:
            for column in counts.T:
                value, gradient = self.values.tangents(column)
                self._keep(live, value[live], gradient[live], np.tile(column, (len(live), 1)))
            return
        terms = self.counted.terms(counts[live])
        points = counts.shape[1]
        self._keep(np.repeat(live, points), terms.value.ravel(), terms.slope.ravel(), counts[live].ravel())

    def under(self, values: Values) -> "Cuts":
        """The same cuts on values that are nowhere higher."""
        return Cuts(values, self.held, list(self.group), list(self.value), list(self.slope), list(self.at))

    def thinned(self, centre: FloatArray, error: float) -> "Cuts":
        """Fewer cuts: near the counts `centre` [k] their envelope rises by up to `error`, far from it by more.

        Fewer cuts bound as truly, only less tightly. Crossed cuts are kept as they are.
        """
        if self.values.crossed or not self.group:
            return self
        group, value = np.concatenate(self.group), np.concatenate(self.value)
        slope, at = np.concatenate(self.slope), np.concatenate(self.at)
        away = np.abs(np.log((at - self.held[group] + 1.0) / (centre - self.held + 1.0)[group]))
        allowed = error * (1.0 + FARTHER * away)
        order = np.lexsort((-slope, at, group))
        kept: list[int] = []
        for place, cut in enumerate(order.tolist()):
            last = place + 1 == len(order) or group[order[place + 1]] != group[cut]
            first = not kept or group[kept[-1]] != group[cut]
            if not first and not last:
                before, after = kept[-1], order[place + 1]
                left = value[before] + slope[before] * (at[cut] - at[before])
                right = value[after] + slope[after] * (at[cut] - at[after])
                if min(left, right) - value[cut] <= allowed[cut]:
                    continue
            kept.append(cut)
        chosen = np.array(kept, dtype=np.int64)
        return Cuts(self.values, self.held, [group[chosen]], [value[chosen]], [slope[chosen]], [at[chosen]])

    def _keep(self, group: IntArray, value: FloatArray, slope: FloatArray, at: FloatArray) -> None:
        self.group.append(group)
        self.value.append(value)
        self.slope.append(slope)
        self.at.append(at)

    def rows(
        self, now: FloatArray, scale: float, reach: FloatArray, places: tuple[int, int, int]
    ) -> tuple[csr_array, FloatArray]:
        """The cuts as rows ≤ rhs over t = (V − now) / scale and n = (N − held) / reach.

        places: first column of n, first column of t, number of columns.
        """
        first_n, first_t, columns = places
        group, value, at = np.concatenate(self.group), np.concatenate(self.value), np.concatenate(self.at)
        slope = np.concatenate(self.slope)
        index = np.arange(len(group))
        shape = (len(group), columns)
        top = csr_array((np.ones(len(group)), (index, first_t + group)), shape=shape)
        if self.values.crossed:
            steep = slope * reach / scale
            row, column = np.repeat(index, len(now)), np.tile(first_n + np.arange(len(now)), len(group))
            rhs = (value - now[group]) / scale - (slope * (at - self.held)).sum(axis=1) / scale
            return csr_array(top - csr_array((steep.ravel(), (row, column)), shape=shape)), rhs
        steep = slope * reach[group] / scale
        rhs = (value - now[group]) / scale - slope * (at - self.held[group]) / scale
        return csr_array(top - csr_array((steep, (index, first_n + group)), shape=shape)), rhs
