"""Fitted curves, kept while they are asked for again: fitting is the dear part of every answer."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID

from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.services.curves.kept import Kept

DRAWS, SEED = 300, 0
"""Posterior draws and their seed where a question names no others: so that most questions share a fit."""
STRIPES = 64
MOST_ANSWERS = 16


@dataclass(frozen=True)
class Fitted:
    """The curves of a project's groups, in their order, with what they were fitted to and the codes of its holdouts."""

    posterior: Posterior
    observations: Observations
    holdouts: dict[str, int]


@dataclass(frozen=True)
class FitKey:
    """All that a fit depends on: the data version stands for the data."""

    project_id: UUID
    data_version: int
    draws: int
    seed: int


class Fits:
    """The fits used last, together at most `max_bytes`. Safe in threads; one fit per project at a time.

    `answers` are what was computed from fits, few enough that the fits they hold on to weigh little.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.answers: Kept[Any] = Kept(MOST_ANSWERS)
        self.bytes = 0
        self._kept: OrderedDict[FitKey, Fitted] = OrderedDict()
        self._lock = Lock()
        self._projects = [Lock() for _ in range(STRIPES)]

    def get(self, key: FitKey, make: Callable[[], Fitted]) -> Fitted:
        """The fit of `key`, made where it is not kept. Who asks meanwhile for the same project waits."""
        with self._projects[hash(key.project_id) % STRIPES]:
            found = self._find(key)
            if found is None:
                found = make()
                self._keep(key, found)
            return found

    def _find(self, key: FitKey) -> Fitted | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: FitKey, fitted: Fitted) -> None:
        size = fitted.posterior.nbytes
        if size > self.max_bytes:
            return
        with self._lock:
            self._kept[key] = fitted
            self.bytes += size
            while self.bytes > self.max_bytes:
                _, oldest = self._kept.popitem(last=False)
                self.bytes -= oldest.posterior.nbytes
