"""Qualities as laws on a grid, against closed forms."""

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from app.planner.quality.worth import QUALITIES, Quality, Worth


def test_an_interval_is_the_normal_law_that_has_it() -> None:
    quality = Quality.of(Worth.between(0.4, 0.8))
    assert (quality.p05, quality.mean, quality.p95) == pytest.approx((0.4, 0.6, 0.8), abs=1e-3)
    assert quality.variance == pytest.approx((0.2 / norm.ppf(0.95)) ** 2, rel=0.02)


def test_nothing_said_is_the_wide_law_cut_to_the_grid() -> None:
    quality = Quality.of(Worth())
    law = truncnorm((-0.3125 - 0.7) / 0.4, (1.5125 - 0.7) / 0.4, 0.7, 0.4)
    assert quality.mean == pytest.approx(law.mean(), abs=2e-3)
    assert (quality.p05, quality.p95) == pytest.approx(law.ppf([0.05, 0.95]), abs=5e-3)


def test_an_exact_quality_has_no_spread_wherever_it_lies() -> None:
    for value in (0.625, -0.22, 1e-6):
        quality = Quality.of(Worth(value, 0.0), np.arange(len(QUALITIES), dtype=float))
        assert (quality.p05, quality.mean, quality.p95, quality.worst(0.1)) == (value,) * 4
        assert quality.variance == 0.0


def test_the_worst_share_is_the_mean_below_its_quantile() -> None:
    quality = Quality.of(Worth(0.6, 0.1))
    for share in (0.05, 0.25, 1.0):
        closed = 0.6 - 0.1 * (norm.pdf(norm.ppf(share)) / share)
        assert quality.worst(share) == pytest.approx(closed, abs=0.01)
    assert quality.worst(1.0) == pytest.approx(quality.mean)
