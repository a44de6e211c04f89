"""The linear master of the cutting planes: tangents of every group's value over the orders' programme (method.md 6)."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from app.planner.arrays import FloatArray
from app.planner.problem.linear import Linear
from app.planner.problem.order_programme import Programme
from app.planner.utility.aggregate import Outer
from app.planner.utility.values import Cuts, Values

FIRST_TANGENTS = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 16)])
"""Where the first tangents touch, in shares of what the budget can buy of a group."""
FEWER = 4
"""One in so many of them does where steps find the top first."""
CURVATURE_STEP = 1e-4
"""Share of a count over which the curvature is measured."""


@dataclass(frozen=True)
class Master:
    """A concave problem: the values V, F as rows, the allowed orders, and the effective counts held [k].

    now: V at the counts held. cuts are shared by all that solve the same values. floor [k]: V must reach it. totals:
    the least and the largest sum of effective counts that is allowed.
    """

    values: Values
    outer: Outer
    programme: Programme
    held: FloatArray
    now: FloatArray
    cuts: Cuts
    floor: FloatArray
    totals: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def of(cls, values: Values, programme: Programme, held: FloatArray, cuts: Cuts | None = None) -> "Master":
        """The master with the first tangents, or with those of a problem in the same values."""
        if cuts is None:
            cuts = Cuts.none(values, held)
            shares = FIRST_TANGENTS[::FEWER] if values.crossed else FIRST_TANGENTS
            cuts.add(held[:, None] + shares * programme.reach[:, None])
        return cls(values, values.utility.outer, programme, held, values.at(held), cuts, np.full(len(held), -np.inf))

    @property
    def start(self) -> float:
        """U at the counts held."""
        return self.values.utility.total(self.now)

    def counts(self, columns: FloatArray) -> FloatArray:
        """Effective counts [k] of a solution [columns]."""
        return np.asarray(self.held + np.maximum(self.programme.count_of @ columns, 0.0))

    def linear(self, scale: float) -> tuple[Linear, float]:
        """The programme with the cuts and F in units of `scale`, and the constant that its objective leaves out.

        The rows are the programme's, the cuts', the sum of counts where it is limited, and F's.
        """
        outer, at, k = self.outer, self.programme.at, len(self.held)
        shift = np.zeros(outer.extra)
        if outer.extra:
            # The first extra variable is a level of values: it is counted from where it stands.
            shift[0] = self.start
        objective = np.zeros(self.programme.columns)
        objective[at["t"]], objective[at["z"]] = outer.objective[:k], outer.objective[k:]
        constant = float(outer.objective[:k] @ self.now + outer.objective[k:] @ shift)
        places = (at["n"].start, at["t"].start, self.programme.columns)
        cuts, below = self.cuts.rows(self.now, scale, self.programme.reach, places)
        rest = self.programme.columns - at["z"].stop
        before, after = csr_array((len(outer.rhs), at["t"].start)), csr_array((len(outer.rhs), rest))
        level = hstack([before, outer.rows, after])
        rhs = outer.rhs - outer.rows @ np.concatenate([self.now, shift])
        rows = self.programme.rows
        total, least, most = self.total_row()
        high = np.concatenate([rows.upper, below, most, rhs / scale])
        low = np.concatenate([rows.lower, np.full(len(below), -np.inf), least, np.full(len(rhs), -np.inf)])
        lower, upper = self._free(scale)
        matrix = csr_array(vstack([rows.matrix, cuts, total, level]))
        return Linear(objective, matrix, low, high, lower, upper), constant

    def total_row(self) -> tuple[csr_array, FloatArray, FloatArray]:
        """The row of the sum of counts bought, in shares of the most of each, and its bounds; none where it is free."""
        low, high = self.totals
        row = np.zeros((int(np.isfinite(low) or np.isfinite(high)), self.programme.columns))
        size = self.programme.reach.sum()
        row[:, self.programme.at["n"]] = self.programme.reach / size
        bounds = (np.array([low, high])[:, None] - self.held.sum()) / size
        return csr_array(row), bounds[0][: len(row)], bounds[1][: len(row)]

    def _free(self, scale: float) -> tuple[FloatArray, FloatArray]:
        """Bounds of the columns; the values of groups that do not count are held."""
        lower, upper = (bound.copy() for bound in self.programme.bounds)
        values = self.programme.at["t"]
        lower[values] = (self.floor - self.now) / scale
        idle = np.setdiff1d(np.arange(len(self.held)), self.cuts.live) + values.start
        lower[idle] = upper[idle] = 0.0
        return lower, upper

    def refine(self, columns: FloatArray, scale: float) -> None:
        """New tangents at a solution and round it."""
        here = self.counts(columns)
        if self.values.crossed:
            self.cuts.add(here[:, None])
            return
        step = CURVATURE_STEP * (1.0 + here)
        near = self.values.utility.terms(np.stack([here, here + step], axis=1))
        bend = np.maximum(near.slope[:, 0] - near.slope[:, 1], 0.0) / step
        claimed = self.now + scale * columns[self.programme.at["t"]]
        over = np.maximum(claimed - near.value[:, 0], 0.0)
        aside = np.sqrt(2.0 * over / np.maximum(bend, 1e-300))
        aside = np.minimum(aside, 0.5 * (here - self.held) + 0.1 * self.programme.reach)
        points = [here, np.maximum(here - aside, self.held), here + aside]
        self.cuts.add(np.stack(points, axis=1))
