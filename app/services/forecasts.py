"""The forecast ledger: each run is forecast from what was known before it, and the record widens later bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.forecasts.predictive import Asked, predict
from app.planner.forecasts.scoring import LEVELS, score, widening
from app.services import observations, plan_watch
from app.services.enqueue import Enqueue
from app.services.events import record
from app.services.fits import Fits, Fitted
from app.services.observations import Accepted, Draft, Reading, standard_error
from app.services.planning import compositions, fit_key, fitted, metric_of
from app.store import forecasts as store
from app.store.models import Forecast, Group, Observation, Project
from app.store.observations import fitted_observations
from app.store.projects import members

PROBABILITIES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = tuple(f"p{round(100 * p):02d}" for p in PROBABILITIES)
DRAWS = 300
SEED = 0
UNSEEN = -1
BLOCK = 2_000
"""Measurements forecast at once, which bounds the memory."""


@dataclass(frozen=True)
class Wanted:
    """A measurement to be forecast: of `group`, number `index` of the active ones, in `run`; trained: the run's counts
    [groups]."""

    run: Observation
    trained: FloatArray
    group: Group
    index: int
    reading: Reading


@dataclass(frozen=True)
class Record:
    """How the past forecasts fared: their number, mean scores, share covered per level, and the factors by which
    bands are widened since (all 1 until enough are scored)."""

    count: int
    crps: float | None
    wis: float | None
    coverage: tuple[float | None, ...]
    widening: FloatArray


def post(
    session: Session,
    fits: Fits,
    project: Project,
    drafts: Sequence[Draft],
    missing_is_zero: bool,
    now: datetime,
    enqueue: Enqueue,
) -> Accepted:
    """Store the runs with the forecasts of them made from the runs before, and the event that says so. Raises as
    `observations.accept`."""
    groups = members(session, Group, project.id)
    before = fitted_observations(session, project.id, project.recipe)
    key = fit_key(project, DRAWS, SEED)
    done = observations.accept(session, project, drafts, missing_is_zero, now)
    fresh = [run for run in done.stored if run.recipe == project.recipe]
    if before and fresh:
        known = fitted(session, fits, key, project, groups, before)
        session.add_all(forecasts_of(project, groups, known, fresh, now))
    if done.stored:
        announce(session, project, len(done.stored), now, enqueue)
    return done


def announce(session: Session, project: Project, accepted: int, now: datetime, enqueue: Enqueue) -> None:
    plan_watch.request(session, project, enqueue, now)
    url = f"/v1/projects/{project.id}/observations"
    data = {"url": url, "accepted": accepted, "data_version": project.data_version}
    record(session, project.workspace_id, "observations.accepted", project.id, data, now, enqueue)


def forecasts_of(
    project: Project, groups: Sequence[Group], known: Fitted, fresh: Sequence[Observation], now: datetime
) -> list[Forecast]:
    """A scored forecast for every fresh measurement of a group that had been measured before."""
    place = {group.key: index for index, group in enumerate(groups)}
    wanted = [
        Wanted(run, trained, groups[place[key]], place[key], Reading(**said))
        for run, trained in zip(fresh, compositions(groups, fresh), strict=True)
        for key, said in run.metrics.items()
        if known.observations.points[place[key]].counts.size and not groups[place[key]].assumed_curve
    ]
    # Group by group, so that a block asks of few groups what earlier runs say of their holdouts.
    wanted.sort(key=lambda one: one.index)
    blocks = (wanted[at : at + BLOCK] for at in range(0, len(wanted), BLOCK))
    return [forecast for block in blocks for forecast in block_of_forecasts(project, known, block, now)]


def block_of_forecasts(project: Project, known: Fitted, wanted: Sequence[Wanted], now: datetime) -> list[Forecast]:
    asked = asked_of(project, known, wanted)
    draws = metric_of(project).to_metric(predict(known.posterior, known.observations, asked, SEED))
    found = score(draws, np.array([one.reading.value for one in wanted], dtype=np.float64))
    quantiles = np.quantile(draws, PROBABILITIES, axis=1).T.tolist()
    return [
        Forecast(
            project_id=project.id,
            observation_id=one.run.id,
            group_id=one.group.id,
            count=one.run.counts[one.group.key],
            value=one.reading.value,
            mean=float(draws[row].mean()),
            quantiles=dict(zip(NAMES, quantiles[row], strict=True)),
            crps=float(found.crps[row]),
            wis=float(found.wis[row]),
            created_at=now,
        )
        for row, one in enumerate(wanted)
    ]


def asked_of(project: Project, known: Fitted, wanted: Sequence[Wanted]) -> Asked:
    errors = [standard_error(project, one.reading) for one in wanted]
    return Asked(
        groups=np.array([one.index for one in wanted], dtype=np.int64),
        runs=np.array([one.trained for one in wanted]),
        stderrs=np.array([np.nan if error is None else error for error in errors], dtype=np.float64),
        holdouts=np.array([known.holdouts.get(one.run.holdout, UNSEEN) for one in wanted], dtype=np.int64),
        names=tuple(f"{one.group.key}:{one.run.content_hash}" for one in wanted),
    )


def record_of(session: Session, project: Project) -> Record:
    """The project's own record under its present recipe."""
    rows = store.record(session, project.id, project.recipe)
    if not rows:
        return Record(0, None, None, (None,) * len(LEVELS), np.ones(len(LEVELS)))
    low, median, high, values = arrays_of(rows)
    covered = (low <= values[:, None]) & (values[:, None] <= high)
    return Record(
        count=len(rows),
        crps=float(np.mean([row.crps for row in rows])),
        wis=float(np.mean([row.wis for row in rows])),
        coverage=tuple(covered.mean(axis=0).tolist()),
        widening=widening(low, median, high, values),
    )


def arrays_of(rows: Sequence[Forecast]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Lower ends [forecasts, levels], medians, upper ends, values, the levels as in `scoring.LEVELS`."""
    table = np.array([[row.quantiles[name] for name in NAMES] for row in rows])
    return table[:, [2, 1, 0]], table[:, 3], table[:, [4, 5, 6]], np.array([row.value for row in rows])
