"""The forecast ledger: each run is forecast from what was known before it, and the record widens later bands."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.forecasts import Asked, predict, promised_gains, score
from app.services.curves.basis import Basis
from app.services.curves.fits import SEED, Fitted
from app.services.curves.qualities import in_clean
from app.services.curves.readings import standard_errors
from app.services.curves.runs import Runs
from app.services.forecasts.record import NAMES, PROBABILITIES
from app.store.models.observations import Forecast

UNSEEN = -1
BLOCK = 2_000
"""Measurements forecast at once, which bounds the memory."""


def forecasts_of(project_id: UUID, basis: Basis, known: Fitted, fresh: Runs, now: datetime) -> list[Forecast]:
    """A scored forecast for every measurement in `fresh` of a group that had been measured before; known: what was
    fitted to the runs before, on that basis."""
    made: list[Forecast] = []
    fresh = in_clean(fresh, basis.worths, known.learnt)
    trained = fresh.compositions([group.key for group in basis.groups])
    asked_for = [
        (index, row)
        for index, group in enumerate(basis.groups)
        if known.observations.points[index].counts.size and not group.assumed_curve
        for row in fresh.measured(group.key).tolist()
    ]
    # Group by group, so that a block asks of few groups what earlier runs say of their holdouts.
    for at in range(0, len(asked_for), BLOCK):
        made += block_of_forecasts(project_id, basis, known, fresh, trained, asked_for[at : at + BLOCK], now)
    return made


def block_of_forecasts(
    project_id: UUID,
    basis: Basis,
    known: Fitted,
    fresh: Runs,
    trained: FloatArray,
    wanted: Sequence[tuple[int, int]],
    now: datetime,
) -> list[Forecast]:
    """trained [runs, groups]: what the fresh runs were trained on. wanted: numbers of a group and of a fresh run."""
    groups, rows = np.array(wanted, dtype=np.int64).T
    places = np.array([fresh.place.get(group.key, -1) for group in basis.groups])[groups]
    values, stderrs, sizes = (getattr(fresh, name)[rows, places] for name in ("values", "stderrs", "eval_sizes"))
    asked = Asked(
        groups=groups,
        runs=trained[rows],
        stderrs=standard_errors(basis.kind, values, stderrs, sizes),
        holdouts=np.array([known.holdouts.get(fresh.holdouts[code], UNSEEN) for code in fresh.holdout[rows]]),
        names=tuple(f"{basis.groups[group].key}:{fresh.hashes[row]}" for group, row in wanted),
    )
    draws = basis.metric.to_metric(predict(known.posterior, known.observations, asked, SEED))
    promised = promised_gains(known.posterior, asked)
    found = score(draws, values)
    quantiles = np.quantile(draws, PROBABILITIES, axis=1).T.tolist()
    return [
        Forecast(
            project_id=project_id,
            observation_id=fresh.ids[row],
            group_id=basis.groups[group].id,
            count=int(trained[row, group]),
            value=float(values[number]),
            mean=float(draws[number].mean()),
            quantiles=dict(zip(NAMES, quantiles[number], strict=True)),
            crps=float(found.crps[number]),
            wis=float(found.wis[number]),
            promised=float(promised[number]),
            created_at=now,
        )
        for number, (group, row) in enumerate(wanted)
    ]
