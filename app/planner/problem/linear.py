"""Linear programmes, with integers or without, for HiGHS through SciPy.

maximise objective · x    subject to    low ≤ matrix @ x ≤ high,    lower ≤ x ≤ upper
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import FloatArray, IntArray

SOLVER_TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
ATTEMPTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("highs-ds", {}),
    ("highs-ds", {"presolve": False}),
    ("highs-ipm", {}),
)
"""The simplex method ends without an answer on one programme in ten thousand that has one: then the next is asked."""
INFEASIBLE = 2


@dataclass(frozen=True)
class Linear:
    """A linear programme: objective [columns] to be maximised, matrix [R, columns], low and high [R], infinite where
    there is none, lower and upper [columns].
    """

    objective: FloatArray
    matrix: csr_array
    low: FloatArray
    high: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Solution:
    """columns: None where none was found. value: of the objective; bound: no solution has a higher one.

    duals [R]: of divisible programmes, value per unit by which a row's bounds are
    raised: ≥ 0 where `high` binds, ≤ 0 where `low` does.
    """

    columns: FloatArray | None
    value: float
    bound: float
    nodes: int = 0
    duals: FloatArray = field(default_factory=lambda: np.zeros(0))


def maximise(question: Linear) -> Solution:
    """The divisible optimum."""
    from scipy.optimize import linprog  # here: many plans need no programme, and it weighs 24 MB

    same = question.low == question.high
    above = np.flatnonzero(np.isfinite(question.high) & ~same)
    below = np.flatnonzero(np.isfinite(question.low) & ~same)
    equal = np.flatnonzero(same)
    inequalities: dict[str, Any] = {}
    if len(above) + len(below):
        inequalities["A_ub"] = csr_array(vstack([question.matrix[above], -question.matrix[below]]))
        inequalities["b_ub"] = np.concatenate([question.high[above], -question.low[below]])
    if len(equal):
        inequalities["A_eq"], inequalities["b_eq"] = question.matrix[equal], question.high[equal]
    bounds: Any = np.stack([question.lower, question.upper], axis=1)
    for method, more in ATTEMPTS:
        options: dict[str, Any] = {"options": SOLVER_TOLERANCES | more, "method": method}
        result = linprog(-question.objective, bounds=bounds, **inequalities, **options)
        if result.x is not None or result.status == INFEASIBLE:
            break
    if result.x is None:
        return Solution(None, -np.inf, np.inf)
    duals = np.zeros(len(question.low))
    duals[above] = -result.ineqlin.marginals[: len(above)]
    duals[below] = result.ineqlin.marginals[len(above) :]
    duals[equal] = -result.eqlin.marginals
    value = -float(result.fun or 0.0)
    return Solution(np.asarray(result.x), value, value, duals=duals)


def maximise_whole(question: Linear, integrality: IntArray, gap: float, nodes: int) -> Solution:
    """The optimum where the columns marked 1 in `integrality` are whole, to within `gap` relative, or the best that
    `nodes` nodes of branch and bound found.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # here: as above

    constraint = LinearConstraint(question.matrix, question.low, question.high)
    result = milp(
        -question.objective,
        integrality=integrality,
        bounds=Bounds(question.lower, question.upper),
        constraints=constraint,
        options={"mip_rel_gap": gap, "node_limit": max(nodes, 1)},
    )
    used = int(result.mip_node_count or 0)
    dual = result.mip_dual_bound
    bound = -float(dual) if dual is not None and np.isfinite(dual) else np.inf
    if result.x is None:
        return Solution(None, -np.inf, bound, used)
    return Solution(np.asarray(result.x), -float(result.fun or 0.0), bound, used)
