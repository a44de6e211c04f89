"""What orders cost to pay: in whole minor units of the currency, halves up."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.planner.plan import GroupPlan, Plan
from app.planner.problem import Problem


def payably(problem: Problem, make: Callable[[Problem], Plan]) -> Plan:
    """`make(problem)` with each order at what is to be paid for it, and the groups' parts of that in whole minor units
    that add up to it. Where rounding passes the budget, the plan is made anew with so much less."""
    unit, short = problem.payable, 0
    while True:
        plan = _rounded(make(replace(problem, budget=max(0, problem.budget - short))), unit)
        over = plan.spend - problem.budget
        if over <= 0:
            return replace(plan, unspent=-over)
        short += max(over, unit)


def rounded(millionths: int, unit: int) -> int:
    """To whole `unit`s, halves up."""
    return (2 * millionths + unit) // (2 * unit) * unit


def _rounded(plan: Plan, unit: int) -> Plan:
    sources = tuple(replace(one, cost=rounded(one.cost, unit)) for one in plan.sources)
    spend = sum(one.cost for one in sources)
    return replace(plan, sources=sources, groups=_parts(plan.groups, spend, unit), spend=spend)


def _parts(groups: Sequence[GroupPlan], spend: int, unit: int) -> tuple[GroupPlan, ...]:
    """The groups' costs in proportion, in whole units that add up to `spend`: the largest remainders round up."""
    whole = sum(one.cost for one in groups)
    if not whole:
        return tuple(groups)
    parts = {one.key: divmod(one.cost * (spend // unit), whole) for one in groups}
    missing = spend // unit - sum(units for units, _ in parts.values())
    up = set(sorted(parts, key=lambda key: (-parts[key][1], key))[:missing])
    return tuple(replace(one, cost=(parts[one.key][0] + (one.key in up)) * unit) for one in groups)
