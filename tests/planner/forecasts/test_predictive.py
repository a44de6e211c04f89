"""Forecasts of runs not yet seen, against simulation."""

from collections.abc import Callable

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.planner.forecasts.predictive import Asked, predict, shared_error
from app.planner.forecasts.scoring import intervals
from app.services.curves.prior import prior_for

SIZES = np.array([50.0, 100.0, 200.0, 400.0, 800.0])


def ask(*rows: tuple[int, float, float, int]) -> Asked:
    """Rows of (group, count, stderr, holdout), named by what they ask."""
    groups, counts, stderrs, holdouts = zip(*rows, strict=True)
    names = tuple(repr(row) for row in rows)
    runs = np.zeros((len(rows), 1 + max(groups)))
    runs[np.arange(len(rows)), groups] = counts
    return Asked(np.array(groups), runs, np.array(stderrs), np.array(holdouts), names)


def simulated(rng: np.random.Generator, same_holdout: bool) -> tuple[Points, float, Asked]:
    """Five runs on one holdout, and a sixth at 1,600 on the same or on another: shared error .02, training error
    3 % of the loss."""
    truth = 0.1 + 2.0 * np.append(SIZES, 1600.0) ** -0.5
    shared = rng.normal(0, 0.02, 2)
    noise = rng.normal(0, 0.03 * truth)
    losses = truth[:5] + shared[0] + noise[:5]
    points = Points(SIZES, losses, np.full(5, 0.02), np.zeros(5, dtype=np.int64))
    measured = truth[5] + (shared[0] if same_holdout else shared[1]) + noise[5]
    return points, float(measured), ask((0, 1600.0, 0.02, 0 if same_holdout else 1))


def covered(same_holdout: bool) -> tuple[float, float]:
    """Share of 90 % forecasts that held the run, and their median width."""
    rng = np.random.default_rng(3)
    inside, widths = [], []
    for number in range(150):
        points, measured, asked = simulated(rng, same_holdout)
        observations = Observations((f"g{number}",), (points,), (None,), np.array([800.0]), 1.0)
        posterior = fit(observations, Prior(), 0, 200)
        low, _, high = intervals(predict(posterior, observations, asked, 0))
        inside.append(low[0, 2] <= measured <= high[0, 2])
        widths.append(high[0, 2] - low[0, 2])
    return float(np.mean(inside)), float(np.median(widths))


def test_forecasts_hold_what_is_measured_and_know_a_holdout_they_have_seen() -> None:
    same, same_width = covered(True)
    other, other_width = covered(False)
    assert 0.83 <= same <= 1.0
    assert 0.83 <= other <= 1.0
    assert same_width < other_width


def test_a_forecast_does_not_depend_on_what_else_is_asked() -> None:
    points, _, asked = simulated(np.random.default_rng(1), True)
    observations = Observations(("a", "b"), (points, points), (None, None), np.array([800.0, 800.0]), 1.0)
    posterior = fit(observations, Prior(), 0, 100)
    alone = predict(posterior, observations, asked, 0)
    several = predict(posterior, observations, ask((1, 900.0, 0.02, 0), (0, 1600.0, 0.02, 0), (0, 9.0, 0.1, 7)), 0)
    np.testing.assert_array_equal(alone[0], several[1])
    np.testing.assert_array_equal(alone, predict(posterior, observations, asked, 0))
    assert not np.array_equal(alone, predict(posterior, observations, asked, 1))


def share_held(m: int, count: float, loss: Callable[[float], float]) -> float:
    """Share of 150 forecasts of 90 % that held a run at `count` on the m examples that four runs were scored on before;
    example i is wrong at n iff u_i < loss(n)."""
    u, sizes = np.random.default_rng(m).uniform(size=(150, m)), np.array([100.0, 200.0, 400.0, 800.0])
    share = np.stack([(u < loss(n)).mean(axis=1) for n in (*sizes, count)], axis=1)
    shrunk = (share * m + 0.5) / (m + 1)
    error = np.sqrt(shrunk * (1.0 - shrunk) / m)
    holdout = np.zeros(4, dtype=np.int64)
    points = tuple(Points(sizes, one[:4], sd[:4], holdout) for one, sd in zip(share, error, strict=True))
    keys = tuple(f"g{g}" for g in range(150))
    observations = Observations(keys, points, (None,) * 150, np.full(150, 800.0), 1.0)
    asked = Asked(np.arange(150), np.full((150, 150), count), error[:, 4], np.zeros(150, dtype=np.int64), keys)
    drawn = predict(fit(observations, prior_for(1.0), 0, 200), observations, asked, 0)
    low, high = np.quantile(np.clip(drawn, 0.0, 1.0), [0.05, 0.95], axis=1)
    return float(np.mean((low <= share[:, 4]) & (share[:, 4] <= high)))


@pytest.mark.parametrize("m", [50, 200])
@pytest.mark.parametrize(("floor", "excess", "power"), [(0.02, 0.9, 0.4), (0.1, 1.0, 0.35), (0.05, 0.0, 1.0)])
def test_forecasts_know_that_examples_are_learnt_between_losses(
    m: int, floor: float, excess: float, power: float
) -> None:
    assert share_held(m, 1600.0, lambda n: floor + excess * n**-power) >= 0.88


def test_hard_questions_get_finite_answers() -> None:
    points = Points(np.array([0.0, 1e9]), np.array([0.0, 0.0]), np.array([np.nan, 10.0]), np.array([0, 1]))
    observations = Observations(("a",), (points,), (None,), np.array([0.0]), None)
    posterior = fit(observations, Prior(), 0, 50)
    rows = [(0, n, error, 0) for n in (0.0, 1.0, 1e9) for error in (0.0, np.nan, 10.0)]
    assert np.all(np.isfinite(predict(posterior, observations, ask(*rows), 0)))


def luck_by_dense_normals(points: Points, posterior: Posterior, draws: int, luck: float) -> FloatArray:
    """Mean and sd of the holdout's luck as a share of the loss in each of the first draws [2, draws], every run by
    itself; luck: the sd before the runs."""
    assert posterior.errors is not None
    t = np.log2(points.counts.max() / points.counts)
    level = posterior.loss(points.counts[None])[0].mean(axis=1)
    found = np.empty((2, draws))
    for draw in range(draws):
        node = posterior.errors.node[0, draw]
        sigma, kappa = posterior.errors.sigma[0, node], posterior.errors.kappa[0, node]
        v = luck**2 * np.outer(level, level) + kappa**2 * np.minimum.outer(t, t) + sigma**2 * np.eye(len(t))
        gain = luck**2 * level @ np.linalg.inv(v)
        away = points.losses - posterior.loss(points.counts[None])[0, :, draw]
        found[:, draw] = gain @ away, np.sqrt(luck**2 * (1.0 - gain @ level))
    return found


@pytest.mark.parametrize("runs", [5, 60, 300])
def test_what_a_holdout_has_shown_is_weighed_draw_by_draw(runs: int) -> None:
    """As dense normals say; many runs are averaged first, which blurs where they lie."""
    rng = np.random.default_rng(8)
    # Over sizes so near to each other no curve can be waiting for its first fall.
    counts = np.sort(rng.uniform(700, 2000, runs))
    losses = 0.1 + 2.0 * counts**-0.5 + 0.03 + 0.01 * rng.normal(size=runs)
    points = Points(counts, losses, np.full(runs, 0.02), np.zeros(runs, dtype=np.int64))
    observations = Observations(("a",), (points,), (None,), np.array([2000.0]), 1.0)
    posterior = fit(observations, prior_for(1.0), 0, 200)
    level, mean, sd = shared_error(posterior, observations, ask((0, 3000.0, 0.02, 0)))
    np.testing.assert_allclose(level[0], posterior.loss(np.array([3000.0])).mean())
    exact = luck_by_dense_normals(points, posterior, 200, 0.02 / float(level[0, 0]))
    tolerance = 1e-9 if runs <= 60 else 0.1
    np.testing.assert_allclose(sd[0], exact[1], rtol=tolerance)
    np.testing.assert_allclose((mean[0] - exact[0]) / exact[1], 0.0, atol=4.0 * tolerance)


def test_a_run_on_a_stated_curve_shows_its_holdouts_luck_as_a_share_of_the_loss() -> None:
    curve = AssumedCurve(0.1, 2.0, 0.5, 0.0)
    points = Points(np.array([100.0, 400.0]), np.array([0.33, 0.22]), np.full(2, 0.02), np.zeros(2, dtype=np.int64))
    observations = Observations(("a",), (points,), (curve,), np.array([400.0]), 1.0)
    posterior = fit(observations, Prior(), 0, 200)
    again = predict(posterior, observations, ask((0, 400.0, 0.02, 0)), 0)
    np.testing.assert_allclose(again, 0.22, rtol=1e-9)
    same = predict(posterior, observations, ask((0, 1600.0, 0.02, 0)), 0)
    # A loss that falls from .2 to .15 leaves part of the luck to the examples learnt in between.
    assert same.mean() == pytest.approx(0.15 * 1.1, rel=0.01)
    assert same.std() == pytest.approx(0.02 * np.sqrt(1.0 - (0.15 / 0.85) / (0.2 / 0.8)), rel=0.1)
    fresh = predict(posterior, observations, ask((0, 1600.0, 0.02, 1)), 0)
    assert fresh.std() == pytest.approx(0.02, rel=0.2)


EARLIER, ASKED, ERROR = np.array([50.0, 100.0, 200.0]), 300.0, 0.01
MEASURED = np.array([0.30, 0.26, 0.23])
QUANTILES = (0.05, 0.5, 0.95)


def weighted_draws(prior: Prior, number: int) -> tuple[FloatArray, FloatArray]:
    """The three runs' exact posterior by importance sampling, without the engine's grid: weights [number], and draws
    [3, number] of the band, and of a run scored on their holdout and on another, at ASKED."""
    rng = np.random.default_rng(0)
    unit, n_ref, bins = float(MEASURED[1:].mean()), float(EARLIER[-1]), 64
    x = prior.covariates(np.array([unit]), np.array([n_ref]))
    c, delta = prior.shape_nodes
    sigma, kappa = prior.noise_nodes
    log_noise, log_shape = prior.log_weights(x)
    floors = (np.arange(bins) + 0.5) / bins
    density = np.stack([np.interp(floors, prior.floors, row + x[0] @ prior.floor_tilt) for row in prior.shape])
    weight = np.exp(density + log_shape[0][:, None])
    picked = rng.choice(weight.size, number, p=(weight / weight.sum()).ravel())
    shape, rho = picked // bins, (picked % bins + rng.random(number)) / bins
    noise = rng.choice(len(sigma), number, p=np.exp(log_noise[0]) / np.exp(log_noise[0]).sum())
    share, spread = 1.0 / unit, 0.06
    s = MEASURED[-1] / unit + spread * rng.standard_normal(number)

    def curve(n: float) -> FloatArray:
        return np.asarray(s * (rho + (1 - rho) * ((n / n_ref + delta[shape]) / (1 + delta[shape])) ** -c[shape]))

    away = MEASURED / unit - np.stack([curve(n) for n in EARLIER], axis=1)
    log_weight = 0.5 * ((s - MEASURED[-1] / unit) / spread) ** 2 - 0.5 * ((s - 0.5 * share) / share) ** 2
    log_weight[(s <= 0) | (s >= share)] = -np.inf
    t, e = np.log2(n_ref / EARLIER), ERROR / unit
    shift, left = np.zeros(number), np.zeros(number)
    for node in range(len(sigma)):
        at = noise == node
        v = e**2 + kappa[node] ** 2 * np.minimum.outer(t, t) + sigma[node] ** 2 * np.eye(3)
        inverse = np.linalg.inv(v)
        log_weight[at] -= 0.5 * (np.einsum("ij,jk,ik->i", away[at], inverse, away[at]) + np.linalg.slogdet(v)[1])
        # The shared error given what was measured: it is normal, its covariance with each run e².
        shift[at], left[at] = away[at] @ inverse.sum(axis=0) * e**2, np.sqrt(e**2 - e**4 * inverse.sum())
    scales = np.broadcast_to(prior.widening, (2, len(sigma)))[0, :, None] * np.array(prior.forecasts)
    reached = (rng.random(number)[:, None] > prior.ahead_weights[0].cumsum(axis=1)[noise]).sum(axis=1)
    ahead = scales[noise, np.minimum(reached, len(prior.forecasts) - 1)]
    normal = rng.standard_normal((3, number))
    band = np.maximum(curve(ASKED) + np.sqrt(np.log2(ASKED / n_ref)) * ahead * normal[0], 0.0)
    training = sigma[noise] * normal[1]
    return np.exp(log_weight - log_weight.max()), unit * np.stack(
        [band, band + shift + left * normal[2] + training, band + e * normal[2] + training]
    )


def width(values: FloatArray, weight: FloatArray) -> float:
    """Of the central 90 % interval."""
    order = np.argsort(values)
    low, _, high = np.interp(QUANTILES, weight[order].cumsum() / weight.sum(), values[order])
    return float(high - low)


def test_widths_are_those_of_the_exact_posterior() -> None:
    """A run on a fresh holdout is less sure than the curve; one on a holdout seen before need not be."""
    prior = prior_for(1.0)
    weight, draws = weighted_draws(prior, 1_500_000)
    band, same, fresh = (width(values, weight) for values in draws)
    assert same < band < fresh
    points = Points(EARLIER, MEASURED, np.full(3, ERROR), np.zeros(3, dtype=np.int64))
    observations = Observations(("A",), (points,), (None,), np.array([200.0]), 1.0)
    posterior = fit(observations, prior, 0, 4_000)
    even = np.ones(4_000)
    assert width(posterior.band(np.array([ASKED]))[0], even) == pytest.approx(band, rel=0.06)
    on_same, on_fresh = predict(posterior, observations, ask((0, ASKED, ERROR, 0), (0, ASKED, ERROR, 1)), 0)
    assert width(on_fresh, even) == pytest.approx(fresh, rel=0.06)
    assert width(on_same, even) == pytest.approx(same, rel=0.06)
