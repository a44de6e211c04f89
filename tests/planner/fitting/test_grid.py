"""The grid's closed forms against dense normal densities, integrated over the level numerically."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, truncnorm

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Points
from app.planner.curves.prior import Prior
from app.planner.fitting.batched_grid import GroupData, grids
from app.planner.fitting.binning import Cells, cells_of, table_of, typical_losses
from app.planner.fitting.floor_integral import Floors, integrate
from app.planner.fitting.grid import Level, Nodes, draw_level
from app.planner.fitting.holdout_luck import luck_of

SMALL = Prior(
    exponents=(0.3, 1.5),
    offsets=(0.0, 0.5),
    floors=(0.0, 0.4, 1.0),
    noises=(0.05, 0.05, 0.2, 0.2),
    discrepancies=(0.0, 0.1, 0.0, 0.1),
)
SMOOTH = [0, 2]
"""The noise nodes without discrepancy."""
RHO = np.array([0.0, 0.4, 0.9, 1.0])
LEVELS = [Level(*(np.array([value]) for value in values)) for values in ((1.0, 2.0, np.inf), (0.5, 1.0, 1.0))]


def points(counts: list[float], losses: list[float], holdouts: list[int], stderr: float = 0.03) -> Points:
    return Points(np.array(counts), np.array(losses), np.full(len(counts), stderr), np.array(holdouts))


def curve(prior: Prior, shape: int, rho: float, counts: FloatArray, n_ref: float) -> FloatArray:
    c, delta = prior.exponents[shape // len(prior.offsets)], prior.offsets[shape % len(prior.offsets)]
    return rho + (1 - rho) * ((counts / n_ref + delta) / (1 + delta)) ** -c


def covariance(prior: Prior, noise: int, data: Points, n_ref: float, unit: float) -> FloatArray:
    """The model of every raw point, written out: shared errors, discrepancy, independent errors."""
    sigma, kappa = prior.noises[noise], prior.discrepancies[noise]
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


def learnt(data: Points, prior: Prior, level: Level) -> tuple[Nodes, GroupData, Cells]:
    """One group's nodes, its data and its cells."""
    table = table_of([data])
    units = typical_losses(table, np.array([0.004]))
    luck = luck_of(table, None)
    groups = GroupData(table, luck, table.n_ref, table.n_ref, units, level, np.zeros((1, 2)))
    ((_, _, _, nodes, _),) = grids(groups, prior, 10)
    return nodes, groups, cells_of(table, luck, units)


def broadcast(nodes: Nodes) -> Nodes:
    """The nodes, to be asked at many ρ each."""
    return Nodes(*(np.broadcast_to(getattr(nodes, f.name), nodes.qq.shape)[..., None] for f in fields(nodes)))


def log_weights(nodes: Nodes, level: Level) -> FloatArray:
    """Log marginal likelihoods at RHO [N, S, len(RHO)], the largest 0."""
    wide = broadcast(nodes)
    precision = wide.precision(1.0 - RHO)
    mean = wide.weighted(1.0 - RHO) / precision
    sd = precision**-0.5
    inside = np.log(norm.cdf((level.upper[0] - mean) / sd) - norm.cdf(-mean / sd))
    found = (0.5 * mean**2 * precision - 0.5 * np.log(precision) + wide.weight + inside)[0]
    return np.asarray(found - found.max())


def dense(
    data: Points, groups: GroupData, level: Level, average: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """The same of the raw points, or of their averages, by dense normals and the trapezium rule; and the means of s."""
    n_ref, unit = float(groups.n_ref[0]), float(groups.units[0])
    m = np.eye(len(data.counts)) if average is None else average
    evidence, means = np.zeros((2, 4, 4, len(RHO)))
    for noise, shape, r in np.ndindex(*evidence.shape):
        phi = m @ curve(SMALL, shape, RHO[r], data.counts, n_ref)
        v = m @ covariance(SMALL, noise, data, n_ref, unit) @ m.T
        evidence[noise, shape, r], means[noise, shape, r] = integrated(m @ data.losses / unit, phi, v, level)
    return evidence - evidence.max(), means


def agree(found: FloatArray, expected: FloatArray) -> bool:
    """Whether the log weights are the log evidences, wherever they count."""
    counts = expected > -12.0
    return bool(np.all(np.abs(found - expected)[counts] < 2e-4) and np.all(found[~counts] < -11.9))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("holdouts", [[0, 0, 0, 0, 0], [0, 0, 1, 1, 2], [0, 1, 2, 3, 4]])
def test_marginal_likelihood_and_level_are_those_of_the_dense_normal(level: Level, holdouts: list[int]) -> None:
    data = points([25, 50, 110, 200, 400], [0.42, 0.33, 0.31, 0.24, 0.22], holdouts)
    nodes, groups, _ = learnt(data, SMALL, level)
    expected, means = dense(data, groups, level)
    assert agree(log_weights(nodes, level), expected)
    wide = broadcast(nodes)
    sd = wide.precision(1.0 - RHO)[0] ** -0.5
    mean = wide.weighted(1.0 - RHO)[0] * sd**2
    truncated = truncnorm.mean(-mean / sd, (level.upper - mean) / sd, mean, sd)
    np.testing.assert_allclose(truncated, means, rtol=1e-5)


def test_averaged_replicates_say_as_much_as_the_raw_points() -> None:
    sizes = [30.0, 90.0, 300.0]
    noise = np.random.default_rng(4).normal(0, 0.02, 15)
    data = points(sizes * 5, list(np.tile([0.4, 0.3, 0.25], 5) + noise), [7] * 15)
    nodes, groups, cells = learnt(data, SMALL, LEVELS[0])
    assert len(cells.y) == 3
    assert agree(log_weights(nodes, LEVELS[0]), dense(data, groups, LEVELS[0])[0])


def test_bins_of_equal_counts_on_holdouts_of_their_own_say_as_much_as_the_raw_points() -> None:
    counts = np.repeat([20.0, 60.0, 180.0, 540.0], 3)
    losses = 0.2 + counts**-0.5 + np.random.default_rng(6).normal(0, 0.04, 12)
    data = points(list(counts), list(losses), list(range(12)))
    nodes, groups, cells = learnt(data, SMALL, LEVELS[0])
    assert len(cells.y) == 4
    found, expected = log_weights(nodes, LEVELS[0])[SMOOTH], dense(data, groups, LEVELS[0])[0][SMOOTH]
    assert agree(found - found.max(), expected - expected.max())


@pytest.mark.parametrize("own", [True, False])
def test_bins_are_the_exact_model_of_their_averages(own: bool) -> None:
    counts = np.sort(np.random.default_rng(5).uniform(20, 540, 14))
    losses = 0.2 + counts**-0.5 + np.random.default_rng(5).normal(0, 0.02, 14)
    data = points(list(counts), list(losses), list(range(14)) if own else [0, 1] * 7)
    nodes, groups, cells = learnt(data, SMALL, LEVELS[0])
    average = np.zeros((len(cells.y), 14))
    for cell in range(len(cells.y)):
        rows = slice(cells.row_start[cell], cells.row_start[cell + 1])
        average[cell, rows] = cells.weight[rows]
    np.testing.assert_allclose(average.sum(axis=1), 1.0, rtol=1e-12)
    expected, _ = dense(data, groups, LEVELS[0], average)
    expected += cells.scatter_log_likelihood(np.array(SMALL.noises))[0][:, None, None]
    found, expected = log_weights(nodes, LEVELS[0])[SMOOTH], expected[SMOOTH]
    assert agree(found - found.max(), expected - expected.max())


def finely(nodes: Nodes, level: Level, prior: Prior, covariates: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mass of every node and mean of ρ there [N, S], by 20,000 values of ρ."""
    gamma = (np.arange(20_000) + 0.5) / 20_000
    wide = broadcast(nodes)
    precision = wide.precision(gamma)
    mean, sd = wide.weighted(gamma) / precision, precision**-0.5
    inside = np.log(norm.cdf((level.upper[0] - mean) / sd) - norm.cdf(-mean / sd))
    log_weight = (0.5 * mean**2 * precision - 0.5 * np.log(precision) + wide.weight + inside)[0]
    shapes = np.arange(nodes.qq.shape[2])[:, None]
    log_weight += prior.log_density(shapes, np.zeros_like(shapes), covariates, gamma)
    weights = np.exp(log_weight - log_weight.max())
    return weights.sum(axis=2) / weights.sum(), (weights * (1.0 - gamma)).sum(axis=2) / weights.sum(axis=2)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("stderr", [0.0, 0.003, 0.03, 0.3])
@pytest.mark.parametrize("floor", [0.0, 0.5, 1.0])
def test_floors_integrate_like_a_grid_of_thousands(level: Level, stderr: float, floor: float) -> None:
    counts = np.array([25.0, 50.0, 100.0, 200.0, 400.0])
    noise = np.random.default_rng(3).normal(0, max(stderr, 0.002), 5)
    losses = 0.3 * (floor + (1 - floor) * (counts / 400) ** -0.4) + noise
    data = points(list(counts), list(losses), list(range(5)), stderr)
    prior = replace(SMALL, shape=np.array([0.0, 1.0, -0.5]), floor_tilt=np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.2]]))
    nodes, _, _ = learnt(data, prior, level)
    x = np.array([[0.5, -1.0]])
    found, (mass, means) = integrate(nodes, level, prior, x), finely(nodes, level, prior, x)
    mine, at = np.zeros_like(mass), np.zeros_like(mass)
    mine[found.noise, found.shape] = found.weights.sum(axis=0)
    at[found.noise, found.shape] = (found.weights * (1.0 - found.gamma)).sum(axis=0) / found.weights.sum(axis=0)
    np.testing.assert_allclose(mine / mine.sum(), mass, atol=0.012)
    counts_here = mass > 0.02
    np.testing.assert_allclose(at[counts_here], means[counts_here], atol=0.025)


def test_losses_beyond_the_bounds_of_the_level_still_give_weights() -> None:
    level = Level(np.array([0.5]), np.array([1.0]), np.array([0.1]))
    nodes, _, _ = learnt(points([25, 50, 110], [0.42, 0.33, 0.31], [0, 0, 0]), SMALL, level)
    found = weighed(integrate(nodes, level, SMALL, np.zeros((1, 2))))
    np.testing.assert_allclose(found, finely(nodes, level, SMALL, np.zeros((1, 2)))[0], atol=0.03)


def weighed(floors: Floors) -> FloatArray:
    found = np.zeros((4, 4))
    found[floors.noise, floors.shape] = floors.weights.sum(axis=0)
    return np.asarray(found / found.sum())


def test_no_points_leave_the_prior() -> None:
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    nodes, groups, _ = learnt(nothing, SMALL, LEVELS[1])
    floors = integrate(nodes, LEVELS[1], SMALL, groups.covariates)
    np.testing.assert_allclose(floors.weights, floors.weights.max(), rtol=1e-9)
    np.testing.assert_allclose([floors.low.max(), floors.width.min()], [0.0, 1.0])
    np.testing.assert_allclose(nodes.weighted(np.array([0.3])) / nodes.precision(np.array([0.3])), 0.5)


def test_prior_weights_multiply_the_evidence() -> None:
    data = points([25, 50, 110], [0.42, 0.33, 0.31], [0, 0, 0])
    tilt, loud = np.array([0.5, 2.0, 1.0, 3.0]), np.array([1.0, 2.0, 1.0, 4.0])
    nodes, groups, _ = learnt(data, SMALL, LEVELS[0])
    flat = weighed(integrate(nodes, LEVELS[0], SMALL, groups.covariates))
    prior = replace(SMALL, shape=np.log(tilt)[:, None], noise=np.log(loud))
    nodes, _, _ = learnt(data, prior, LEVELS[0])
    expected = flat * tilt * loud[:, None]
    found = weighed(integrate(nodes, LEVELS[0], prior, groups.covariates))
    # Negligible nodes are dropped, and which those are depends on the prior: what both keep must be exact.
    kept = (flat > 0.0) & (found > 0.0)
    assert found[kept].sum() > 0.999
    np.testing.assert_allclose(
        found[kept] / found[kept].sum(), expected[kept] / expected[kept].sum(), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize(
    ("mean", "sd", "upper"), [(1.0, 0.2, np.inf), (-3.0, 1.0, 2.0), (5.0, 1.0, 2.0), (0.3, 4.0, 1.0)]
)
def test_level_draws_follow_the_truncated_normal(mean: float, sd: float, upper: float) -> None:
    u = (np.arange(999) + 0.5) / 999
    drawn = draw_level(np.full(999, mean / sd), np.full(999, 1.0 / sd), np.full(999, upper), norm.ppf(u))
    expected = truncnorm.ppf(u, -mean / sd, (upper - mean) / sd, mean, sd)
    np.testing.assert_allclose(drawn, expected, rtol=1e-6, atol=1e-9)


def test_level_draws_stay_finite_where_all_mass_is_far_in_a_tail() -> None:
    mean = np.array([-1e3, -40.0, 1e3, 40.0])
    drawn = draw_level(mean, np.ones(4), np.ones(4), np.zeros(4))
    assert np.all((drawn >= 0) & (drawn <= 1))
