"""The prior's weights, and the discrepancy ahead as a mixture of normals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import kstest

from app.planner.curves.observations import Observations, Points
from app.planner.curves.prior import Prior, _ahead
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

MIXED = Prior(forecasts=(0.02, 0.3), ahead=np.log([0.8, 0.2]), widening=np.array([[1.0], [1.5]]))


def test_quantiles_of_the_discrepancy_invert_the_mixtures_distribution() -> None:
    u = np.array([0.004, 0.11, 0.3, 0.5, 0.77, 0.96, 0.998])
    for binned, factor in ((0, 1.0), (1, 1.5)):
        found = _ahead(*MIXED._mixtures, np.full(7, binned * len(MIXED.noises) + 2), ndtri(u))
        for probability, quantile in zip(u, found, strict=True):

            def distribution(x: float, factor: float = factor, probability: float = probability) -> float:
                return float(0.8 * ndtr(x / (0.02 * factor)) + 0.2 * ndtr(x / (0.3 * factor)) - probability)

            assert quantile == pytest.approx(brentq(distribution, -5, 5), rel=5e-3, abs=1e-9)


def test_the_variance_ahead_is_the_mixtures() -> None:
    expected = 0.8 * 0.02**2 + 0.2 * 0.3**2
    np.testing.assert_allclose(MIXED.ahead_variance[0], expected, rtol=1e-12)
    np.testing.assert_allclose(MIXED.ahead_variance[1], 1.5**2 * expected, rtol=1e-12)


def test_weights_tilt_with_level_and_size_up_to_the_reach() -> None:
    tilt = np.eye(len(Prior().noises))[1:3]
    prior = Prior(noise_tilt=tilt, centre=np.array([-1.0, 2.0]), reach=2.0)
    x = prior.covariates(np.array([0.1, 1.0, 1e9]), np.array([100.0, 1e3, 1e9]))
    np.testing.assert_allclose(x, [[0, 0], [1, 1], [2, 2]], atol=1e-12)
    np.testing.assert_allclose(prior.log_weights(x)[0][:, 1:3], x, atol=1e-12)


def test_the_density_of_the_floor_runs_straight_between_its_knots() -> None:
    prior = Prior(
        floors=(0.0, 0.5, 1.0),
        shape=np.tile([0.0, 1.0, -1.0], (len(Prior().shape_nodes[0]), 1)),
        floor_tilt=np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]),
    )
    gamma = np.array([0.001, 0.25, 0.499, 0.75, 0.999])
    found = prior.log_density(np.array([3]), np.array([1]), np.array([[9.0, 9.0], [0.5, 1.0]]), gamma)
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 0.5, 0.0], atol=0.04)


def one(loss: float, span: float | None) -> Observations:
    counts = np.array([50.0, 100.0, 200.0, 400.0, 800.0])
    losses = loss * (0.3 + 0.7 * (counts / 800) ** -0.5)
    points = Points(counts, losses, 0.02 * losses, np.arange(5))
    return Observations(("a",), (points,), (None,), np.array([800.0]), span)


def test_the_level_tilts_the_forecast_only_where_the_metric_has_a_span() -> None:
    tilt = np.zeros((2, len(Prior().floors)))
    tilt[0, -4:] = -3.0
    prior = Prior(floor_tilt=tilt)

    def change(loss: float, span: float | None) -> float:
        with_tilt, without = (fit(one(loss, span), p, 0, 200) for p in (prior, Prior()))
        return float(abs(with_tilt.loss(np.array([6400.0])).mean() / without.loss(np.array([6400.0])).mean() - 1.0))

    assert change(0.01, 1.0) > 0.01
    assert change(0.01, None) == 0.0


def test_the_shipped_forms_are_complete_and_differ() -> None:
    trained, flat = prior_for(1.0), prior_for(None)
    assert trained.shape.shape == (len(trained.shape_nodes[0]), len(trained.floors))
    assert np.ptp(trained.shape) > 1.0
    for table in (flat.shape.T, flat.shape_tilt, flat.floor_tilt):
        assert not np.ptp(table, axis=1).any()
    for prior in (trained, flat):
        np.testing.assert_allclose(prior.ahead_weights.sum(axis=2), 1.0, rtol=1e-12)
        assert all(
            np.all(np.isfinite(values))
            for values in (prior.noise, prior.noise_tilt, prior.shape_tilt, prior.floor_tilt)
        )


def test_draws_of_the_discrepancy_follow_the_mixture() -> None:
    prior = replace(MIXED, noises=(0.05,), discrepancies=(0.02,))
    posterior = fit(one(0.3, 1.0), prior, 3, 2000)
    scale = np.mean(one(0.3, 1.0).points[0].losses[-2:])

    def distribution(x: np.ndarray) -> np.ndarray:
        return np.asarray(0.8 * ndtr(x / (0.02 * scale)) + 0.2 * ndtr(x / (0.3 * scale)))

    assert kstest(posterior.discrepancy[0], distribution).pvalue > 0.05
