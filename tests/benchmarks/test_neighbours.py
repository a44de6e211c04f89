"""What the benchmark of neighbours reckons with."""

import importlib
import math
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def neighbours() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module("bench_neighbours")


def test_a_quantile_is_one_of_the_values(neighbours: ModuleType) -> None:
    values = [0.4, 0.1, 0.3, 0.2]
    assert [neighbours.quantile(values, share) for share in (0.25, 0.5, 0.99, 1.0)] == [0.1, 0.2, 0.4, 0.4]
    assert math.isnan(neighbours.quantile([], 0.5))


def test_what_was_felt_is_told_in_milliseconds_beside_what_a_was_answered(neighbours: ModuleType) -> None:
    felt = neighbours.Felt(gets=[0.01, 0.03], patches=[0.2], refused=1, peak=300.0)
    told = felt.told()
    assert told == {
        "GET p50": 10,
        "GET p99": 30,
        "GET max": 30,
        "PATCH p50": 200,
        "PATCH max": 200,
        "503": 1,
        "MB": 300,
    }
    assert '{"429": 11}' in neighbours.row_of("twelve", told | {"answers": {"429": 11}})


def test_an_attack_that_only_holds_is_stopped_and_its_answers_are_counted(neighbours: ModuleType) -> None:
    def hold(place: Any) -> Sequence[str]:
        assert place.stop.wait(60)
        return ["200", "200", "429"]

    place = neighbours.Place(httpx.Client(), "/v1/projects/x", ("127.0.0.1", 1), threading.Event())
    assert neighbours.played(hold, place, 0.01) == {"200": 2, "429": 1}


def test_runs_name_every_group_and_keep_within_the_metric(neighbours: ModuleType) -> None:
    run = neighbours.run_of(["g0", "g1"], 0.5)
    assert run["counts"] == {"g0": 50, "g1": 50}
    assert all(0 < one["value"] < 1 for one in run["metrics"].values())


def test_memory_is_that_of_the_whole_tree() -> None:
    processes = importlib.import_module("processes")
    assert processes.tree_memory_mb(os.getpid()) >= processes.memory(os.getpid())["PSS"] * 0.5 > 0
