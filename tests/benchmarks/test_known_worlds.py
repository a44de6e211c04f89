"""Worlds of known curves: what is measured of them, and the best that money buys."""

import importlib
import sys
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module("known_worlds")


@pytest.fixture(scope="module")
def shapes() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module("bench_shapes")


def world(shapes: ModuleType, seed: int = 0, **changes: object):
    return shapes.world_of(shapes.Case(**changes), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_purchase_is_that_of_trying_all(worlds: ModuleType, shapes: ModuleType, seed: int) -> None:
    some = world(shapes, seed, groups=3)
    parts = 12
    found = some.best(some.budget, parts)
    every = []
    for spent in product(range(parts + 1), repeat=3):
        if sum(spent) <= parts:
            counts = some.start + np.floor(np.array(spent) * some.budget / parts / some.price)
            every.append(some.utility(counts))
    assert some.utility(found) == pytest.approx(max(every))
    assert float((found - some.start) @ some.price) <= some.budget * (1 + 1e-9)


def test_the_best_purchase_stays_within_the_market(shapes: ModuleType) -> None:
    some = world(shapes, 1)
    some.room = some.start + 10.0
    assert (some.best(some.budget) <= some.room).all()
    for rule in (some.equal, some.equal_spend):
        assert rule(some.budget) == pytest.approx(some.room)


def test_rules_spend_equally(shapes: ModuleType) -> None:
    some = world(shapes, 2)
    more = some.equal(some.budget) - some.start
    assert len(set(more.tolist())) == 1
    money = (some.equal_spend(some.budget) - some.start) * some.price
    assert money == pytest.approx(np.full(6, some.budget / 6), abs=some.price.max())


def test_a_holdouts_luck_is_binomial_and_the_same_in_every_run(shapes: ModuleType) -> None:
    """Over many holdouts the mean is the truth and the variance f (1 − f)/m; between two runs only examples move whose
    luck lies between the two losses."""
    errors = []
    for seed in range(400):
        some = world(shapes, 3, groups=2)
        some.random = np.random.default_rng(seed)
        some.holdout, some.training = np.full(2, 50.0), np.zeros(2)
        some.__post_init__()
        buyer = shapes.Buyer(some.terms, shapes.UTILITIES["mean"])
        some.nested(buyer, (1.0, 1.0, 0.25))
        values = np.array([[run.metrics[key]["value"] for key in some.terms.keys] for run in buyer.runs])
        assert (values[0] == values[1]).all()
        assert (values[2] <= values[0]).all()
        errors.append(1.0 - values[0])
    truth = some.loss(some.start)
    spread = np.sqrt(truth * (1.0 - truth) / 50.0)
    assert np.mean(errors, axis=0) == pytest.approx(truth, abs=4.0 * spread.max() / 20.0)
    assert np.std(errors, axis=0) == pytest.approx(spread, rel=0.15)


def test_stated_errors_are_scaled_and_examples_stated_otherwise(shapes: ModuleType) -> None:
    for stated in (None, 5.0):
        some = world(shapes, 4, stated=stated)
        buyer = shapes.Buyer(some.terms, shapes.UTILITIES["mean"])
        some.run(buyer, some.start)
        told = next(iter(buyer.runs[0].metrics.values()))
        value = (told["value"] * 1000 + 0.5) / 1001
        if stated is None:
            assert told["eval_size"] == 1000
        else:
            assert told["stderr"] == pytest.approx(5.0 * np.sqrt(value * (1 - value) / 1000))


def test_odd_cases_are_what_they_say(shapes: ModuleType) -> None:
    random = np.random.default_rng(5)
    step, emergence = shapes.step(random, 100.0), shapes.emergence(random, 100.0)
    assert (step(100.0), step(400.0)) == (0.4, 0.15)
    assert emergence(100.0) > 0.27
    assert emergence(1e5) == pytest.approx(0.1, abs=1e-3)
    late, flat = shapes.late_learner(random, 100.0), shapes.learns_then_flat(random, 100.0)
    assert late(50.0) == late(105.0) > late(1000.0)
    assert flat(130.0) == flat(1e6) < flat(50.0)
    assert shapes.gets_worse(random, 100.0)(200.0) > shapes.gets_worse(random, 100.0)(100.0)
    plateau = shapes.plateau_then_better(random, 80.0)
    assert plateau(10.0) > plateau(20.0) == plateau(100.0) > plateau(200.0)
    case = shapes.CASES["each run posted three times"]
    buyer = shapes.observed(case, shapes.world_of(case, random))
    assert len(buyer.runs) == 12
    assert buyer.runs[0].metrics == buyer.runs[2].metrics != buyer.runs[3].metrics
    case = shapes.CASES["one group has one point"]
    buyer = shapes.observed(case, shapes.world_of(case, random))
    assert [("g000" in run.metrics, "g001" in run.metrics) for run in buyer.runs] == [
        (True, True),
        *[(False, True)] * 3,
    ]


def test_a_summary_tells_shares_of_the_best_gain(shapes: ModuleType) -> None:
    def one(optimal: float, cover: float) -> dict[str, object]:
        utility = {"start": 0.5, "optimal": optimal, "equal": 0.6, "equal_spend": 0.7, "best": 0.9}
        said = {"p": 0.9, "rule": "equal_spend", "gain_said": 0.2, "warnings": ["few_points"]}
        return {"utility": utility, "cover": cover, "odd_cover": None, "odd_money": None, "utility_cover": True} | said

    found = shapes.summary([one(0.7, 1.0), one(0.8, 0.5)])
    assert (found["optimal"], found["equal"], found["equal_spend"]) == (0.625, 0.25, 0.5)
    assert (found["p_equal"], found["p_rule"], found["cover"]) == (1.0, 0.75, 0.75)
    assert found["warnings"] == {"few_points": 1.0}


def test_smoothed_curves_fall_and_keep_their_level(worlds: ModuleType) -> None:
    random = np.random.default_rng(6)
    clean = 0.1 + 0.4 * np.arange(1.0, 41.0) ** -0.5
    smooth = worlds.smooth(clean + 0.01 * random.normal(size=40))
    assert (np.diff(smooth) <= 1e-12).all()
    assert smooth[5:-5] == pytest.approx(clean[5:-5], abs=0.02)
