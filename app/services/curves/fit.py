"""A project's runs as the planner's observations, and the fit of its curves that is kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing import fit_together
from app.planner.curves import AssumedCurve, Observations, Points, drifts, fitted_part
from app.planner.utility import Metric
from app.services.curves.fits import FitKey, Fits, Fitted
from app.services.curves.prior import prior_for
from app.services.curves.readings import Reading, standard_error
from app.services.curves.repeats import distinct, repeated_runs, repeats_of
from app.services.ledger.holdings import held_of
from app.store.ledger import collected_counts
from app.store.models.observations import Observation
from app.store.models.projects import Group, Project


def metric_of(project: Project) -> Metric:
    goal: Literal["maximize", "minimize"] = "maximize" if project.metric_goal == "maximize" else "minimize"
    return Metric(goal, project.metric_lower, project.metric_upper)


def fit_key(project: Project, draws: int, seed: int) -> FitKey:
    return FitKey(project.id, project.data_version, draws, seed)


def fitted(
    session: Session,
    fits: Fits,
    key: FitKey,
    project: Project,
    groups: Sequence[Group],
    runs: Sequence[Observation],
) -> Fitted:
    """The curves of all the project's active groups, in their order, fitted to `runs`, all that the key's data
    version has."""

    def fit() -> Fitted:
        collected = collected_counts(session, project.id)
        held = np.array([held_of(group, collected).effective for group in groups], dtype=np.float64)
        return fit_now(project, groups, held, runs, key)

    return fits.get(key, fit)


def fit_now(
    project: Project, groups: Sequence[Group], held: FloatArray, runs: Sequence[Observation], key: FitKey
) -> Fitted:
    """held [groups]: clean samples of each. Of repeated runs, one is taken."""
    metric, repeats = metric_of(project), repeats_of(runs)
    told, runs = repeated_runs(runs, repeats), distinct(runs, repeats)
    holdouts = {name: code for code, name in enumerate(sorted({run.holdout for run in runs}))}
    place = {group.key: index for index, group in enumerate(groups)}
    row_of = {run.id: row for row, run in enumerate(runs)}
    observations = Observations(
        keys=tuple(group.key for group in groups),
        points=tuple(points_of(project, metric, group.key, runs, holdouts) for group in groups),
        assumed=tuple(AssumedCurve(**group.assumed_curve) if group.assumed_curve else None for group in groups),
        held=held,
        span=metric.span,
        runs=compositions(groups, runs),
        run_of=tuple(
            np.array([row_of[run.id] for run in runs_of(group.key, runs)], dtype=np.int64) for group in groups
        ),
        attributes=tuple(group.attributes or {} for group in groups),
        parent=tuple(place.get(group.parent or "") for group in groups),
    )
    posterior = fit_together(observations, prior_for(metric.span), key.seed, key.draws)
    kept = fitted_part(observations)
    told += drifts(kept, in_time(runs))
    return Fitted(replace(posterior, warnings=(*told, *posterior.warnings)), kept, holdouts)


def in_time(runs: Sequence[Observation]) -> IntArray:
    """Each run's place in the order in which they were observed; of those of one instant, as they came in."""
    order = sorted(range(len(runs)), key=lambda row: (runs[row].observed_at, row))
    return np.argsort(np.array(order, dtype=np.int64))


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
