"""Label-limited curves that the prior is trained on: their floor, and what is asked of them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("label_limited")


@pytest.fixture(scope="module")
def scored(bench: ModuleType) -> Any:
    """Logistic regression on breast cancer, three in ten labels turned over."""
    [table] = [one for one in bench.shipped(0) if one.name == "breast cancer 0.3"]
    [found] = bench.measured(table, "logistic regression", 0)
    return found


def test_turned_labels_set_the_floor(scored: Any) -> None:
    errors = scored.curve(0).errors
    assert 0.28 < errors[-1] < 0.36
    assert errors[0] > errors[-1]
    assert np.all(np.diff(scored.counts) > 0)


def test_made_up_labels_err_at_their_floor(bench: ModuleType) -> None:
    tables = list(bench.made_up(0, 2))
    for table in tables:
        floor = float(table.name.split()[1])
        assert 0.2 <= floor <= 0.42
        assert 0.4 < table.y.mean() < 0.6
    [found] = bench.measured(tables[0], "logistic regression", 0)
    # A straight rule is found; what is left is the coin.
    assert found.curve(0).errors[-1] == pytest.approx(float(tables[0].name.split()[1]), abs=0.03)


def test_a_question_is_of_one_holdout_and_a_later_size(bench: ModuleType, scored: Any) -> None:
    for seed in range(20):
        asked = bench.question(7, scored, np.random.default_rng(seed))
        if asked is None:
            continue
        points = asked.points
        assert asked.curve == 7
        assert len(set(points.holdouts.tolist())) == 1
        assert asked.target > points.counts[-1]
        assert asked.truth == pytest.approx(float(scored.curve(0).errors[scored.counts == asked.target][0]))
        rows = (points.losses * (1 - points.losses)).max() / points.stderrs.max() ** 2
        assert rows > 0.9 * bench.LEAST_HOLDOUT
