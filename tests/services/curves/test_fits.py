"""Fits are kept within their bound, and made once however many ask."""

import threading
import time
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from app.services.curves.fits import FitKey, Fits, Fitted, State


def fitted(size: int) -> Fitted:
    posterior: Any = SimpleNamespace(nbytes=size)
    nothing: Any = None
    return Fitted(posterior, nothing, {})


def key(project: int, version: int = 1) -> FitKey:
    return FitKey(UUID(int=project), version, 300, 0)


def test_a_fit_is_made_once_for_many_who_ask_at_once() -> None:
    fits, made = Fits(1000), []
    gate = threading.Barrier(8)

    def make() -> Fitted:
        made.append(1)
        return fitted(10)

    found: list[Fitted] = []

    def ask() -> None:
        gate.wait()
        found.append(fits.get(key(1), make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(one is found[0] for one in found)


def test_another_version_is_another_fit() -> None:
    fits = Fits(1000)
    assert fits.get(key(1, 1), lambda: fitted(10)) is not fits.get(key(1, 2), lambda: fitted(10))


def test_what_was_used_longest_ago_makes_room() -> None:
    fits = Fits(100)
    first = fits.get(key(1), lambda: fitted(40))
    fits.get(key(2), lambda: fitted(40))
    assert fits.get(key(1), lambda: fitted(1)) is first
    fits.get(key(3), lambda: fitted(40))
    assert fits.total == 80
    assert fits.get(key(1), lambda: fitted(1)) is first
    second = fitted(20)
    assert fits.get(key(2), lambda: second) is second


def test_a_fit_over_the_bound_is_made_but_not_kept() -> None:
    fits = Fits(100)
    fits.get(key(1), lambda: fitted(101))
    again = fitted(101)
    assert fits.get(key(1), lambda: again) is again
    assert fits.total == 0


def test_fits_of_one_project_are_made_one_at_a_time() -> None:
    fits, going, most = Fits(1000), [], [0]

    def make() -> Fitted:
        going.append(1)
        most[0] = max(most[0], len(going))
        time.sleep(0.02)
        going.pop()
        return fitted(10)

    threads = [threading.Thread(target=fits.get, args=(key(1, version), make)) for version in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_fit_that_fails_leaves_the_way_free() -> None:
    fits = Fits(100)

    def fail() -> Fitted:
        raise RuntimeError

    for _ in range(2):
        try:
            fits.get(key(1), fail)
        except RuntimeError:
            continue
    assert fits.get(key(1), lambda: fitted(1)).posterior.nbytes == 1


def test_a_project_is_forgotten_in_every_way_it_was_kept() -> None:
    fits, scored, runs = Fits(1000), SimpleNamespace(nbytes=1), SimpleNamespace(nbytes=1)
    mine, other = UUID(int=1), UUID(int=2)
    for project in (mine, other):
        fits.keep(FitKey(project, 1, 300, 0), fitted(10))
        fits.answers.keep(("allocation", project, 1, "asked"), "answer")
        fits.records.keep((project, 1, 0), "record")
        fits.qualities.keep((project, "default", 1), "learnt")
        fits.scored.keep(project, (State(project, "default", 1, 0), cast(Any, scored)))
        fits.runs.keep((project, "default"), (1, cast(Any, runs)))
    fits.forget_project(mine)
    assert fits.find(key(1)) is None
    assert fits.find(key(2)) is not None
    assert fits.total == 10
    kept = (fits.answers, fits.records, fits.qualities, fits.scored, fits.runs)
    assert [one.total for one in kept] == [1] * len(kept)
    assert fits.scored.find(other) is not None
