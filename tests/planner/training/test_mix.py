"""Training mixes, beside worked cases, SciPy and the conditions of the optimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from app.planner.training import Phase, training_mix
from app.planner.training.mix import capped

HELD = np.array([1000.0, 100.0, 10.0])


def whole(temperature: float) -> list[Phase]:
    return [Phase(0.0, 1.0, temperature)]


@pytest.mark.parametrize(
    ("temperature", "shares", "repeats", "factor"),
    [(1.0, (0.901, 0.090, 0.009), 1.0, 1.0), (2.0, (0.706, 0.223, 0.071), 7.84, 1.66), (5.0, None, 21.8, 5.62)],
)
def test_three_groups_worked_out_by_hand(
    temperature: float, shares: tuple[float, ...] | None, repeats: float, factor: float
) -> None:
    [found] = training_mix(HELD, whole(temperature), 1110)
    if shares is not None:
        assert found.share == pytest.approx(shares, abs=5e-4)
    assert found.repeats[2] == pytest.approx(repeats, abs=0.05)
    assert found.variance_factor == pytest.approx(factor, abs=5e-3)
    assert found.effective_size == pytest.approx(1110 / found.variance_factor)


def test_equal_shares_with_at_most_four_repeats() -> None:
    [found] = training_mix(HELD, whole(1e9), 1110, max_repeats=4.0)
    assert found.share == pytest.approx((0.604, 0.360, 0.036), abs=5e-4)
    assert found.repeats[1:] == pytest.approx((4.0, 4.0))


def test_a_late_phase_has_its_part_of_the_samples_and_of_the_repeats() -> None:
    phases = [Phase(0.0, 0.8, 5.0), Phase(0.8, 1.0, 1.0)]
    early, late = training_mix(HELD, phases, 2000)
    assert late.repeats == pytest.approx(0.2 * 2000 / 1110)
    assert early.repeats @ HELD + late.repeats @ HELD == pytest.approx(2000)
    both = training_mix(HELD, phases, 2000, max_repeats=3.0)
    assert (both[0].repeats + both[1].repeats).max() <= 3.0 + 1e-12


def test_a_group_of_which_nothing_is_held_is_shown_never() -> None:
    [found] = training_mix(np.array([5.0, 0.0, 3.0]), whole(3.0), 8)
    assert (found.share[1], found.repeats[1]) == (0.0, 0.0)
    assert np.isnan(found.loss_weight[1])
    assert found.share.sum() == pytest.approx(1.0)


def test_too_few_samples_for_the_repeats() -> None:
    with pytest.raises(ValueError, match="suffice"):
        training_mix(HELD, whole(1.0), 2221, max_repeats=2.0)
    [found] = training_mix(HELD, whole(3.0), 2220, max_repeats=2.0)
    assert found.repeats == pytest.approx(2.0)


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.02, 1.0)), min_size=2, max_size=6))
def test_the_nearest_shares_are_the_known_optimum(rows: list[tuple[float, float]]) -> None:
    share, most = (np.array(column) for column in zip(*rows, strict=True))
    share, most = share / share.sum(), most * max(1.0, 1.05 / most.sum())
    found = capped(share, most)
    assert found.sum() == pytest.approx(1.0)
    assert np.all(found <= most * (1 + 1e-12))
    start = most / most.sum()
    best = minimize(
        lambda q: float(np.sum(q * np.log(q / share))),
        start,
        jac=lambda q: np.log(q / share) + 1.0,
        bounds=[(1e-9, one) for one in most],
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1.0, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert float(np.sum(found * np.log(found / share))) <= best.fun + 1e-7
