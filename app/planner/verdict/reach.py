"""How far a plan goes beyond what was measured, and the budget at which nothing goes too far (method.md 10)."""

from dataclasses import replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.errors import InfeasibleError
from app.planner.plan.plan import Plan
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.problem.problem import Problem
from app.planner.relaxation.compromise import prepared

BUDGET_HALVINGS = 7
"""The budget is found to its hundredth."""


def stretched(problem: Problem, plan: Plan, reach: float, share: float) -> tuple[str, ...]:
    """The groups that get at least `share` of the money and end beyond `reach` times the largest count measured of
    them, in the problem's order. Groups never measured have no reach to go beyond."""
    money = max(sum(group.cost for group in plan.groups), 1)
    return tuple(
        group.key
        for group, most in zip(plan.groups, _most(problem, reach), strict=True)
        if group.add and group.cost >= share * money and group.count_after > most
    )


def budget_within(problem: Problem, reach: float, groups: tuple[str, ...]) -> int:
    """The largest budget in millionths whose divisible optimum takes none of the `groups` beyond its reach.

    As buying the optimum of more money never takes samples back where groups do not teach each other, it is bisected;
    else what is found still keeps within the reach. 0 where the least budget that can be tried goes beyond.
    """
    named = np.isin(np.array(problem.keys), groups)
    most = _most(problem, reach)
    low, high = 0, problem.budget
    for _ in range(BUDGET_HALVINGS):
        middle = (low + high) // 2
        low, high = (middle, high) if _keeps_within(problem, middle, named, most) else (low, middle)
    return low


def _keeps_within(problem: Problem, budget: int, named: BoolArray, most: FloatArray) -> bool:
    form = Canonical.of(replace(problem, budget=budget))
    try:
        check_feasible(form)
    except InfeasibleError:
        # What must be bought costs more than this.
        return True
    form, divisible = prepared(form)
    counts = np.empty(len(form.keys))
    counts[form.order] = divisible.relaxation.counts
    return not bool(np.any(named & (counts > most)))


def _most(problem: Problem, reach: float) -> FloatArray:
    """The counts [groups] up to which a group is within its reach; inf where nothing was measured of it."""
    known = problem.posterior.diagnostics
    return np.array([reach * max(one.largest_count, 1.0) if one.points else np.inf for one in known])
