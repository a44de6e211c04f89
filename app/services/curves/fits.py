"""Fitted curves, kept while they are asked for again: fitting is the dear part of every answer."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.planner.curves import Observations, Posterior
from app.services.curves.kept import Kept

DRAWS, SEED = 300, 0
"""Posterior draws and their seed where a question names no others: so that most questions share a fit."""
MOST_ANSWERS = 16


@dataclass(frozen=True)
class Fitted:
    """The curves of a project's groups, in their order, with what they were fitted to and the codes of its holdouts."""

    posterior: Posterior
    observations: Observations
    holdouts: dict[str, int]


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

    `answers` are what was computed from fits, few enough that the fits they hold on to weigh little.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, lambda fitted: fitted.posterior.nbytes)
        self.answers: Kept[Any] = Kept(MOST_ANSWERS)
