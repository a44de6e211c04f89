"""Shares of a common gain: the values of Shapley (1953), exact over all coalitions or by permutations (method.md 9).

k players; v is worked out for several draws at once.

    φ_s = Σ_{S∌s} |S|! (k − |S| − 1)! / k! · (v(S + s) − v(S)),    Σ_s φ_s = v(all) − v(∅)
"""

from collections.abc import Callable
from math import comb

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray

Worth = Callable[[BoolArray], FloatArray]
"""v [coalitions, draws] of coalitions [coalitions, k]: who is in."""

PRECISE = 0.02
"""Permutations end where no standard error exceeds this share of the largest value ..."""
FEWEST_PAIRS = 16
"""... after so many antithetic pairs at least."""


def coalitions(players: int, first: int = 0, last: int | None = None) -> BoolArray:
    """Who is in [coalitions, k], of those numbered from `first` to before `last`: bit s of the number says so of s."""
    numbers = np.arange(first, 2**players if last is None else last)
    return np.asarray((numbers[:, None] >> np.arange(players)) & 1 == 1)


def exact(worth: FloatArray) -> FloatArray:
    """φ [k, draws] from v [2^k, draws] of all `coalitions` in their order."""
    players = int(np.log2(len(worth)))
    sizes = np.zeros(1, dtype=np.int64)
    for _ in range(players):
        sizes = np.concatenate([sizes, sizes + 1])
    shares = np.array([1.0 / (players * comb(players - 1, size)) for size in range(players)])
    found = np.empty((players, worth.shape[1]))
    for player in range(players):
        shape = (2 ** (players - player - 1), 2, 2**player)
        parts = worth.reshape(*shape, -1)
        weights = shares[sizes.reshape(shape)[:, 0]]
        found[player] = np.einsum("ij,ijd->d", weights, parts[:, 1] - parts[:, 0])
    return found


def by_permutations(worth: Worth, players: int, most: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """φ [k, draws] and the standard errors [k] of their means, from orders drawn by the seed, each with its reverse.

    most: coalitions to be looked at, once there are enough pairs for an error.

    Every order pays each player what it adds to those before it; the pair's mean is one sample (antithetic, Mitchell et
    al. 2022, "Sampling Permutations for Shapley Value Estimation").
    """
    rng = np.random.default_rng(seed)
    total = square = np.zeros(0)
    pairs, seen = 0, 0
    while True:
        order = rng.permutation(players)
        pair = 0.5 * (_paid(worth, order) + _paid(worth, order[::-1]))
        mean = pair.mean(axis=1)
        total = pair if pairs == 0 else total + pair
        square = mean**2 if pairs == 0 else square + mean**2
        pairs, seen = pairs + 1, seen + 2 * players
        values = total.mean(axis=1) / pairs
        errors = np.sqrt(np.maximum(square / pairs - values**2, 0.0) / max(pairs - 1, 1))
        is_near = errors.max() <= PRECISE * np.abs(values).max()
        if pairs >= FEWEST_PAIRS and (is_near or seen + 2 * players > most):
            return total / pairs, errors


def _paid(worth: Worth, order: IntArray) -> FloatArray:
    """What each player [k, draws] adds to those before it in an order [k]."""
    place = np.argsort(order)
    joined = place[None, :] < np.arange(len(order) + 1)[:, None]
    steps = np.diff(worth(joined), axis=0)
    found = np.empty_like(steps)
    found[order] = steps
    return found
