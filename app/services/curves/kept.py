"""Answers that are dear to compute, kept while their data stand: several charts and pages ask the same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from app.services.computing import Work, computed

Value = TypeVar("Value")
STRIPES = 64


class Kept(Generic[Value]):
    """The answers used last that together weigh at most `most`, each 1 where no `weight` is said. Safe in threads; who
    asks what is being computed waits for it, so that whoever holds a connection asks by `kept`. `hits` and `misses`
    count what was looked for."""

    def __init__(self, most: int, weight: Callable[[Value], int] = lambda _: 1) -> None:
        self.most = most
        self.weight = weight
        self.total = self.hits = self.misses = 0
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()
        self._making = [Lock() for _ in range(STRIPES)]

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The answer to `key`, made where it is not kept. What `make` raises is raised, and nothing is kept. `make` may
        not ask here for another answer: two keys may share a lock."""
        with self._making[hash(key) % STRIPES]:
            found = self.find(key)
            if found is not None:
                return found
            made = make()
            self.keep(key, made)
            return made

    def find(self, key: Hashable) -> Value | None:
        """The answer to `key` if it is kept."""
        with self._lock:
            if key in self._kept:
                self.hits += 1
                self._kept.move_to_end(key)
            else:
                self.misses += 1
            return self._kept.get(key)

    def forget(self, of: Callable[[Hashable], bool]) -> None:
        """Drop the answers to the keys for which `of` holds."""
        with self._lock:
            for key in [key for key in self._kept if of(key)]:
                self.total -= self.weight(self._kept.pop(key))

    def keep(self, key: Hashable, made: Value) -> None:
        """Keep the answer, in the place of an older one; none that alone weighs more than `most`."""
        weight = self.weight(made)
        with self._lock:
            if key in self._kept:
                self.total -= self.weight(self._kept.pop(key))
            if weight > self.most:
                return
            self._kept[key] = made
            self.total += weight
            while self.total > self.most:
                _, oldest = self._kept.popitem(last=False)
                self.total -= self.weight(oldest)


def kept(session: Session, answers: Kept[Value], key: Hashable, gather: Callable[[], Work[Value]]) -> Value:
    """The answer to `key`; where it is not kept, it is computed as `gather` says. Raises what either raises."""
    found = answers.find(key)
    if found is not None:
        return found
    work = gather()
    return computed(session, key, replace(work, make=lambda: answers.get(key, work.make)))
