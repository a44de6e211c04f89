"""What measurements not yet taken would teach: posterior draws, reweighted by what might be seen (method.md 9).

Notation, for one group: D draws, each with a quantity q and with the loss μ that a run of some size would measure; the
run's error is e + u, e ~ N(0, τ²) of its own and u ~ N(0, v) shared by all runs on one holdout (method.md 1).
If draw j is the truth, y = μ_j + u + e is seen and draw i has the weight p(y | i). Errors that are shared
make the runs' covariance v 1 1ᵀ + τ² I; what each run adds to those before is its innovation, whose weights multiply.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray
from app.planner.curves.random_streams import uniforms

ATOMS = 160
"""Draws that stand for the posterior: the first ones, as draws are in random order."""
ERRORS_TRIED = 6
"""Errors tried with each draw as the truth."""
LEAST_REST = 1e-6
"""A smaller share of the weight is not left exact enough by a difference."""
LEAST_SD = 1e-9
"""The sd of an error, as a share of the largest loss, is at least this."""


@dataclass(frozen=True)
class Belief:
    """One group's draws and what the runs chosen so far would say of them.

    quantity [atoms]: q. training, shared: τ² and v. means: μ [runs][atoms] of the runs chosen.
    log_weight [atoms, ERRORS_TRIED, atoms]: log p(y | i) for the truths j and errors tried, up to a constant per y.
    """

    key: str
    quantity: FloatArray
    training: float
    shared: float
    means: tuple[FloatArray, ...]
    log_weight: FloatArray

    @classmethod
    def of(cls, key: str, quantity: FloatArray, training_sd: float, shared_sd: float) -> "Belief":
        """The posterior itself: quantity [draws], two of them or more."""
        atoms = min(len(quantity), ATOMS)
        return cls(key, quantity[:atoms], training_sd**2, shared_sd**2, (), np.zeros((atoms, ERRORS_TRIED, atoms)))

    def after(self, mean: FloatArray, seed: int) -> "Belief":
        """What is believed once a run that measures μ = `mean` [draws] is chosen too."""
        mean = mean[: len(self.quantity)]
        runs = len(self.means)
        # Given the runs before, the shared error is known as well as `runs` measurements of it tell.
        known = self.shared / (self.training + runs * self.shared) if self.shared > 0.0 else 0.0
        innovation = mean - known * np.sum(self.means, axis=0)
        variance = self.training + self.shared - runs * self.shared * known
        sd = max(np.sqrt(variance), LEAST_SD * float(np.abs(mean).max()), np.finfo(np.float64).tiny)
        # Even over all truths together: each keeps errors of its own.
        noise = ndtri(uniforms(seed, (f"measure:{self.key}:{runs}",), ERRORS_TRIED * len(mean))[0, 0])
        apart = (innovation[:, None] - innovation) / sd
        log_weight = self.log_weight - 0.5 * (apart[:, None, :] + noise.reshape(-1, ERRORS_TRIED, 1)) ** 2
        return replace(self, means=(*self.means, mean), log_weight=log_weight)

    def variance(self) -> float:
        """E Var(q | y), the expected posterior variance of q.

        The mean of two estimates: the variance over all weighted draws, too small as the truth is one of them, and the
        squared error of the weighted mean of the others, too large as few of them may be near.
        """
        weight = np.exp(self.log_weight - self.log_weight.max(axis=2, keepdims=True))
        q = self.quantity - self.quantity.mean()
        total, first = weight.sum(axis=2), weight @ q
        inside = (weight @ q**2) / total - (first / total) ** 2
        truth = np.arange(len(q))
        own = weight[truth, :, truth]
        rest, others = total - own, first - own * q[:, None]
        # Where the truth has nearly all the weight a difference loses the others: they are weighed among themselves.
        lost = np.nonzero(rest < LEAST_REST * total)
        log_weight = self.log_weight[lost]
        log_weight[np.arange(len(lost[0])), lost[0]] = -np.inf
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        rest[lost], others[lost] = weight.sum(axis=1), weight @ q
        error = q[:, None] - others / rest
        return float(0.5 * (np.maximum(inside, 0.0) + error**2).mean())
