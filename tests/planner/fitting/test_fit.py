"""Fits as a whole: recovery, errors shared and not, invariances, warnings, hard inputs."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import AssumedCurve, Observations, ObservationsError, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

NOTHING = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))


def points(counts: FloatArray, losses: FloatArray, stderr: float = 0.01, holdouts: IntArray | None = None) -> Points:
    shared = np.zeros(len(counts), dtype=np.int64) if holdouts is None else holdouts
    return Points(np.asarray(counts, dtype=np.float64), losses, np.full(len(counts), stderr), shared)


def observed(*groups: Points, held: float = 100.0, span: float | None = 1.0) -> Observations:
    keys = tuple(f"g{i}" for i in range(len(groups)))
    return Observations(keys, groups, (None,) * len(groups), np.full(len(groups), held), span)


def arrays(posterior: Posterior) -> list[FloatArray]:
    p = posterior
    return [p.asymptote, p.excess, p.anchor, p.exponent, p.offset, p.knot, p.discrepancy, p.reference, *p.residuals]


def simulated(seed: int, groups: int, noise: float = 0.04, stderr: float = 0.01) -> tuple[Observations, FloatArray]:
    """Random power laws with a floor, measured at six sizes on one holdout, and their loss at three sizes."""
    rng = np.random.default_rng(seed)
    counts, ahead = np.round(np.geomspace(25, 800, 6)), np.array([800.0, 1600.0, 3200.0])
    made, truth = [], []
    for _ in range(groups):
        a, b, c = rng.uniform(0, 0.2), rng.uniform(0.3, 1.5), rng.uniform(0.2, 1)
        errors = rng.normal(0, stderr) + rng.normal(0, noise * (a + b * 800**-c), 6)
        made.append(points(counts, np.maximum(a + b * counts**-c + errors, 0.0), stderr))
        truth.append(a + b * ahead**-c)
    return observed(*made, held=800.0), np.array(truth)


def test_eighty_percent_bands_cover_about_eighty_percent() -> None:
    observations, truth = simulated(seed=2, groups=120)
    ahead = np.tile([800.0, 1600.0, 3200.0], (120, 1))
    low, high = np.quantile(fit(observations, Prior(), 0, 300).band(ahead), [0.1, 0.9], axis=2)
    coverage = ((truth >= low) & (truth <= high)).mean(axis=0)
    assert np.all((coverage > 0.68) & (coverage < 0.93)), coverage


def test_forecasts_beat_carrying_the_last_loss_forward() -> None:
    observations, truth = simulated(seed=3, groups=80)
    forecast = fit(observations, Prior(), 0, 300).loss(np.full(80, 3200.0)).mean(axis=1)
    carried = np.array([p.losses[-1] for p in observations.points])
    assert np.abs(forecast - truth[:, 2]).mean() < 0.6 * np.abs(carried - truth[:, 2]).mean()


def test_exact_points_give_the_curve_back() -> None:
    counts = np.geomspace(10, 640, 7)
    posterior = fit(observed(points(counts, 0.1 + counts**-0.5, 0.0)), Prior(), 0, 300)
    at = np.array([[10.0, 80.0, 640.0]])
    np.testing.assert_allclose(posterior.loss(at).mean(axis=2), 0.1 + at**-0.5, rtol=0.03)
    slope = posterior.slope(np.array([640.0])).mean()
    assert slope == pytest.approx(-0.5 * 640**-1.5, rel=0.25)


def test_an_error_shared_by_all_runs_leaves_the_slope_better_known() -> None:
    counts = np.array([25.0, 50.0, 100.0, 200.0, 400.0])
    losses = 0.15 + counts**-0.5
    shared = points(counts, losses, 0.03)
    apart = points(counts, losses, 0.03, np.arange(5))
    posterior = fit(observed(shared, apart), Prior(), 0, 1000)
    width = np.diff(np.quantile(posterior.slope(np.full(2, 400.0)), [0.1, 0.9], axis=1), axis=0)[0]
    assert width[0] < 0.7 * width[1]
    level_sd = posterior.loss(np.full(2, 400.0)).std(axis=1)
    # The holdout's own error, once; five holdouts know the level better, if not by much: its slope is to be learnt too.
    assert level_sd[0] == pytest.approx(0.03, rel=0.03)
    assert level_sd[1] < 0.9 * level_sd[0]


def test_replicates_teach_the_noise() -> None:
    counts = np.repeat([50.0, 100.0, 200.0], 4)
    scatter = np.tile([1.0, -1.0, 1.0, -1.0], 3)
    losses = 0.2 + counts**-0.5
    quiet = points(counts, losses + 0.001 * scatter)
    loud = points(counts, losses + 0.05 * scatter)
    posterior = fit(observed(quiet, loud), Prior(), 0, 500)
    spread = posterior.slope(np.full(2, 200.0)).std(axis=1)
    assert spread[1] > 1.3 * spread[0]


@pytest.mark.parametrize("seed", range(8))
def test_an_observation_that_repeats_a_well_predicted_one_does_not_widen_the_band(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.round(np.geomspace(30, 600, 3 + seed % 4))
    before = points(counts, 0.15 + counts**-0.5 + rng.normal(0, 0.015, len(counts)))
    posterior = fit(observed(before), Prior(), 0, 4000)
    at = counts[np.argmin(np.abs(posterior.residuals[0]))]
    predicted = posterior.loss(np.array([at])).mean()
    after = points(np.append(counts, at), np.append(before.losses, predicted))
    ahead = np.array([[600.0, 1200.0, 2400.0]])
    wider = fit(observed(after), Prior(), 0, 4000).band(ahead).std(axis=2) / posterior.band(ahead).std(axis=2)
    assert wider.max() < 1.01, wider


def test_permuting_the_groups_permutes_the_draws_to_the_last_bit() -> None:
    observations, _ = simulated(seed=4, groups=7)
    order = [3, 6, 0, 2, 5, 1, 4]
    keys, data = observations.keys, observations.points
    permuted = Observations(
        tuple(keys[i] for i in order), tuple(data[i] for i in order), (None,) * 7, observations.held, 1.0
    )
    plain, other = fit(observations, Prior(), 5, 60), fit(permuted, Prior(), 5, 60)
    for a, b in zip(arrays(plain.select(np.array(order))), arrays(other), strict=True):
        assert a.tobytes() == b.tobytes()


def test_other_groups_do_not_change_a_groups_draws() -> None:
    observations, _ = simulated(seed=4, groups=3)
    alone = Observations(("g1",), (observations.points[1],), (None,), np.array([800.0]), 1.0)
    together = fit(observations, Prior(), 5, 60).select(np.array([1]))
    for a, b in zip(arrays(together), arrays(fit(alone, Prior(), 5, 60)), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_same_inputs_give_the_same_bytes_and_another_seed_other_draws() -> None:
    observations, _ = simulated(seed=6, groups=3)
    first, again, other = (fit(observations, Prior(), seed, 50) for seed in (1, 1, 2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(arrays(first), arrays(again), strict=True))
    assert first.discrepancy.tobytes() != other.discrepancy.tobytes()


def test_losses_in_other_units_give_the_same_curve_in_those_units() -> None:
    observations, _ = simulated(seed=7, groups=2)
    scaled = [Points(p.counts, p.losses * 1e4, p.stderrs * 1e4, p.holdouts) for p in observations.points]
    at = np.full(2, 2000.0)
    plain = fit(observed(*observations.points, span=None), Prior(), 0, 50).band(at)
    np.testing.assert_allclose(fit(observed(*scaled, span=None), Prior(), 0, 50).band(at), plain * 1e4, rtol=1e-6)


def test_a_group_without_points_draws_over_the_span_of_the_metric() -> None:
    posterior = fit(observed(NOTHING, held=40.0, span=2.0), Prior(), 0, 500)
    level = posterior.loss(np.array([40.0]))
    assert level.min() > 0
    assert level.max() < 2
    assert 0.7 < level.mean() < 1.3
    assert [w.code for w in posterior.warnings] == ["no_observations"]


def test_a_group_without_points_takes_the_scale_of_the_others_where_a_bound_is_open() -> None:
    counts = np.array([20.0, 80.0, 320.0])
    others = points(counts, 700 + 3000 * counts**-0.5, 20.0)
    posterior = fit(observed(others, NOTHING, held=320.0, span=None), Prior(), 0, 500)
    level = np.median(posterior.loss(np.full(2, 320.0)), axis=1)
    assert 0.3 < level[1] / level[0] < 5


def test_nothing_known_at_all_is_still_finite_and_said() -> None:
    posterior = fit(observed(NOTHING, NOTHING, held=0.0, span=None), Prior(), 0, 50)
    assert np.all(np.isfinite(posterior.band(np.array([[0.0, 1e9]] * 2))))
    assert [w.code for w in posterior.warnings] == ["no_observations"] * 2


def test_no_groups_are_an_empty_posterior() -> None:
    assert fit(observed(), Prior(), 0, 50).loss(np.zeros(0)).shape == (0, 50)


def test_diagnostics_count_what_the_curve_rests_on() -> None:
    data = points(np.array([10.0, 10.0, 40.0]), np.array([0.4, 0.41, 0.3]), 0.01, np.array([1, 2, 2]))
    found = fit(observed(data), Prior(), 0, 50).diagnostics[0]
    assert (found.points, found.distinct_sizes, found.largest_count, found.holdouts) == (3, 2, 40.0, 2)


def test_residuals_of_points_drawn_from_the_model_are_of_order_one() -> None:
    observations, _ = simulated(seed=8, groups=60, noise=0.1, stderr=0.001)
    residuals = np.stack(fit(observations, Prior(), 0, 100).residuals)
    assert 0.35 < residuals.std() < 1.1
    assert np.abs(residuals).max() < 4


def test_residuals_against_an_assumed_curve_are_standardised_by_its_errors() -> None:
    data = points(np.array([4.0, 16.0]), np.array([0.5, 0.25]), 0.03)
    stated = Observations(("a",), (data,), (AssumedCurve(0.0, 1.0, 0.5, 0.0),), np.array([16.0]), 1.0)
    above = Points(data.counts, data.losses + np.array([0.0, 0.1]), data.stderrs, data.holdouts)
    moved = Observations(("a",), (above,), stated.assumed, stated.held, 1.0)
    np.testing.assert_allclose(fit(stated, Prior(), 0, 5).residuals[0], 0.0, atol=1e-14)
    sd = np.hypot(0.03, 0.05 * (0.5 + 0.35) / 2)
    np.testing.assert_allclose(fit(moved, Prior(), 0, 5).residuals[0], [0.0, 0.1 / sd], atol=1e-12)
    assert fit(moved, Prior(), 0, 5).warnings == ()


def codes(data: Points) -> list[str]:
    return [w.code for w in fit(observed(data), Prior(), 0, 100).warnings]


def test_clean_curves_raise_no_warning() -> None:
    for noise in (0.0, 0.04, 0.15):
        observations, _ = simulated(seed=9, groups=60, noise=noise)
        assert fit(observations, Prior(), 0, 100).warnings == ()


def test_of_flat_noisy_curves_nothing_is_said_but_that_they_stand_still() -> None:
    rng = np.random.default_rng(10)
    counts = np.geomspace(20, 640, 6)
    flat = [points(counts, 0.2 + rng.normal(0, 0.02, 6)) for _ in range(60)]
    assert {warning.code for warning in fit(observed(*flat), Prior(), 0, 100).warnings} == {"not_started"}


def test_two_sizes_are_few_points() -> None:
    counts = np.array([20.0, 20.0, 40.0])
    assert codes(points(counts, np.array([0.4, 0.41, 0.35]))) == ["few_points"]


def test_an_unknown_standard_error_is_said() -> None:
    counts = np.array([20.0, 40.0, 80.0])
    assert codes(points(counts, np.array([0.4, 0.35, 0.31]), np.nan)) == ["stderr_unknown"]


def test_a_rising_loss_is_said() -> None:
    counts = np.array([20.0, 40.0, 80.0, 160.0, 320.0])
    assert "not_monotone" in codes(points(counts, np.array([0.1, 0.15, 0.2, 0.25, 0.3])))


@pytest.mark.parametrize(
    ("losses", "stderr", "code"),
    [
        (np.zeros(5), 0.01, "at_bound"),
        (np.ones(5), 0.01, "at_bound"),
        (np.linspace(0.4, 0.2, 5), 0.0, "stderr_zero"),
        (np.linspace(0.4, 0.2, 5), 10.0, "stderr_large"),
    ],
)
def test_extreme_scores_and_errors_are_said(losses: FloatArray, stderr: float, code: str) -> None:
    assert codes(points(np.array([20.0, 40.0, 80.0, 160.0, 320.0]), losses, stderr)) == [code]


def test_single_runs_at_the_worst_value_are_counted() -> None:
    """Clipped to .999 where the loss is above 1."""
    counts = np.array([20.0, 40.0, 80.0, 160.0, 320.0])
    losses = np.array([0.999, 0.999, 0.7, 0.5, 0.36])
    [said] = fit(observed(points(counts, losses, 0.001)), Prior(), 0, 100).warnings
    assert said.code == "at_bound"
    assert said.detail.startswith("2 points are at the metric's worst value, at up to 40 samples")
    assert codes(points(counts, losses, 0.0004)) == []
    assert codes(points(counts, np.minimum(losses, 0.98), 0.2)) == []


def test_sizes_a_million_times_apart_are_said() -> None:
    counts = np.array([1.0, 1e3, 1e6, 1e9])
    assert codes(points(counts, 0.05 + 0.4 * counts**-0.1)) == ["wide_range"]
    assert codes(points(counts[:2], 0.05 + 0.4 * counts[:2] ** -0.1)) == ["few_points"]


def test_a_loss_that_does_not_move_is_said() -> None:
    counts = np.geomspace(20, 20480, 21)
    still = points(counts, 0.4 + 0.0002 * np.tile([1.0, -1.0, 0.0], 7), 0.001)
    assert codes(still) == ["not_started"]


@pytest.mark.parametrize("index", [1, 2, 3])
def test_a_stray_point_is_named_with_its_distance(index: int) -> None:
    counts = np.geomspace(20, 640, 6)
    losses = 0.1 + counts**-0.5
    losses[index] += 0.15
    found = [w for w in fit(observed(points(counts, losses)), Prior(), 0, 100).warnings if w.code == "outlier"]
    assert [w.group for w in found] == ["g0"]
    assert f"Point {index} (count {counts[index]:g}" in found[0].detail
    assert "sigma above" in found[0].detail


@pytest.mark.parametrize("number", [11, 18, 22, 36])
@pytest.mark.parametrize("stderr", [0.0, 0.01, 10.0])
def test_many_points_at_one_size_are_fitted(number: int, stderr: float) -> None:
    """One size leaves a curve no shape: what tells shapes apart is rounding, of either sign."""
    rng = np.random.default_rng(number)
    for losses in (np.full(number, 0.1), np.ones(number), rng.uniform(0, 1, number), np.full(number, 1e-9)):
        for holdouts in (np.zeros(number, dtype=np.int64), np.arange(number), np.arange(number) % 3):
            for span in (1.0, None):
                found = observed(points(np.full(number, 100.0), losses, stderr, holdouts), span=span)
                posterior = fit(found, prior_for(span), 0, 50)
                assert all(np.all(np.isfinite(values)) for values in arrays(posterior))
                assert "few_points" in {warning.code for warning in posterior.warnings}


def test_ten_thousand_points_are_fitted_like_their_averages() -> None:
    rng = np.random.default_rng(11)
    counts = np.round(np.exp(rng.uniform(np.log(20), np.log(5000), 10_000)))
    losses = 0.1 + counts**-0.5 + rng.normal(0, 0.02, 10_000)
    for holdouts in (np.zeros(10_000, dtype=np.int64), np.arange(10_000)):
        posterior = fit(observed(points(counts, losses, 0.002, holdouts)), Prior(), 0, 100)
        at = np.array([[50.0, 500.0, 5000.0]])
        np.testing.assert_allclose(posterior.loss(at).mean(axis=2), 0.1 + at**-0.5, rtol=0.07)
        assert [warning.code for warning in posterior.warnings] == ["many_points"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": np.array([-1.0])}, "counts"),
        ({"losses": np.array([np.nan])}, "losses"),
        ({"stderrs": np.array([-0.1])}, "stderrs"),
        ({"stderrs": np.array([np.inf])}, "stderrs"),
        ({"holdouts": np.zeros(2, dtype=np.int64)}, "one length"),
    ],
)
def test_impossible_points_are_refused_by_name(change: dict[str, FloatArray], words: str) -> None:
    good = points(np.array([10.0]), np.array([0.3]))
    with pytest.raises(ObservationsError, match=f"g0.*{words}"):
        observed(Points(**{**good.__dict__, **change}))


def test_contradicting_groups_are_refused() -> None:
    with pytest.raises(ObservationsError, match="unique"):
        Observations(("a", "a"), (NOTHING,) * 2, (None,) * 2, np.zeros(2), 1.0)
    with pytest.raises(ObservationsError, match="one entry per group"):
        Observations(("a",), (NOTHING,) * 2, (None,), np.zeros(1), 1.0)
    with pytest.raises(ObservationsError, match="exponent > 0"):
        Observations(("a",), (NOTHING,), (AssumedCurve(0.0, 1.0, 0.0, 0.0),), np.zeros(1), 1.0)
    with pytest.raises(ObservationsError, match="span"):
        observed(NOTHING, span=0.0)
    with pytest.raises(ValueError, match="draws"):
        fit(observed(NOTHING), Prior(), 0, 0)


counts_ = st.one_of(st.just(0.0), st.sampled_from([1.0, 2.0, 10.0, 1e9]), st.floats(0, 1e9))
losses_ = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1), st.floats(0, 1e-9))
stderrs_ = st.one_of(st.sampled_from([0.0, 10.0, np.nan, 1e-9]), st.floats(0, 0.2))
runs = st.lists(st.tuples(counts_, losses_, stderrs_, st.integers(0, 3)), min_size=0, max_size=25)


@settings(max_examples=80, deadline=None)
@given(
    data=runs,
    held=counts_,
    span=st.sampled_from([1.0, None]),
    scale=st.sampled_from([1.0, 1e6, 1e-6]),
    shipped=st.booleans(),
)
@example(
    data=[(0.0, 0.0, 0.0, 0)] * 11 + [(0.0, 1.0, 0.0, 0), (8e4, 0.0, 0.0, 0)],
    held=0.0,
    span=1.0,
    scale=1.0,
    shipped=True,
)
def test_any_valid_points_give_finite_falling_curves(
    data: list[tuple[float, float, float, int]], held: float, span: float | None, scale: float, shipped: bool
) -> None:
    unit = 1.0 if span else scale
    columns = np.array(data, dtype=np.float64).reshape(-1, 4).T
    group = Points(columns[0], columns[1] * unit, columns[2] * unit, columns[3].astype(np.int64))
    prior = prior_for(span) if shipped else Prior()
    posterior = fit(observed(group, NOTHING, held=held, span=span), prior, 0, 40)
    sizes = np.tile([0.0, 0.5, 1.0, 10.0, 1e5, 1e9], (2, 1))
    loss, slope, band = posterior.loss(sizes), posterior.slope(sizes), posterior.band(sizes)
    assert np.all(np.isfinite(loss) & (loss >= 0))
    assert np.all(np.isfinite(slope) & (slope <= 0))
    assert np.all(np.diff(loss, axis=1) <= 1e-9 * loss[:, :1])
    assert np.all(np.isfinite(band) & (band >= 0))
    assert not np.any(np.isnan(posterior.inverse(np.array([0.3, 0.0]) * unit)))
    assert all(np.all(np.isfinite(r)) for r in posterior.residuals)
    assert all(np.all(np.isfinite(v)) for v in posterior.parameters().values())


@settings(max_examples=40, deadline=None)
@given(
    exponent=st.floats(1e-3, 4),
    scale=st.floats(0, 1e6),
    offset=st.floats(0, 1e9),
    asymptote=st.floats(0, 1e3),
    n=st.floats(0, 1e9),
)
def test_any_assumed_curve_is_finite_and_inverts(
    exponent: float, scale: float, offset: float, asymptote: float, n: float
) -> None:
    stated = AssumedCurve(asymptote, scale, exponent, offset)
    one = Observations(("a",), (NOTHING,), (stated,), np.array([n]), None)
    posterior = fit(one, Prior(), 0, 2)
    loss = posterior.loss(np.array([n]))
    back = posterior.inverse(loss[:, 0])
    assert not np.any(np.isnan(back))
    reached = posterior.loss(np.minimum(back[:, 0], 1e300))
    np.testing.assert_allclose(reached, loss, rtol=1e-9, atol=1e-9 * scale)
