"""Forecasts of runs not yet seen, against simulation."""

import numpy as np

from app.planner.curves import Observations, Points, Prior, fit
from app.planner.forecast import Asked, predict
from app.planner.scoring import intervals

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


def test_hard_questions_get_finite_answers() -> None:
    points = Points(np.array([0.0, 1e9]), np.array([0.0, 0.0]), np.array([np.nan, 10.0]), np.array([0, 1]))
    observations = Observations(("a",), (points,), (None,), np.array([0.0]), None)
    posterior = fit(observations, Prior(), 0, 50)
    rows = [(0, n, error, 0) for n in (0.0, 1.0, 1e9) for error in (0.0, np.nan, 10.0)]
    assert np.all(np.isfinite(predict(posterior, observations, ask(*rows), 0)))
