"""Hindsight: a case worked out by hand, what pairing and rounds must keep, and whether its intervals come true."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves.observations import Observations, Points
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.planner.problem.problem import Problem
from app.planner.utility.objective import Objective
from app.planner.valuation.hindsight import Came, Purchase, look_back
from tests.planner.numerics import DEEP
from tests.planner.problems import RMSE, offers, problem, random_curves, scattered, stated


def equal_bought() -> Problem:
    """f = a n^-.5, a = (1, 4), nothing held, 1,000 money at price 1."""
    curves = stated([(0.0, 1.0, 0.5, 0.0), (0.0, 4.0, 0.5, 0.0)])
    asked = problem(curves, offers([1.0, 1.0]), 1000.0, held=[0.0, 0.0], metric=RMSE)
    return replace(asked, reference_loss=np.ones(2))


def test_an_equal_purchase_and_the_best() -> None:
    [one], together = look_back([Purchase(equal_bought(), {"s0": 500, "s1": 500}, {})], ["equal"])
    assert one.utility.mean == pytest.approx(-0.111803, abs=1e-6)
    [equal] = one.policies
    assert equal.difference is not None
    assert equal.difference.mean == 0.0
    assert one.best.utility is not None
    assert one.best.difference is not None
    assert one.best.added is not None
    assert one.best.utility.mean == pytest.approx(-0.104413, abs=1e-6)
    assert one.best.difference.mean == pytest.approx(0.007390, abs=1e-6)
    assert one.best.added.tolist() == [284.0, 716.0]
    assert together.best.difference == one.best.difference


@pytest.mark.parametrize("objective", [Objective("utilitarian"), Objective("maximin"), Objective("gap", lambda_=1.0)])
def test_what_is_bought_alike_differs_in_no_draw(objective: Objective) -> None:
    """Deliveries that fell short, and samples that are worth less, meet every policy alike."""
    curves = scattered(random_curves(np.random.default_rng(1), 3), 100, 1)
    asked = problem(curves, offers([1.0, 2.0, 3.0]), 900.0, objective, held=[50.0, 80.0, 20.0])
    came = {"s0": Came(np.array([0.4, 0.1, 0.0]), 0.5), "s2": Came(np.array([0.0, 0.0, 1.2]), 1.0)}
    [one], _ = look_back([Purchase(asked, {"s0": 150, "s1": 150, "s2": 150}, came)], ["equal"])
    [equal] = one.policies
    assert equal.added is not None
    assert equal.added.tolist() == pytest.approx([60.0, 165.0, 180.0])
    assert equal.difference is not None
    assert (equal.difference.mean, equal.difference.p05, equal.difference.p95) == (0.0, 0.0, 0.0)
    assert one.added.tolist() == equal.added.tolist()


def test_the_best_is_no_worse_than_any_policy() -> None:
    curves = scattered(random_curves(np.random.default_rng(2), 4), 100, 2)
    asked = problem(curves, offers([1.0, 2.0, 3.0, 1.0]), 500.0)
    names = ["equal", "equal_spend", "proportional", "worst_first", "greedy", "thompson"]
    [one], _ = look_back([Purchase(asked, {"s0": 500}, {})], names)  # type: ignore[arg-type]
    assert one.best.difference is not None
    for it in one.policies:
        assert it.difference is not None
        assert it.difference.mean <= one.best.difference.mean + 1e-12
        assert it.hindsight == (it.policy in ("worst_first", "greedy", "thompson"))


def test_rounds_go_on_from_what_a_policy_would_have_had() -> None:
    """`worst_first` feeds whoever is worst: in the second round not the group that it has fed in the first."""
    curves = stated([(0.0, 1.0, 0.5, 0.0), (0.0, 1.0, 0.5, 0.0)])
    first = problem(curves, offers([1.0, 1.0]), 100.0, held=[100.0, 200.0])
    second = replace(first, held=np.array([100.0, 300.0]))
    bought = [Purchase(first, {"s1": 100}, {}), Purchase(second, {"s1": 100}, {})]
    (_, alone), together = look_back(bought, ["worst_first"])
    [it] = alone.policies
    assert it.added is not None
    assert it.added.tolist() == [100.0, 0.0]
    [it] = together.policies
    assert it.added is not None
    assert it.added.tolist() == pytest.approx([150.0, 50.0], abs=1.0)
    truth = (100**-0.5 + 400**-0.5) / 2 - 2 * 250**-0.5 / 2
    assert it.difference is not None
    assert it.difference.mean == pytest.approx(truth, abs=1e-3)


def test_bounds_that_could_not_be_met_leave_a_policy_without_an_answer() -> None:
    asked = replace(equal_bought(), min_count=np.array([600.0, 600.0]))
    [one], together = look_back([Purchase(asked, {"s0": 500, "s1": 500}, {})], ["equal"])
    for it in (*one.policies, one.best, together.best):
        assert (it.added, it.utility, it.difference) == (None, None, None)
    assert one.utility.mean == pytest.approx(-0.111803, abs=1e-6)


def test_intervals_hold_the_true_difference() -> None:
    """Campaigns on curves of the fitted family, for which intervals are rather too wide than too narrow: they are made
    for real curves, on which bench_hindsight.py measures them."""
    games = 200 if DEEP else 24
    assert sum(covered(seed) for seed in range(games)) >= 0.85 * games


def covered(seed: int) -> bool:
    """Whether the 90 % interval holds it, of an equal split against a purchase for one group alone."""
    rng = np.random.default_rng(seed)
    start, groups = np.array([100.0, 200.0, 150.0]), 3
    exponent, floor = rng.uniform(0.2, 0.8, groups), rng.uniform(0.0, 0.1, groups)
    scale = rng.uniform(0.1, 0.3, groups) * start**exponent

    def loss(counts: np.ndarray) -> np.ndarray:
        return np.asarray(floor + scale * counts**-exponent)

    bought = np.zeros(groups)
    bought[seed % groups] = 600.0
    runs = np.array([start / 4, start / 2, start, (start + bought) / 2, start + bought]).round()
    error, luck = 0.004, 0.008 * rng.normal(size=groups)
    scored = np.array([loss(run) for run in runs]) + luck + error * rng.normal(size=runs.shape)
    points = tuple(
        Points(runs[:, g], np.clip(scored[:, g], 1e-3, 1.0), np.full(5, 0.009), np.zeros(5, dtype=np.int64))
        for g in range(groups)
    )
    keys = tuple(f"g{g}" for g in range(groups))
    posterior = fit(Observations(keys, points, (None,) * groups, start + bought, 1.0), Prior(), seed, 300)
    asked = problem(replace(posterior, warnings=()), offers([1.0] * groups), 600.0, held=start.tolist())
    [one], _ = look_back([Purchase(asked, {f"s{seed % groups}": 600}, {})], ["equal"])
    [it] = one.policies
    truth = float(loss(start + bought).mean() - loss(start + 200.0).mean())
    assert it.difference is not None
    return it.difference.p05 <= truth <= it.difference.p95
