"""The compositions that usual runs train on, and those that further runs are chosen from."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.arrays import IntArray
from app.planner.information.compositions import (
    SETS,
    Composition,
    considered,
    fresh,
    parts,
    rounds_of_pairs,
    usual,
)

HELD = st.lists(st.integers(0, 3000), min_size=1, max_size=40)


def keys_of(held: list[int]) -> list[str]:
    return [f"g{at}" for at in range(len(held))]


def array(held: list[int]) -> IntArray:
    return np.array(held, dtype=np.int64)


def test_the_usual_runs_are_three_nested_ones_and_one_for_each_group() -> None:
    found = [one.counts for one in usual(["a", "b", "c"], array([200, 100, 41]))]
    assert found == [
        (200, 100, 41),
        (100, 50, 20),
        (50, 25, 10),
        (50, 100, 41),
        (200, 25, 41),
        (200, 100, 10),
    ]


@pytest.mark.parametrize(
    ("groups", "runs"), [(1, 3), (2, 5), (3, 6), (8, 11), (9, 11), (30, 11), (300, 11), (1000, 11)]
)
def test_so_many_runs_are_usual(groups: int, runs: int) -> None:
    held = [400 + at for at in range(groups)]
    assert len(usual(keys_of(held), array(held))) == runs


@given(HELD)
def test_counts_are_whole_held_and_not_nothing(held: list[int]) -> None:
    for compositions in (usual, considered):
        found = compositions(keys_of(held), array(held))
        assert len({one.counts for one in found}) == len(found)
        for one in found:
            assert all(
                isinstance(n, int) and min(most, 1) <= n <= most for n, most in zip(one.counts, held, strict=True)
            )
            assert sum(one.counts) > 0
            for at, (n, most) in enumerate(zip(one.counts, held, strict=True)):
                if one.cut and at not in one.cut:
                    assert n == most
                else:
                    assert abs(n - one.share * most) <= 0.5 or n == 1


@given(st.lists(st.integers(2, 3000), min_size=9, max_size=120))
def test_of_many_groups_each_is_in_two_of_eight_sets_of_one_length(held: list[int]) -> None:
    sets = parts(keys_of(held), array(held))
    assert len(sets) == SETS
    assert sorted(g for one in sets for g in one) == sorted([*range(len(held))] * 2)
    assert all(len(set(one)) == len(one) for one in sets)
    lengths = [len(one) for one in sets]
    assert max(lengths) - min(lengths) <= 1


@given(st.lists(st.integers(2, 3000), min_size=9, max_size=28))
def test_up_to_twenty_eight_groups_no_two_are_always_cut_together(held: list[int]) -> None:
    sets = parts(keys_of(held), array(held))
    where = [frozenset(at for at, one in enumerate(sets) if g in one) for g in range(len(held))]
    assert len(set(where)) == len(held)


def test_the_pairs_are_all_there_are() -> None:
    found = [frozenset(pair) for pair in rounds_of_pairs()]
    assert sorted(map(sorted, found)) == sorted(map(list, combinations(range(SETS), 2)))
    for begin in range(0, len(found), SETS // 2):
        assert frozenset[int]().union(*found[begin : begin + SETS // 2]) == set(range(SETS))


@given(HELD, st.randoms())
def test_groups_in_another_order_get_the_same_runs_in_the_same_order(held: list[int], shuffler: Random) -> None:
    keys, order = keys_of(held), list(range(len(held)))
    shuffler.shuffle(order)
    for compositions in (usual, considered):
        straight = compositions(keys, array(held))
        turned = compositions([keys[at] for at in order], array([held[at] for at in order]))
        assert [one.counts for one in turned] == [tuple(one.counts[at] for at in order) for one in straight]
        assert [one.why([keys[at] for at in order]) for one in turned] == [one.why(keys) for one in straight]


def test_groups_that_cannot_be_cut_have_no_run_of_their_own() -> None:
    found = usual(["a", "b", "c"], array([200, 1, 0]))
    assert [one.counts for one in found] == [(200, 1, 0), (100, 1, 0), (50, 1, 0)]
    assert usual(["a"], array([0])) == []


def test_what_was_trained_on_within_a_tenth_is_not_fresh() -> None:
    offered = usual(["a", "b"], array([200, 100]))
    made = np.array([[195.0, 104.0], [100.0, 60.0], [50.0, 100.0]])
    assert [one.counts for one in fresh(offered, made)] == [(100, 50), (50, 25), (200, 25)]
    assert fresh(offered, np.zeros((0, 2))) == offered


def test_a_run_says_what_it_tells() -> None:
    keys = ["Bernese", "Valais", "Uri", "Zug", "Glarus", "Jura", "Basel"]
    assert Composition((4, 2), 1.0).why(keys).startswith("All that is held: ")
    assert Composition((2, 1), 0.5).why(keys) == "Half of every group: how the losses fall with more data."
    alone = Composition((4, 1), 0.25, (1,)).why(keys)
    assert alone == "Valais at a quarter, the rest whole: what the data of Valais does to the others."
    both = Composition((2, 1), 0.5, (0, 1)).why(keys)
    assert both == "Bernese and Valais at half, the rest whole: what their data does to the others."
    many = Composition((), 0.25, tuple(range(7))).why(keys)
    assert many.startswith("Bernese, Valais, Uri, Zug, Glarus and 2 more groups at a quarter")
