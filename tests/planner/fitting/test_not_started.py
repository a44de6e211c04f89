"""The state of a group that has not started: its chance against brute force, its draws against their laws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm

from app.planner.arrays import FloatArray
from app.planner.borrowing import fit_together
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import lattice
from app.planner.fitting.batched_grid import GroupData, learn
from app.planner.fitting.binning import table_of
from app.planner.fitting.fit import data_of, fit
from app.services.curves.prior import prior_for

SIZES = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
FLAT = 0.4 + 0.004 * np.array([1.0, -1.0, 0.5, -0.5, 0.0])
FALLING = 0.05 + 0.35 * (SIZES / 100.0) ** -0.5


def observed(*losses: FloatArray, sizes: FloatArray = SIZES, stderr: float = 0.005) -> Observations:
    points = tuple(
        Points(sizes, one, np.full(len(sizes), stderr), np.zeros(len(sizes), dtype=np.int64)) for one in losses
    )
    keys = tuple(f"g{i}" for i in range(len(losses)))
    return Observations(keys, points, (None,) * len(keys), np.full(len(keys), sizes.max()), 1.0)


def data_for(observations: Observations, prior: Prior) -> GroupData:
    return data_of(observations, table_of(observations.points), prior, 1.0)


def chance_of(observations: Observations, prior: Prior) -> FloatArray:
    numbers = lattice(0, observations.keys, 50)
    return learn(data_for(observations, prior), prior, numbers).not_started


def brute_force(observations: Observations, prior: Prior) -> float:
    """The chance for one group, its level and floor on fine grids and its data by SciPy's normal density."""
    data, points = data_for(observations, prior), observations.points[0]
    unit, n_ref = data.units[0], data.n_ref[0]
    y, r = points.losses / unit, points.counts / n_ref
    t, error = -np.log2(r), points.stderrs[0] / unit
    s = np.linspace(0.5, 1.5, 201)
    level = norm.pdf(s, data.level.mean[0], data.level.sd[0])
    rho = (np.arange(64) + 0.5) / 64
    c, delta = prior.shape_nodes
    log_noise, log_shape = prior.log_weights(data.covariates)
    gamma = np.broadcast_to(1.0 - rho, (len(c), 64))
    density = prior.log_density(np.arange(len(c))[:, None], np.array([0]), data.covariates, gamma)
    weight = np.exp(log_shape[0][:, None] + density)
    weight /= weight.sum()
    p = ((r + delta[:, None]) / (1.0 + delta[:, None])) ** -c[:, None]
    shape = rho[:, None] + (1.0 - rho[:, None]) * p[:, None]
    steep = prior.rise / (c[0] * np.log(2.0))
    b = np.linspace(0.0, 5.0 * steep, 1001)[:, None]
    rise = 2.0 * norm.pdf(b, 0.0, steep) * b[1]
    q = r ** -c[0] - 1.0
    flat = family = rising = 0.0
    for node, (sigma, kappa) in enumerate(zip(*prior.noise_nodes, strict=True)):
        covariance = error**2 + kappa**2 * np.minimum.outer(t, t) + sigma**2 * np.eye(len(y))
        law = multivariate_normal(np.zeros(len(y)), covariance)
        share = np.exp(log_noise[0, node])
        flat += share * (law.pdf(y - s[:, None]) * level).sum()
        rising += share * (law.pdf(y - (s[:, None, None] - b * q)) * level[:, None] * rise[:, 0]).sum()
        family += (
            share * (weight * (law.pdf(y - s[:, None, None, None] * shape) * level[:, None, None]).sum(axis=0)).sum()
        )
    waiting, rising = prior.not_started * flat, prior.rises * rising
    return float(waiting / (waiting + rising + (1.0 - prior.not_started) * family))


@pytest.mark.parametrize(
    "losses",
    [
        FLAT,
        FLAT * np.array([1.0, 1.0, 1.0, 1.0, 0.9]),
        FLAT + 0.01 * FALLING,
        FLAT * np.array([0.98, 0.99, 1.0, 1.01, 1.02]),
    ],
)
@pytest.mark.parametrize("bounded", [True, False])
def test_the_chance_is_that_of_the_integrals_done_by_brute_force(losses: FloatArray, bounded: bool) -> None:
    prior = prior_for(1.0) if bounded else Prior()
    found = chance_of(observed(losses), prior)[0]
    assert found > 0.01
    # Nodes that hold little each are left out of the family's integral; where the prior tells nodes apart, many do.
    assert found == pytest.approx(brute_force(observed(losses), prior), rel=0.12 if bounded else 0.05)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize(("slope", "said"), [(0.0, True), (0.1, False), (0.3, False)])
def test_a_group_that_has_not_moved_beside_one_that_learns_is_named(joint: bool, slope: float, said: bool) -> None:
    """Three sizes at .62 ± .004, one model on both groups or one each."""
    sizes, rng = np.array([25.0, 50.0, 100.0]), np.random.default_rng(4)
    still = 0.62 * (sizes / 100.0) ** -slope + 0.004 * rng.normal(size=3)
    seen = observed(sizes**-0.5 + 0.05, still, sizes=sizes, stderr=0.007)
    runs = np.stack([sizes, sizes], axis=1)
    seen = replace(seen, runs=runs, run_of=(np.arange(3),) * 2, attributes=({}, {}), parent=(None, None), joint=joint)
    posterior = fit_together(seen, prior_for(1.0), 0, 100)
    assert [one.group for one in posterior.warnings if one.code == "not_started"] == ["g1"] * said
    assert (posterior.not_started[1] > 0.2) == said


def test_a_curve_that_fell_has_started_however_flat_it_ends() -> None:
    saturated = 0.35 + 0.2 * (SIZES / 100.0) ** -1.5
    np.testing.assert_array_equal(chance_of(observed(FALLING, saturated), prior_for(1.0)), 0.0)


def scattered(trend: FloatArray, scatter: float, number: int = 40) -> list[FloatArray]:
    rng = np.random.default_rng(0)
    return [trend * (1.0 + scatter * rng.normal(size=len(trend))) for _ in range(number)]


def test_flatness_is_judged_against_the_scatter() -> None:
    trend, level = 0.4 * (SIZES / 1600.0) ** -0.03, np.full(5, 0.4)
    quiet, loud, flat = (
        np.median(chance_of(observed(*scattered(*case)), prior_for(1.0)))
        for case in ((trend, 0.00125), (trend, 0.05), (level, 0.05))
    )
    # Where the scatter hides the fall, the chance is near that of a curve that truly is flat.
    assert quiet < 0.02 < 0.05 < loud
    assert 0.6 * flat < loud < flat


RISES = {
    "power": lambda n: 0.35 * (n / 1600.0) ** 0.12,
    "steep power": lambda n: 0.35 * (n / 1600.0) ** 0.25,
    "line": lambda n: 0.25 + 0.1 * n / 1600.0,
    "early step": lambda n: np.where(n > 300.0, 0.4, 0.3),
}


@pytest.mark.parametrize("scatter", [0.01, 0.03])
@pytest.mark.parametrize("sizes", [SIZES[::2], SIZES[1:], SIZES, np.geomspace(100.0, 1600.0, 6)])
@pytest.mark.parametrize("shape", RISES)
def test_a_loss_that_rises_does_not_wait(shape: str, sizes: FloatArray, scatter: float) -> None:
    losses = scattered(RISES[shape](sizes), scatter)
    posterior = fit(observed(*losses, sizes=sizes), prior_for(1.0), 0, 200)
    assert (posterior.not_started == 0.0).mean() >= 0.9
    assert sum(warning.code == "not_started" for warning in posterior.warnings) <= 4


def test_a_loss_that_rose_at_the_last_size_alone_mostly_does_not_wait() -> None:
    losses = observed(*scattered(np.where(SIZES > 1000.0, 0.4, 0.3), 0.01))
    before = chance_of(losses, replace(prior_for(1.0), rises=1e-12))
    assert (chance_of(losses, prior_for(1.0)) == 0.0).mean() >= 0.8 > 0.2 > (before == 0.0).mean()


def test_a_group_that_fell_is_not_said_to_wait() -> None:
    losses = observed(*scattered(np.array([0.2, 0.34, 0.34]), 0.01), sizes=SIZES[::2])
    posterior = fit(losses, replace(prior_for(1.0), not_started=0.9), 0, 200)
    named = {code: {w.group for w in posterior.warnings if w.code == code} for code in ("fell", "not_started")}
    assert (posterior.not_started >= 0.1).all()
    assert named["fell"]
    assert not named["fell"] & named["not_started"]


def test_losses_that_their_errors_hide_show_no_flatness() -> None:
    assert chance_of(observed(FLAT, stderr=10.0), prior_for(1.0))[0] == 0.0


@pytest.mark.parametrize(("scatter", "most"), [(0.01, 0.0), (0.03, 0.1)])
@pytest.mark.parametrize("sizes", [SIZES[::2], SIZES[1:], SIZES, np.geomspace(100.0, 1600.0, 6)])
def test_a_flat_loss_seldom_passes_for_a_rising_one(sizes: FloatArray, scatter: float, most: float) -> None:
    losses = observed(*scattered(np.full(len(sizes), 0.4), scatter, 100), sizes=sizes)
    before = chance_of(losses, replace(prior_for(1.0), rises=1e-12)) >= 0.05
    assert before.mean() > 0.8
    assert 1.0 - (chance_of(losses, prior_for(1.0))[before] >= 0.05).mean() <= most


@pytest.mark.parametrize("sizes", [np.array([800.0, 1600.0]), np.array([600.0, 800.0, 1600.0])])
def test_few_sizes_or_close_ones_show_nothing(sizes: FloatArray) -> None:
    assert chance_of(observed(np.full(len(sizes), 0.4), sizes=sizes), prior_for(1.0))[0] == 0.0


def fitted(draws: int = 4000) -> Posterior:
    return fit(observed(FLAT), replace(prior_for(1.0), not_started=0.3), 0, draws)


def test_draws_are_in_the_state_by_its_chance_and_follow_its_laws() -> None:
    posterior = fitted()
    prior = replace(prior_for(1.0), not_started=0.3)
    waiting = posterior.threshold[0] > 0.0
    assert waiting.mean() == pytest.approx(chance_of(observed(FLAT), prior)[0], abs=0.002)
    starts = waiting & np.isfinite(posterior.threshold[0])
    assert starts.sum() / waiting.sum() == pytest.approx(prior.starts, abs=0.01)
    np.testing.assert_array_equal(posterior.excess[0, waiting & ~starts], 0.0)
    start = posterior.threshold[0, starts] / 1600.0
    assert start.min() >= 1.0
    level = (posterior.asymptote + posterior.excess)[0]
    floor = (posterior.asymptote[0] / level)[starts]
    assert kstest(start**-prior.start_exponent, "uniform").statistic < 0.04
    assert kstest(floor**2, "uniform").statistic < 0.04
    assert level[waiting].mean() == pytest.approx(0.4, abs=0.002)
    assert np.corrcoef(start**-0.6, floor)[0, 1] == pytest.approx(0.0, abs=0.08)


def test_the_curve_that_is_planned_on_is_the_mean_of_the_paths() -> None:
    posterior = fitted(20_000)
    waiting = posterior.threshold[0] > 0.0
    for times in (1.0, 1.5, 3.0, 10.0):
        at = np.array([1600.0 * times])
        loss, path = posterior.loss(at)[0, waiting].mean(), posterior.path(at)[0, waiting].mean()
        assert path == pytest.approx(loss, abs=0.002)
    below = posterior.path(np.array([100.0]))[0, waiting]
    np.testing.assert_array_equal(below, (posterior.asymptote + posterior.excess)[0, waiting])


def test_the_inverse_is_where_the_path_gets_there() -> None:
    posterior = fitted(500)
    for target in (0.45, 0.395, 0.2):
        count = posterior.inverse(np.array([target]))[0]
        waiting = (posterior.threshold[0] > 0.0) & np.isfinite(count)
        for draw in np.flatnonzero(waiting).tolist():
            one = posterior.draw(draw)
            assert one.path(np.array([count[draw]]))[0, 0] <= target + 1e-12
            if count[draw] > 0.0:
                assert one.path(np.array([count[draw] * (1.0 - 1e-9)]))[0, 0] > target


def test_company_and_order_change_no_draw() -> None:
    losses, prior = [FLAT, FALLING, FLAT[::-1].copy(), FALLING + 0.01], prior_for(1.0)
    together = fit(observed(*losses), prior, 3, 200)
    back = observed(*losses)
    order = np.array([2, 0, 3, 1])
    again = fit(back.select(order), prior, 3, 200)
    assert (together.threshold[[0, 2]] > 0.0).any(axis=1).all()
    for name in ("asymptote", "excess", "threshold", "discrepancy"):
        np.testing.assert_array_equal(getattr(again, name), getattr(together, name)[order])
    np.testing.assert_array_equal(again.warnings, [w for i in order for w in together.warnings if w.group == f"g{i}"])


def test_two_groups_draws_are_independent_in_the_state() -> None:
    posterior = fit(observed(FLAT, FLAT), replace(prior_for(1.0), not_started=0.3), 0, 4000)
    waiting = posterior.threshold > 0.0
    both = waiting.all(axis=0).mean()
    assert both == pytest.approx(waiting[0].mean() * waiting[1].mean(), abs=0.03)
