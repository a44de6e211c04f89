"""Scores of forecasts, against closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from app.planner.forecasts.scoring import INTERVAL_LEVELS, crps, intervals, rescale, score, widening, wis

finite = st.floats(-1e3, 1e3)


@settings(deadline=None)
@given(arrays(np.float64, st.integers(2, 12), elements=finite), finite)
def test_crps_is_the_mean_over_pairs(draws: np.ndarray, value: float) -> None:
    pairs = [abs(a - b) for i, a in enumerate(draws) for j, b in enumerate(draws) if i != j]
    expected = np.abs(draws - value).mean() - 0.5 * np.mean(pairs)
    assert crps(draws, np.asarray(value)) == pytest.approx(expected, abs=1e-9)


def test_crps_of_a_normal_forecast_is_its_closed_form() -> None:
    """Gneiting & Raftery 2007, eq. 21: σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π)."""
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000, loc=2.0, scale=0.5)
    for value in (1.0, 2.0, 3.3):
        z = (value - 2.0) / 0.5
        expected = 0.5 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
        assert crps(draws, np.asarray(value)) == pytest.approx(expected, rel=1e-3)


def test_wis_of_one_worked_case() -> None:
    """By hand: intervals (−1, 1), (−2, 2), (−3, 3), median 0, measured 2.5."""
    low, high = np.array([-1.0, -2.0, -3.0]), np.array([1.0, 2.0, 3.0])
    by_hand = 0.5 * 2.5 + 0.25 * (2 + 4 * 1.5) + 0.1 * (4 + 10 * 0.5) + 0.05 * 6
    assert wis(low, np.asarray(0.0), high, np.asarray(2.5)) == pytest.approx(by_hand / 3.5)


def test_a_calibrated_forecast_covers_what_it_says() -> None:
    rng = np.random.default_rng(5)
    centre = rng.normal(size=(4000, 1))
    found = score(centre + rng.normal(size=(4000, 400)), (centre + rng.normal(size=(4000, 1)))[:, 0])
    np.testing.assert_allclose(found.covered.mean(axis=0), INTERVAL_LEVELS, atol=0.02)


@pytest.mark.parametrize("spread", [0.25, 1.0, 4.0])
def test_rescaled_forecasts_cover_what_they_say_whatever_their_first_width(spread: float) -> None:
    rng = np.random.default_rng(9)
    truth = rng.normal(size=800)
    low, median, high = intervals(spread * rng.normal(size=(800, 500)))
    factors = widening(low[:400], median[:400], high[:400], truth[:400])
    probability = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
    quantiles = spread * norm.ppf(probability) * np.ones((400, 1))
    wider = rescale(probability, quantiles, factors)
    for level, (first, last) in zip(INTERVAL_LEVELS, [(2, 4), (1, 5), (0, 6)], strict=True):
        inside = (wider[:, first] <= truth[400:]) & (truth[400:] <= wider[:, last])
        assert inside.mean() == pytest.approx(level, abs=0.06)


def test_a_short_record_changes_nothing() -> None:
    low, median, high = intervals(np.random.default_rng(1).normal(size=(19, 100)))
    np.testing.assert_array_equal(widening(low, median, high, np.full(19, 50.0)), 1.0)


@given(arrays(np.float64, (5, 7), elements=finite), arrays(np.float64, 3, elements=st.floats(0, 10)))
def test_rescaled_quantiles_stay_in_order(quantiles: np.ndarray, factors: np.ndarray) -> None:
    probability = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
    found = rescale(probability, np.sort(quantiles, axis=1), factors)
    assert np.all(np.diff(found, axis=1) >= 0)
