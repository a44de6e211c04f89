"""Concave problems by cutting planes: a linear master whose optimum bounds every answer (method.md 6).

Kelley's method in one-count form: V_g is bounded by tangents, F is linear rows, the orders a linear programme
(`order_programme`). Every round adds the tangents at the master's point and on both sides of it, at the distance at
which a parabola would leave its tangent by as much as it overrates V_g there: the gap falls with its own square. Where
all counts move all values, steps find the top first (`ascent`), and the tangents there leave next to nothing open.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.errors import SolverError
from app.planner.problem.linear import Solution, maximise
from app.planner.relaxation.ascent import climb
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.master import Master

TANGENT_ROUNDS = 60
ROUGHLY = 0.2
"""A gap of this share of what a bound lies above another answer is small."""
DIGITS = 1e-15
LINE = np.array([0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
"""Points between the best answer and the master's that are tried as answers."""


@dataclass(frozen=True)
class CutOptimum:
    """The best divisible answer. columns: of the programme. counts [k]: effective, held included.

    From the last master: price: utility per share of the budget; rows [R]: per unit by which the bounds of the region's
    rows are raised (below 0 where the lower one binds); levels: the weights that F's rows have in the optimum.
    """

    columns: FloatArray
    counts: FloatArray
    utility: float
    bound: float
    price: float = 0.0
    rows: FloatArray = field(default_factory=lambda: np.zeros(0))
    levels: FloatArray = field(default_factory=lambda: np.zeros(0))
    rounds: int = 0


def solve(master: Master, tolerance: float, beside: float | None = None, start: FloatArray | None = None) -> CutOptimum:
    """The divisible optimum, its gap at most `tolerance` of the gain, or as small as the rounds made it.

    start [columns]: of an answer that may be near. beside: an U that is had without it: what lies far above needs no
    small gap, and what lies below needs no answer.
    Raises SolverError where the linear solver finds no answer although there is one.
    """
    scale = _first_scale(master)
    top = climb(master, tolerance, start) if master.values.crossed else None
    if top is not None:
        master.cuts.add(master.counts(top)[:, None])
    solution, bound, columns = _bounded(master, scale)
    best = _best_of(master, [columns] if top is None else [top, columns])
    rounds = 1
    while bound - best.utility > _tolerated(master, best, tolerance) and rounds < TANGENT_ROUNDS:
        if beside is not None and (bound <= beside or bound - best.utility <= ROUGHLY * (bound - beside)):
            break
        master.refine(columns, scale)
        scale = max(bound - master.start, LEAST_GAIN)
        solution, lower, columns = _bounded(master, scale)
        bound = min(bound, lower)
        between = [best.columns + part * (columns - best.columns) for part in LINE]
        best = _best_of(master, [best.columns, columns, *between])
        rounds += 1
    best = replace(best, bound=max(bound, best.utility), rounds=rounds)
    return _with_duals(master, best, solution, scale)


def _tolerated(master: Master, best: CutOptimum, tolerance: float) -> float:
    """The gap in utility at which the rounds end: the tolerance, or the last digits of U."""
    return max(tolerance * max(best.utility - master.start, LEAST_GAIN), DIGITS * abs(best.utility))


def _first_scale(master: Master) -> float:
    """The gain there would be if every group had all the money."""
    top = master.values.total(master.held + master.programme.reach)
    return max(top - master.start, LEAST_GAIN)


def _bounded(master: Master, scale: float) -> tuple[Solution, float, FloatArray]:
    """The linear master's solution, the bound on U that it is, and its columns. Raises SolverError."""
    question, constant = master.linear(scale)
    solution = maximise(question)
    if solution.columns is None:
        raise SolverError("the numbers lie too far apart for the solver; state counts and prices in other units")
    return solution, constant + scale * solution.bound, solution.columns


def _best_of(master: Master, candidates: list[FloatArray]) -> CutOptimum:
    counts = [master.counts(candidate) for candidate in candidates]
    totals = [master.values.total(count) for count in counts]
    best = int(np.argmax(totals))
    return CutOptimum(candidates[best], counts[best], totals[best], np.inf)


def _with_duals(master: Master, best: CutOptimum, solution: Solution, scale: float) -> CutOptimum:
    programme = master.programme
    money = int(programme.money)
    rows = len(programme.region.bounds)
    return replace(
        best,
        price=scale * float(solution.duals[0]) if money else 0.0,
        rows=scale * solution.duals[money : money + rows] * programme.row_scale,
        levels=solution.duals[len(solution.duals) - len(master.outer.rhs) :],
    )
