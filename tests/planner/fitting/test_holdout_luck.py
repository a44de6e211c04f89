"""What small holdouts bear out: against SciPy's beta law, against simulated holdouts, and what must not matter."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.fitting.binning import table_of
from app.planner.fitting.fit import fit
from app.planner.fitting.holdout_luck import examples_of, luck_of, true_share
from app.planner.utility.metric import Metric
from app.services.curves.prior import prior_for
from tests.planner.numerics import DEEP

SIZES = np.array([100.0, 200.0, 400.0, 800.0])
QUANTILES = np.array([0.05, 0.5, 0.95])
GROUPS = 400 if DEEP else 100


def stderr_of(share: FloatArray, m: float) -> FloatArray:
    """As the service makes it of a proportion and its number of examples."""
    shrunk = (share * m + 0.5) / (m + 1)
    return np.asarray(np.sqrt(shrunk * (1 - shrunk) / m))


def looks(losses: FloatArray, m: float, own: bool = False, sizes: FloatArray = SIZES) -> Points:
    """Runs scored on one holdout of m examples, or on one each."""
    holdouts = np.arange(len(losses)) if own else np.zeros(len(losses), dtype=np.int64)
    return Points(sizes[-len(losses) :], losses, stderr_of(losses, m), holdouts)


def said(*points: Points, span: float | None = 1.0, draws: int = 2000) -> FloatArray:
    """The 5, 50 and 95 % quantiles of each group's loss at its largest size [3, groups]."""
    keys = tuple(f"g{g}" for g in range(len(points)))
    held = np.array([one.counts.max() for one in points])
    posterior = fit(Observations(keys, points, (None,) * len(keys), held, span), prior_for(span), 0, draws)
    return np.asarray(np.quantile(posterior.loss(held), QUANTILES, axis=1))


def jeffreys(wrong: FloatArray | float, m: float) -> FloatArray:
    """Quantiles of the loss after `wrong` of m examples."""
    return np.stack([beta.ppf(q, np.asarray(wrong) + 0.5, m - np.asarray(wrong) + 0.5) for q in QUANTILES])


@given(share=st.floats(0.0, 1.0), m=st.floats(0.5, 1e9))
def test_the_examples_are_found_again_in_the_error_made_of_them(share: float, m: float) -> None:
    one = np.array([share])
    assert examples_of(one, stderr_of(one, m))[0] == pytest.approx(m, rel=1e-6)


def test_an_error_of_none_is_of_endless_examples_and_one_not_known_of_nobody_knows_how_many() -> None:
    found = examples_of(np.full(3, 0.2), np.array([0.0, np.nan, 0.04]))
    assert np.isinf(found[0])
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(100.0, rel=0.02)


@pytest.mark.parametrize("m", [10, 50, 1000, 1e9])
def test_the_true_share_is_the_beta_laws_quantile(m: float) -> None:
    seen, normal = np.linspace(0.5 / (m + 1), 1.0 - 0.5 / (m + 1), 41)[:, None], np.linspace(-2.0, 2.0, 33)
    exact = beta.ppf(norm.cdf(normal), (m + 1) * seen, (m + 1) * (1 - seen))
    np.testing.assert_allclose(true_share(seen, np.array(m), normal), exact, atol=0.004)


@given(seen=st.floats(0.0, 1.0), m=st.floats(0.0, 1e12), normal=st.floats(-5.5, 5.5))
def test_the_true_share_is_one_and_rises_with_its_number(seen: float, m: float, normal: float) -> None:
    found = true_share(np.full(3, seen), np.array(m), np.array([normal - 0.1, normal, normal + 0.1]))
    assert np.all((found >= 0.0) & (found <= 1.0))
    assert np.all(np.diff(found) >= -1e-12)


@pytest.mark.parametrize(
    ("right", "m", "own", "counted"),
    [
        ([10] * 4, 10, False, (10, 10)),
        ([10], 10, False, (10, 10)),
        ([1] * 4, 1, False, (1, 1)),
        ([49] * 4, 50, False, (49, 50)),
        ([160] * 4, 200, False, (160, 200)),
        ([1] * 4, 50, False, (1, 50)),
        # Four holdouts that agree are one of four times the examples.
        ([10] * 4, 10, True, (40, 40)),
    ],
)
def test_the_interval_is_that_of_what_was_counted(
    right: list[int], m: int, own: bool, counted: tuple[int, int]
) -> None:
    found = 1.0 - said(looks(1.0 - np.array(right) / m, m, own))[:, 0]
    expected = 1.0 - jeffreys(counted[1] - counted[0], counted[1])
    np.testing.assert_allclose(found, expected, atol=0.03 if m == 1 else 0.008)


@pytest.mark.parametrize(("value", "stderr", "low", "middle"), [(1.0, 0.07, 0.82, 0.976), (0.95, 0.07, 0.79, 0.94)])
def test_a_stated_error_counts_as_the_examples_it_is_worth(
    value: float, stderr: float, low: float, middle: float
) -> None:
    points = Points(SIZES, np.full(4, 1.0 - value), np.full(4, stderr), np.zeros(4, dtype=np.int64))
    found = 1.0 - said(points)[:, 0]
    assert found[2] == pytest.approx(low, abs=0.015)
    assert found[1] == pytest.approx(middle, abs=0.01)


def test_an_error_of_0_where_the_metric_was_perfect_does_not_make_the_holdout_endless() -> None:
    losses = np.array([0.1, 0.05, 0.0, 0.0])
    wald = Points(SIZES, losses, np.sqrt(losses * (1 - losses) / 20), np.zeros(4, dtype=np.int64))
    assert said(wald)[2, 0] > 0.05


def law(floor: float, excess: float) -> Callable[[float], float]:
    return lambda n: floor + excess * n**-0.4


CURVES = {
    "falls to .061": law(0.02, 0.6),
    "plateau at .05": law(0.05, 0.0),
    "falls to .191": law(0.15, 0.6),
    "plateau at .20": law(0.20, 0.0),
    "near the worst": law(0.97, 0.0),
}


def simulated(loss: Callable[[float], float], m: int, sizes: FloatArray, own: bool) -> tuple[FloatArray, FloatArray]:
    """What is said of GROUPS groups with one curve [3, groups], and how many they got wrong at each size [groups,
    sizes]; example i is wrong at n iff u_i < loss(n)."""
    rng = np.random.default_rng(m)
    u = rng.uniform(size=(len(sizes) if own else 1, GROUPS, m))
    wrong = np.stack([(u[at if own else 0] < loss(n)).sum(axis=1) for at, n in enumerate(sizes)], axis=1)
    points = [looks(row / m, m, own, sizes) for row in wrong]
    return said(*points, draws=300), wrong.astype(np.float64)


def held(quantiles: FloatArray, truth: float) -> float:
    return float(np.mean((quantiles[0] <= truth) & (truth <= quantiles[2])))


@pytest.mark.parametrize("sizes", [SIZES, SIZES[2:], SIZES[3:]], ids=["four", "two", "one"])
@pytest.mark.parametrize("m", [10, 20, 50, 200])
@pytest.mark.parametrize("name", CURVES)
def test_looks_at_one_holdout_say_what_its_last_look_says(name: str, m: int, sizes: FloatArray) -> None:
    """Interval by interval that of Jeffreys, and so as often right, discrete as that is for few examples."""
    found, wrong = simulated(CURVES[name], m, sizes, own=False)
    expected = jeffreys(wrong[:, -1], m)
    truth = CURVES[name](sizes[-1])
    assert abs(held(found, truth) - held(expected, truth)) <= 0.06
    half = (expected[2] - expected[0]).mean() / 2
    assert abs((found[1] - expected[1]).mean()) < 0.2 * half
    # Of one run near the worst value the training error is not known, a share of a loss that is nearly all there is.
    widest = 4.0 if name == "near the worst" and len(sizes) == 1 else 1.2
    assert 0.9 < (found[2] - found[0]).mean() / (2 * half) < widest


@pytest.mark.parametrize("m", [20, 50, 200])
@pytest.mark.parametrize("name", CURVES)
def test_holdouts_of_their_own_are_right_as_often_as_said(name: str, m: int) -> None:
    found, _ = simulated(CURVES[name], m, SIZES, own=True)
    # Three standard errors of the share below .85.
    assert held(found, CURVES[name](800)) >= 0.85 - 3 * np.sqrt(0.85 * 0.15 / GROUPS)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 400).flatmap(lambda m: st.tuples(st.just(m), st.lists(st.integers(0, m), min_size=4, max_size=4)))
)
def test_never_surer_than_the_same_examples_seen_once(case: tuple[int, list[int]]) -> None:
    m, wrong = case
    low, middle, high = said(looks(np.array(wrong) / m, m), draws=600)[:, 0]
    # By the law of as many examples about the middle of what is said.
    share = np.clip(middle, 0.5 / (m + 1), 1.0 - 0.5 / (m + 1))
    least = np.diff(beta.ppf([0.05, 0.95], (m + 1) * share, (m + 1) * (1 - share)))[0]
    assert high - low > 0.85 * least


def test_more_looks_at_one_holdout_add_nothing_to_the_level() -> None:
    once = said(looks(np.full(4, 0.1), 30))
    counts = np.repeat(SIZES, 10)
    often = Points(counts, np.full(40, 0.1), stderr_of(np.full(40, 0.1), 30), np.zeros(40, dtype=np.int64))
    np.testing.assert_allclose(said(often), once, atol=0.006)


def test_holdouts_of_one_loss_are_worth_all_their_examples() -> None:
    luck = luck_of(table_of([looks(np.full(4, 0.1), 50, own=True), looks(np.full(4, 0.1), 200)]), 1.0)
    np.testing.assert_allclose(luck.examples, 200.0, rtol=1e-6)


def test_misses_at_larger_losses_tell_of_the_level_as_well() -> None:
    """Four holdouts of 50, of which the first runs got more wrong: more misses were counted than at .1 on all."""
    falling = luck_of(table_of([looks(np.array([0.4, 0.3, 0.2, 0.1]), 50, own=True)]), 1.0)
    assert 1.5 * 200.0 < falling.examples[0] < 5.0 * 200.0


def test_the_order_of_runs_and_the_names_of_holdouts_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    losses, holdouts = rng.uniform(0.05, 0.3, 6), np.array([0, 0, 1, 1, 2, 2])
    counts = 50.0 * 2.0 ** np.arange(6)
    one = Points(counts, losses, stderr_of(losses, 40), holdouts)
    order = rng.permutation(6)
    other = Points(counts[order], losses[order], one.stderrs[order], 7 - holdouts[order])
    np.testing.assert_allclose(said(other), said(one), rtol=1e-9)


def test_a_loss_to_minimise_and_bounds_other_than_0_and_1_say_the_same() -> None:
    accuracy, error = Metric("maximize", 0.0, 1.0), Metric("minimize", 0.0, 1.0)
    scaled = Metric("minimize", -20.0, 30.0)
    values = np.array([0.9, 0.95, 1.0, 0.95])
    errors = stderr_of(1.0 - values, 20)
    none = np.zeros(4, dtype=np.int64)
    first = said(Points(SIZES, accuracy.to_loss(values), errors, none))
    np.testing.assert_allclose(said(Points(SIZES, error.to_loss(1.0 - values), errors, none)), first, rtol=1e-9)
    third = said(Points(SIZES, scaled.to_loss(50.0 * (1.0 - values) - 20.0), 50.0 * errors, none), span=50.0)
    np.testing.assert_allclose(third / 50.0, first, rtol=1e-6, atol=1e-12)


def test_a_holdout_of_which_nothing_is_known_is_like_the_others() -> None:
    points = looks(np.full(4, 0.1), 50, own=True)
    points.stderrs[1] = np.nan
    luck = luck_of(table_of([points]), 1.0)
    np.testing.assert_allclose(luck.examples, 200.0, rtol=1e-6)
    points.stderrs[:] = np.nan
    assert np.isinf(luck_of(table_of([points]), 1.0).examples[0])


def test_what_is_left_of_holdouts_luck_is_a_covariance() -> None:
    """Σ_h v_h f_h f_hᵀ − v̄ f fᵀ has no negative direction, also of holdouts of a tenth and of a million examples."""
    losses, m = np.array([0.4, 0.3, 0.2, 0.0]), np.array([0.1, 1e6, 10.0, 3.0])
    points = Points(SIZES, losses, stderr_of(losses, 1.0) / np.sqrt(m), np.arange(4))
    luck = luck_of(table_of([points]), 1.0)
    left = np.diag((luck.sd * luck.level) ** 2) - luck.common[0] * np.outer(luck.level, luck.level)
    assert np.linalg.eigvalsh(left).min() > -1e-9 * np.abs(left).max()


@pytest.mark.parametrize(("m", "part"), [(10, "the 10 examples scored"), (1000, "under 1 %")])
def test_a_perfect_metric_is_told_with_what_it_bears_out(m: int, part: str) -> None:
    observations = Observations(("a",), (looks(np.zeros(4), m),), (None,), np.array([800.0]), 1.0)
    (warning,) = [one for one in fit(observations, prior_for(1.0), 0, 50).warnings if one.code == "at_bound"]
    assert part in warning.detail
    assert "left to learn" not in warning.detail
