"""The surrogate benchmark: levels as a holdout has them, and what they cost."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.surrogate_worlds import polygenic_surrogate

START = np.full(3, 100.0)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("bench_surrogate")


def test_levels_as_measured_are_those_of_the_holdout_at_every_size(bench: ModuleType) -> None:
    world = polygenic_surrogate(START, 7)
    runs = np.array([[100.0, 100.0, 100.0], [250.0, 40.0, 310.0]])
    error = np.diff([world.losses(runs), bench.as_measured(world).losses(runs)], axis=0)[0]
    assert error == pytest.approx(np.tile(error[0], (2, 1)))
    measured = replace(world, noise=np.zeros(3)).measure(runs, 4).losses
    assert bench.as_measured(world).losses(runs) == pytest.approx(measured)


def test_a_planner_misled_by_levels_is_judged_by_the_true_ones(bench: ModuleType) -> None:
    found = bench.levels_of("skewed", 4)
    assert found["scenario"] == "skewed"
    assert all(found[name] >= 0.0 and found[f"{name}, se"] >= 0.0 for name in ("optimal", "levels as measured"))
    rules = bench.rules_of((1.0, 1.0, 1.0), "worst")
    worlds = [polygenic_surrogate(START, 7)]
    misled = bench.play([bench.as_measured(worlds[0])], rules, "oracle", 0)
    truly = bench.rejudged(misled, worlds, rules)
    assert (truly.counts == misled.counts).all()
    expected = 1.0 - worlds[0].losses(misled.counts[0]).max(axis=1)
    assert truly.utility[0] == pytest.approx(expected)
