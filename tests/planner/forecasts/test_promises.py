"""The share of promised gains that did not come, against simulated ledgers, and curves that promise less."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.planner.curves import Observations, Points, Posterior, Prior, Transfer
from app.planner.fitting.fit import fit
from app.planner.forecasts.predictive import Asked
from app.planner.forecasts.promises import DOUBTED, overpromised, promised_gains, promising_less

WIDTH_OF_SD = 2 * 1.645
"""The 90 % interval of a normal forecast."""

COUNTS = np.array([25.0, 50.0, 100.0, 200.0])


def ledger(
    rng: np.random.Generator, groups: int, rounds: int, bias: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains promised, shortfalls and widths of calibrated forecasts, of whose gains the share `bias` never comes.

    Two runs of a group in a round err alike, and so does, by half, a group in all rounds.
    """
    shape = (rounds, groups, 2)
    scale = 0.02 * np.exp(0.5 * rng.normal(size=(1, groups, 1)))
    promised = (
        scale * np.array([0.6, 1.0]) * 0.8 ** np.arange(rounds)[:, None, None] * np.exp(0.3 * rng.normal(size=shape))
    )
    alike = np.sqrt(0.5) * (rng.normal(size=(1, groups, 1)) + rng.normal(size=(rounds, groups, 1)))
    short = bias * promised + 0.4 * promised * alike + 0.01 * rng.normal(size=shape)
    width = WIDTH_OF_SD * np.hypot(0.4 * promised, 0.01)
    return promised, short, width


def shifted_errors(bias: float, groups: int, rounds: int) -> tuple[float, float]:
    """In the round after the record: mean absolute error over that without the shift, share of the promises still
    not kept; over 300 ledgers."""
    before, after, promises, left = 0.0, 0.0, 0.0, 0.0
    for seed in range(300):
        promised, short, width = ledger(np.random.default_rng(seed), groups, rounds + 1, bias)
        share = overpromised(*(values[:rounds].ravel() for values in (promised, short, width)))
        rest = short[rounds] - share * promised[rounds]
        before, after = before + np.abs(short[rounds]).mean(), after + np.abs(rest).mean()
        promises, left = promises + promised[rounds].sum(), left + rest.sum()
    return after / before, left / promises


@pytest.mark.parametrize(("groups", "rounds"), [(5, 2), (2, 5), (20, 3)])
@pytest.mark.parametrize("bias", [0.25, 0.5, 1.0, -0.5])
def test_a_lasting_bias_is_at_least_halved(bias: float, groups: int, rounds: int) -> None:
    error, left = shifted_errors(bias, groups, rounds)
    assert abs(left) < 0.5 * abs(bias)
    assert error < 1.0


@pytest.mark.parametrize(("groups", "rounds"), [(5, 2), (2, 5), (20, 3)])
def test_without_a_bias_the_shift_costs_less_than_a_hundredth(groups: int, rounds: int) -> None:
    error, left = shifted_errors(0.0, groups, rounds)
    assert error < 1.01
    assert abs(left) < 0.03


def test_the_share_is_the_weighted_median_drawn_to_nothing() -> None:
    """Against least absolute deviations by trying every share."""
    promised, short, width = (one.ravel() for one in ledger(np.random.default_rng(3), 5, 3, 0.4))
    tried = np.linspace(-1, 1, 20_001)
    sums = [(np.abs(short - share * promised) / width).sum() for share in tried]
    weight = promised / width
    worth = weight.sum() ** 2 / (weight**2).sum()
    expected = tried[np.argmin(sums)] * worth / (worth + DOUBTED)
    assert overpromised(promised, short, width) == pytest.approx(expected, abs=2e-4)


positive = st.floats(1e-6, 1.0)


@given(
    arrays(np.float64, 24, elements=positive),
    arrays(np.float64, 24, elements=st.floats(-1, 1)),
    arrays(np.float64, 24, elements=positive),
    st.permutations(range(24)),
)
def test_the_share_is_bounded_and_knows_no_order(
    promised: np.ndarray, short: np.ndarray, width: np.ndarray, order: list[int]
) -> None:
    found = overpromised(promised, short, width)
    assert -1.0 < found < 1.0
    assert overpromised(promised[order], short[order], width[order]) == pytest.approx(found, abs=1e-12)
    assert overpromised(7 * promised, 7 * short, 7 * width) == pytest.approx(found, rel=1e-9, abs=1e-12)


def test_a_short_record_says_nothing() -> None:
    assert overpromised(np.full(19, 0.1), np.full(19, 0.1), np.full(19, 0.1)) == 0.0
    assert overpromised(np.zeros(0), np.zeros(0), np.zeros(0)) == 0.0


def learnt(losses: np.ndarray) -> Posterior:
    """Curves of groups measured at COUNTS."""
    points = tuple(Points(COUNTS, row, np.full(4, 0.01), np.arange(4)) for row in losses)
    keys = tuple(f"g{number}" for number in range(len(losses)))
    return fit(Observations(keys, points, (None,) * len(keys), np.full(len(keys), 200.0), 1.0), Prior(), 0, 100)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return learnt(np.array([0.1 + 2.0 * COUNTS**-0.6, 0.3 + 0.5 * COUNTS**-0.4, np.full(4, 0.2)]))


@pytest.mark.parametrize("share", [-0.7, 0.3, 0.9])
def test_gains_beyond_what_is_known_are_cut_by_the_share(posterior: Posterior, share: float) -> None:
    held, beyond = np.array([100.0, 200.0, 500.0]), np.array([400.0, 800.0, 2000.0])
    known = np.minimum(held, 200.0)
    less = promising_less(posterior, held, np.array([True, True, True]), share)
    np.testing.assert_allclose(less.loss(known), posterior.loss(known), atol=1e-12)
    before, after = (one.loss(known) - one.loss(beyond) for one in (posterior, less))
    if share > 0.0:
        np.testing.assert_allclose(after, (1.0 - share) * before, atol=1e-12)
    else:
        assert np.all(after >= before - 1e-12)
        assert np.all(after <= (1.0 - share) * before + 1e-12)
        assert np.all(less.loss(np.full(3, 1e15)) >= -1e-12)
    np.testing.assert_array_equal(less.discrepancy, posterior.discrepancy)


def test_without_a_share_or_a_forecast_curve_nothing_changes(posterior: Posterior) -> None:
    held = np.full(3, 200.0)
    assert promising_less(posterior, held, np.array([True, True, True]), 0.0) is posterior
    less = promising_less(posterior, held, np.array([False, True, False]), 0.5)
    for name in ("asymptote", "excess"):
        np.testing.assert_array_equal(getattr(less, name)[[0, 2]], getattr(posterior, name)[[0, 2]])
        assert np.all(getattr(less, name)[1] != getattr(posterior, name)[1])


def test_no_group_s_curve_depends_on_the_others(posterior: Posterior) -> None:
    held, every = np.array([100.0, 200.0, 500.0]), np.full(3, True)
    order = np.array([2, 0, 1])
    less = promising_less(posterior, held, every, 0.4)
    other = promising_less(posterior.select(order), held[order], every, 0.4)
    np.testing.assert_array_equal(other.asymptote, less.asymptote[order])
    np.testing.assert_array_equal(other.excess, less.excess[order])


def test_a_gain_is_promised_beyond_the_largest_size_only(posterior: Posterior) -> None:
    runs = np.array([[100.0, 50.0, 50.0], [400.0, 50.0, 50.0], [50.0, 800.0, 50.0]])
    asked = Asked(np.array([0, 0, 1]), runs, np.full(3, np.nan), np.full(3, -1), ("a", "b", "c"))
    found = promised_gains(posterior, asked)
    at = [posterior.loss(np.full(3, n)) for n in (200.0, 400.0, 800.0)]
    assert found[0] == 0.0
    np.testing.assert_allclose(found[1:], [np.median(at[0][0] - at[1][0]), np.median(at[0][1] - at[2][1])])


def test_what_misfit_leaves_to_gain_is_promised_less_too(posterior: Posterior) -> None:
    held, every = np.full(3, 100.0), np.full(3, True)
    shape = (3, posterior.draws)
    nothing = np.zeros((3, *shape)), np.full(shape, np.inf), held, np.zeros(3), ((),) * 3
    clashing = replace(posterior, transfer=Transfer.of_fit(*nothing, np.full(shape, 0.3)))
    less = promising_less(clashing, held, every, 0.4)
    before, after = (one.loss(held) - one.loss(np.full(3, 900.0)) for one in (clashing, less))
    np.testing.assert_allclose(after, 0.6 * before, atol=1e-12)
    np.testing.assert_allclose(less.loss(held), clashing.loss(held), atol=1e-12)
