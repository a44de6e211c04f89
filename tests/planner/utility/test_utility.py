"""The metric, the objective and the utility against their formulas."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.differentiate import derivative

from app.planner.arrays import FloatArray
from app.planner.errors import ProblemError
from app.planner.problem.canonical import Canonical
from app.planner.utility.kinds import phi
from app.planner.utility.metric import Metric, MetricError
from app.planner.utility.objective import Objective, ObjectiveError
from app.planner.utility.parsing import parse
from app.planner.utility.utility import MOST_KNOWN, Utility
from tests.planner.problems import (
    ACCURACY,
    MAXIMIN,
    RMSE,
    UTILITARIAN,
    isoelastic,
    offers,
    problem,
    random_curves,
    scattered,
    stated,
)  # fmt: skip

CURVES = [(0.05, 2.0, 0.5, 0.0), (0.2, 5.0, 0.75, 10.0), (0.0, 0.9, 0.25, 0.0)]
KINDS = [UTILITARIAN, isoelastic(0.0), isoelastic(0.5), isoelastic(1.0), isoelastic(5.0), MAXIMIN]


def utility(objective: Objective, metric: Metric = ACCURACY, weights: tuple[float, ...] = (1.0, 2.0, 3.0)) -> Utility:
    posterior = scattered(CURVES, draws=7, seed=1)
    return Canonical.of(
        problem(posterior, offers([1.0, 1.0, 1.0]), 10.0, objective, weights=weights, metric=metric)
    ).utility


@pytest.mark.parametrize("metric", [ACCURACY, Metric("maximize", None, 100.0), RMSE, Metric("minimize", -1.0, 3.0)])
def test_losses_fall_as_the_metric_improves_and_turn_back_exactly(metric: Metric) -> None:
    values = np.array([0.25, 0.5, 0.75])
    losses = metric.to_loss(values)
    better = -1 if metric.goal == "maximize" else 1
    assert np.all(np.diff(losses) * better > 0)
    np.testing.assert_allclose(metric.to_metric(losses), values, rtol=1e-12)


def test_a_forecast_beyond_the_bounds_is_shown_at_the_bound() -> None:
    np.testing.assert_array_equal(ACCURACY.to_metric(np.array([-0.1, 1.5])), [1.0, 0.0])
    np.testing.assert_array_equal(RMSE.to_metric(np.array([-0.1, 1.5])), [0.0, 1.5])


@pytest.mark.parametrize(
    ("goal", "lower", "upper", "message"),
    [
        ("maximize", 0.0, None, "needs its upper bound"),
        ("minimize", None, 1.0, "needs its lower bound"),
        ("maximize", 1.0, 1.0, "must lie below"),
        ("maximize", -np.inf, 1.0, "must be finite"),
        ("raise", 0.0, 1.0, "must be 'maximize' or 'minimize'"),
    ],
)
def test_a_metric_that_contradicts_itself_says_what_is_needed(
    goal: str, lower: float | None, upper: float | None, message: str
) -> None:
    with pytest.raises(MetricError, match=message):
        Metric(goal, lower, upper)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("happiness", {}, "must be one of utilitarian, isoelastic, maximin"),
        ("utilitarian", {"aversion": 1.0}, "it takes risk"),
        ("isoelastic", {"eps": 1.0}, "takes aversion"),
        ("isoelastic", {"aversion": -1.0}, "from 0 to 50"),
        ("isoelastic", {"aversion": np.nan}, "finite number"),
        ("isoelastic", {"aversion": True}, "finite number"),
        ("maximin", {"stop_ratio": 1.0}, "below 1"),
    ],
)
def test_an_objective_that_is_not_known_says_what_is(kind: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        parse(kind, parameters)


def test_parameters_left_out_take_their_defaults() -> None:
    assert parse("isoelastic", {}) == Objective("isoelastic", aversion=1.0)
    assert parse("maximin", {}) == Objective("maximin", stop_ratio=0.0)


def benefits(counts: FloatArray) -> FloatArray:
    posterior = scattered(CURVES, draws=7, seed=1)
    return 1.0 - np.maximum(posterior.loss(counts), 0.0)


@pytest.mark.parametrize(
    ("objective", "phi"),
    [
        (UTILITARIAN, lambda m: m),
        (isoelastic(0.5), lambda m: (m**0.5 - 1.0) / 0.5),
        (isoelastic(1.0), np.log),
        (isoelastic(2.0), lambda m: (1.0 / m - 1.0) / -1.0),
    ],
)
def test_the_weighted_kinds_are_the_mean_over_draws_of_phi(
    objective: Objective, phi: Callable[[FloatArray], FloatArray]
) -> None:
    counts = np.array([80.0, 200.0, 1000.0])
    m = benefits(counts)
    assert m.min() > 0.001
    expected = np.array([1, 2, 3]) / 6 @ phi(m).mean(axis=1)
    assert utility(objective).at(counts) == pytest.approx(expected, rel=1e-12)
    assert utility(objective).draws(counts).mean() == pytest.approx(expected, rel=1e-12)


def test_maximin_is_the_least_expected_benefit_of_the_groups_that_count() -> None:
    counts = np.array([80.0, 200.0, 1000.0])
    expected = benefits(counts).mean(axis=1)
    assert utility(MAXIMIN).at(counts) == pytest.approx(expected.min(), rel=1e-12)
    without_worst = tuple(float(at != expected.argmin()) for at in range(3))
    left = np.delete(expected, expected.argmin())
    assert utility(MAXIMIN, weights=without_worst).at(counts) == pytest.approx(left.min(), rel=1e-12)


def test_an_open_bound_puts_the_loss_in_units_of_the_reference() -> None:
    counts = np.array([80.0, 200.0, 1000.0])
    loss = scattered(CURVES, draws=7, seed=1).loss(counts) / np.array([0.5, 0.75, 1.0])[:, None]
    expected = -(np.array([1, 2, 3]) / 6 @ (loss**3).mean(axis=1)) / 3.0
    assert utility(isoelastic(2.0), RMSE).at(counts) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("objective", KINDS)
@pytest.mark.parametrize("metric", [ACCURACY, RMSE])
def test_slopes_are_the_derivatives_of_the_values(objective: Objective, metric: Metric) -> None:
    under_test = utility(objective, metric)
    for at in range(3):
        counts = np.array([60.0, 60.0, 60.0])

        def value(n: FloatArray, at: int = at) -> FloatArray:
            sizes = np.broadcast_to(n, (3, *n.shape)).reshape(3, -1)
            return under_test.terms(sizes).value[at].reshape(n.shape)

        numeric = derivative(value, counts[at], initial_step=1.0).df
        assert under_test.terms(counts).slope[at] == pytest.approx(float(numeric), rel=1e-6)


@pytest.mark.parametrize("objective", KINDS)
@pytest.mark.parametrize("metric", [ACCURACY, RMSE])
def test_values_are_concave_and_rising_from_nothing_to_a_billion(objective: Objective, metric: Metric) -> None:
    sizes = np.concatenate([np.linspace(0.0, 3.0, 31), np.geomspace(3.1, 1e9, 60)])
    terms = utility(objective, metric).terms(np.tile(sizes, (3, 1)))
    assert np.all(np.isfinite(terms.value))
    assert np.all(np.diff(terms.value, axis=1) >= -1e-12 * np.abs(terms.value[:, 1:]))
    assert np.all(np.diff(terms.slope, axis=1) <= 1e-12 * terms.slope[:, :-1])


def test_a_draw_below_the_trusted_benefit_is_valued_by_the_tangent() -> None:
    hopeless = Canonical.of(problem(stated([(0.0, 5.0, 0.5, 0.0)]), offers([1.0]), 1.0, isoelastic(2.0))).utility
    loss, least = 5.0 / 3.0, 1e-3
    tangent = (1.0 - 1.0 / least) + (1.0 - loss - least) / least**2
    assert hopeless.at(np.array([9.0])) == pytest.approx(tangent, rel=1e-12)


def test_a_loss_below_zero_counts_as_zero() -> None:
    perfect = Canonical.of(problem(stated([(-0.5, 1.0, 0.5, 0.0)]), offers([1.0]), 1.0)).utility
    terms = perfect.terms(np.array([100.0]))
    assert (terms.value[0], terms.slope[0]) == (1.0, 0.0)


def test_weights_matter_only_by_their_ratios() -> None:
    counts = np.array([80.0, 200.0, 1000.0])
    twice = utility(isoelastic(1.0), weights=(2.0, 4.0, 6.0))
    assert twice.at(counts) == pytest.approx(utility(isoelastic(1.0)).at(counts), rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": (0.0, 0.0, 0.0)}, "one of them above 0"),
        ({"weights": (1.0, np.nan, 1.0)}, "finite"),
        ({"held": (1.0, -1.0, 1.0)}, "at least 0"),
        ({"targets": (0.5,)}, "one entry for each of the 3 groups"),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused(changes: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        problem(stated(CURVES), offers([1.0, 1.0, 1.0]), 10.0, **changes)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("bounded", [True, False])
def test_a_group_without_a_target_never_falls_short(power: int, bounded: bool) -> None:
    losses, no_goal = np.array([[0.0, 0.5, 5e3]]), np.array([[np.inf]])
    value, worth = phi(Objective("targets", power=power), losses, bounded, no_goal)
    np.testing.assert_array_equal(value, [[0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(worth, [[0.0, 0.0, 0.0]])


@pytest.mark.parametrize("objective", [Objective("utilitarian"), Objective("gap")])
def test_many_groups_are_weighed_block_by_block_to_the_same_bits(objective: Objective) -> None:
    rng = np.random.default_rng(11)
    asked = problem(scattered(random_curves(rng, 250), draws=400, seed=2), (), 0.0, objective)
    utility = Canonical.of(asked).utility
    counts = rng.uniform(0.0, 5000.0, 250)
    found = utility.terms(counts)
    alone = [utility.select(np.array([at])).terms(counts[[at]]) for at in range(250)]
    assert found.value.tolist() == [one.value[0] for one in alone]
    assert found.slope.tolist() == [one.slope[0] for one in alone]


def test_terms_that_are_kept_are_those_worked_out_anew_and_nobody_changes_them() -> None:
    rng = np.random.default_rng(12)
    asked = problem(scattered(random_curves(rng, 3), draws=50, seed=2), (), 0.0, Objective("utilitarian"))
    utility, fresh = Canonical.of(asked).utility, Canonical.of(asked).utility
    for counts in [*rng.uniform(0.0, 5000.0, (MOST_KNOWN + 5, 3)), np.zeros(3)] * 2:
        found, anew = utility.terms(counts), fresh.worked_out(counts)
        np.testing.assert_array_equal(found.value, anew.value)
        np.testing.assert_array_equal(found.slope, anew.slope)
        assert utility.terms(counts) is found
        with pytest.raises(ValueError, match="read-only"):
            found.value[0] = 0.0
