"""What scatter says of σ, against least squares written out, and with holdouts' errors taken out."""

import numpy as np
import pytest

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Points
from app.planner.fitting.binning import cells_of, table_of
from app.planner.fitting.holdout_luck import luck_of
from app.planner.fitting.noise import Rows, Scatter, scatter_of


def rows(cell: IntArray, pair: IntArray, y: FloatArray, owner: IntArray, x: FloatArray | None = None) -> Rows:
    ones = np.ones(len(y))
    return Rows(cell, pair, np.zeros(len(y)) if x is None else x, y, ones, 0.04 * ones, owner)


def residual(design: FloatArray, y: FloatArray) -> tuple[float, int]:
    """Sum of squares left by the least squares fit, and degrees of freedom."""
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(left @ left), len(y) - int(np.linalg.matrix_rank(design))


def columns(of: IntArray) -> FloatArray:
    return np.asarray(of[:, None] == np.unique(of), dtype=np.float64)


def last(found: Scatter) -> tuple[float, float]:
    return float(found.squares[-1]), float(found.freedom[-1])


@pytest.mark.parametrize("sizes_differ", [False, True])
def test_holdouts_that_return_are_taken_out_as_by_least_squares(sizes_differ: bool) -> None:
    rng = np.random.default_rng(1)
    cell, pair = np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5)
    x = rng.normal(size=30) if sizes_differ else np.zeros(30)
    y = rng.normal(size=30) + 5.0 * rng.normal(size=6)[pair]
    lines = [columns(cell), columns(cell) * x[:, None]] if sizes_differ else [columns(cell)]
    found = scatter_of(rows(cell, pair, y, np.zeros(5, dtype=np.int64), x), 1)
    squares, freedom = last(found)
    expected, degrees = residual(np.hstack([*lines, columns(pair)]), y)
    assert freedom == degrees
    assert squares == pytest.approx(expected, rel=1e-3)
    assert not found.freedom[:-1].any()


def test_pieces_that_no_holdout_joins_have_a_constant_each() -> None:
    rng = np.random.default_rng(2)
    cell, pair = np.repeat(np.arange(4), 4), np.concatenate([np.tile(np.arange(4), 2), np.tile(np.arange(4, 8), 2)])
    y = rng.normal(size=16)
    squares, freedom = last(scatter_of(rows(cell, pair, y, np.zeros(4, dtype=np.int64)), 1))
    expected, degrees = residual(np.hstack([columns(cell), columns(pair)]), y)
    assert (squares, freedom) == (pytest.approx(expected), degrees)


def test_rows_on_holdouts_of_their_own_scatter_by_those_too() -> None:
    y = np.random.default_rng(3).normal(size=12)
    found = scatter_of(rows(np.repeat(np.arange(3), 4), np.arange(12), y, np.zeros(3, dtype=np.int64)), 1)
    np.testing.assert_allclose(found.squares[:3], y.reshape(3, 4).var(axis=1) * 4)
    np.testing.assert_array_equal(found.freedom, [3, 3, 3, 0])
    np.testing.assert_allclose(found.extra[:3], 0.04)


def test_the_noise_of_runs_is_seen_through_the_larger_errors_of_their_holdouts() -> None:
    rng = np.random.default_rng(4)
    counts, holdouts = np.tile(20.0 * 2.0 ** np.arange(6), 8), np.repeat(np.arange(8), 6)
    losses = 0.3 + counts**-0.5 + rng.normal(0, 0.1, 8)[holdouts] + rng.normal(0, 0.02, 48)
    points = Points(counts, losses, np.full(48, 0.1), holdouts)
    sigmas, table = np.array([0.005, 0.02, 0.08]), table_of([points])
    told = cells_of(table, luck_of(table, None), np.ones(1)).scatter_log_likelihood(sigmas)[0]
    assert np.argmax(told) == 1
    assert told[1] - max(told[0], told[2]) > 5.0


def test_other_groups_change_nothing() -> None:
    rng = np.random.default_rng(5)
    cell, pair, y = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4), rng.normal(size=12)
    alone = scatter_of(rows(cell, pair, y, np.zeros(4, dtype=np.int64)), 1)
    both = scatter_of(
        rows(
            np.append(cell, cell + 4),
            np.append(pair, pair + 3),
            np.append(rng.normal(size=12), y),
            np.repeat([0, 1], 4),
        ),
        2,
    )
    assert both.squares[-1] == alone.squares[-1]
    assert both.freedom[-1] == alone.freedom[-1]
