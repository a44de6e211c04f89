"""The forecast ledger: each run is forecast from what was known before it, and the record widens later bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.forecasts import Asked, predict, promised_gains, score
from app.services.curves.fit import compositions, metric_of
from app.services.curves.fits import SEED, Fitted
from app.services.curves.readings import Reading, standard_error
from app.services.curves.record import NAMES, PROBABILITIES
from app.store.models.observations import Forecast, Observation
from app.store.models.projects import Group, Project

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
    promised = promised_gains(known.posterior, asked)
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
            promised=float(promised[row]),
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
