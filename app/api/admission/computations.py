"""How much is computed at once: a few dear questions, fewer of one workspace, the others in line or told to come later.

What is cheap passes. Who waits does so without a connection, but in a thread: so few may.
"""

import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from uuid import UUID

from app.errors import Fault, TooManyComputations, Unavailable, invalid
from app.settings import Settings

DEAR = 100_000
"""Cells (groups × draws × how often they are gone over) from which on a computation has to be let in: about a tenth of
a second. No question about 4 groups has as many."""
MOST_CELLS = 100_000_000
"""Of one question: minutes of a processor."""
WAIT_S = 20.0
MOST_WAITING, MOST_WAITING_EACH = 16, 8
"""Calls that wait, in the process and of one workspace: of the process's forty threads enough stay free for others."""
TOO_MUCH = (
    "the question goes {:,} times over a draw of a group, and one may {:,} times: ask for fewer draws, or for fewer"
    " scenarios or budgets at once"
)
LATER = {"Retry-After": "5"}


class Computations:
    """At most `at_once` dear ones, `each` of one workspace. Who has waited longest is next, unless its workspace has
    its share under way."""

    def __init__(self, at_once: int, each: int, wait_s: float = WAIT_S) -> None:
        """wait_s: how long a call waits in line."""
        self.at_once, self.each, self.wait_s = at_once, min(each, at_once), wait_s
        self._changed = Condition()
        self._running: Counter[UUID] = Counter()
        self._waiting: list[object] = []
        self._whose: dict[object, UUID] = {}

    @classmethod
    def of(cls, settings: Settings) -> "Computations":
        at_once = settings.computations or os.cpu_count() or 1
        return cls(at_once, settings.computations_each or max(1, at_once - 1))

    @contextmanager
    def admitted(self, workspace_id: UUID, cells: int) -> Iterator[None]:
        """While the block computes something of so many cells. Raises Invalid for more than one question may take,
        TooManyComputations where the workspace has its
        share under way and in line, Unavailable where the process has, each once it has waited in vain or at once
        where the line is full."""
        if cells < DEAR:
            yield
            return
        if cells > MOST_CELLS:
            raise invalid(Fault("", TOO_MUCH.format(cells, MOST_CELLS)))
        self._enter(workspace_id)
        try:
            yield
        finally:
            with self._changed:
                self._running[workspace_id] -= 1
                self._changed.notify_all()
            give_memory_back()

    def _enter(self, workspace_id: UUID) -> None:
        ticket, until = object(), monotonic() + self.wait_s
        with self._changed:
            if self._next() is not None or not self._has_room(workspace_id):
                self._refuse_long_line(workspace_id)
            self._waiting.append(ticket)
            self._whose[ticket] = workspace_id
            try:
                while self._next() is not ticket:
                    left = until - monotonic()
                    if left <= 0 or not self._changed.wait(left):
                        raise self._refusal(workspace_id)
                self._running[workspace_id] += 1
            finally:
                self._waiting.remove(ticket)
                del self._whose[ticket]
                self._changed.notify_all()

    def _has_room(self, workspace_id: UUID) -> bool:
        return self._running.total() < self.at_once and self._running[workspace_id] < self.each

    def _next(self) -> object | None:
        """Of those that wait, the one that may begin now."""
        return next((ticket for ticket in self._waiting if self._has_room(self._whose[ticket])), None)

    def _refuse_long_line(self, workspace_id: UUID) -> None:
        own = sum(whose == workspace_id for whose in self._whose.values())
        if own >= MOST_WAITING_EACH or len(self._waiting) >= MOST_WAITING:
            raise self._refusal(workspace_id)

    def _refusal(self, workspace_id: UUID) -> TooManyComputations | Unavailable:
        if self._running[workspace_id] >= self.each:
            return TooManyComputations(
                "This workspace computes as much as it may at once. Ask again a little later, or for fewer draws.",
                headers=LATER,
            )
        return Unavailable(
            "As much is being computed as the service does at once. Nothing was changed; ask again a little later.",
            headers=LATER,
        )


def give_memory_back() -> None:
    """To the system, what the allocator keeps of a dear computation's arrays; where its library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
