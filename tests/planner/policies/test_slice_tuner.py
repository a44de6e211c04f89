"""Slice Tuner's fit, its program, its limit: each against another route."""

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import least_squares

from app.planner.arrays import FloatArray
from app.planner.policies.slice_tuner import (
    LIMIT,
    PowerLaws,
    fit_power_laws,
    power_laws,
    scaled_to_limit,
    slice_tuner,
    solve,
)
from app.planner.problem.market import Market
from tests.planner.problems import MONEY, offers, stated


def shop(prices: list[float], budget: float, lots: list[int] | None = None) -> Market:
    return Market.of(offers(prices, lots=lots), list(range(len(prices))), len(prices), round(budget * MONEY))


def objective(laws: PowerLaws, counts: FloatArray, bought: FloatArray, lambda_: float) -> float:
    """The program's objective, written out."""
    now, after = laws.loss(counts), laws.loss(counts + bought)
    others = (now.sum() - now) / (len(now) - 1)
    return float(after.sum() + lambda_ * np.maximum(0.0, after / others - 1.0).sum())


@pytest.mark.parametrize("lambda_", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_program_is_solved_as_a_cone_solver_solves_it(lambda_: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = 10
    laws = PowerLaws(rng.uniform(0.1, 0.7, groups), rng.uniform(0.5, 5.0, groups))
    counts, price = rng.integers(50, 500, groups).astype(float), rng.uniform(1.0, 1.5, groups)
    budget = 100.0 * groups
    bought = solve(laws, counts, price, np.full(groups, np.inf), budget, lambda_)
    assert price @ bought == pytest.approx(budget, rel=1e-9)
    d = cp.Variable(groups, nonneg=True)
    now = laws.loss(counts)
    others = (now.sum() - now) / (groups - 1)
    # v below the logarithm of the counts makes b n^(−a) an exponential cone.
    v = cp.Variable(groups)
    loss = cp.exp(np.log(laws.b) - cp.multiply(laws.a, v))
    total = cp.sum(loss) + lambda_ * cp.sum(cp.pos(cp.multiply(1.0 / others, loss) - 1.0))
    problem = cp.Problem(cp.Minimize(total), [v <= cp.log(counts + d), price @ d <= budget])
    problem.solve(solver=cp.CLARABEL)
    theirs = objective(laws, counts, np.maximum(d.value, 0.0), lambda_)
    assert objective(laws, counts, bought, lambda_) <= theirs * (1.0 + 1e-7)


def test_without_a_gap_term_the_split_is_the_known_one() -> None:
    laws = PowerLaws(np.array([0.5, 0.5]), np.array([1.0, 4.0]))
    bought = solve(laws, np.array([1e-6, 1e-6]), np.ones(2), np.full(2, np.inf), 1000.0, 0.0)
    np.testing.assert_allclose(bought, [284.10, 715.90], rtol=1e-4)


def test_the_fit_weighs_points_by_their_size() -> None:
    rng = np.random.default_rng(4)
    sizes = np.tile(np.linspace(50.0, 500.0, 10), (3, 1))
    losses = np.array([[2.0], [1.0], [4.0]]) * sizes ** -np.array([[0.5], [0.2], [0.9]])
    losses *= np.exp(0.05 * rng.normal(size=losses.shape))
    laws = fit_power_laws(sizes, losses)
    for g in range(3):
        theirs = least_squares(
            lambda p, g=g: np.sqrt(sizes[g]) * (losses[g] - p[1] * sizes[g] ** -p[0]),
            [0.4, 1.5],
            xtol=1e-14,
            ftol=1e-14,
        )
        np.testing.assert_allclose([laws.a[g], laws.b[g]], theirs.x, rtol=1e-5)


def test_a_power_law_is_found_again() -> None:
    laws = power_laws(stated([(0.0, 2.0, 0.5, 0.0), (0.0, 3.0, 0.25, 0.0)]), np.array([100.0, 400.0]))
    np.testing.assert_allclose(laws.a, [0.5, 0.25], rtol=1e-6)
    np.testing.assert_allclose(laws.b, [2.0, 3.0], rtol=1e-6)


def test_the_imbalance_changes_by_no_more_than_the_limit() -> None:
    counts, bought = np.array([100.0, 100.0]), np.array([0.0, 500.0])
    np.testing.assert_allclose(scaled_to_limit(counts, bought, 1.0), [0.0, 100.0])
    np.testing.assert_array_equal(scaled_to_limit(counts, bought, 5.0), bought)
    # Levelling changes it too: 5 falls to 4 with 25 more of the small group.
    np.testing.assert_allclose(scaled_to_limit(np.array([100.0, 500.0]), np.array([400.0, 0.0]), 1.0), [25.0, 0.0])


def test_the_round_keeps_back_what_the_limit_forbids() -> None:
    steep, flat = (0.0, 4.0, 0.5, 0.0), (0.0, 0.5, 0.05, 0.0)
    market = shop([1.0, 1.0], 1000.0)
    orders = slice_tuner(stated([steep, flat]), market, np.array([100.0, 100.0]))
    counts = 100.0 + market.added(orders)
    assert counts.max() / counts.min() - 1.0 == pytest.approx(LIMIT, abs=0.02)
    assert market.cost(orders) < market.budget


def test_lots_round_to_the_nearest_and_never_overspend() -> None:
    curves = [(0.0, 2.0, 0.5, 0.0), (0.0, 2.0, 0.4, 0.0), (0.0, 1.5, 0.3, 0.0)]
    for budget in (97.0, 500.0, 2113.0):
        market = shop([1.3, 2.7, 1.0], budget, lots=[5, 7, 1])
        orders = slice_tuner(stated(curves), market, np.array([200.0, 220.0, 250.0]))
        assert market.cost(orders) <= market.budget
        assert np.all(orders % market.lot == 0)


def test_a_flat_curve_and_an_empty_group_are_no_trouble() -> None:
    curves = [(0.3, 0.0, 1.0, 0.0), (0.0, 2.0, 0.5, 0.0)]
    market = shop([1.0, 1.0], 50.0)
    orders = slice_tuner(stated(curves), market, np.array([0.0, 30.0]))
    assert market.added(orders)[0] == 0
    assert market.cost(orders) <= market.budget
