"""Observations of many groups are checked, counted and put in another order as those of each by itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.arrays import FloatArray
from app.planner.curves import AssumedCurve, Observations, Points
from app.planner.curves.observations import ObservationsError, in_a_row


def points(counts: list[float], **changes: Any) -> Points:
    n: FloatArray = np.array(counts, dtype=np.float64)
    made = Points(n, 1.0 / (1.0 + n), np.full(len(n), 0.01), np.zeros(len(n), dtype=np.int64))
    return replace(made, **{name: np.array(value) for name, value in changes.items()})


def observations(*groups: Points, **changes: Any) -> Observations:
    """Of groups 'a', 'b', …, with runs of their own each."""
    runs = np.zeros((sum(len(one.counts) for one in groups), len(groups)))
    run_of, first = [], 0
    for g, one in enumerate(groups):
        run_of.append(np.arange(first, first + len(one.counts)))
        runs[run_of[-1], g] = one.counts
        first += len(one.counts)
    fields = {
        "keys": tuple("abcdefgh"[: len(groups)]),
        "points": groups,
        "assumed": (None,) * len(groups),
        "held": np.arange(len(groups)) + 10.0,
        "span": 1.0,
        "runs": runs,
        "run_of": tuple(run_of),
    }
    return Observations(**(fields | changes))


GOOD = points([10.0, 20.0, 40.0])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (points([10.0, 20.0], losses=[0.5]), "group c: counts, losses, stderrs and holdouts must have one length"),
        (points([-0.5]), "group c: counts must be finite and at least 0"),
        (points([np.inf]), "group c: counts must be finite and at least 0"),
        (points([10.0], losses=[np.nan]), "group c: losses must be numbers up to"),
        (points([10.0], losses=[1e101]), "group c: losses must be numbers up to"),
        (points([10.0], stderrs=[-0.1]), "group c: stderrs must be from 0 to"),
    ],
)
def test_the_first_group_whose_points_are_wrong_is_named(bad: Points, says: str) -> None:
    with pytest.raises(ObservationsError, match=says):
        observations(GOOD, points([]), bad, GOOD, points([10.0], losses=[np.nan]), runs=None, run_of=None)


@pytest.mark.parametrize("own", [[0, 1], [0, 1, 3], [-1, 1, 2], [0, 2, 1]])
def test_a_group_whose_runs_are_not_those_of_its_points_is_named(own: list[int]) -> None:
    run_of = (np.arange(3), np.array(own))
    runs = np.array([[10.0, 10.0], [20.0, 20.0], [40.0, 40.0]])
    with pytest.raises(ObservationsError, match="group b: "):
        observations(GOOD, GOOD, runs=runs, run_of=run_of)
    assert observations(GOOD, GOOD, runs=runs, run_of=(np.arange(3), np.arange(3))).runs is runs


@given(st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=8))
def test_sizes_are_counted_and_points_joined_as_those_of_each_group(counts: list[list[int]]) -> None:
    groups = [points([float(n) for n in own]) for own in counts]
    assert observations(*groups).distinct_sizes().tolist() == [len(set(own)) for own in counts]
    owner, together = in_a_row(groups)
    for g, one in enumerate(groups):
        for name in ("counts", "losses", "stderrs", "holdouts"):
            assert getattr(together, name)[owner == g].tolist() == getattr(one, name).tolist()


def test_another_order_moves_all_that_belongs_to_a_group() -> None:
    curve = AssumedCurve(0.1, 1.0, 0.5, 2.0)
    whole = observations(
        GOOD,
        points([5.0]),
        points([]),
        assumed=(None, None, curve),
        attributes=({"sex": "f"}, {}, {"sex": "m"}),
        parent=(1, None, 0),
    )
    moved = whole.permuted(np.array([2, 0, 1]))
    assert moved.keys == ("c", "a", "b")
    assert [len(one.counts) for one in moved.points] == [0, 3, 1]
    assert moved.assumed == (curve, None, None)
    assert moved.held.tolist() == [12.0, 10.0, 11.0]
    assert moved.attributes == ({"sex": "m"}, {"sex": "f"}, {})
    assert moved.parent == (1, 2, None)
    assert moved.runs is not None
    assert moved.run_of is not None
    assert whole.runs is not None
    assert moved.runs.tolist() == whole.runs[:, [2, 0, 1]].tolist()
    assert [run.tolist() for run in moved.run_of] == [[], [0, 1, 2], [3]]
    assert moved.differences(np.array([0])).tolist() == [[0, 1, 1]]
    assert whole.permuted(np.arange(3)) is whole
