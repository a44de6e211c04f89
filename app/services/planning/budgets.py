"""What each budget would reach: the rows of the budget chart and table."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app.money import MILLION, amount
from app.planner.errors import InfeasibleError, SolverError
from app.planner.plan import Plan, make_plan
from app.planner.problem import Problem
from app.planner.requirements import chance_of
from app.services.computing import Work
from app.services.curves.fits import Fits
from app.services.ledger.holdings import left_of
from app.services.planning.allocations import AllocationQuestion
from app.services.planning.problem import Budget
from app.services.planning.situations import feasibly, known_situation, round_budget
from app.store.models.projects import Project

BUDGETS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Budgets that are planned for, as multiples of the one chosen."""


@dataclass(frozen=True)
class BudgetRows:
    """What each budget leads to; `chosen` is the one that was asked about, one of the rows'."""

    chosen: float
    rows: list[dict[str, Any]]


def planning_budgets(session: Session, fits: Fits, project: Project, question: AllocationQuestion) -> Work[BudgetRows]:
    """The plan's utility and the chance that all targets are met, for budgets up to what the project has left.

    The first row is the least budget that can be planned for: constraints may need money. Raises Conflict while
    nothing is known of the metric, Invalid for a budget not to be had, Infeasible where even the whole allows no plan.
    """
    situation = known_situation(session, fits, project, question.draws, question.seed)
    budget = round_budget(project, situation.holdings, question.budget)
    planned = budgets_of(budget.available, left_of(project, situation.holdings.money))

    def plan() -> BudgetRows:
        rows = []
        for one in planned:
            problem = situation.problem(Budget(one, budget.remaining), question.hold)
            made = plan_or_none(problem, question)
            if made is not None:
                rows.append(budget_row(problem, made, one))
        if not rows:
            problem = situation.problem(budget, question.hold)
            feasibly(project, lambda: make_plan(problem, question.policy, seed=question.seed))
        return BudgetRows(float(budget.available), rows)

    return Work(situation.cells * len(planned), plan)


def budgets_of(chosen: Decimal, left: Decimal) -> list[Decimal]:
    """Multiples of the chosen budget, and all that is left where it is not far beyond."""
    largest = min(left, chosen * Decimal(BUDGETS[-1])) if chosen else left
    multiples = {min(largest, amount(round(chosen * MILLION * Decimal(times)))) for times in BUDGETS}
    return sorted(multiples | {chosen, largest})


def plan_or_none(problem: Problem, question: AllocationQuestion) -> Plan | None:
    """None where no orders keep all constraints for the problem's budget."""
    try:
        return make_plan(problem, question.policy, exploration=question.exploration, seed=question.seed)
    except (InfeasibleError, SolverError):
        return None


def budget_row(problem: Problem, plan: Plan, budget: Decimal) -> dict[str, Any]:
    utility = plan.utility
    gained, equal = utility.gain, utility.gain_equal
    return {
        "budget": float(budget),
        "gain": {"mean": gained.mean, "p05": gained.p05, "p95": gained.p95},
        "gain_equal": {"mean": equal.mean, "p05": equal.p05, "p95": equal.p95},
        "utility": {"mean": utility.after.mean, "p05": utility.after.p05, "p95": utility.after.p95},
        "equal": {"mean": utility.equal.mean, "p05": utility.equal.p05, "p95": utility.equal.p95},
        "chance": chance_of(problem, plan),
    }
