"""What using one holdout again and again does to what it says (method.md 11)."""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, log, pi, sqrt

import numpy as np
from scipy.special import log_ndtr, ndtri

COVERAGE = 0.95
LARGEST_MAXIMUM = 12.0
"""No normal of fewer than 10²⁵ is expected beyond so many standard deviations."""
NODES_OF_MAXIMUM = 2_401


@dataclass(frozen=True)
class Reuse:
    """How far a value is to be trusted that a holdout gave of a group, in the metric's units.

    half_width: of its 95 % interval had the holdout been used for it alone. widened: of the intervals that hold
    together for all candidates compared, were these fixed beforehand. worst_case: of the interval that holds for a
    proportion however the answers were used, None for other metrics or where the size is not known. optimism_up_to: by
    how much the best of what was chosen from is expected to look better than it is, at most.
    """

    stderr: float
    half_width: float
    widened: float
    worst_case: float | None
    optimism_up_to: float


def reuse_of(stderr: float, size: int | None, candidates: int, compared: int) -> Reuse:
    """A holdout's `stderr` for a group, `size` the samples that a proportion is of, after `candidates` values in all,
    of which `compared` were held against each other to keep one.

        half_width = z s,    widened = z_{1 − .025/m} s (Bonferroni),    worst_case = √((ln 40 + m ln 2) / 2n)

    for m = candidates; the last by Hoeffding over the 2^m transcripts of m yes or no answers. optimism_up_to =
    s E[max of `compared` independent normals], which errors that the candidates share make smaller.
    """
    tail = (1.0 - COVERAGE) / 2.0
    worst = None if size is None else sqrt((log(1.0 / tail) + candidates * log(2.0)) / (2.0 * size))
    return Reuse(
        stderr=stderr,
        half_width=float(-ndtri(tail)) * stderr,
        widened=float(-ndtri(tail / candidates)) * stderr,
        worst_case=worst,
        optimism_up_to=expected_max(compared) * stderr,
    )


@lru_cache(maxsize=1_024)
def expected_max(count: int) -> float:
    """E[max] of so many independent standard normals: ∫ x m φ(x) Φ(x)^{m−1} dx. What is integrated vanishes smoothly at
    both ends, where the trapezium rule is as exact as any."""
    if count == 1:
        return 0.0
    x = np.linspace(-LARGEST_MAXIMUM, LARGEST_MAXIMUM, NODES_OF_MAXIMUM)
    log_density = log(count) - 0.5 * (x**2 + log(2.0 * pi)) + (count - 1) * log_ndtr(x)
    return float(np.trapezoid(x * np.exp(log_density), x))


def is_worn(optimism: float, gain: float | None, distance: float | None) -> bool:
    """Whether optimism hides what is to be decided: the gain predicted of the next purchase (None: nothing is bought)
    or the distance to the target (None: there is none), whichever is smaller."""
    return optimism > min((one for one in (gain, distance) if one is not None), default=inf)
