"""Weights that make the samples held look like a population, and what they cost.

Raking finds the weights w that are nearest to 1, argmin Σ n_g (w_g log w_g − w_g + 1), among those whose weighted
shares of every margin are the population's, by fitting one margin after the other (Deming & Stephan 1940). With weights
the samples tell as much as (Σ w)²/Σ w² = n/(1 + χ²) unweighted ones (Kish 1965).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray

RAKED_WITHIN = 1e-10
REACHED_WITHIN = 1e-6
"""Shares that end farther apart than this were not reached."""
MOST_RAKINGS = 1_000
LEAST_RAKINGS = 20
RAKING_WORK = 20_000_000
"""Groups × margins × rounds, about: a second."""


@dataclass(frozen=True)
class Margin:
    """level [groups]: which level a group is of, −1 where it is of none: such groups keep out of this margin.
    share [levels]: of the population, summing to 1."""

    level: IntArray
    share: FloatArray


@dataclass(frozen=True)
class Raking:
    """weight [groups]: of each sample, 1 on average over the samples; None where no weights reach the shares, because
    a level has `no_samples`, or the margins `disagree`; nan for groups without samples. rounds: over all
    margins."""

    weight: FloatArray | None
    state: Literal["reached", "no_samples", "disagree"]
    rounds: int = 0


def rake(held: FloatArray, margins: Sequence[Margin]) -> Raking:
    """held [groups]: samples. Ends after a bounded number of rounds."""
    at = [np.flatnonzero(one.level >= 0) for one in margins]
    of = [one.level[there] for one, there in zip(margins, at, strict=True)]
    for one, there, level in zip(margins, at, of, strict=True):
        if np.any((np.bincount(level, held[there], len(one.share)) <= 0.0) & (one.share > 0.0)):
            return Raking(None, "no_samples")
    counts = held.astype(np.float64)
    most = max(LEAST_RAKINGS, min(MOST_RAKINGS, RAKING_WORK // max(1, len(held) * len(margins))))
    apart, rounds = np.inf, 0
    while apart > RAKED_WITHIN and rounds < most:
        apart, rounds = 0.0, rounds + 1
        for one, there, level in zip(margins, at, of, strict=True):
            sums = np.bincount(level, counts[there], len(one.share))
            if np.any((sums <= 0.0) & (one.share > 0.0)):
                return Raking(None, "disagree", rounds)
            have = sums / sums.sum()
            apart = max(apart, float(np.abs(have - one.share).max()))
            counts[there] *= np.divide(one.share, have, out=np.ones(len(have)), where=have > 0.0)[level]
    if apart > REACHED_WITHIN:
        return Raking(None, "disagree", rounds)
    counts *= held.sum() / counts.sum()
    return Raking(np.divide(counts, held, out=np.full(len(held), np.nan), where=held > 0.0), "reached", rounds)


def effective_size(held: FloatArray, weight: FloatArray) -> float:
    """So many unweighted samples tell as much. held, weight [groups]."""
    there = held > 0.0
    n, w = held[there], weight[there]
    return float((n @ w) ** 2 / (n @ w**2))


def growth(held: FloatArray, weight: FloatArray) -> FloatArray:
    """By how much one more sample of each group raises the effective size [groups], its share q of the weighted sum
    staying: ∂ESS/∂n_g = ESS² q_g²/n_g², as ESS = 1/Σ q²/n; nan where none is held."""
    there = held > 0.0
    per_sample = weight / float(held[there] @ weight[there])
    return (effective_size(held, weight) * per_sample) ** 2


def standardised(share: float, target: float) -> float | None:
    """The difference of two proportions in their pooled standard deviations, (p − q)/√((p(1−p) + q(1−q))/2); None where
    that has none, all of one against nothing of the other."""
    spread = (share * (1.0 - share) + target * (1.0 - target)) / 2.0
    if spread > 0.0:
        return float((share - target) / np.sqrt(spread))
    return 0.0 if share == target else None
