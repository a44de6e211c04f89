"""Exploded runs are set aside where a bound is open, and sane ones are not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import BoolArray, FloatArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.curves.explosions import exploded, fitted_part
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import ARRAYS, Posterior
from app.services.curves.prior import prior_for

SIZES = np.array([100.0, 200.0, 400.0, 800.0])
LOSSES = [2e4, 900.0, 120.0, 60.0]
CURVES = 1_000

Curve = Callable[[np.random.Generator, FloatArray], FloatArray]


def points(losses: list[float] | FloatArray, sizes: FloatArray = SIZES) -> Points:
    number = len(losses)
    return Points(sizes[-number:], np.array(losses), np.full(number, np.nan), np.zeros(number, dtype=np.int64))


def said(losses: list[float], sizes: FloatArray = SIZES) -> list[bool]:
    return [bool(one) for one in exploded(points(losses, sizes))]


def together(*groups: Points, span: float | None = None, assumed: AssumedCurve | None = None) -> Observations:
    keys = tuple(f"g{g}" for g in range(len(groups)))
    counts = [one.counts for one in groups]
    runs = np.stack(counts, axis=1) if len({len(one) for one in counts}) == 1 else None
    run_of = None if runs is None else tuple(np.arange(len(one)) for one in counts)
    return Observations(keys, groups, (assumed,) * len(groups), np.full(len(groups), 1000.0), span, runs, run_of)


def fitted(observations: Observations) -> Posterior:
    return fit_together(observations, prior_for(observations.span), 0, 100)


def same_curves(one: Posterior, other: Posterior) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([4.8e8, 900, 120, 60], [True, False, False, False]),
        ([1e99, 900, 120, 60], [True, False, False, False]),
        ([2e-93, 9e-97, 1.2e-97, 6e-98], [True, False, False, False]),
        ([1e8, 1e7, 120, 60], [True, True, False, False]),
        ([900, 1e6, 120, 60], [False, True, False, False]),
        ([900, 1e6, 1e7, 60], [False, True, True, False]),
        ([900, 300, 1e6, 60], [False, False, True, False]),
        ([900, 400, 200, 1e6], [False, False, False, True]),
        ([1e6, 60], [True, False]),
        # One run alone may itself be the wrong one.
        ([60, 1e6], [False, False]),
        ([0.001, 50, 40, 30], [False, False, False, False]),
        # A loss of 0 says nothing of scales.
        ([5, 3, 0, 0], [False, False, False, False]),
        ([0, 0, 0, 0], [False, False, False, False]),
        ([2000, 900, 120, 60], [False, False, False, False]),
    ],
)
def test_what_the_others_cannot_give_is_set_aside(losses: list[float], expected: list[bool]) -> None:
    assert said(losses) == expected


def test_one_of_several_runs_at_a_size_is_set_aside() -> None:
    assert said([60, 61, 1e6], np.full(3, 100.0)) == [False, False, True]
    assert said([70, 60, 61, 1e6, 50], np.array([0, 100, 100, 100, 200.0])) == [False, False, False, True, False]


def law(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    floor = rng.uniform(0, 0.9)
    return np.asarray(floor + (1 - floor) * (n / n[-1]) ** -rng.uniform(0.1, 1.2))


def steep(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    floor = rng.uniform(0, 0.3)
    return np.asarray(floor + (1 - floor) * (n / n[-1]) ** -rng.uniform(1.5, 2.0))


def perplexity(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    entropy = rng.uniform(1, 3.5) + rng.uniform(0.1, 2.0) * (n / n[-1]) ** -rng.uniform(0.15, 0.6)
    return np.asarray(np.exp(np.minimum(entropy, rng.uniform(8, 11))))


def worlds(curve: Curve, factor: float = 1.0) -> list[BoolArray]:
    """What is set aside of curves with up to 30 % noise whose first run is `factor` times too large."""
    rng, found = np.random.default_rng(7), []
    for _ in range(CURVES):
        number, step = rng.integers(3, 9), rng.choice([2.0, 2.0**0.5, 4.0])
        n = np.unique(np.maximum(np.round(10 ** rng.uniform(2.5, 5) / step ** np.arange(number)), 5.0))
        losses = curve(rng, n) * np.exp(rng.choice([0.0, 0.05, 0.1, 0.3]) * rng.standard_normal(len(n)))
        losses[0] *= factor
        found.append(exploded(points(losses, n)))
    return found


@pytest.mark.parametrize("curve", [law, steep, perplexity])
def test_sane_curves_lose_no_run(curve: Curve) -> None:
    assert np.mean([one.any() for one in worlds(curve)]) <= 0.015


@pytest.mark.parametrize(("factor", "share"), [(20.0, 0.6), (100.0, 0.9), (1000.0, 0.99)])
def test_exploded_first_runs_are_found_and_no_others(factor: float, share: float) -> None:
    found = worlds(law, factor)
    assert np.mean([one[0] for one in found]) >= share
    assert np.mean([one[1:].any() for one in found]) <= 0.005


@pytest.mark.parametrize("first", [2e4, 1e6, 4.8e8, 1e12, 1e99])
def test_the_curve_is_that_of_the_other_runs(first: float) -> None:
    kept = fitted(together(points(LOSSES[1:], SIZES)))
    posterior = fitted(together(points([first, *LOSSES[1:]])))
    assert same_curves(posterior, kept)
    assert 40 < np.median(posterior.band(np.array([1000.0]))) < 70
    [outlier] = [one for one in posterior.warnings if one.code == "outlier"]
    assert outlier.group == "g0"
    assert f"(count 100, loss {first:.4g}) exploded" in outlier.detail
    assert len(posterior.residuals[0]) == 4
    assert posterior.residuals[0][0] > 3
    assert np.array_equal(posterior.residuals[0][1:], kept.residuals[0])


def test_other_groups_and_their_runs_stay_as_they_are() -> None:
    sane = points([5000.0, 2000.0, 900.0, 500.0])
    alone = fitted(together(sane))
    both = fitted(together(sane, points([1e9, *LOSSES[1:]])))
    assert same_curves(both.select(np.array([0])), alone)
    assert {one.group for one in both.warnings if one.code == "outlier"} == {"g1"}


def test_a_fit_without_explosions_keeps_all_there_is() -> None:
    observations = together(points([5000.0, 2000.0, 900.0, 500.0]))
    assert fitted_part(observations) is observations


def test_with_both_bounds_or_a_stated_curve_nothing_is_set_aside() -> None:
    bounded = together(points([1e6, 900.0, 120.0, 60.0]), span=1e7)
    stated = together(points([1e6, 900.0, 120.0, 60.0]), assumed=AssumedCurve(1.0, 2.0, 0.5, 0.0))
    assert fitted_part(bounded) is bounded
    assert fitted_part(stated) is stated


def test_what_is_fitted_names_its_own_runs() -> None:
    observations = together(points([1e6, *LOSSES[1:]]), points([5000.0, 2000.0, 1e9, 500.0]))
    kept = fitted_part(observations)
    assert kept.run_of is not None
    assert [run.tolist() for run in kept.run_of] == [[1, 2, 3], [0, 1, 3]]
    assert [one.losses.tolist() for one in kept.points] == [LOSSES[1:], [5000.0, 2000.0, 500.0]]


def test_any_scale_gives_the_same_plan() -> None:
    one = fitted(together(points([1e6, *LOSSES[1:]])))
    for scale in (1e-90, 1e-30, 1e30, 1e90):
        other = fitted(together(points((np.array([1e6, *LOSSES[1:]]) * scale).tolist())))
        assert np.allclose(other.band(np.array([1000.0])), scale * one.band(np.array([1000.0])), rtol=1e-9, atol=0)
        assert [w.code for w in other.warnings] == [w.code for w in one.warnings]


def test_many_runs_are_judged_quickly_and_alike() -> None:
    rng = np.random.default_rng(3)
    n = np.sort(rng.integers(10, 10**6, 3000)).astype(np.float64)
    many = points(n**-0.5, n)
    assert not exploded(many).any()
    many = replace(many, losses=np.where(np.arange(3000) % 500 == 7, 1e9, many.losses))
    assert np.flatnonzero(exploded(many)).tolist() == [7, 507, 1007, 1507, 2007, 2507]
