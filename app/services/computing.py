"""Computing between transactions: no call computes while it holds a connection, let alone a lock.

What a service has gathered it hands to `computed` as a function of nothing else. A call that reads gives its connection
back there and computes; where it goes on to read afterwards it begins again, on a new snapshot. A call that writes is
rolled back, computes, and begins again under its lock. Whatever begins again finds what it computed by its key, which
names the state of the data that it follows from: where that moved meanwhile, it is computed again.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.errors import TrancheError, Unavailable

Made = TypeVar("Made")
Admit: TypeAlias = Callable[[int], AbstractContextManager[object]]
"""Waits until something of so many cells may be computed, or raises what says when to ask again."""
Open: TypeAlias = Callable[[], AbstractContextManager[Session]]

COMPUTING = "computing"
MOST_BEGINNINGS = 12
"""A report, which asks for most, begins less than half as often where nothing moves."""
MOVED = "The data changed each time while this was computed. Nothing was changed; try again."


@dataclass(frozen=True)
class Work(Generic[Made]):
    """What is to be computed: `make` reads nothing. cells: groups × draws × how often they are gone over, by which dear
    ones are told."""

    cells: int
    make: Callable[[], Made]


class Owed(BaseException):
    """Ends a transaction that writes: `work` is to be done first. No error, so nothing handles it."""

    def __init__(self, key: Hashable, work: Work[Any]) -> None:
        super().__init__(key)
        self.key, self.work = key, work


class ReadsAgain(BaseException):
    """Ends a call that reads after it has given its connection back. No error, so nothing handles it."""


@dataclass
class Outcome:
    """What was computed, or why it cannot be."""

    value: Any = None
    error: TrancheError | None = None

    def get(self) -> Any:
        """Raises why it cannot be."""
        if self.error is not None:
            raise self.error
        return self.value


@dataclass
class Computing:
    """What one call has computed so far, by key; `given_back`: whether its connection is."""

    admit: Admit
    writes: bool
    made: dict[Hashable, Outcome] = field(default_factory=dict)
    given_back: bool = False

    def do(self, key: Hashable, work: Work[Any]) -> Outcome:
        """Raises what `admit` raises."""
        with self.admit(work.cells):
            try:
                outcome = Outcome(value=work.make())
            except TrancheError as error:
                outcome = Outcome(error=error)
        self.made[key] = outcome
        return outcome


def computed(session: Session, key: Hashable, work: Work[Made]) -> Made:
    """What the work gives; key: all that it depends on. In a session that `settled` did not open it is done at once.
    Raises what the work raises."""
    computing: Computing | None = session.info.get(COMPUTING)
    if computing is None:
        return work.make()
    outcome = computing.made.get(key)
    if outcome is None and computing.writes:
        raise Owed(key, work)
    if outcome is None:
        give_back(session)
        outcome = computing.do(key, work)
    made: Made = outcome.get()
    return made


def give_back(session: Session) -> None:
    """The connection of a call that reads: all that it needs is read. A call that writes keeps its own."""
    computing: Computing | None = session.info.get(COMPUTING)
    if computing is not None and not computing.writes and not computing.given_back:
        session.close()
        computing.given_back = True
        event.listen(session, "after_transaction_create", refuse_to_read)


def refuse_to_read(*_: object) -> None:
    """Raises ReadsAgain."""
    raise ReadsAgain


def at_once(_: int) -> AbstractContextManager[object]:
    """Admits whatever is asked: a worker's jobs compute one by one."""
    return nullcontext()


def settled(
    open_session: Open, act: Callable[[Session], Made], admit: Admit = at_once, *, writes: bool = False
) -> Made:
    """`act` in a session of `open_session`, begun again after what it computed. Raises what it raises, and Unavailable
    where the data move faster than they can be computed from."""
    computing = Computing(admit, writes)
    for _ in range(MOST_BEGINNINGS):
        computing.given_back = False
        try:
            with open_session() as session:
                session.info[COMPUTING] = computing
                return act(session)
        except ReadsAgain:
            continue
        except Owed as owed:
            key, work = owed.key, owed.work
        computing.do(key, work)
    raise Unavailable(MOVED, headers={"Retry-After": "1"})
