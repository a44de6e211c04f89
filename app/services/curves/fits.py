"""Fitted curves, kept while they are asked for again: fitting is the dear part of every answer."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves import Observations, Posterior
from app.services.curves.kept import Kept
from app.services.curves.runs import Runs
from app.services.ledger.worths import NOTHING_LEARNT, Learnt

DRAWS, SEED = 300, 0
"""Posterior draws and their seed where a question names no others: so that most questions share a fit."""
MOST_ANSWERS = 16


@dataclass(frozen=True)
class Fitted:
    """The curves of a project's groups, in their order, with what they were fitted to, the codes of its holdouts, and
    what the runs say of sources."""

    posterior: Posterior
    observations: Observations
    holdouts: dict[str, int]
    learnt: Learnt = NOTHING_LEARNT


@dataclass(frozen=True)
class Scored:
    """Scored forecasts in the order in which they were made, all [forecasts]; quantiles [forecasts, PROBABILITIES]."""

    quantiles: FloatArray
    values: FloatArray
    promised: FloatArray
    crps: FloatArray
    wis: FloatArray

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes for one in vars(self).values())

    def followed_by(self, later: "Scored") -> "Scored":
        return Scored(*(np.concatenate([mine, vars(later)[name]]) for name, mine in vars(self).items()))


class State(NamedTuple):
    """What a project's record of forecasts goes by: its recipe, the newest forecast, and the last void of a run."""

    project_id: UUID
    recipe: str
    last_forecast_id: int
    voided_version: int


@dataclass(frozen=True)
class FitKey:
    """All that a fit depends on: the data version stands for the data.

    It is hashed by the project alone, so that `Kept` makes one fit of a project at a time.
    """

    project_id: UUID
    data_version: int = field(hash=False)
    draws: int = field(hash=False)
    seed: int = field(hash=False)


class Fits(Kept[Fitted]):
    """The fits used last, together at most `max_bytes`.

    `answers` are what was computed from fits, few enough that the fits they hold on to weigh little. `runs`: of a
    project and a recipe, the runs up to a data version; `scored`: of a project, the forecasts up to a state; each
    together at most half of `max_bytes`. `records`: of forecasts, at a state of the project. `qualities`: of sources.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, lambda fitted: fitted.posterior.nbytes)
        self.answers: Kept[Any] = Kept(MOST_ANSWERS)
        # Not among the answers: those are computed from records, and who computes one waits for no other.
        self.records: Kept[Any] = Kept(MOST_ANSWERS)
        self.qualities: Kept[Any] = Kept(MOST_ANSWERS)
        self.scored: Kept[tuple[State, Scored]] = Kept(max_bytes // 2, lambda known: known[1].nbytes)
        self.runs: Kept[tuple[int, Runs]] = Kept(max_bytes // 2, lambda known: known[1].nbytes)

    def forget_project(self, project_id: UUID) -> None:
        """Drop all that is kept of it."""

        def of(key: Hashable) -> bool:
            return key == project_id or (isinstance(key, tuple) and project_id in key)

        for kept in (self.answers, self.records, self.qualities, self.scored, self.runs):
            kept.forget(of)
        self.forget(lambda key: isinstance(key, FitKey) and key.project_id == project_id)
