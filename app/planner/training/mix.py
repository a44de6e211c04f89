"""How often a training run shows the samples of each group, by temperature.

With n_g samples held and temperature τ ≥ 1 a group has the share p_g ∝ n_g^(1/τ) of what the run sees: τ = 1 takes the
samples as they are, a large τ all groups alike (Upsample or upweight, 2024, section 3). Weighting the loss by
p_g(τ)/p_g(1) instead has the same expected gradient; the variance of its size is Σ p²/p(1) = 1 + χ²(p ‖ p(1)) times
that of the samples as they are, so that the run learns like one of n/(1 + χ²) of them (Harding et al. 2026).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray

MOST_REPEATS = 4.0
"""Epochs up to which repeated samples taught about as much as new ones (Muennighoff et al. 2023)."""


@dataclass(frozen=True)
class Phase:
    """A part of the run, `start` to `end` of its samples, and the temperature there."""

    start: float
    end: float
    temperature: float


@dataclass(frozen=True)
class Mix:
    """What one phase shows [groups]: each group's `share` of the phase's samples (they sum to 1), how many times its
    samples are shown in it, and the weight of its loss that has the same expected gradient without showing any sample
    more often (nan where none is held). `variance_factor`: of these weights; `effective_size`: samples."""

    phase: Phase
    share: FloatArray
    repeats: FloatArray
    loss_weight: FloatArray
    variance_factor: float
    effective_size: float


def training_mix(
    held: FloatArray, phases: Sequence[Phase], samples: float, max_repeats: float | None = None
) -> tuple[Mix, ...]:
    """The mix of each phase of a run that sees so many samples. held: per group [groups], some above 0.

    max_repeats: no sample is shown more often, all phases together; each keeps its part of that, and its shares are the
    nearest to its temperature's in KL divergence. Raises ValueError where no shares do.
    """
    natural = held / held.sum()
    most = None if max_repeats is None else max_repeats * held / samples
    if most is not None and most.sum() < 1.0:
        raise ValueError("the held samples do not suffice at so few repeats")
    return tuple(_mix(one, held, natural, samples, most) for one in phases)


def _mix(phase: Phase, held: FloatArray, natural: FloatArray, samples: float, most: FloatArray | None) -> Mix:
    there = held > 0.0
    share = np.where(there, natural, 1.0) ** (1.0 / phase.temperature) * there
    share /= share.sum()
    if most is not None:
        share = capped(share, most)
    weight = np.full(len(held), np.nan)
    np.divide(share, natural, out=weight, where=there)
    factor = float(share[there] @ weight[there])
    shown = samples * (phase.end - phase.start) * share
    repeats = np.divide(shown, held, out=np.zeros(len(held)), where=there)
    return Mix(phase, share, repeats, weight, factor, float(held.sum()) / factor)


def capped(share: FloatArray, most: FloatArray) -> FloatArray:
    """The shares q ≤ `most` that sum to 1 and have the least Σ q log(q/p) to the given p: min(most, λ p), as every
    share that is not at its cap grows by the same factor."""
    there = np.flatnonzero(share > 0.0)
    order = there[np.argsort(most[there] / share[there], kind="stable")]
    p, cap = share[order], most[order]
    # λ once the k tightest are at their caps: what these leave, over the shares of the others.
    left = 1.0 - np.concatenate([[0.0], np.cumsum(cap)[:-1]])
    factor = left / np.cumsum(p[::-1])[::-1]
    free = np.flatnonzero(factor * p <= cap)
    at = free[0] if len(free) else len(p)
    found = np.zeros_like(share)
    found[order[:at]] = cap[:at]
    found[order[at:]] = factor[at] * p[at:] if at < len(p) else 0.0
    return found
