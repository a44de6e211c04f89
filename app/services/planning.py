"""From rows to the planner's arrays: curves and the next allocation."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, invalid
from app.planner.curves import AssumedCurve, Observations, Points, Posterior, fit
from app.planner.metric import Metric
from app.planner.objective import Objective
from app.planner.plan import GroupPlan as GroupPlan
from app.planner.plan import Plan, Policy, Problem, make_plan
from app.planner.sources import Source as PlannerSource
from app.planner.warnings import Warning
from app.services.observations import Reading, standard_error
from app.services.prior import prior_for
from app.store.models import Group, Observation, Project, Source
from app.store.observations import fitted_observations
from app.store.projects import members
from app.store.types import MILLION

MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True)
class Question:
    """What the next allocation depends on beside the data; all have defaults in the API."""

    budget: Decimal | None
    policy: Policy
    draws: int
    seed: int


@dataclass(frozen=True)
class Budget:
    """The round's money: what may be spent now, and what is left of the project's total before it."""

    available: Decimal
    remaining: Decimal


@dataclass(frozen=True)
class Allocation:
    """The plan, with what it was made from. `known` is False where nothing at all is known of the metric."""

    plan: Plan
    budget: Budget
    known: bool
    warnings: tuple[Warning, ...]


def amount(millionths: int) -> Decimal:
    return Decimal(millionths) / MILLION


def next_allocation(session: Session, project: Project, question: Question) -> Allocation:
    """What to buy in the next round. Raises Invalid for a project without groups or a budget not to be had."""
    groups = members(session, Group, project.id)
    if not groups:
        raise invalid(Fault("", "the project has no groups yet; add them with POST …/groups"))
    budget = round_budget(project, question.budget)
    runs = fitted_observations(session, project.id, project.recipe)
    known = bool(runs) or metric_of(project).span is not None or all(group.assumed_curve for group in groups)
    problem = problem_of(project, groups, members(session, Source, project.id), runs, budget, question)
    plan = make_plan(problem, question.policy if known else "equal_spend")
    return Allocation(plan, budget, known, (*problem.posterior.warnings, *plan.warnings))


def round_budget(project: Project, asked: Decimal | None) -> Budget:
    """The total, shared by the rounds; `asked` overrides it up to the total."""
    left = project.budget_total
    if asked is None:
        share = (left / project.budget_rounds).quantize(MILLIONTH, ROUND_DOWN)
        return Budget(share, left)
    if asked > left:
        raise invalid(Fault("?budget", f"{asked} is more than the {left} that the project has left"))
    return Budget(asked, left)


def problem_of(
    project: Project,
    groups: Sequence[Group],
    sources: Sequence[Source],
    runs: Sequence[Observation],
    budget: Budget,
    question: Question,
) -> Problem:
    index = {group.id: position for position, group in enumerate(groups)}
    kind = project.objective["kind"]
    parameters = {name: value for name, value in project.objective.items() if name != "kind"}
    return Problem(
        keys=tuple(group.key for group in groups),
        weights=np.array([group.weight for group in groups]),
        held=np.array([group.initial_count for group in groups], dtype=np.float64),
        targets=np.array([np.nan if group.target is None else group.target for group in groups]),
        reference_loss=np.array([group.reference_loss or project.reference_loss or 1.0 for group in groups]),
        metric=metric_of(project),
        objective=Objective.parse(kind, parameters),
        posterior=posterior_of(project, groups, runs, question.draws, question.seed),
        sources=tuple(planner_source(source, index[source.group_id]) for source in sources),
        budget=int(budget.available * MILLION),
    )


def metric_of(project: Project) -> Metric:
    goal: Literal["maximize", "minimize"] = "maximize" if project.metric_goal == "maximize" else "minimize"
    return Metric(goal, project.metric_lower, project.metric_upper)


def planner_source(source: Source, group: int) -> PlannerSource:
    return PlannerSource(
        key=source.key,
        group=group,
        unit_cost=int(source.unit_cost * MILLION),
        min_order=source.min_order,
        max_order=source.max_order,
        lot_size=source.lot_size,
    )


def posterior_of(
    project: Project, groups: Sequence[Group], runs: Sequence[Observation], draws: int, seed: int
) -> Posterior:
    """The fitted curves of `groups`, in their order."""
    metric = metric_of(project)
    holdouts = {name: code for code, name in enumerate(sorted({run.holdout for run in runs}))}
    observations = Observations(
        keys=tuple(group.key for group in groups),
        points=tuple(points_of(project, metric, group.key, runs, holdouts) for group in groups),
        assumed=tuple(AssumedCurve(**group.assumed_curve) if group.assumed_curve else None for group in groups),
        held=np.array([group.initial_count for group in groups], dtype=np.float64),
        span=metric.span,
    )
    return fit(observations, prior_for(observations.span), seed, draws)


def runs_of(key: str, runs: Sequence[Observation]) -> list[Observation]:
    """The runs in which a group was measured, in the order of its points."""
    return [run for run in runs if key in run.metrics]


def points_of(
    project: Project, metric: Metric, key: str, runs: Sequence[Observation], holdouts: dict[str, int]
) -> Points:
    mine = runs_of(key, runs)
    readings = [Reading(**run.metrics[key]) for run in mine]
    stderrs = [standard_error(project, reading) for reading in readings]
    return Points(
        counts=np.array([run.counts.get(key, 0) for run in mine], dtype=np.float64),
        losses=metric.to_loss(np.array([reading.value for reading in readings], dtype=np.float64)),
        stderrs=np.array([np.nan if stderr is None else stderr for stderr in stderrs], dtype=np.float64),
        holdouts=np.array([holdouts[run.holdout] for run in mine], dtype=np.int64),
    )
