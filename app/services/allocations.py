"""The next allocation: rows to the planner, its plan back."""

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, invalid
from app.planner.arrays import FloatArray
from app.planner.metric import Metric
from app.planner.plan import Band, Plan, Policy, make_plan
from app.planner.plan import GroupPlan as GroupPlan
from app.planner.problem import Problem
from app.planner.scoring import rescale
from app.planner.warnings import Warning
from app.services.fits import Fits
from app.services.forecasts import record_of
from app.services.planning import Budget, fit_key, fitted, metric_of, problem_of
from app.store.models import Group, Project, Source
from app.store.observations import fitted_observations
from app.store.projects import members
from app.store.types import MILLION

MILLIONTH = Decimal("0.000001")
PROBABILITIES = np.array([0.05, 0.5, 0.95])


@dataclass(frozen=True)
class Question:
    """What the next allocation depends on beside the data; all have defaults in the API."""

    budget: Decimal | None
    policy: Policy
    draws: int
    seed: int


@dataclass(frozen=True)
class Allocation:
    """The plan, with what it was made from. `known` is False where nothing at all is known of the metric."""

    problem: Problem
    plan: Plan
    budget: Budget
    known: bool
    warnings: tuple[Warning, ...]


def amount(millionths: int) -> Decimal:
    return Decimal(millionths) / MILLION


def next_allocation(session: Session, fits: Fits, project: Project, question: Question) -> Allocation:
    """What to buy in the next round. Raises Invalid for a project without groups or a budget not to be had."""
    groups = members(session, Group, project.id)
    if not groups:
        raise invalid(Fault("", "the project has no groups yet; add them with POST …/groups"))
    budget = round_budget(project, question.budget)
    runs = fitted_observations(session, project.id, project.recipe)
    known = bool(runs) or metric_of(project).span is not None or all(group.assumed_curve for group in groups)
    key = fit_key(project, question.draws, question.seed)
    posterior = fitted(fits, key, project, groups, runs).posterior
    problem = problem_of(project, groups, members(session, Source, project.id), posterior, budget)
    plan = make_plan(problem, question.policy if known else "equal_spend")
    plan = widened(plan, problem.metric, record_of(session, project).widening)
    return Allocation(problem, plan, budget, known, (*posterior.warnings, *plan.warnings))


def widened(plan: Plan, metric: Metric, factors: FloatArray) -> Plan:
    """The plan with its metrics' bands as the record of past forecasts says they should be."""
    if np.all(factors == 1.0):
        return plan
    groups = [
        replace(
            group,
            metric_now=widened_band(group.metric_now, metric, factors),
            metric_after=widened_band(group.metric_after, metric, factors),
        )
        for group in plan.groups
    ]
    return replace(plan, groups=tuple(groups))


def widened_band(band: Band, metric: Metric, factors: FloatArray) -> Band:
    quantiles = np.array([band.p05, band.p50, band.p95])
    p05, p50, p95 = metric.within(rescale(PROBABILITIES, quantiles, factors)).tolist()
    return replace(band, p05=p05, p50=p50, p95=p95)


def round_budget(project: Project, asked: Decimal | None) -> Budget:
    """The total, shared by the rounds; `asked` overrides it up to the total."""
    left = project.budget_total
    if asked is None:
        share = (left / project.budget_rounds).quantize(MILLIONTH, ROUND_DOWN)
        return Budget(share, left)
    if asked > left:
        raise invalid(Fault("?budget", f"{asked} is more than the {left} that the project has left"))
    return Budget(asked, left)
