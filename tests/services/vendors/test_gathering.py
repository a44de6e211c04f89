"""Groups of calls: who shares one, who is answered when, and what a fault in one does to the others."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager

import pytest

from app.errors import Unavailable
from app.services.vendors.gathering import Gathering

Handle = Callable[[Sequence[int]], Sequence[int | Exception]]


class Held:
    """Handles a first item, then the rest only when told to: by then they have gathered."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.groups: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(items))
        self.begun.set()
        assert self.go.wait(10)
        return self.handle(items)


@contextmanager
def gathered(handle: Handle, most: int = 64) -> Iterator[tuple[Held, Gathering[int, int]]]:
    """A gathering that is held up by item 0."""
    held = Held(handle)
    gathering = Gathering(held, most)
    first = gathering.submit(0)
    assert held.begun.wait(10)
    yield held, gathering
    held.go.set()
    assert first.exception(10) is None
    gathering.close()


def doubled(items: Sequence[int]) -> list[int | Exception]:
    return [2 * item for item in items]


def ended(futures: Sequence[Future[int]]) -> list[int | BaseException]:
    assert not wait(futures, 10).not_done
    return [future.exception() or future.result() for future in futures]


def test_what_comes_meanwhile_is_one_group_in_the_order_it_came() -> None:
    with gathered(doubled) as (held, gathering):
        futures = [gathering.submit(number) for number in range(1, 6)]
        assert not any(future.done() for future in futures)
        held.go.set()
        assert ended(futures) == [2, 4, 6, 8, 10]
    assert held.groups == [[0], [1, 2, 3, 4, 5]]


def test_a_group_has_a_most() -> None:
    with gathered(doubled, most=2) as (held, gathering):
        futures = [gathering.submit(number) for number in range(1, 6)]
        held.go.set()
        assert ended(futures) == [2, 4, 6, 8, 10]
    assert held.groups == [[0], [1, 2], [3, 4], [5]]


def test_a_fault_in_one_is_its_own() -> None:
    def handle(items: Sequence[int]) -> list[int | Exception]:
        if 3 in items:
            raise ValueError("three")
        return [LookupError("four") if item == 4 else item for item in items]

    with gathered(handle) as (held, gathering):
        futures = [gathering.submit(number) for number in range(1, 6)]
        held.go.set()
        found = ended(futures)
    assert (found[:2], found[4]) == ([1, 2], 5)
    assert (repr(found[2]), repr(found[3])) == ("ValueError('three')", "LookupError('four')")
    assert held.groups == [[0], [1, 2, 3, 4, 5], [1], [2], [3], [4], [5]]


def test_a_busy_database_is_told_to_all_and_not_asked_again() -> None:
    def handle(items: Sequence[int]) -> list[int | Exception]:
        if items != [0]:
            raise Unavailable("busy")
        return [0]

    with gathered(handle) as (held, gathering):
        futures = [gathering.submit(number) for number in range(1, 4)]
        held.go.set()
        assert [type(one) for one in ended(futures)] == [Unavailable] * 3
    assert len(held.groups) == 2


def test_who_leaves_before_his_turn_is_not_handled() -> None:
    with gathered(doubled) as (held, gathering):
        futures = [gathering.submit(number) for number in (1, 2)]
        assert futures[0].cancel()
        held.go.set()
        assert ended(futures[1:]) == [4]
    assert held.groups == [[0], [2]]


def test_closing_waits_for_all_and_takes_no_more() -> None:
    with gathered(doubled) as (held, gathering):
        futures = [gathering.submit(number) for number in (1, 2)]
        threading.Timer(0.05, held.go.set).start()
        gathering.close()
        assert [future.result(0) for future in futures] == [2, 4]
        with pytest.raises(RuntimeError):
            gathering.submit(3)


def test_from_many_threads_each_gets_his_own() -> None:
    gathering = Gathering(doubled)
    found: dict[int, int] = {}

    def ask(first: int) -> None:
        for number in range(first, 2_000, 16):
            found[number] = gathering.submit(number).result(10)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gathering.close()
    assert found == {number: 2 * number for number in range(2_000)}
