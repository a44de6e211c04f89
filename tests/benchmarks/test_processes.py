"""What /proc tells of processes, and two sides measured in turns."""

import importlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load() -> Load:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture(scope="module")
def processes(load: Load) -> ModuleType:
    return load("processes")


def test_a_command_may_hold_spaces_and_brackets(processes: ModuleType) -> None:
    fields = "S 17 1 1 0 -1 4194560 100 200 0 0 250 50 1200 300 20 0 5 0 999"
    stat = processes.Stat.parse(f"42 (a) b (c)) {fields}\n")
    assert (stat.parent, stat.own, stat.reaped) == (17, 300 / processes.TICKS, 1500 / processes.TICKS)


def test_a_tree_is_all_that_descends_from_its_root(processes: ModuleType) -> None:
    parents = {1: 0, 5: 1, 6: 5, 7: 6, 8: 5, 9: 1, 10: 9}
    assert sorted(processes.tree(5, parents)) == [5, 6, 7, 8]
    assert processes.tree(10, parents) == [10]


def test_memory_is_told_in_mb(processes: ModuleType) -> None:
    rollup = "55b-7ff ---p 00000000 00:00 0    [rollup]\nRss:   204800 kB\nPss:  153600 kB\nPss_Anon:  1 kB\n"
    assert processes.memory_mb(rollup) == {"RSS": 200.0, "PSS": 150.0}


def test_cpu_time_of_a_child_counts_while_it_runs_and_after_it_has_ended(processes: ModuleType) -> None:
    at_work = "import time\nwhile time.process_time() < .2: pass\nprint(flush=True)\ninput()"
    before, alone = processes.tree_cpu_s(os.getpid()), processes.cpu_s(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", at_work], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert processes.cpu_s(child.pid) >= 0.2
    assert processes.tree_cpu_s(os.getpid()) - before >= 0.2
    child.communicate(b"\n")
    assert processes.tree_cpu_s(os.getpid()) - before >= 0.18, "less two ticks: the kernel rounds what it keeps of it"
    assert processes.cpu_s(os.getpid()) >= alone
    assert child.pid not in processes.tree(os.getpid(), {pid: one.parent for pid, one in processes.stats().items()})


def test_its_clock_is_that_of_the_process(processes: ModuleType) -> None:
    before, own = time.process_time(), processes.cpu_s(os.getpid())
    assert before <= own <= time.process_time()


def test_rest_is_waited_for_as_long_as_work_is_done(processes: ModuleType) -> None:
    asked = []

    def used() -> float:
        asked.append(min(len(asked), 4))  # a core's second each time, until the fifth look
        return float(asked[-1])

    processes.rest(used, quiet_s=0.001)
    assert asked == [0, 1, 2, 3, 4, 4]


def test_endless_work_ends_the_patience(processes: ModuleType) -> None:
    with pytest.raises(TimeoutError):
        processes.rest(time.perf_counter, quiet_s=0.001, patience_s=0.01)


def test_a_ratio_is_of_medians_and_its_error_of_the_pairs(load: Load) -> None:
    pairs = load("pairs")
    theirs = [1.0, 2.0, 8.0, 4.0, 3.0]  # rounds of very different speed
    steady = pairs.Ratio.of([2.0 * value for value in theirs], theirs)
    assert (steady.ratio, steady.low, steady.high) == pytest.approx((2.0, 2.0, 2.0))
    logs = [0.1, -0.1, 0.2, -0.2, 0.0]
    shaken = pairs.Ratio.of([value * math.exp(log) for value, log in zip(theirs, logs, strict=True)], theirs)
    error = math.sqrt(sum(log**2 for log in logs) / 4 / 5)
    assert shaken.high / shaken.ratio == pytest.approx(math.exp(error))
    assert shaken.ratio / shaken.low == pytest.approx(math.exp(error))
    assert math.isnan(pairs.Ratio.of([1.0], [2.0]).low)


def test_each_side_begins_in_its_turn(load: Load) -> None:
    turns = load("pairs").turns
    assert [turns("ab", number) for number in range(3)] == [["a", "b"], ["b", "a"], ["a", "b"]]
    assert turns(["alone"], 5) == ["alone"]
