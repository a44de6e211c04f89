"""The grid's closed forms against dense normal densities, integrated over the level numerically."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, truncnorm

from app.planner.arrays import FloatArray
from app.planner.cells import Cells, cells_of, table_of, typical_losses
from app.planner.grid import Grid, Level, draw_level
from app.planner.learn import Task, grids
from app.planner.observations import Points
from app.planner.prior import Prior

SMALL = Prior(
    exponents=(0.3, 1.5), offsets=(0.0, 0.5), floors=(0.0, 0.4, 1.0), noises=(0.05, 0.2), discrepancies=(0.0, 0.1)
)
LEVELS = [Level(*(np.array([value]) for value in values)) for values in ((1.0, 2.0, np.inf), (0.5, 1.0, 1.0))]


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
    errors = data.stderrs / unit
    t = np.log2(n_ref / data.counts)
    same = data.holdouts[:, None] == data.holdouts[None, :]
    return same * np.outer(errors, errors) + kappa**2 * np.minimum.outer(t, t) + sigma**2 * np.eye(len(t))


def integrated(y: FloatArray, phi: FloatArray, v: FloatArray, level: Level) -> tuple[float, float]:
    """log ∫ N(y; s φ, V) p(s) ds and the posterior mean of s, by the trapezium rule."""
    mean, sd, upper = float(level.mean[0]), float(level.sd[0]), float(level.upper[0])
    s = np.linspace(0.0, min(upper, 3.0), 4_001)
    density = truncnorm.pdf(s, -mean / sd, (upper - mean) / sd, loc=mean, scale=sd)
    white = np.linalg.solve(np.linalg.cholesky(v), np.column_stack([y, phi]))
    quadratic = ((white[:, :1] - white[:, 1:] * s) ** 2).sum(axis=0)
    constant = multivariate_normal.logpdf(np.zeros(len(y)), cov=v)
    joint = np.exp(constant - 0.5 * quadratic) * density
    total = np.trapezoid(joint, s)
    return float(np.log(total)), float(np.trapezoid(joint * s, s) / total)


def posterior(data: Points, prior: Prior, level: Level) -> tuple[Grid, Cells, float, float]:
    """One group's grid and cells, n_ref and ȳ."""
    table = table_of([data])
    units = typical_losses(table, np.array([0.004]))
    task = Task(table, table.n_ref, units, level, np.zeros((1, 2)))
    ((_, _, _, grid),) = grids(task, prior, 10)
    return grid, cells_of(table, units), float(table.n_ref[0]), float(units[0])


def logs(grid: Grid) -> FloatArray:
    """Log weights of the one group's nodes [N, S, R], the largest 0."""
    return np.log(np.maximum(grid.weights[0].astype(np.float64), 1e-30) / grid.weights.max())


def agree(grid: Grid, evidence: FloatArray) -> bool:
    """Whether the weights are those of the log evidences, wherever they count."""
    expected = evidence - evidence.max()
    counts = expected > -12.0
    return bool(np.all(np.abs(logs(grid) - expected)[counts] < 2e-4) and np.all(logs(grid)[~counts] < -11.9))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("holdouts", [[0, 0, 0, 0, 0], [0, 0, 1, 1, 2], [0, 1, 2, 3, 4]])
def test_marginal_likelihood_and_level_are_those_of_the_dense_normal(level: Level, holdouts: list[int]) -> None:
    data = points([25, 50, 110, 200, 400], [0.42, 0.33, 0.31, 0.24, 0.22], holdouts)
    grid, _, n_ref, unit = posterior(data, SMALL, level)
    mean, sd = grid.mean[0], grid.precision[0] ** -0.5
    truncated = truncnorm.mean(-mean / sd, (level.upper - mean) / sd, mean, sd)
    evidence = np.zeros(mean.shape)
    for node in np.ndindex(*mean.shape):
        phi = curve(SMALL, node, data.counts, n_ref)
        v = covariance(SMALL, node[0], data, n_ref, unit)
        evidence[node], expected = integrated(data.losses / unit, phi, v, level)
        assert truncated[node] == pytest.approx(expected, rel=1e-5)
    assert agree(grid, evidence)
    assert grid.log_evidence[0] - 2.5 * np.log(2 * np.pi) == pytest.approx(logsumexp(evidence), abs=1e-4)


def raw_evidence(data: Points, n_ref: float, unit: float) -> FloatArray:
    """Log marginal likelihoods of the raw points at every node of SMALL."""
    found = np.zeros((4, 4, 3))
    for node in np.ndindex(*found.shape):
        phi = curve(SMALL, node, data.counts, n_ref)
        v = covariance(SMALL, node[0], data, n_ref, unit)
        found[node] = integrated(data.losses / unit, phi, v, LEVELS[0])[0]
    return found


def test_averaged_replicates_say_as_much_as_the_raw_points() -> None:
    sizes = [30.0, 90.0, 300.0]
    noise = np.random.default_rng(4).normal(0, 0.02, 15)
    data = points(sizes * 5, list(np.tile([0.4, 0.3, 0.25], 5) + noise), [7] * 15)
    grid, cells, n_ref, unit = posterior(data, SMALL, LEVELS[0])
    assert len(cells.y) == 3
    assert agree(grid, raw_evidence(data, n_ref, unit))


def test_bins_of_equal_counts_on_holdouts_of_their_own_say_as_much_as_the_raw_points() -> None:
    counts = np.repeat([20.0, 60.0, 180.0, 540.0], 3)
    losses = 0.2 + counts**-0.5 + np.random.default_rng(6).normal(0, 0.04, 12)
    data = points(list(counts), list(losses), list(range(12)))
    no_discrepancy = replace(SMALL, discrepancies=(0.0,))
    grid, cells, n_ref, unit = posterior(data, no_discrepancy, LEVELS[0])
    assert len(cells.y) == 4
    assert agree(grid, raw_evidence(data, n_ref, unit)[[0, 2]])


@pytest.mark.parametrize("own", [True, False])
def test_bins_are_the_exact_model_of_their_averages(own: bool) -> None:
    counts = np.sort(np.random.default_rng(5).uniform(20, 540, 14))
    losses = 0.2 + counts**-0.5 + np.random.default_rng(5).normal(0, 0.02, 14)
    data = points(list(counts), list(losses), list(range(14)) if own else [0, 1] * 7)
    flat = replace(SMALL, discrepancies=(0.0,))
    grid, cells, n_ref, unit = posterior(data, flat, LEVELS[0])
    average = np.zeros((len(cells.y), 14))
    for cell in range(len(cells.y)):
        rows = slice(cells.row_start[cell], cells.row_start[cell + 1])
        average[cell, rows] = cells.weight[rows]
    np.testing.assert_allclose(average.sum(axis=1), 1.0, rtol=1e-12)
    scatter = cells.scatter_log_likelihood(np.array(SMALL.noises))[0]
    evidence = np.zeros(grid.mean[0].shape)
    for node in np.ndindex(*evidence.shape):
        phi = average @ curve(SMALL, node, data.counts, n_ref)
        v = average @ covariance(flat, node[0], data, n_ref, unit) @ average.T
        evidence[node] = integrated(average @ data.losses / unit, phi, v, LEVELS[0])[0] + scatter[node[0]]
    assert agree(grid, evidence)


def test_no_points_leave_the_prior() -> None:
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    grid, *_ = posterior(nothing, SMALL, LEVELS[1])
    np.testing.assert_allclose(grid.weights, grid.weights.max(), rtol=1e-6)
    np.testing.assert_allclose([grid.mean.min(), grid.precision.min()], [0.5, 1.0])


def test_prior_weights_multiply_the_evidence() -> None:
    data = points([25, 50, 110], [0.42, 0.33, 0.31], [0, 0, 0])
    tilt, loud = np.array([0.5, 0.5, 3.0]), np.array([1.0, 2.0, 1.0, 4.0])
    flat, *_ = posterior(data, SMALL, LEVELS[0])
    weighted = replace(SMALL, shape=np.log(tilt), noise=np.log(loud))
    expected = flat.weights[0] * tilt * loud[:, None, None]
    found = posterior(data, weighted, LEVELS[0])[0].weights[0]
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("mean", "sd", "upper"), [(1.0, 0.2, np.inf), (-3.0, 1.0, 2.0), (5.0, 1.0, 2.0), (0.3, 4.0, 1.0)]
)
def test_level_draws_follow_the_truncated_normal(mean: float, sd: float, upper: float) -> None:
    u = (np.arange(999) + 0.5) / 999
    drawn = draw_level(np.full(999, mean), np.full(999, sd), np.full(999, upper), u)
    expected = truncnorm.ppf(u, -mean / sd, (upper - mean) / sd, mean, sd)
    np.testing.assert_allclose(drawn, expected, rtol=1e-6, atol=1e-9)


def test_level_draws_stay_finite_where_all_mass_is_far_in_a_tail() -> None:
    mean, u = np.array([-1e3, -40.0, 1e3, 40.0]), np.full(4, 0.5)
    drawn = draw_level(mean, np.ones(4), np.ones(4), u)
    assert np.all((drawn >= 0) & (drawn <= 1))
