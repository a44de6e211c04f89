"""Concave problems by cutting planes: a linear master whose optimum bounds every answer (planner.md 4).

Kelley's method in one-count form: V_g is bounded by tangents, F is linear rows, the orders a linear programme
(`programme`). Every round adds the tangents at the master's point and on both sides of it, at the distance at which a
parabola would leave its tangent by as much as the master overrates V_g there: the gap falls with its own square.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import OptimizeResult, linprog
from scipy.sparse import csr_array, vstack

from app.planner.arrays import FloatArray
from app.planner.certificate import LEAST_GAIN
from app.planner.programme import Programme
from app.planner.utility import Outer
from app.planner.values import Cuts, Values

GRID = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 16)])
"""Where the first tangents touch, in shares of what the budget can buy of a group."""
ROUNDS = 60
STEP = 1e-4
"""Share of a count over which the curvature is measured."""
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
LINE = np.array([0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
"""Points between the best answer and the master's that are tried as answers."""


class SolverError(Exception):
    """The linear solver gave up on the numbers; the message is in the planner's own words."""


@dataclass(frozen=True)
class Master:
    """A concave problem: the values V, F as rows, the allowed orders, and the effective counts held [k].

    now: V at the counts held. cuts are shared by all that solve the same values.
    """

    values: Values
    outer: Outer
    programme: Programme
    held: FloatArray
    now: FloatArray
    cuts: Cuts

    @classmethod
    def of(cls, values: Values, programme: Programme, held: FloatArray, cuts: Cuts | None = None) -> "Master":
        """The master with the first tangents, or with those of a problem in the same values."""
        if cuts is None:
            cuts = Cuts.none(values, held)
            cuts.add(held[:, None] + GRID * programme.reach[:, None])
        return cls(values, values.utility.outer, programme, held, values.at(held), cuts)

    @property
    def start(self) -> float:
        """U at the counts held."""
        return self.values.utility.total(self.now)

    def counts(self, columns: FloatArray) -> FloatArray:
        """Effective counts [k] of a solution [columns]."""
        return np.asarray(self.held + np.maximum(self.programme.count_of @ columns, 0.0))

    def linear(self, scale: float) -> tuple[FloatArray, csr_array, FloatArray, float]:
        """Objective to be maximised, rows ≤ rhs of cuts and F, in units of `scale`, and the constant left out."""
        outer, at = self.outer, self.programme.at
        k = len(self.held)
        shift = np.zeros(outer.extra)
        if outer.extra:
            # The first extra variable is a level of values: it is counted from where it stands.
            shift[0] = self.start
        objective = np.zeros(self.programme.columns)
        objective[at["t"]], objective[at["z"]] = outer.objective[:k], outer.objective[k:]
        constant = float(outer.objective[:k] @ self.now + outer.objective[k:] @ shift)
        places = (at["n"].start, at["t"].start, self.programme.columns)
        cuts, below = self.cuts.rows(self.now, scale, self.programme.reach, places)
        rows, rhs = outer.rows, outer.rhs - outer.rows @ np.concatenate([self.now, shift])
        wide = csr_array((rows.shape[0], self.programme.columns)).tolil()
        wide[:, at["t"].start : at["z"].stop] = rows.tolil() if rows.shape[0] else 0.0
        return objective, csr_array(vstack([cuts, csr_array(wide)])), np.concatenate([below, rhs / scale]), constant

    def free(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of the columns; the values of groups that do not count are held."""
        lower, upper = (bound.copy() for bound in self.programme.bounds)
        idle = np.flatnonzero(~self.values.utility.counted) + self.programme.at["t"].start
        lower[idle] = upper[idle] = 0.0
        return lower, upper

    def refine(self, columns: FloatArray, scale: float) -> None:
        """New tangents at a solution and round it."""
        here = self.counts(columns)
        if self.values.crossed:
            self.cuts.add(here[:, None])
            return
        step = STEP * (1.0 + here)
        near = self.values.utility.terms(np.stack([here, here + step], axis=1))
        bend = np.maximum(near.slope[:, 0] - near.slope[:, 1], 0.0) / step
        claimed = self.now + scale * columns[self.programme.at["t"]]
        over = np.maximum(claimed - near.value[:, 0], 0.0)
        aside = np.sqrt(2.0 * over / np.maximum(bend, 1e-300))
        aside = np.minimum(aside, 0.5 * (here - self.held) + 0.1 * self.programme.reach)
        points = [here, np.maximum(here - aside, self.held), here + aside]
        self.cuts.add(np.stack(points, axis=1))


@dataclass
class Found:
    """The best divisible answer so far. duals: utility per unit of the rows of the programme, from the last master.

    columns: of the programme; price: utility per share of the budget; edge [J]: utility per share of the budget that
    a segment's own bound costs.
    """

    columns: FloatArray
    counts: FloatArray
    utility: float
    bound: float
    price: float = 0.0
    rows: FloatArray = field(default_factory=lambda: np.zeros(0))
    edge: FloatArray = field(default_factory=lambda: np.zeros(0))
    rounds: int = 0


def solve(master: Master, tolerance: float) -> Found:
    """The divisible optimum, its gap at most `tolerance` of the gain, or as small as the rounds made it.

    Raises SolverError where the linear solver finds no answer although there is one.
    """
    scale = _first_scale(master)
    best: Found | None = None
    bound = np.inf
    for count in range(1, ROUNDS + 1):
        result, constant = _solve_linear(master, scale)
        columns = np.asarray(result.x)
        bound = min(bound, constant - scale * float(result.fun))
        best = _better(master, best, columns)
        best.bound, best.rounds = max(bound, best.utility), count
        gain = max(best.utility - master.start, LEAST_GAIN)
        if bound - best.utility <= tolerance * gain:
            break
        master.refine(columns, scale)
        scale = float(np.clip(bound - master.start, LEAST_GAIN, None))
    assert best is not None
    _read_duals(master, best, result, scale)
    return best


def _first_scale(master: Master) -> float:
    """The gain there would be if every group had all the money."""
    top = master.values.total(master.held + master.programme.reach)
    return max(top - master.start, LEAST_GAIN)


def _solve_linear(master: Master, scale: float) -> tuple[OptimizeResult, float]:
    objective, cuts, rhs, constant = master.linear(scale)
    rows = master.programme.rows
    same = rows.lower == rows.upper
    upper, lower = np.isfinite(rows.upper) & ~same, np.isfinite(rows.lower) & ~same
    above, below = np.flatnonzero(upper), np.flatnonzero(lower)
    matrix = vstack([rows.matrix[above], -rows.matrix[below], cuts])
    limit = np.concatenate([rows.upper[above], -rows.lower[below], rhs])
    equal = np.flatnonzero(same)
    result = linprog(
        -objective,
        A_ub=csr_array(matrix),
        b_ub=limit,
        A_eq=rows.matrix[equal],
        b_eq=rows.upper[equal],
        bounds=np.stack(master.free(), axis=1),
        method="highs-ds",
        options=EXACT,
    )
    if result.x is None:
        raise SolverError("the numbers lie too far apart for the solver; state counts and prices in other units")
    duals = np.zeros(len(rows.upper))
    duals[above] -= result.ineqlin.marginals[: len(above)]
    duals[below] += result.ineqlin.marginals[len(above) : len(above) + len(below)]
    result.duals = duals
    return result, constant


def _better(master: Master, best: Found | None, columns: FloatArray) -> Found:
    """The best of the answer so far, the master's point, and points between them."""
    candidates = [columns]
    if best is not None:
        candidates += [best.columns + part * (columns - best.columns) for part in LINE]
    for candidate in candidates:
        counts = master.counts(candidate)
        total = master.values.total(counts)
        if best is None or total > best.utility:
            best = Found(candidate, counts, total, np.inf)
    assert best is not None
    return best


def _read_duals(master: Master, best: Found, result: OptimizeResult, scale: float) -> None:
    money = int(master.programme.money)
    rows = len(master.programme.region.bounds)
    best.price = scale * float(result.duals[0]) if money else 0.0
    best.rows = scale * result.duals[money : money + rows] * master.programme.row_scale
    best.edge = np.maximum(-scale * result.upper.marginals[master.programme.at["u"]], 0.0)
