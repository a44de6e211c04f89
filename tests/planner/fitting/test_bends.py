"""Bends and runs that stray at the ends, told from power laws with noise."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

GROUPS, ERROR = 120, 0.005
SIZES = np.round(np.geomspace(25, 6400, 9))
MANY = np.round(np.geomspace(25, 6400, 13))
DENSE = np.round(np.geomspace(25, 6400, 24))

Curve = Callable[[np.random.Generator, FloatArray], FloatArray]


def law(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    """A power law with a floor."""
    floor = rng.uniform(0, 0.1)
    return np.asarray(floor + (rng.uniform(0.3, 0.6) - floor) * (n / n[0]) ** -rng.uniform(0.2, 0.7))


def steeper(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    """A power law that falls faster by half a power from the middle size on."""
    beyond = np.maximum(n / n[len(n) // 2], 1.0)
    return law(rng, n) * beyond**-0.5


def halting(rng: np.random.Generator, n: FloatArray) -> FloatArray:
    """A power law that halts over the middle third of the octaves, and falls again."""
    t, power = np.log(n / n[0]), rng.uniform(0.3, 0.6)
    third = t[-1] / 3
    return np.asarray(rng.uniform(0.3, 0.6) * np.exp(-power * (t - np.clip(t - third, 0.0, third))))


def fitted(
    curve: Curve, sizes: FloatArray, noise: float, shared: bool = True, stray: tuple[int, float] = (0, 0.0)
) -> Posterior:
    """GROUPS curves measured with `noise`, a share of the loss, and evaluation errors of ERROR, one for all runs or one
    each; stray: a point and what is added to it."""
    rng, points = np.random.default_rng(5), []
    for _ in range(GROUPS):
        errors = rng.normal(0, ERROR, 1 if shared else len(sizes))
        losses = curve(rng, sizes) * (1 + noise * rng.standard_normal(len(sizes))) + errors
        losses[stray[0]] += stray[1]
        holdouts = np.zeros(len(sizes), dtype=np.int64) if shared else np.arange(len(sizes))
        points.append(Points(sizes, np.maximum(losses, 0.0), np.full(len(sizes), ERROR), holdouts))
    keys = tuple(f"g{g}" for g in range(GROUPS))
    return fit(Observations(keys, tuple(points), (None,) * GROUPS, np.full(GROUPS, 100.0), 1.0), prior_for(1.0), 0, 100)


def named(posterior: Posterior) -> Counter[str]:
    return Counter(warning.code for warning in posterior.warnings)


@pytest.mark.parametrize("sizes", [SIZES[:6], SIZES[:7], SIZES, DENSE])
@pytest.mark.parametrize(("noise", "shared"), [(0.0, True), (0.02, True), (0.05, False), (0.1, True), (0.2, True)])
def test_power_laws_are_seldom_said_to_bend_or_stray(sizes: FloatArray, noise: float, shared: bool) -> None:
    found = named(fitted(law, sizes, noise, shared))
    assert found["bends"] < 0.05 * GROUPS
    assert found["outlier"] < 0.05 * GROUPS


@pytest.mark.parametrize(
    ("curve", "sizes", "noise"),
    [(halting, SIZES, 0.02), (halting, DENSE, 0.05), (steeper, MANY, 0.02), (steeper, DENSE, 0.05)],
)
def test_most_bends_are_named(curve: Curve, sizes: FloatArray, noise: float) -> None:
    found = named(fitted(curve, sizes, noise))
    assert found["bends"] > 0.6 * GROUPS
    assert found["outlier"] < 0.05 * GROUPS


@pytest.mark.parametrize("point", [0, -1])
def test_a_stray_run_at_either_end_is_named_and_the_curve_follows_the_others(point: int) -> None:
    place = point % len(SIZES)
    posterior = fitted(law, SIZES, 0.02, stray=(place, 0.15))
    told = [warning for warning in posterior.warnings if warning.code == "outlier"]
    assert len(told) > 0.7 * GROUPS
    assert all(f"Point {place} (count {SIZES[place]:g}" in warning.detail for warning in told)
    assert all("sigma above" in warning.detail for warning in told)
    groups = np.array([int((warning.group or "")[1:]) for warning in told])
    at = np.tile(SIZES, (GROUPS, 1))
    without = fitted(law, SIZES, 0.02)
    apart = np.abs(posterior.loss(at).mean(axis=2) - without.loss(at).mean(axis=2))[groups]
    # The stray run moved its own point by .15; the curves with and without it are alike there and elsewhere.
    assert np.median(apart[:, place]) < 0.03
    assert np.median(np.delete(apart, place, axis=1)) < 0.005
    # Its residual says how far off it is, those of the others are as without it.
    residuals = np.array(posterior.residuals)[groups]
    assert np.all(residuals[:, place] > 3.0)
    assert np.abs(np.delete(residuals, place, axis=1)).max() < 5.0
    diagnostics = [posterior.diagnostics[g] for g in groups]
    assert all((d.points, d.distinct_sizes, d.largest_count) == (9, 9, 6400.0) for d in diagnostics)


def test_a_rising_loss_is_not_called_a_bend_as_well() -> None:
    rng = np.random.default_rng(1)
    losses = 0.1 + 0.03 * np.arange(9) + rng.normal(0, 0.002, 9)
    points = Points(SIZES, losses, np.full(9, 0.002), np.zeros(9, dtype=np.int64))
    observations = Observations(("g0",), (points,), (None,), np.array([100.0]), 1.0)
    assert named(fit(observations, prior_for(1.0), 0, 100)) == {"not_monotone": 1}


def test_verdicts_do_not_depend_on_the_company() -> None:
    posterior = fitted(halting, SIZES, 0.05)
    rng = np.random.default_rng(2)
    for size in (6, 9):
        sizes = SIZES[-size:]
        points = Points(
            sizes, halting(rng, sizes) * (1 + 0.05 * rng.standard_normal(size)), np.full(size, 0.005), np.arange(size)
        )
        alone = fit(Observations(("a",), (points,), (None,), np.array([100.0]), 1.0), prior_for(1.0), 0, 100)
        keys = ("a", "b", "c")
        strange = Points(sizes, points.losses + 0.2 * (sizes == sizes[-1]), points.stderrs, points.holdouts)
        held = np.full(3, 100.0)
        several = fit(Observations(keys, (points, strange, points), (None,) * 3, held, 1.0), prior_for(1.0), 0, 100)
        assert alone.warnings == several.select(np.array([0])).warnings
        np.testing.assert_array_equal(alone.asymptote[0], several.asymptote[0])
    assert named(posterior)["bends"] > 0


def hard(rng: np.random.Generator) -> Points:
    """Points as hard as they may come."""
    number = int(rng.integers(6, 40))
    sizes = np.sort(np.round(10 ** rng.uniform(0, rng.choice([2, 4, 9]), number)))
    losses = (
        rng.uniform(0, 1, number),
        10 ** rng.uniform(-100, 100, number),
        rng.normal(0, 10 ** rng.uniform(-6, 6), number),
        np.where(np.arange(number) == rng.integers(number), 1e9, 0.1),
        10 ** rng.uniform(-8, 8) * sizes ** -rng.uniform(0.1, 4.0),
    )[rng.integers(5)]
    errors = (np.zeros(number), np.full(number, 10.0), 10 ** rng.uniform(-6, 6, number), np.full(number, np.nan))
    holdouts = (np.zeros(number, dtype=np.int64), np.arange(number), rng.integers(0, 3, number))
    return Points(sizes, losses, errors[rng.integers(4)], holdouts[rng.integers(3)])


@pytest.mark.parametrize("span", [1.0, None])
def test_hard_input_is_judged_without_failing(span: float | None) -> None:
    rng = np.random.default_rng(8)
    points = [hard(rng) for _ in range(300)]
    if span is not None:
        points = [replace(one, losses=np.clip(one.losses, 0.0, span)) for one in points]
    keys = tuple(f"g{g}" for g in range(300))
    posterior = fit(Observations(keys, tuple(points), (None,) * 300, np.full(300, 10.0), span), prior_for(span), 0, 20)
    assert np.all(np.isfinite(posterior.asymptote))
    assert np.all(np.isfinite(posterior.discrepancy))
    assert all(np.all(np.isfinite(residuals)) for residuals in posterior.residuals)
    assert named(posterior)["bends"] > 0
