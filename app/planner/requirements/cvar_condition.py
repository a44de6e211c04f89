"""What stands for a chance where other groups' data moves the curves: the mean of the worst draws (method.md 7).

P(m ≥ t) ≥ p is not convex in all counts N together. Sufficient for it is

    T(N) = mean of the largest 1 − p of the draws of  f(N) + δ − ℓ  ≤ 0,

ℓ the loss at the target, δ by how much the truth strays from the curve. For a given δ, T is convex where other groups'
data only helps. δ grows with the counts; it is taken at the count where T is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.requirements.chances import LARGEST_COUNT
from app.planner.utility.benefit import mean

MOST_CUTS = 60
MET = 1e-9
"""A tail this small, as a share of the loss at the target, is at 0."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Tail:
    """T of the groups at `indices` with the losses `loss` [indices] at their targets; share: 1 − p."""

    posterior: Posterior
    indices: IntArray
    loss: FloatArray
    share: float

    def at(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """T [indices] and its slopes [indices, all groups] at counts [all groups]."""
        # Slopes are of the curves that `loss` gives; a threshold has none.
        moved = self.posterior.moved(counts).without_thresholds()
        slopes = moved.cross_slope(counts)
        own = np.arange(len(counts))
        slopes[own, own] = moved.slope(counts)
        over = moved.band(counts)[self.indices] - self.loss[:, None]
        groups = [mean(-over, slopes[self.indices, other], self.share) for other in own]
        return -groups[0][0], np.stack([slope for _, slope in groups], axis=1)

    def at_the_limit(self) -> FloatArray:
        """T [indices] of the curves' asymptotes, without what strays."""
        asymptote = self.posterior.asymptote[self.indices] - self.loss[:, None]
        value, _ = mean(-asymptote, asymptote, self.share)
        return -value


def met_by_cuts(
    tail: Tail, served: BoolArray, covered: Callable[[FloatArray, FloatArray], tuple[Found, FloatArray] | None]
) -> Found | BoolArray:
    """What meets the tails of the goals served [goals], or which of them could not be met.

    covered(slopes, floors): the cheapest with slopes @ N ≥ floors, slopes [cuts, all groups], and its counts N; None
    where there is none. Each round adds the tangents of the tails that are above 0 at the counts found.
    """
    met = MET * np.maximum(np.abs(tail.loss), MET)
    slopes, floors = np.zeros((0, len(tail.posterior.keys))), np.zeros(0)
    over = served
    for _ in range(MOST_CUTS):
        found = covered(slopes, floors)
        if found is None:
            break
        value, slope = tail.at(found[1])
        over = served & (value > met)
        if not over.any():
            return found[0]
        if found[1].max() > LARGEST_COUNT:
            break
        slopes = np.concatenate([slopes, -slope[over]])
        floors = np.concatenate([floors, value[over] - slope[over] @ found[1]])
    return over
