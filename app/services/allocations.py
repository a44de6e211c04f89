"""The next allocation: rows to the planner, its plan back."""

from collections.abc import Mapping, Sequence
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
from app.services.changes import MAX_FAULTS, escape
from app.services.fits import Fits
from app.services.forecasts import record_of
from app.services.holdings import Holdings, holdings_of
from app.services.planning import Budget, fit_key, fitted, metric_of, problem_of
from app.store.models import Group, Observation, Project, Source
from app.store.observations import fitted_observations
from app.store.projects import members
from app.store.types import MILLION

MILLIONTH = Decimal("0.000001")
WORN_ROUNDS = 5
"""So many rounds decided on one holdout wear it out."""
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
    round: int
    budget: Budget
    known: bool
    warnings: tuple[Warning, ...]


def amount(millionths: int) -> Decimal:
    return Decimal(millionths) / MILLION


def next_allocation(
    session: Session, fits: Fits, project: Project, question: Question, orders: Mapping[str, int] | None = None
) -> Allocation:
    """What to buy in the next round; with `orders` (source key → samples) what just these orders would do.

    Raises Invalid for a project without groups, a budget not to be had, or orders from sources that are not there.
    """
    groups = members(session, Group, project.id)
    if not groups:
        raise invalid(Fault("", "the project has no groups yet; add them with POST …/groups"))
    sources = members(session, Source, project.id)
    holdings = holdings_of(session, project, sources)
    budget = round_budget(project, holdings, question.budget)
    held_orders = None if orders is None else all_orders(sources, orders)
    runs = fitted_observations(session, project.id, project.recipe)
    known = bool(runs) or metric_of(project).span is not None or all(group.assumed_curve for group in groups)
    key = fit_key(project, question.draws, question.seed)
    posterior = fitted(session, fits, key, project, groups, runs).posterior
    problem = problem_of(project, groups, sources, holdings, posterior, budget, held_orders)
    plan = make_plan(problem, question.policy if known else "equal_spend")
    plan = widened(plan, problem.metric, record_of(session, project).widening)
    warnings = (*posterior.warnings, *plan.warnings, *worn(holdings.rounds, runs))
    return Allocation(problem, plan, holdings.rounds + 1, budget, known, warnings)


def worn(rounds: int, runs: Sequence[Observation]) -> list[Warning]:
    """A holdout that decided many rounds is no longer a fresh measure of what they bought."""
    holdouts = {run.holdout for run in runs}
    if rounds < WORN_ROUNDS or len(holdouts) != 1:
        return []
    [name] = holdouts
    detail = f"{rounds} rounds were decided on the holdout '{name}' alone: score the next runs on a fresh one."
    return [Warning("holdout_worn", detail)]


def all_orders(sources: Sequence[Source], orders: Mapping[str, int]) -> dict[str, int]:
    """Every source's order, 0 where none is named. Raises Invalid for orders from sources that are not there."""
    known = {source.key: 0 for source in sources}
    faults = [
        Fault(f"/orders/{escape(key)}", f"there is no source '{key}' in this project")
        for key in orders
        if key not in known
    ]
    if faults:
        raise invalid(*faults[:MAX_FAULTS])
    return known | dict(orders)


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


def round_budget(project: Project, holdings: Holdings, asked: Decimal | None) -> Budget:
    """What is neither spent nor committed, shared by the rounds to come, the last one taking the rest; `asked`
    overrides the share, up to the whole."""
    left = max(Decimal(0), project.budget_total - holdings.spent - holdings.committed)
    if asked is None:
        rounds = max(1, project.budget_rounds - holdings.rounds)
        return Budget((left / rounds).quantize(MILLIONTH, ROUND_DOWN), left)
    if asked > left:
        detail = f"{asked} is more than the {left} that the project has left"
        raise invalid(Fault("?budget", detail))
    return Budget(asked, left)
