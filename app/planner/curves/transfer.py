"""How other groups' counts enter a group's curve (method.md 3, "Transfer").

    n_eff,g = n_g + Σ_{h≠g} gain(w_gh, n_h, κ_g),    gain = w n / (1 + n/κ) for w ≥ 0,  w n for w < 0:

concave and nondecreasing in the counts where w ≥ 0, linear where others harm (saturating harm would not be concave).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import FloatArray, IntArray


def gain(weights: FloatArray, counts: FloatArray, kappa: FloatArray) -> FloatArray:
    """What counts of other groups are worth in own samples, elementwise; κ = inf: no saturation."""
    return weights * np.where(weights >= 0.0, counts / (1.0 + counts / kappa), counts)


def gain_slope(weights: FloatArray, counts: FloatArray, kappa: FloatArray) -> FloatArray:
    """d gain / d count, elementwise."""
    return weights * np.where(weights >= 0.0, (1.0 + counts / kappa) ** -2, 1.0)


@dataclass(frozen=True)
class Received:
    """The transfer weight from the group `source`, over the posterior."""

    source: str
    mean: float
    p05: float
    p95: float


@dataclass(frozen=True)
class Transfer:
    """Draws of the transfer weights into `groups` groups from all k of the fit.

    weights w [groups, k, draws], own columns 0. kappa κ [groups, draws]. held [k]: the counts the head start is for.
    off [groups]: posterior mass on no transfer into the group. received: per group its weights; empty where it is off.
    """

    weights: FloatArray
    kappa: FloatArray
    held: FloatArray
    off: FloatArray
    received: tuple[tuple[Received, ...], ...]

    @cached_property
    def head_start(self) -> FloatArray:
        """Σ_h gain(w_gh, held_h, κ_g) [groups, draws]."""
        return np.asarray(self.gains.sum(axis=1))

    @property
    def gains(self) -> FloatArray:
        """What each group's held count is worth to each [groups, k, draws]."""
        return gain(self.weights, self.held[:, None], self.kappa[:, None, :])

    @property
    def gain_slopes(self) -> FloatArray:
        """d n_eff,g / d n_h at the held counts [groups, k, draws]."""
        return gain_slope(self.weights, self.held[:, None], self.kappa[:, None, :])

    def moved(self, held: FloatArray) -> "Transfer":
        """The same weights with the counts `held` [k]."""
        return replace(self, held=np.asarray(held, dtype=np.float64))

    def select(self, indices: IntArray) -> "Transfer":
        """Into the groups at `indices` alone, from all k as before."""
        received = tuple(self.received[int(i)] for i in indices)
        return Transfer(self.weights[indices], self.kappa[indices], self.held, self.off[indices], received)

    def permuted(self, order: IntArray) -> "Transfer":
        """Of a fit of all groups, with the groups in another order."""
        return replace(self.select(order), weights=self.weights[np.ix_(order, order)], held=self.held[order])
