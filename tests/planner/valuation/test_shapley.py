"""Shapley values: a table worked out by hand, the axioms, and permutations beside all coalitions."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.arrays import BoolArray, FloatArray
from app.planner.valuation.shapley import by_permutations, coalitions, exact


def game(seed: int, players: int, draws: int = 3) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(2**players, draws))


def numbers(members: BoolArray) -> FloatArray:
    return np.asarray(members @ 2 ** np.arange(members.shape[1]))


def test_three_vendors_worked_out_by_hand() -> None:
    # v(∅), A, B, AB, C, AC, BC, ABC.
    worth = np.array([0.50, 0.70, 0.66, 0.74, 0.55, 0.76, 0.70, 0.79])
    assert np.allclose(exact(worth[:, None])[:, 0], [0.145, 0.095, 0.050], atol=1e-12)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), players=st.integers(1, 6))
def test_they_are_the_mean_over_all_orders_and_sum_to_the_gain(seed: int, players: int) -> None:
    worth = game(seed, players)
    found = exact(worth)
    paid = np.zeros((players, worth.shape[1]))
    orders = list(permutations(range(players)))
    for order in orders:
        before = 0
        for player in order:
            paid[player] += worth[before + 2**player] - worth[before]
            before += 2**player
    assert np.allclose(found, paid / len(orders))
    assert np.allclose(found.sum(axis=0), worth[-1] - worth[0])


def test_twins_are_worth_the_same_and_who_adds_nothing_is_worth_nothing() -> None:
    def worth(members: BoolArray) -> FloatArray:
        return np.sqrt(members[:, [0]] + members[:, [1]] + 3.0 * members[:, [2]])

    found = exact(worth(coalitions(4)))[:, 0]
    assert found[0] == found[1]
    assert found[3] == 0.0


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_permutations_come_within_their_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.5, 2.0, size=(8, 2))

    def worth(members: BoolArray) -> FloatArray:
        return np.sqrt(1.0 + members @ size)

    true = exact(worth(coalitions(8)))
    found, errors = by_permutations(worth, 8, 20_000, seed)
    assert np.allclose(found.sum(axis=0), true.sum(axis=0))
    assert (np.abs(found - true).mean(axis=1) <= 6.0 * errors + 1e-9).all()
    assert errors.max() <= 0.02 * np.abs(found.mean(axis=1)).max()
    again, _ = by_permutations(worth, 8, 20_000, seed)
    assert np.array_equal(found, again)
