"""Labels that would stand on each other are moved apart, and no further than that."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts.labels import end_offsets, spread


def test_labels_with_room_stay_where_they_belong() -> None:
    assert spread([0.0, 50.0, 20.0], 13) == [0.0, 0.0, 0.0]


def test_two_labels_at_one_place_move_by_half_a_line_each() -> None:
    assert spread([100.0, 100.0], 12) == [-6.0, 6.0]


def test_higher_values_stay_above() -> None:
    """Downwards is positive in Vega."""
    low, high = end_offsets([0.80, 0.81], 0.0, 1.0, 200)
    assert high < 0 < low
    assert end_offsets([0.5, 0.5], 0.5, 0.5, 200) == [-6.5, 6.5]


@given(st.lists(st.floats(0, 300), max_size=12))
def test_all_end_apart_in_their_order_with_their_mean_kept(heights: list[float]) -> None:
    moved = spread(heights, 13)
    placed = sorted((height, height + by) for height, by in zip(heights, moved, strict=True))
    ends = sorted(end for _, end in placed)
    assert all(b - a >= 13 - 1e-9 for a, b in pairwise(ends))
    assert sum(moved) == pytest.approx(0, abs=1e-6)
