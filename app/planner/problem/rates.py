"""What deliveries teach about a source: its acceptance rate and its yields (method.md 6).

The stated value is the prior, worth `PRIOR_SAMPLES` delivered samples; conjugate updates give the posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import betainc, betaincinv

PRIOR_SAMPLES = 20.0
"""How many delivered samples a stated value counts for."""


@dataclass(frozen=True)
class Rate:
    """A share's posterior Beta(success, failure), a point at its end where one of the two is 0.

    mean, and p05 and p95 of its 90 % interval, all in [0, 1].
    """

    success: float
    failure: float

    @property
    def mean(self) -> float:
        return self.success / (self.success + self.failure)

    @property
    def weight(self) -> float:
        """So many samples it counts for."""
        return self.success + self.failure

    @property
    def p05(self) -> float:
        return self._quantile(0.05)

    @property
    def p95(self) -> float:
        return self._quantile(0.95)

    def worst(self, share: float) -> float:
        """The mean of the worst `share` (above 0, up to 1) of it."""
        if share >= 1.0 or self.failure <= 0.0 or self.success <= 0.0:
            return self.mean
        return float(self.mean * betainc(self.success + 1.0, self.failure, self._quantile(share)) / share)

    def _quantile(self, level: float) -> float:
        if self.failure <= 0.0 or self.success <= 0.0:
            return self.mean
        return float(betaincinv(self.success, self.failure, level))


def acceptance(stated: float, accepted: int, rejected: int) -> Rate:
    """The share that passes review: Beta(20 α + accepted, 20 (1 − α) + rejected) for a stated α in (0, 1]."""
    return Rate(PRIOR_SAMPLES * stated + accepted, PRIOR_SAMPLES * (1.0 - stated) + rejected)


def yields(stated: Sequence[float], delivered: Sequence[int], others: int) -> tuple[Rate, ...]:
    """Shares of groups in what a source delivers: Dirichlet with the stated shares (sum ≤ 1) and what they leave.

    delivered: samples of each of these groups; others: delivered samples of none of them.
    """
    total = PRIOR_SAMPLES + float(sum(delivered)) + others
    sizes = [PRIOR_SAMPLES * share + count for share, count in zip(stated, delivered, strict=True)]
    return tuple(Rate(size, total - size) for size in sizes)
