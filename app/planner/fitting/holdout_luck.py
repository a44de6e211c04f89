"""What a small holdout's luck does to losses that have a bound on both sides (method.md 1 and 2).

A holdout of M examples shows a loss whose share of the span is f as f (1 + ε), ε ~ (0, (1 − f)/(f M)): its luck moves
the whole curve in proportion and shrinks with it. What all of a group's holdouts have in common, ε̄ of variance
v̄ = 1/Σ_h v_h⁻¹, therefore says nothing of the curve's shape, and what is fitted is the curve as they see it, of level S
at n_ref. Only where they differ, ε_h − ε̄, of covariance v_h 1{h = k} − v̄, does the fit meet their luck. The true level
given S is a share Beta((M + 1) S, (M + 1)(1 − S)), M the examples that all holdouts together are worth there: Jeffreys'
interval of what was counted, each example counted once, however many runs looked at it.

Losses are drawn in to (f M + ½)/(M + 1), the mean of that law, as a holdout without a miss is no loss of 0.
Shapes as in `binning`.
"""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.fitting.binning import SHARED_LIMIT, Luck, Table, doublings_below, summed

NEWTON_STEPS = 6
"""From the start within a factor of two, log M is then exact."""

EXACT = 1e-12
"""A smaller error, as a share of the span, is none."""

SLOPE_SD = 0.3
"""Log of the loss per doubling of the size, as it is expected before the losses: most curves' is between 0 and .3."""

STEEPEST_FALL = 1.0
"""The largest slope taken for a curve's."""

LARGEST_LUCK = 4.0
"""Luck of more times the loss leaves nothing to see; times the largest loss in units of ȳ this is SHARED_LIMIT."""

FEWEST = 0.5
"""A law of the true share counts at least half an example wrong and half one right, as Jeffreys' prior does."""


def luck_of(table: Table, span: float | None) -> Luck:
    """The luck of the groups' holdouts; `span` is that of the metric."""
    if span is None:
        nothing, known = np.zeros(table.groups), np.full(table.groups, np.inf)
        return Luck(table.losses, np.ones(len(table.row_group)), table.errors, nothing, known, None)
    size = _sizes(table, span)
    total = summed(table.pair_group, size, table.groups)
    share = drawn_in(table.losses / span, total[table.group])
    level, last = _smooth(table, share, size, total)
    lowest = np.ones(len(size))
    np.minimum.at(lowest, table.row_pair, level)
    precision = size * lowest / (1.0 - lowest)
    together = summed(table.pair_group, precision, table.groups)
    holdouts = np.bincount(table.pair_group, minlength=table.groups)
    told = np.maximum(precision, LARGEST_LUCK**-2)
    sd = np.where(holdouts[table.pair_group] > 1, told**-0.5, 0.0)
    common = np.where(holdouts > 1, 1.0 / summed(table.pair_group, told, table.groups).clip(LARGEST_LUCK**-2), 0.0)
    examples = np.where(holdouts > 1, together * (1.0 - last) / last, np.where(holdouts > 0, total, np.inf))
    return Luck(share * span, level * span, sd, common, examples, span)


def drawn_in(share: FloatArray, examples: FloatArray) -> FloatArray:
    """(f M + ½)/(M + 1)."""
    return np.asarray(share + (0.5 - share) / (examples + 1.0))


def examples_of(share: FloatArray, stderr: FloatArray) -> FloatArray:
    """M of which √(ṽ (1 − ṽ)/M), ṽ = (v M + ½)/(M + 1), is the standard error of a share v (method.md 1).

    By Newton's steps in log M, in which the logarithm falls by 1 to 2 for 1. Both are shares of the span; inf where
    the error is none, nan where it is not known.
    """
    v = np.clip(share, 0.0, 1.0)
    w, s = 1.0 - v, np.clip(stderr, EXACT, SHARED_LIMIT)
    m = np.maximum(v * w / s**2, 0.5 / s)
    for _ in range(NEWTON_STEPS):
        a, b = v * m + 0.5, w * m + 0.5
        away = np.log(a * b / ((m + 1.0) ** 2 * m * s**2))
        m *= np.exp(away / (1.0 + 2.0 * m / (m + 1.0) - v * m / a - w * m / b))
    return np.where(stderr > EXACT, m, np.where(np.isnan(stderr), np.nan, np.inf))


def _sizes(table: Table, span: float) -> FloatArray:
    """M of each holdout [pairs]: what its runs at the largest size say, the harmonic mean; an error of 0 beside others
    says nothing. A holdout of which nothing is known is like the group's others; inf where none is."""
    pair = table.row_pair[table.row]
    said = examples_of(table.losses / span, table.stderrs / span)
    told = np.isfinite(said)
    largest = np.zeros(len(table.errors))
    np.maximum.at(largest, pair[told], table.counts[told])
    told &= table.counts == largest[pair]
    each, number = np.where(told, 1.0 / said, 0.0), np.bincount(pair, told)
    exact = np.bincount(pair, np.isinf(said)) > 0
    found = np.where(exact, np.inf, np.nan)
    known = number > 0
    found[known] = number[known] / np.bincount(pair, each)[known]
    finite = np.isfinite(found)
    sums = summed(table.pair_group, np.where(finite, found, 0.0), table.groups)
    mean = sums / np.bincount(table.pair_group, finite, table.groups).clip(1.0)
    like = np.where(mean > 0.0, mean, np.inf)[table.pair_group]
    return np.where(np.isnan(found), like, found)


def _smooth(table: Table, share: FloatArray, size: FloatArray, total: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A falling curve through each group's losses at its rows [T], and at n_ref [G], as shares of the span.

    One step of a Poisson regression of the misses on log n. The luck of a holdout goes with the true loss: by the one
    measured there a lucky holdout would pass for a sure one, and the level come out too low.
    """
    owner, groups = table.row_group, table.groups
    t = doublings_below(table.row_count, table.n_ref[owner])
    y = summed(table.row, share) / np.maximum(np.bincount(table.row), 1)
    # Only ratios count beside the expected slope, and that only where examples are few.
    weight = np.minimum(size, EXACT**-0.5)[table.row_pair]
    sums = np.maximum(summed(owner, weight, groups), EXACT)
    middle, mean = summed(owner, weight * t, groups) / sums, summed(owner, weight * y, groups) / sums
    x = t - middle[owner]
    square = mean * summed(owner, weight * x * x, groups) + SLOPE_SD**-2
    slope = np.clip(summed(owner, weight * x * y, groups) / square, 0.0, STEEPEST_FALL)
    rise = np.exp(slope[owner] * t)
    last = mean * sums / np.maximum(summed(owner, weight * rise, groups), EXACT)
    edge = 0.5 / (np.minimum(total, EXACT**-0.5) + 1.0)
    level = np.clip(last[owner] * rise, edge[owner], 1.0 - edge[owner])
    return level, np.clip(last, edge, 1.0 - edge)


def true_share(seen: FloatArray, examples: FloatArray, normal: FloatArray) -> FloatArray:
    """The quantile Φ(`normal`) of Beta((M + 1) S, (M + 1)(1 − S)) at S = `seen`, all broadcasting; M finite.

    By the cube root of F, which is nearly normal (Paulson, An approximate normalization of the analysis of variance
    distribution, 1942): within .003 of the span at M = 10 between the 2 % and 98 % quantiles, and faster than the
    exact one.
    """
    a = np.maximum((examples + 1.0) * seen, FEWEST)
    b = np.maximum((examples + 1.0) * (1.0 - seen), FEWEST)
    u, w = 1.0 / (9.0 * a), 1.0 / (9.0 * b)
    p, q, z = 1.0 - w, 1.0 - u, normal * normal
    # y = ∛F solves (p y − q)² = z² (w y² + u): its larger root is line/(p² − z² w), its smaller one (q² − z² u)/line.
    line = p * q + np.sqrt(z * (w * q * q + u * p * p - z * u * w).clip(0.0))
    upper = normal > 0.0
    above = a * np.where(upper, line, (q * q - z * u).clip(0.0)) ** 3
    below = b * np.where(upper, (p * p - z * w).clip(0.0), line) ** 3
    return np.asarray(above / (above + below))


def without_luck(seen: FloatArray, upper: FloatArray, examples: FloatArray, normal: FloatArray) -> FloatArray:
    """The true levels given that the holdouts see them as `seen`, in units of ȳ as `upper`, the span; all broadcasting.

    normal: of `true_share`. Where M is not known, the level is the one seen.
    """
    known = np.isfinite(examples)
    if not known.any():
        return seen
    some = np.broadcast_to(known, seen.shape)
    found = seen.copy()
    bound, m = (np.broadcast_to(of, seen.shape)[some] for of in (upper, examples))
    found[some] = bound * true_share(seen[some] / bound, m, normal[some])
    return found
