"""Weights to a population's shares, beside worked cases and SciPy's optimum."""

import numpy as np
import pytest
from scipy.optimize import minimize

from app.planner.representation import Margin, effective_size, growth, rake, standardised

HELD = np.array([700.0, 250.0, 40.0, 10.0])
"""Women and men, white, then black."""
SEX = Margin(np.array([0, 1, 0, 1]), np.array([0.5, 0.5]))
RACE = Margin(np.array([0, 0, 1, 1]), np.array([0.8, 0.2]))
CELLS = Margin(np.arange(4), np.array([0.4, 0.4, 0.1, 0.1]))


def test_one_margin_has_the_quotients_as_weights() -> None:
    held = np.array([80.0, 20.0])
    found = rake(held, [Margin(np.array([0, 1]), np.array([0.5, 0.5]))])
    assert found.weight == pytest.approx((0.625, 2.5))
    assert found.weight is not None
    assert effective_size(held, found.weight) == pytest.approx(64.0)


def test_sex_and_race() -> None:
    found = rake(HELD, [SEX, RACE])
    assert found.weight == pytest.approx((0.55, 1.66, 2.86, 8.58), abs=6e-3)
    assert found.weight is not None
    assert effective_size(HELD, found.weight) == pytest.approx(510, abs=0.5)
    assert found.rounds <= 8


def test_raking_is_the_nearest_weighting_that_keeps_the_margins() -> None:
    random = np.random.default_rng(5)
    for _ in range(5):
        held = random.integers(5, 500, 6).astype(np.float64)
        first = Margin(np.array([0, 0, 0, 1, 1, 1]), random.dirichlet([4.0, 4.0]))
        second = Margin(np.array([0, 1, 2, 0, 1, 2]), random.dirichlet([4.0, 4.0, 4.0]))
        p = held / held.sum()
        rows = [(one.level == level, share) for one in (first, second) for level, share in enumerate(one.share)]
        # Redundant rows would leave SLSQP a singular system.
        kept = [rows[0], rows[1], rows[2], rows[3]]
        best = minimize(
            lambda q, p=p: float(np.sum(q * np.log(q / p))),
            p,
            jac=lambda q, p=p: np.log(q / p) + 1.0,
            bounds=[(1e-9, 1.0)] * 6,
            constraints=[
                {"type": "eq", "fun": lambda q, member=member, share=share: q[member].sum() - share}
                for member, share in kept
            ],
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        found = rake(held, [first, second])
        assert found.weight is not None
        assert found.weight * p == pytest.approx(best.x, abs=2e-5)
        assert found.weight @ held == pytest.approx(held.sum())


def test_with_cells_as_targets_the_size_is_that_of_chi_squared_and_grows_as_its_derivative_says() -> None:
    def size(held: np.ndarray) -> float:
        found = rake(held, [CELLS])
        assert found.weight is not None
        return effective_size(held, found.weight)

    assert size(HELD) == pytest.approx(1000 / np.sum(CELLS.share**2 / (HELD / 1000)))
    assert size(HELD) == pytest.approx(472, abs=0.5)
    assert size(HELD + 200 * np.eye(4)[3]) == pytest.approx(857.5, abs=0.05)
    assert size(HELD + 200 * np.eye(4)[0]) == pytest.approx(484, abs=0.5)
    weight = rake(HELD, [CELLS]).weight
    assert weight is not None
    step = 1e-3
    slopes = [(size(HELD + step * one) - size(HELD - step * one)) / (2 * step) for one in np.eye(4)]
    assert growth(HELD, weight) == pytest.approx(slopes, rel=1e-5)


def test_what_cannot_be_reached_ends_without_weights() -> None:
    assert rake(np.array([700.0, 250.0, 40.0, 0.0]), [CELLS]).state == "no_samples"
    again = Margin(SEX.level, np.array([0.6, 0.4]))
    assert rake(HELD, [SEX, again]).state == "disagree"
    # Only women are white here, and only whites are women.
    apart = rake(np.array([700.0, 0.0, 0.0, 10.0]), [SEX, RACE])
    assert (apart.weight, apart.state) == (None, "disagree")
    gone = rake(np.array([5.0, 5.0]), [Margin(np.arange(2), np.array([1.0, 0.0])),
                                       Margin(np.arange(2), np.array([0.0, 1.0]))])  # fmt: skip
    assert gone.state == "disagree"


def test_groups_outside_a_margin_keep_their_weights_against_the_others() -> None:
    held = np.array([80.0, 20.0, 50.0])
    found = rake(held, [Margin(np.array([0, 1, -1]), np.array([0.5, 0.5]))])
    assert found.weight == pytest.approx((0.625, 2.5, 1.0))


def test_a_group_without_samples_has_no_weight_and_a_level_without_share_weighs_nothing() -> None:
    found = rake(np.array([80.0, 20.0, 0.0, 9.0]), [Margin(np.array([0, 1, 1, 2]), np.array([0.5, 0.5, 0.0]))])
    assert found.weight is not None
    assert np.isnan(found.weight[2])
    assert found.weight[3] == 0.0
    assert np.isnan(growth(np.array([80.0, 20.0, 0.0, 9.0]), found.weight)[2])


def test_differences_in_standard_deviations() -> None:
    assert standardised(0.8, 0.5) == pytest.approx(0.3 / np.sqrt((0.16 + 0.25) / 2))
    assert standardised(0.0, 0.0) == 0.0
    assert standardised(1.0, 0.0) is None
