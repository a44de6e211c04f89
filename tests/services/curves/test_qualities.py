"""Runs in clean samples, and what was there at the start, against what they are by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.quality import Worth
from app.services.curves.qualities import in_clean
from app.services.curves.runs import runs_of_rows
from app.services.ledger.worths import NOTHING_LEARNT, Learnt, Trained, at_the_start
from tests.services.curves.test_runs import KEYS, stored_rows


@settings(max_examples=20)
@given(stored_rows())
def test_samples_of_clean_sources_change_nothing(rows: Sequence[Any]) -> None:
    runs = runs_of_rows(rows)
    for worths in ({}, {"s": Worth(1.0, 0.0), "t": Worth(1.0, 0.0)}):
        np.testing.assert_array_equal(in_clean(runs, worths, NOTHING_LEARNT).counts, runs.counts)


@settings(max_examples=20)
@given(stored_rows(), st.sampled_from([0.0, 0.4, 1.5]))
def test_counts_in_clean_samples_are_those_of_the_rows(rows: Sequence[Any], worth: float) -> None:
    runs = runs_of_rows(rows)
    found = in_clean(runs, {"s": Worth(worth, 0.0)}, NOTHING_LEARNT)
    for key in KEYS:
        came = [(row.origin or {}).get("s", {}).get(key, 0) for row in rows]
        told = [max(0.0, round(row.counts.get(key, 0) - (1 - worth) * n)) for row, n in zip(rows, came, strict=True)]
        named = key in runs.place
        assert found.column("counts", key).tolist() == (told if named else [0.0] * len(rows))


@pytest.mark.parametrize(
    ("initial", "brought", "came"),
    [(6000, 0, 5000), (1000, 0, 0), (4000, 0, 3000), (6000, 5000, 0), (6000, 2000, 3000)],
)
def test_of_the_start_so_much_came_from_a_source_as_runs_name_and_is_not_clean(
    initial: int, brought: int, came: int
) -> None:
    found = at_the_start(initial, Trained(1000, {"s": 5000}), {"s": brought})
    assert sum(found.values()) == pytest.approx(came)


def test_what_was_said_decides_what_is_known() -> None:
    learnt = Learnt({("s", Worth()): replace(Learnt().quality("s", Worth()), runs=3)})
    assert learnt.quality("s", Worth()).runs == 3
    assert learnt.quality("s", Worth(0.4, 0.0)).mean == 0.4
    assert learnt.quality("s", Worth.between(0.4, 0.8)).runs == 0
