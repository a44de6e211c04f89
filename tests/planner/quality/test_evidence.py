"""The evidence of effective counts: against the integral done by brute force, and for being smooth."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from app.planner.curves import Points
from app.planner.curves.prior import Prior
from app.planner.quality.evidence import log_evidence
from app.planner.quality.mixtures import Mixture

PRIOR = Prior(exponents=(0.35, 0.8), offsets=(0.0, 0.25), noises=(0.02,), discrepancies=(0.01,))


def points(counts: list[float], losses: list[float]) -> Points:
    return Points(
        np.array(counts), np.array(losses), np.full(len(counts), np.nan), np.zeros(len(counts), dtype=np.int64)
    )


def by_hand(one: Points, unit: float) -> float:
    """log p(y | n) of an open metric: level and floor summed over fine grids at every shape, no truncation by grids."""
    n, y = one.counts, one.losses / unit
    top = n.max()
    t = np.log2(top / n)
    covariance = 0.02**2 * np.eye(len(n)) + 0.01**2 * np.minimum(t[:, None], t)
    found = []
    floors = (np.arange(400) + 0.5) / 400
    for c in PRIOR.exponents:
        for delta in PRIOR.offsets:
            p = ((n / top + delta) / (1 + delta)) ** -c
            for floor in floors:
                phi = floor + (1 - floor) * p
                # s ~ N(1, 2²) integrated in closed form: y ~ N(φ, V + 4 φφᵀ).
                found.append(multivariate_normal.logpdf(y, phi, covariance + 4.0 * np.outer(phi, phi)))
    return float(np.log(np.mean(np.exp(np.array(found) - max(found)))) + max(found))


def test_differences_are_those_of_the_integral_by_brute_force() -> None:
    losses = [0.9, 0.7, 0.55, 0.45, 0.5]
    variants = [points([125.0, 250.0, 500.0, 1000.0, 500.0 + more], losses) for more in (40.0, 120.0, 200.0, 900.0)]
    found = log_evidence(variants, 0.5, None, PRIOR)
    expected = np.array([by_hand(one, 0.5) for one in variants])
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=0.08)


def test_two_mixtures_that_happen_to_be_worth_the_same_make_no_step() -> None:
    counts = np.array([125.0, 250.0, 500.0, 1000.0, 500.0])
    came = np.array([0.0, 0.0, 0.0, 0.0, 250.0])[:, None]
    one = Mixture(points(counts.tolist(), [0.9, 0.7, 0.55, 0.45, 0.56]), ("s",), came)
    quality = np.array([0.98, 0.99, 1.0, 1.01, 1.02])[:, None]
    found = log_evidence(one.variants(quality), 0.5, 1.0, PRIOR)
    assert np.abs(np.diff(found, 2)).max() < 0.02


def test_more_than_nine_sizes_are_not_binned() -> None:
    counts = [100.0 * 1.3**k for k in range(12)]
    losses = [2.0 * n**-0.5 for n in counts]
    straight, bent = points(counts, losses), points([*counts[:-1], counts[-1] * 0.4], losses)
    straight_log, bent_log = log_evidence([straight, bent], 0.1, 1.0, PRIOR)
    assert straight_log > bent_log + 5.0
    assert straight_log == pytest.approx(log_evidence([straight], 0.1, 1.0, PRIOR)[0])
