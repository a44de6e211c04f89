"""What groups' curves have wrong together: its correlation is learnt, and draws are dealt out anew by it alone."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves.common_errors import CORRELATIONS, SCALE, error_correlation, moving_together
from app.planner.curves.posterior import Posterior
from tests.planner.problems import scattered

CURVES = [(0.05 + 0.02 * at, 2.0, 0.5, 0.0) for at in range(5)]


def residuals(rho: float, groups: int, runs: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Standardised residuals of groups that were all scored on the same runs."""
    rng = np.random.default_rng(seed)
    e = np.sqrt(rho) * rng.standard_normal(runs) + np.sqrt(1.0 - rho) * rng.standard_normal((groups, runs))
    return list(e), [np.arange(runs)] * groups


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.4, 0.8])
def test_the_correlation_of_many_runs_is_found(rho: float) -> None:
    assert error_correlation(*residuals(rho, 20, 200, seed=3)) == pytest.approx(rho, abs=0.06)


def test_few_runs_move_it_little_and_none_leave_the_prior_mean() -> None:
    weight = np.gradient(CORRELATIONS) * np.exp(-CORRELATIONS / SCALE)
    before = weight @ CORRELATIONS / weight.sum()
    for told in (([], []), ([np.zeros(0)] * 3, None), ([np.array([0.5, -0.2])], [np.arange(2)])):
        assert error_correlation(*told) == pytest.approx(before)
    assert 0.02 < error_correlation(*residuals(0.0, 6, 4, seed=1)) < before
    assert before < error_correlation(*residuals(0.8, 6, 4, seed=1))


def test_no_residual_at_all_says_nothing() -> None:
    assert error_correlation([np.zeros(3)] * 4, [np.arange(3)] * 4) == error_correlation([], [])


def test_only_runs_that_groups_share_are_asked() -> None:
    """Each group on runs of its own: residuals all alike are no sign of anything shared."""
    apart = [np.arange(3) + 3 * g for g in range(4)]
    assert error_correlation([np.ones(3)] * 4, apart) == error_correlation([], [])


def correlated(rho: float, draws: int = 400) -> Posterior:
    return replace(scattered(CURVES, draws, seed=5), reference=np.full(5, 50.0), error_correlation=rho)


def test_each_group_keeps_its_draws_and_groups_move_together() -> None:
    before = correlated(0.5)
    after = moving_together(before)
    counts = np.full(5, 200.0)
    np.testing.assert_array_equal(np.sort(before.loss(counts)), np.sort(after.loss(counts)))
    # A draw stays whole: its losses at two counts belong together as before.
    pairs = [
        sorted(zip(one.loss(counts)[0].tolist(), one.loss(0.5 * counts)[0].tolist(), strict=True))
        for one in (before, after)
    ]
    assert pairs[0] == pairs[1]
    rank = np.argsort(np.argsort(after.loss(counts), axis=1), axis=1)
    off = np.corrcoef(rank)[np.triu_indices(5, 1)]
    # Ranks of normals correlated by ρ are correlated by (6/π) asin(ρ/2).
    assert off.mean() == pytest.approx(6.0 / np.pi * np.arcsin(0.25), abs=0.05)
    assert np.abs(np.corrcoef(np.argsort(np.argsort(before.loss(counts)))))[0, 1] < 0.15


def test_a_sum_is_as_uncertain_as_the_correlation_says() -> None:
    """The variance of the mean of k like groups is σ² (ρ + (1 − ρ)/k)."""
    counts = np.full(5, 200.0)
    for rho in (0.0, 0.2, 0.9):
        losses = moving_together(correlated(rho, 2000)).loss(counts)
        expected = (np.sqrt(rho) * losses.std(axis=1).mean()) ** 2 + (1.0 - rho) * losses.var(axis=1).mean() / 5.0
        assert losses.mean(axis=0).var() == pytest.approx(expected, rel=0.12)


def test_a_group_is_dealt_alike_whatever_others_there_are_and_in_any_order() -> None:
    whole, order = correlated(0.3), np.array([3, 0, 4, 1])
    apart, together = moving_together(whole.select(order)), moving_together(whole).select(order)
    np.testing.assert_array_equal(apart.loss(np.full(4, 99.0)), together.loss(np.full(4, 99.0)))


def test_without_correlation_every_draw_stays_where_it_is() -> None:
    for one in (correlated(0.0), correlated(0.5).select(np.array([2])), correlated(0.5).draw(0)):
        assert moving_together(one) is one
