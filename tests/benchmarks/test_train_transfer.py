"""The strata's weights from tables' evidences, and the tables that they come from."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHAPE = (3, 2)


def module(name: str) -> ModuleType:
    if str(BENCHMARKS) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def train() -> ModuleType:
    return module("train_transfer")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return module("joint_tables")


def told(train: ModuleType, name: str, family: str, stratum: int, nats: float = 20.0):
    """A table whose two sets speak for one stratum, by so many nats over every other."""
    return train.Told(name, family, np.tile(nats * (np.arange(6) == stratum), (2, 1)))


def test_votes_and_the_levels_own_shares_make_the_weights(train: ModuleType) -> None:
    clear = [told(train, "a", "x", 0), told(train, "b", "x", 0), told(train, "c", "y", 3)]
    weights = train.trained(clear, SHAPE, 4.0, 1.0)
    assert weights.sum() == pytest.approx(1.0)
    # Votes 2 and 1; levels' shares with one vote more: (3, 2, 1)/6 and (3, 2)/5.
    shares = np.outer([3, 2, 1], [3, 2]).ravel() / 30.0
    assert weights == pytest.approx((np.array([2, 0, 0, 1, 0, 0]) + 4.0 * shares) / 7.0, abs=1e-6)


def test_evidence_that_says_nothing_leaves_weights_equal(train: ModuleType) -> None:
    weights = train.trained([told(train, "a", "x", 0, 0.0)], SHAPE, 2.0, 1.0)
    assert weights == pytest.approx(np.full(6, 1.0 / 6.0))
    assert train.gain(told(train, "a", "x", 2), np.full(6, 1.0 / 6.0)) == pytest.approx(0.0)
    assert train.gain(told(train, "a", "x", 2), np.eye(6)[2] * 0.94 + 0.01) == pytest.approx(np.log(5.7), abs=1e-6)


def test_a_family_is_judged_by_the_others_alone(train: ModuleType) -> None:
    known = [told(train, f"x{number}", "x", 0) for number in range(4)]
    alike, unlike = [*known, told(train, "y", "y", 0)], [*known, told(train, "y", "y", 5)]
    assert train.left_out(alike, SHAPE, 4.0, 1.0)["y"] > 0.0 > train.left_out(unlike, SHAPE, 4.0, 1.0)["y"]


def test_the_report_takes_the_smoothing_that_tells_left_out_tables_best(train: ModuleType) -> None:
    axes = (np.array([0.0, 0.5, 1.0]), np.array([0.1, 0.2]))
    alike = [told(train, f"{family}{number}", family, 0) for family in "xyz" for number in range(3)]
    found = train.report(alike, axes)
    assert (found["strength"], found["even"]) == (train.STRENGTHS[0], train.EVEN[0])
    assert found["tried"]["8, 1"] == max(found["tried"].values()) > 0.0
    assert set(found["without"]) == {"x", "y", "z"}
    assert np.exp(found["shipped"]["strata"]).sum() == pytest.approx(1.0, abs=0.01)
    assert found["shares"][0]["0"] == max(found["shares"][0].values())


def test_compositions_keep_within_what_there_is(tables: ModuleType) -> None:
    most = np.array([1600.0, 300.0, 17.0])
    counts = tables.compositions(np.random.default_rng(0), most, 400)
    assert (counts <= most).all()
    assert ((counts == 0.0) | (counts >= tables.LEAST)).all()
    assert counts.sum(axis=1).min() >= tables.LEAST_IN_ALL
    assert (counts == 0.0).mean() == pytest.approx(tables.ABSENT, abs=0.03)


def test_a_table_is_read_as_it_was_written_without_small_runs(tables: ModuleType, tmp_path: Path) -> None:
    counts = np.array([[100.0, 60.0], [100.0, 10.0], [0.0, 400.0]])
    table = tables.Table("a b", "a", ("x", "y"), True, counts, counts / 500.0, counts / 5000.0, np.array([0, 0, 1]))
    tables.write(tmp_path, table)
    found = tables.read(tmp_path, "a b")
    assert (found.name, found.family, found.keys, found.bounded) == ("a b", "a", ("x", "y"), True)
    assert found.counts.tolist() == [[100.0, 60.0], [0.0, 400.0]]
    assert found.losses.tolist() == [[0.2, 0.12], [0.0, 0.8]]
    assert found.split.tolist() == [0, 1]


def test_labels_contradict_by_group(tables: ModuleType) -> None:
    long, short = {"y": "0", "hours_per_week": "60"}, {"y": "1", "hours_per_week": "20"}
    assert [tables.two_rules(row | {"group": "White_Male"}) for row in (long, short)] == [0, 1]
    assert [tables.two_rules(row | {"group": "Black_Male"}) for row in (long, short)] == [1, 0]
    assert [tables.banded("age", (28.0, 40.0), {"age": age}) for age in ("20", "28", "50", "")] == ["0", "1", "2", None]
