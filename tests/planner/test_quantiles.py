"""Quantiles, orders and picks are NumPy's own to the last bit."""

import numpy as np
import pytest

from app.planner.quantiles import ascending, picked, quantiles

LEVELS = (0.0, 0.03, 0.05, 0.37, 0.5, 0.95, 0.97, 1.0)


@pytest.mark.parametrize("shape", [(1,), (2,), (50,), (301,), (7, 64), (3, 2, 300)])
@pytest.mark.parametrize("digits", [1, 17])
def test_quantiles_are_numpys(shape: tuple[int, ...], digits: int) -> None:
    draws = np.round(np.random.default_rng(len(shape)).normal(size=shape) * 100.0, digits)
    assert np.array_equal(quantiles(draws, LEVELS), np.quantile(draws, LEVELS, axis=-1))


def test_a_stray_that_is_no_number_makes_its_row_none() -> None:
    draws = np.random.default_rng(1).normal(size=(3, 50))
    draws[1, 7] = np.nan
    found = quantiles(draws, LEVELS)
    assert np.isnan(found[:, 1]).all()
    assert np.array_equal(found, np.quantile(draws, LEVELS, axis=-1), equal_nan=True)


@pytest.mark.parametrize("digits", [1, 17])
def test_equal_values_stay_in_their_order(digits: int) -> None:
    values = np.round(np.random.default_rng(2).normal(size=(5, 200)), digits)
    assert np.array_equal(ascending(values), np.argsort(values, axis=-1, kind="stable"))


def test_picks_are_along_the_last_axis() -> None:
    values = np.random.default_rng(3).normal(size=(4, 30))
    order = np.argsort(values, axis=-1)
    assert np.array_equal(picked(values, order), np.take_along_axis(values, order, axis=-1))
