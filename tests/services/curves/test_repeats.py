"""Which runs are repeats of others."""

from typing import Any
from uuid import UUID

import pytest

from app.services.curves.repeats import repeated_runs, repeats_of
from app.store.models.observations import Observation

ONE: dict[str, Any] = {
    "counts": {"A": 10, "B": 5},
    "metrics": {"A": {"value": 0.5, "stderr": 0.1}, "B": {"value": 0.25, "eval_size": 10}},
    "holdout": "h",
}


def run(number: int, **changes: Any) -> Observation:
    return Observation(id=UUID(int=number), external_id=f"r{number}", **{**ONE, **changes})


def found(*runs: Observation) -> dict[int, int]:
    return {key.int: first.id.int for key, first in repeats_of(runs).items()}


def test_what_was_said_before_is_a_repeat_of_the_first() -> None:
    assert found(run(1), run(2), run(3)) == {2: 1, 3: 1}
    assert found(run(1), run(2, counts={"A": 10, "B": 5, "C": 0})) == {2: 1}
    # JSON tells 1 from 1.0; a measurement does not.
    assert found(run(1, metrics={"A": {"value": 1}}), run(2, metrics={"A": {"value": 1.0}})) == {2: 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": {"A": 10, "B": 6}},
        {"counts": {"A": 10, "B": 5, "C": 1}},
        {"holdout": "h2"},
        {"origin": {"s": {"A": 5}}},
        {"metrics": {**ONE["metrics"], "A": {"value": 0.5000001, "stderr": 0.1}}},
        {"metrics": {**ONE["metrics"], "A": {"value": 0.5, "stderr": 0.2}}},
        {"metrics": {**ONE["metrics"], "B": {"value": 0.25, "eval_size": 11}}},
        {"metrics": {**ONE["metrics"], "B": {"value": 0.25}}},
        {"metrics": {"A": ONE["metrics"]["A"], "C": {"value": 0.5}}},
    ],
)
def test_what_differs_in_anything_is_no_repeat(changes: dict[str, Any]) -> None:
    assert found(run(1), run(2, **changes)) == {}


def test_a_part_of_a_run_is_a_repeat_whichever_came_first() -> None:
    part = {"A": ONE["metrics"]["A"]}
    assert found(run(1), run(2, metrics=part)) == {2: 1}
    assert found(run(1, metrics=part), run(2)) == {1: 2}
    assert found(run(1, metrics=part), run(2), run(3, metrics={"B": ONE["metrics"]["B"]})) == {1: 2, 3: 2}


def test_repeats_are_left_out_and_named() -> None:
    runs = [run(number) for number in range(1, 9)]
    repeats = repeats_of(runs)
    assert repeats == {run.id: runs[0] for run in runs[1:]}
    [warning] = repeated_runs(runs, repeats)
    assert (warning.code, warning.group) == ("repeated_runs", None)
    assert "'r2' (as 'r1')" in warning.detail
    assert "'r6' (as 'r1') and 2 more" in warning.detail
    assert repeated_runs(runs[:1], {}) == []


def test_many_runs_are_compared_quickly() -> None:
    runs = [run(i, metrics={"A": {"value": i % 500 / 500}}) for i in range(5000)]
    assert len(repeats_of(runs)) == 4500
