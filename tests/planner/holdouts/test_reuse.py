"""What reuse does to a holdout, against closed forms and simulation."""

from math import pi, sqrt

import numpy as np
import pytest

from app.planner.holdouts import expected_max, is_worn, reuse_of


def test_of_a_thousand_samples_and_twenty_candidates() -> None:
    found = reuse_of(sqrt(0.25 / 1000), 1000, 20, 20)
    assert [round(one or 0.0, 4) for one in (found.half_width, found.widened, found.worst_case)] == [
        0.0310,
        0.0478,
        0.0937,
    ]


def test_what_was_used_once_is_as_wide_as_ever() -> None:
    found = reuse_of(0.01, None, 1, 1)
    assert found.half_width == found.widened == pytest.approx(0.0195996, rel=1e-5)
    assert (found.optimism_up_to, found.worst_case) == (0.0, None)


def test_the_expected_maximum_has_its_closed_forms() -> None:
    assert expected_max(1) == 0.0
    assert expected_max(2) == pytest.approx(1 / sqrt(pi), abs=1e-12)
    assert expected_max(3) == pytest.approx(1.5 / sqrt(pi), abs=1e-12)
    drawn = np.random.default_rng(0).standard_normal((20_000, 20)).max(axis=1)
    assert expected_max(20) == pytest.approx(drawn.mean(), abs=3 * drawn.std() / sqrt(20_000))
    assert expected_max(10**6) == pytest.approx(4.8629, abs=1e-3)


def test_the_best_of_twenty_is_within_the_widened_interval() -> None:
    n, accuracy, rho, games = 2_000, 0.8, 0.5, 4_000
    stderr = sqrt(accuracy * (1 - accuracy) / n)
    rng = np.random.default_rng(1)
    errors = sqrt(rho) * rng.standard_normal((games, 1)) + sqrt(1 - rho) * rng.standard_normal((games, 20))
    best = stderr * errors.max(axis=1)
    found = reuse_of(stderr, n, 20, 20)
    assert np.mean(np.abs(best) <= found.half_width) == pytest.approx(0.79, abs=0.02)
    assert np.mean(np.abs(best) <= found.widened) == pytest.approx(0.98, abs=0.01)
    assert found.worst_case is not None
    assert np.abs(best).max() <= found.worst_case
    assert best.mean() == pytest.approx(0.012, abs=0.001)
    assert best.mean() <= found.optimism_up_to


@pytest.mark.parametrize(
    ("gain", "distance", "worn"),
    [(0.02, None, False), (0.005, None, True), (None, 0.005, True), (0.02, 0.005, True), (None, None, False)],
)
def test_it_is_worn_where_optimism_is_more_than_what_is_decided(
    gain: float | None, distance: float | None, worn: bool
) -> None:
    assert is_worn(0.01, gain, distance) is worn
