"""From rows to the planner's arrays: curves and the next allocation."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves import AssumedCurve, Observations, Points, Posterior
from app.planner.metric import Metric
from app.planner.objective import Objective
from app.planner.plan import GroupPlan as GroupPlan
from app.planner.plan import Problem
from app.planner.sources import Source as PlannerSource
from app.planner.together import fit_together
from app.services.fits import FitKey, Fits, Fitted
from app.services.observations import Reading, standard_error
from app.services.prior import prior_for
from app.store.models import Group, Observation, Project, Source
from app.store.types import MILLION

MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True)
class Budget:
    """The round's money: what may be spent now, and what is left of the project's total before it."""

    available: Decimal
    remaining: Decimal


def problem_of(
    project: Project,
    groups: Sequence[Group],
    sources: Sequence[Source],
    posterior: Posterior,
    budget: Budget,
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
        posterior=posterior,
        sources=tuple(planner_source(source, index[source.group_id]) for source in sources),
        budget=int(budget.available * MILLION),
    )


def metric_of(project: Project) -> Metric:
    goal: Literal["maximize", "minimize"] = "maximize" if project.metric_goal == "maximize" else "minimize"
    return Metric(goal, project.metric_lower, project.metric_upper)


def planner_source(source: Source, group: int) -> PlannerSource:
    return PlannerSource(
        key=source.key,
        yields=((group, 1.0),),
        unit_cost=int(source.unit_cost * MILLION),
        min_order=source.min_order,
        max_order=source.max_order,
        lot_size=source.lot_size,
    )


def fit_key(project: Project, draws: int, seed: int) -> FitKey:
    return FitKey(project.id, project.data_version, draws, seed)


def fitted(fits: Fits, key: FitKey, project: Project, groups: Sequence[Group], runs: Sequence[Observation]) -> Fitted:
    """The curves of all the project's active groups, in their order, fitted to `runs`, all that the key's data
    version has."""
    return fits.get(key, lambda: fit_now(project, groups, runs, key.draws, key.seed))


def fit_now(project: Project, groups: Sequence[Group], runs: Sequence[Observation], draws: int, seed: int) -> Fitted:
    metric = metric_of(project)
    holdouts = {name: code for code, name in enumerate(sorted({run.holdout for run in runs}))}
    place = {group.key: index for index, group in enumerate(groups)}
    row_of = {run.id: row for row, run in enumerate(runs)}
    observations = Observations(
        keys=tuple(group.key for group in groups),
        points=tuple(points_of(project, metric, group.key, runs, holdouts) for group in groups),
        assumed=tuple(AssumedCurve(**group.assumed_curve) if group.assumed_curve else None for group in groups),
        held=np.array([group.initial_count for group in groups], dtype=np.float64),
        span=metric.span,
        runs=compositions(groups, runs),
        run_of=tuple(
            np.array([row_of[run.id] for run in runs_of(group.key, runs)], dtype=np.int64) for group in groups
        ),
        attributes=tuple(group.attributes or {} for group in groups),
        parent=tuple(place.get(group.parent or "") for group in groups),
    )
    return Fitted(fit_together(observations, prior_for(metric.span), seed, draws), observations, holdouts)


def compositions(groups: Sequence[Group], runs: Sequence[Observation]) -> FloatArray:
    """What each run was trained on [runs, groups]; a group that came later counts 0."""
    counts = [[run.counts.get(group.key, 0) for group in groups] for run in runs]
    return np.array(counts, dtype=np.float64).reshape(len(runs), len(groups))


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
