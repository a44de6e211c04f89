"""The grid's closed forms against dense normal densities, integrated over the level numerically."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, truncnorm

from app.planner.arrays import FloatArray
from app.planner.cells import Cells, cells_of, shared_errors, typical_loss
from app.planner.grid import Grid, Level, Prior, draw_level, node_posterior
from app.planner.observations import Points

SMALL = Prior(
    exponents=(0.3, 1.5), offsets=(0.0, 0.5), floors=(0.0, 0.4, 1.0), noises=(0.05, 0.2), discrepancies=(0.0, 0.1)
)
LEVELS = [Level(1.0, 2.0, np.inf), Level(0.5, 1.0, 1.0)]


def points(counts: list[float], losses: list[float], holdouts: list[int], stderr: float = 0.03) -> Points:
    return Points(np.array(counts), np.array(losses), np.full(len(counts), stderr), np.array(holdouts))


def curve(prior: Prior, node: tuple[int, int, int], counts: FloatArray, n_ref: float) -> FloatArray:
    c, delta = prior.exponents[node[1] // len(prior.offsets)], prior.offsets[node[1] % len(prior.offsets)]
    rho = prior.floors[node[2]]
    return rho + (1 - rho) * ((counts / n_ref + delta) / (1 + delta)) ** -c


def covariance(prior: Prior, noise: int, data: Points, n_ref: float, unit: float) -> FloatArray:
    """The model of every raw point, written out: shared errors, discrepancy, independent errors."""
    sigma = prior.noises[noise // len(prior.discrepancies)]
    kappa = prior.discrepancies[noise % len(prior.discrepancies)]
    errors = shared_errors(data) / unit
    t = np.log2(n_ref / data.counts)
    same = data.holdouts[:, None] == data.holdouts[None, :]
    return same * np.outer(errors, errors) + kappa**2 * np.minimum.outer(t, t) + sigma**2 * np.eye(len(t))


def integrated(y: FloatArray, phi: FloatArray, v: FloatArray, level: Level) -> tuple[float, float]:
    """log ∫ N(y; s φ, V) p(s) ds and the posterior mean of s, by the trapezium rule."""
    s = np.linspace(0.0, min(level.upper, 3.0), 60_001)
    bounds = (-level.mean / level.sd, (level.upper - level.mean) / level.sd)
    density = truncnorm.pdf(s, *bounds, loc=level.mean, scale=level.sd)
    white = np.linalg.solve(np.linalg.cholesky(v), np.column_stack([y, phi]))
    quadratic = ((white[:, :1] - white[:, 1:] * s) ** 2).sum(axis=0)
    constant = multivariate_normal.logpdf(np.zeros(len(y)), cov=v)
    joint = np.exp(constant - 0.5 * quadratic) * density
    total = np.trapezoid(joint, s)
    return float(np.log(total)), float(np.trapezoid(joint * s, s) / total)


def fitted(data: Points, level: Level) -> tuple[Grid, Cells, float, float]:
    unit, n_ref = typical_loss(data, 0.004), float(data.counts.max())
    cells = cells_of(data, n_ref, unit)
    return node_posterior(cells, SMALL, level), cells, n_ref, unit


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("holdouts", [[0, 0, 0, 0, 0], [0, 0, 1, 1, 2], [0, 1, 2, 3, 4]])
def test_marginal_likelihood_and_level_are_those_of_the_dense_normal(level: Level, holdouts: list[int]) -> None:
    data = points([25, 50, 110, 200, 400], [0.42, 0.33, 0.31, 0.24, 0.22], holdouts)
    grid, _, n_ref, unit = fitted(data, level)
    truncated = truncnorm.mean(-grid.mean / grid.sd, (level.upper - grid.mean) / grid.sd, grid.mean, grid.sd)
    for node in np.ndindex(*grid.log_weight.shape):
        phi = curve(SMALL, node, data.counts, n_ref)
        v = covariance(SMALL, node[0], data, n_ref, unit)
        evidence, mean = integrated(data.losses / unit, phi, v, level)
        assert grid.log_weight[node] == pytest.approx(evidence, abs=1e-5)
        assert truncated[node] == pytest.approx(mean, rel=1e-5)


def test_averaged_replicates_say_as_much_as_the_raw_points() -> None:
    sizes = [30.0, 90.0, 300.0]
    noise = np.random.default_rng(4).normal(0, 0.02, 15)
    data = points(sizes * 5, list(np.tile([0.4, 0.3, 0.25], 5) + noise), [7] * 15)
    grid, cells, n_ref, unit = fitted(data, LEVELS[0])
    assert len(cells.average) == 3
    differences = []
    for node in np.ndindex(*grid.log_weight.shape):
        phi = curve(SMALL, node, data.counts, n_ref)
        v = covariance(SMALL, node[0], data, n_ref, unit)
        differences.append(grid.log_weight[node] - integrated(data.losses / unit, phi, v, LEVELS[0])[0])
    assert np.ptp(differences) < 1e-5


def test_bins_of_equal_counts_are_the_exact_model_of_their_averages() -> None:
    counts = np.repeat([20.0, 60.0, 180.0, 540.0], 3)
    losses = 0.2 + counts**-0.5 + np.random.default_rng(5).normal(0, 0.02, 12)
    data = points(list(counts), list(losses), [0, 1, 2] * 4)
    grid, cells, n_ref, unit = fitted(data, LEVELS[0])
    assert cells.average.shape == (4, 12)
    sigma, _ = SMALL.noise_nodes()
    averaged = grid.log_weight - cells.scatter_log_likelihood(sigma)[:, None, None]
    order = [int(np.flatnonzero(data.losses / unit == loss)[0]) for loss in cells.losses]
    for node in np.ndindex(*grid.log_weight.shape):
        phi = cells.average @ curve(SMALL, node, cells.counts, n_ref)
        v = cells.average @ covariance(SMALL, node[0], data, n_ref, unit)[np.ix_(order, order)] @ cells.average.T
        evidence, _ = integrated(cells.average @ cells.losses, phi, v, LEVELS[0])
        assert averaged[node] == pytest.approx(evidence, abs=1e-5)


def test_bins_of_equal_counts_on_holdouts_of_their_own_say_as_much_as_the_raw_points() -> None:
    counts = np.repeat([20.0, 60.0, 180.0, 540.0], 3)
    losses = 0.2 + counts**-0.5 + np.random.default_rng(6).normal(0, 0.04, 12)
    data = points(list(counts), list(losses), list(range(12)))
    grid, cells, n_ref, unit = fitted(data, LEVELS[0])
    assert len(cells.average) == 4
    no_discrepancy = [0, 2]
    differences = []
    for node in np.ndindex(*grid.log_weight.shape):
        if node[0] in no_discrepancy:
            phi = curve(SMALL, node, data.counts, n_ref)
            v = covariance(SMALL, node[0], data, n_ref, unit)
            differences.append(grid.log_weight[node] - integrated(data.losses / unit, phi, v, LEVELS[0])[0])
    assert np.ptp(differences) < 1e-5


def test_no_points_leave_the_prior() -> None:
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    grid = node_posterior(cells_of(nothing, 10.0, 1.0), SMALL, LEVELS[1])
    np.testing.assert_allclose(grid.weights(), 1 / grid.mean.size, rtol=1e-12)
    np.testing.assert_allclose([grid.mean.min(), grid.sd.max()], [0.5, 1.0])


def test_prior_weights_multiply_the_evidence() -> None:
    data = points([25, 50, 110], [0.42, 0.33, 0.31], [0, 0, 0])
    cells = cells_of(data, 110.0, 0.3)
    tilt = np.array([0.5, 0.5, 3.0])[None, None, :]
    flat = node_posterior(cells, SMALL, LEVELS[0]).weights()
    weighted = Prior(**{**SMALL.__dict__, "weights": tilt})
    expected = flat * tilt / (flat * tilt).sum()
    np.testing.assert_allclose(node_posterior(cells, weighted, LEVELS[0]).weights(), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("mean", "sd", "upper"), [(1.0, 0.2, np.inf), (-3.0, 1.0, 2.0), (5.0, 1.0, 2.0), (0.3, 4.0, 1.0)]
)
def test_level_draws_follow_the_truncated_normal(mean: float, sd: float, upper: float) -> None:
    u = (np.arange(999) + 0.5) / 999
    drawn = draw_level(np.full(999, mean), np.full(999, sd), upper, u)
    expected = truncnorm.ppf(u, -mean / sd, (upper - mean) / sd, mean, sd)
    np.testing.assert_allclose(drawn, expected, rtol=1e-6, atol=1e-9)


def test_level_draws_stay_finite_where_all_mass_is_far_in_a_tail() -> None:
    mean, u = np.array([-1e3, -40.0, 1e3, 40.0]), np.full(4, 0.5)
    drawn = draw_level(mean, np.ones(4), 1.0, u)
    assert np.all((drawn >= 0) & (drawn <= 1))
