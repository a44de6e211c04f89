"""What runs on mixtures were worth."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.planner.curves import Points
from app.planner.quality.mixtures import MOST_POINTS, Mixture, joined_by_group


def mixture(counts: list[float], came: list[list[float]], sources: tuple[str, ...] = ("s", "t")) -> Mixture:
    n = np.array(counts)
    points = Points(n, np.linspace(0.5, 0.1, len(n)), np.full(len(n), np.nan), np.zeros(len(n), dtype=np.int64))
    return Mixture(points, sources, np.array(came, dtype=float).reshape(len(n), len(sources)))


def test_a_thousand_real_and_five_thousand_at_three_tenths_are_2500() -> None:
    one = mixture([6000.0], [[5000.0]], ("s",))
    assert one.counts(np.array([0.3])) == [2500.0]
    assert one.counts(np.array([[0.3], [1.0], [-0.3]])).tolist() == [[2500.0], [6000.0], [0.0]]
    assert one.known("s", 0.3).points.counts == [2500.0]
    assert one.known("s", 0.3).sources == ()


@given(st.lists(st.floats(-0.3, 1.5), min_size=2, max_size=2))
def test_what_is_known_counts_alike_however_it_is_told(quality: list[float]) -> None:
    one = mixture([100.0, 400.0, 300.0], [[0, 0], [100, 50], [0, 300]])
    whole = one.counts(np.array(quality))
    part = one.known("s", quality[0])
    np.testing.assert_allclose(part.counts(np.array(quality[1:])), np.maximum(whole, 0.0), atol=1e-9)


def test_runs_that_happen_to_be_worth_the_same_stay_apart() -> None:
    [points] = mixture([500.0, 500.0], [[0], [250]], ("s",)).variants(np.array([[1.0]]))
    assert len(set(points.counts)) == 2
    np.testing.assert_allclose(points.counts, 500.0)


def test_of_many_runs_those_with_most_samples_of_sources_are_kept_and_sizes_evenly() -> None:
    counts = [float(n) for n in range(1, 101)]
    came = [[n / 2 if n > 90 else 0.0] for n in counts]
    kept = mixture(counts, came, ("s",)).part()
    assert len(kept.points.counts) == MOST_POINTS
    assert set(range(91, 101)) <= set(kept.points.counts)
    assert kept.points.counts.min() == 1.0


def test_sources_hang_together_by_groups_that_name_several() -> None:
    pairs = [mixture([1.0], [[1, 1]], names) for names in (("a", "b"), ("b", "c"))]
    assert joined_by_group(pairs, ["a", "b", "c", "d"]) == [("a", "b", "c"), ("d",)]
