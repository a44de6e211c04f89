"""Few dear computations at once, fewer of one workspace; cheap ones always."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID

import pytest

from app.api.admission.computations import DEAR, MOST_CELLS, MOST_WAITING_EACH, Computations
from app.errors import Invalid, TooManyComputations, Unavailable
from app.settings import Settings
from tests.waiting import until

A, B, C = (UUID(int=number) for number in range(3))


class Busy:
    """Dear computations under way, each until it is let go."""

    def __init__(self, gate: Computations) -> None:
        self.gate, self.done, self.began = gate, Event(), list[UUID]()
        self.pool = ThreadPoolExecutor(32)

    def compute(self, workspace: UUID, *ends: Event) -> None:
        with self.gate.admitted(workspace, DEAR):
            self.began.append(workspace)
            for one in ends or (self.done,):
                assert one.wait(60)

    def start(self, workspace: UUID, *ends: Event) -> None:
        self.pool.submit(self.compute, workspace, *ends)

    def __enter__(self) -> "Busy":
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.pool.shutdown()


def waiting(gate: Computations) -> int:
    return len(gate._waiting)


def test_what_is_cheap_is_let_in_whatever_else_is_computed() -> None:
    gate = Computations(1, 1, wait_s=0)
    with gate.admitted(A, DEAR), gate.admitted(A, DEAR - 1), gate.admitted(B, 4 * 2000 * 12):
        pass


def test_a_workspace_that_has_its_share_is_told_so_and_another_is_let_in() -> None:
    gate = Computations(2, 1, wait_s=0)
    with gate.admitted(A, DEAR):
        with pytest.raises(TooManyComputations) as refused, gate.admitted(A, DEAR):
            pass
        with gate.admitted(B, DEAR), pytest.raises(Unavailable), gate.admitted(C, DEAR):
            pass
    assert refused.value.headers["Retry-After"]
    with gate.admitted(A, DEAR), gate.admitted(B, DEAR):
        pass


def test_who_waits_longest_is_next_unless_its_workspace_has_its_share() -> None:
    gate, first = Computations(2, 1, wait_s=60), Event()
    with Busy(gate) as busy:
        busy.start(A, first)
        busy.start(B)
        until(lambda: len(busy.began) == 2)
        for place, workspace in enumerate((B, A, C), 1):
            busy.start(workspace)
            until(lambda place=place: waiting(gate) == place)  # type: ignore[misc]
        first.set()
        until(lambda: len(busy.began) == 3)
        assert busy.began[2] == A
        assert waiting(gate) == 2


def test_a_long_line_of_one_workspace_is_refused_at_once_and_others_still_wait() -> None:
    gate = Computations(1, 1, wait_s=60)
    with Busy(gate) as busy:
        busy.start(A)
        until(lambda: busy.began == [A])
        for place in range(1, MOST_WAITING_EACH + 1):
            busy.start(A)
            until(lambda place=place: waiting(gate) == place)  # type: ignore[misc]
        with pytest.raises(TooManyComputations), gate.admitted(A, DEAR):
            pass
        busy.start(B)
        until(lambda: waiting(gate) == MOST_WAITING_EACH + 1)


def test_what_fails_leaves_its_place() -> None:
    gate = Computations(1, 1, wait_s=0)
    with pytest.raises(ValueError, match="no"), gate.admitted(A, DEAR):
        raise ValueError("no")
    with gate.admitted(A, DEAR):
        pass


def test_as_many_as_there_are_processors_and_one_less_of_a_workspace() -> None:
    made = Computations.of(Settings(computations=4))
    assert (made.at_once, made.each) == (4, 3)
    assert Computations.of(Settings(computations=1)).each == 1
    assert Computations.of(Settings(computations=3, computations_each=9)).each == 3
    assert Computations.of(Settings()).at_once >= 1


def test_a_question_of_minutes_is_refused_with_what_to_ask_for_less_of() -> None:
    gate = Computations(1, 1, wait_s=0)
    with gate.admitted(A, MOST_CELLS):
        pass
    with pytest.raises(Invalid, match="fewer draws"), gate.admitted(A, MOST_CELLS + 1):
        pass
