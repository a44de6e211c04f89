"""Whether what is said comes true: how that is counted, and how two checkouts are driven."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    return importlib.import_module("bench_truth")


@pytest.fixture(scope="module")
def world(bench: ModuleType):
    lcdb = importlib.import_module("lcdb")
    sizes = np.round(16.0 * 2.0 ** np.arange(0.0, 11.0, 0.5))
    curves = [
        lcdb.Curve(number, "learner", sizes, 0.05 + scale * sizes**-power, np.full(len(sizes), 0.002))
        for number, (scale, power) in enumerate(
            [(1.0, 0.3), (1.5, 0.5), (2.0, 0.6), (1.0, 0.4), (3.0, 0.8), (0.9, 0.2)]
        )
    ]
    assert len(bench.usable(curves)) == 6
    return lambda seed: bench.lcdb_world(curves, seed)


def test_chances_are_counted_by_bins(bench: ModuleType) -> None:
    said, came = np.array([0.6, 0.55, 0.99, 0.99, 0.985, 1.0]), np.array([1.0, 0.0, 1.0, 1.0, 0.5, 1.0])
    low, high = bench.calibration(said, came)
    assert (low["worlds"], low["said"], low["true"]) == (2, 0.575, 0.5)
    assert (high["worlds"], high["said"], high["true"]) == (4, 0.991, 0.875)


def test_a_plan_is_held_against_what_it_leads_to(bench: ModuleType, world) -> None:
    row = bench.plan_part(world(0))
    utility = row["utility"]
    assert utility["now"] < utility["optimal"] <= utility["best"] + 2e-3
    for rule, times in row["needs"].items():
        some = world(0)
        reached = [
            some.utility(bench.RULES[rule](some, factor * some.budget)) for factor in (0.9 * times, 1.01 * times)
        ]
        assert reached[0] < utility["optimal"] <= reached[1]
    summary = bench.plan_summary([row, bench.plan_part(world(1))])
    assert 0.8 < summary["share"]["optimal"] <= 1.01


def test_the_best_stop_is_lost_nothing_by_and_targets_are_judged_by_the_truth(bench: ModuleType, world) -> None:
    stop = bench.stop_part(world(2))
    assert 0.0 < stop["best_spent"] < 1.0
    assert min(stop["lost"]["all"], stop["lost"]["none"]) >= 0.0
    asked = bench.requirements_part(world(2))["questions"]
    assert len(asked) == 18
    assert {one["answer"] for one in asked} <= {"count", "beyond", "out of reach"}
    told = bench.requirements_summary([{"questions": asked}])["chances"]
    assert [one["chance"] for one in told] == [0.5, 0.8, 0.9]
    assert all(one["counts"] + one["beyond"] + one["out_of_reach"] == one["asked"] == 6 for one in told)


def test_two_checkouts_are_driven_on_the_same_seeds(tmp_path: Path) -> None:
    """This one against itself: every paired difference is 0, and a part measured later joins the file."""
    out = tmp_path / "shapes.json"

    def measured(*parts: str) -> None:
        script = ROOT / "benchmarks" / "bench_shapes.py"
        command = [sys.executable, script, "--only", *parts, "--count", "2", "--against", ROOT, "--out", out]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    measured("2 groups")
    rows = json.loads(out.read_text())["results"]
    assert [(row["side"], row["worlds"], row["share_to_other_side"]) for row in rows] == [
        ("now", 2, 0),
        ("before", 2, 0),
    ]
    measured("step")
    assert [row["part"] for row in json.loads(out.read_text())["results"]] == ["2 groups", "2 groups", "step", "step"]
