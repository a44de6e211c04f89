"""The chance of a target, and the counts that give it: closed forms, scans and invariants."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.requirements.chances import Goals, hull
from app.planner.utility.metric import Metric
from tests.planner.problems import ACCURACY, RMSE, Curve, scattered, stated

CURVES: list[Curve] = [(0.05, 2.0, 0.5, 0.0), (0.1, 3.0, 0.7, 20.0), (0.0, 1.5, 0.4, 0.0)]


def straying(draws: int = 200, reference: float = 100.0, seed: int = 3) -> Posterior:
    """Scattered curves, measured up to `reference`, from which the truth strays beyond."""
    sure = scattered(CURVES, draws, seed)
    noise = np.random.default_rng(seed + 1).normal(size=sure.asymptote.shape)
    return replace(sure, reference=np.full(len(CURVES), reference), discrepancy=0.01 * noise)


def first_by_scan(posterior: Posterior, group: int, loss: float, chance: float, sizes: FloatArray) -> float:
    """The first of ascending sizes at which enough draws are at the loss, one size after the other."""
    one = posterior.select(np.array([group]))
    for size in sizes:
        reached = sum(bool(draw <= loss) for draw in one.band(np.array([size]))[0])
        if reached >= chance * one.draws - 1e-9:
            return float(size)
    return float("inf")


def test_a_stated_curve_needs_the_closed_form_count() -> None:
    targets = np.array([0.8, 0.85, np.nan])
    goals = Goals.of(targets, ACCURACY, stated(CURVES, draws=5))
    expected = [(2.0 / 0.15) ** 2, (3.0 / 0.05) ** (1 / 0.7) - 20.0]
    np.testing.assert_array_equal(goals.indices, [0, 1])
    np.testing.assert_allclose(goals.needed(0.9), expected, rtol=1e-9)
    np.testing.assert_array_equal(goals.chance(goals.needed(0.9)), [1.0, 1.0])
    np.testing.assert_array_equal(goals.chance(0.999 * goals.needed(0.9)), [0.0, 0.0])


def test_a_target_beyond_the_asymptote_is_out_of_reach() -> None:
    goals = Goals.of(np.array([0.96, 0.9, 1.2]), ACCURACY, stated(CURVES))
    np.testing.assert_array_equal(goals.needed(0.5), [np.inf] * 3)
    np.testing.assert_array_equal(goals.reachable(), [0.0] * 3)


def test_a_target_at_the_metrics_worst_value_is_met_without_data() -> None:
    goals = Goals.of(np.array([0.0, -1.0, 0.0]), ACCURACY, stated(CURVES))
    np.testing.assert_array_equal(goals.needed(0.99), [0.0] * 3)
    np.testing.assert_array_equal(goals.chance(np.zeros(3)), [1.0] * 3)


def test_an_open_metric_counts_its_loss_from_the_lower_bound() -> None:
    goals = Goals.of(np.array([0.25, np.nan, np.nan]), RMSE, stated(CURVES))
    np.testing.assert_allclose(goals.needed(0.9), [100.0], rtol=1e-9)


@pytest.mark.parametrize("chance", [0.5, 0.8, 0.95])
def test_up_to_the_largest_measured_count_the_needed_count_is_the_quantile_of_inverses(chance: float) -> None:
    posterior = straying(reference=1e7)
    goals = Goals.of(np.array([0.7, 0.75, 0.7]), ACCURACY, posterior)
    inverses = np.sort(posterior.inverse(np.array([0.3, 0.25, 0.3])), axis=1)
    np.testing.assert_allclose(goals.needed(chance), inverses[:, round(chance * 200) - 1], rtol=1e-9)


@pytest.mark.parametrize("chance", [0.6, 0.9])
def test_beyond_it_the_needed_count_is_the_first_that_a_fine_scan_finds(chance: float) -> None:
    posterior = straying()
    goals = Goals.of(np.array([0.78, 0.8, 0.8]), ACCURACY, posterior)
    needed = goals.needed(chance)
    sizes = np.geomspace(100.0, 1e6, 3000)
    for group, loss in enumerate((0.22, 0.2, 0.2)):
        scanned = first_by_scan(posterior, group, loss, chance, sizes)
        assert np.isfinite(scanned)
        assert needed[group] == pytest.approx(scanned, rel=0.015)
        assert goals.chance(needed)[group] >= chance
        assert goals.chance(needed * (1.0 - 1e-9))[group] < chance


def test_a_truth_that_strays_needs_more_than_its_curve() -> None:
    posterior = straying(draws=4000)
    targets = np.array([0.8, 0.8, 0.8])
    with_it = Goals.of(targets, ACCURACY, posterior).needed(0.9)
    without = Goals.of(targets, ACCURACY, replace(posterior, discrepancy=0.0 * posterior.discrepancy)).needed(0.9)
    assert np.all(with_it > without)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 0.99), st.floats(0.0, 1.0))
def test_a_higher_chance_or_target_never_needs_less(seed: int, chance: float, part: float) -> None:
    posterior = straying(draws=60, seed=seed)
    low = Goals.of(np.full(3, 0.7), ACCURACY, posterior)
    high = Goals.of(np.full(3, 0.7 + 0.1 * part), ACCURACY, posterior)
    more = chance + (1.0 - chance) * part
    assert np.all(low.needed(more) >= low.needed(chance) * (1.0 - 1e-9))
    # A stricter target can only be met where the laxer one is; the grid may see a short crossing of one alone.
    assert np.all(high.needed(chance) >= low.needed(chance) * (1.0 - 0.02))
    assert np.all((low.chance(low.needed(chance)) >= chance - 1e-9) | np.isinf(low.needed(chance)))


def test_a_table_of_sizes_gives_each_columns_chances() -> None:
    goals = Goals.of(np.array([0.7, np.nan, 0.75]), Metric("maximize", None, 1.0), straying())
    table = np.array([[10.0, 200.0, 5e4], [1.0, 900.0, 3e3]])
    columns = np.stack([goals.chance(table[:, at]) for at in range(3)], axis=1)
    np.testing.assert_array_equal(goals.chance(table), columns)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-5.0, 0.0), min_size=1, max_size=12), st.integers(0, 10**6))
def test_the_hull_is_the_least_concave_function_above_the_points(values: list[float], seed: int) -> None:
    counts = np.cumsum(np.random.default_rng(seed).uniform(0.5, 3.0, size=len(values)))
    points = np.array(values)
    slopes, intercepts = hull(counts, points)
    assert np.all(np.diff(slopes) < 0.0)
    assert slopes[-1] == 0.0
    for n, v in zip(counts, points, strict=True):
        above = float((slopes * n + intercepts).min())
        assert above >= v - 1e-9
        # The concave hull at n is the best chord over n, or the highest value before it.
        chords = [points[counts <= n].max()]
        for a in np.flatnonzero(counts <= n):
            for b in np.flatnonzero(counts > n):
                part = (n - counts[a]) / (counts[b] - counts[a])
                chords.append((1.0 - part) * points[a] + part * points[b])
        assert above == pytest.approx(max(chords), abs=1e-9)
