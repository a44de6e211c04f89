"""How a forecast fared, and how the record of past forecasts widens the next ones (method.md 4).

Notation: X draws [..., draws] of a forecast, y the value measured [...], q_p the forecast's quantile at p.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray

INTERVAL_LEVELS = (0.5, 0.8, 0.9)
"""Central intervals whose coverage is recorded."""
LEAST_RECORD = 20
"""Fewer scored forecasts say too little to rescale by."""
LEAST_WIDTH = 1e-12


@dataclass(frozen=True)
class Score:
    """crps, wis: smaller is better, in the value's units. covered [..., levels]: whether y lay in the interval."""

    crps: FloatArray
    wis: FloatArray
    covered: BoolArray


def crps(draws: FloatArray, value: FloatArray) -> FloatArray:
    """Continuous ranked probability score E|X − y| − ½ E|X − X′| of draws [..., draws] at values [...].

    The unbiased form over distinct pairs (Gneiting & Raftery 2007, eq. 21; Zamo & Naveau 2018, eq. 3).
    """
    ordered = np.sort(draws, axis=-1)
    size = ordered.shape[-1]
    distance = np.abs(ordered - value[..., None]).mean(axis=-1)
    if size < 2:
        return np.asarray(distance)
    rank = 2.0 * np.arange(1, size + 1) - size - 1.0
    return np.asarray(distance - (ordered * rank).sum(axis=-1) / (size * (size - 1.0)))


def intervals(draws: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower ends [..., levels], median [...], upper ends [..., levels] of the central intervals."""
    tails = (1.0 - np.array(INTERVAL_LEVELS)) / 2.0
    low = np.moveaxis(np.quantile(draws, tails, axis=-1), 0, -1)
    high = np.moveaxis(np.quantile(draws, 1.0 - tails, axis=-1), 0, -1)
    return low, np.asarray(np.median(draws, axis=-1)), high


def wis(low: FloatArray, median: FloatArray, high: FloatArray, value: FloatArray) -> FloatArray:
    """Weighted interval score of the intervals at INTERVAL_LEVELS (Bracher et al. 2021, eq. 1); ends [..., levels]."""
    alpha = 1.0 - np.array(INTERVAL_LEVELS)
    y = value[..., None]
    penalty = 2.0 / alpha * (np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0))
    weighted = (alpha / 2.0 * (high - low + penalty)).sum(axis=-1)
    return np.asarray((0.5 * np.abs(value - median) + weighted) / (len(INTERVAL_LEVELS) + 0.5))


def score(draws: FloatArray, value: FloatArray) -> Score:
    """The scores of forecasts given as draws [..., draws] at the values measured [...]."""
    low, median, high = intervals(draws)
    covered = (low <= value[..., None]) & (value[..., None] <= high)
    return Score(crps(draws, value), wis(low, median, high, value), covered)


def widening(low: FloatArray, median: FloatArray, high: FloatArray, value: FloatArray) -> FloatArray:
    """Factors [levels] by which the record's intervals would have had to be wider to hold what was measured.

    Split-conformal (Lei et al. 2018): per level p the ⌈(n + 1) p⌉-th smallest of the distances of y from the median in
    widths of the interval's own side. low, high [forecasts, levels], median, value [forecasts]. All 1 below
    LEAST_RECORD forecasts.
    """
    size = len(value)
    if size < LEAST_RECORD:
        return np.ones(len(INTERVAL_LEVELS))
    above = value >= median
    side = np.where(above[:, None], high - median[:, None], median[:, None] - low)
    off = np.sort(np.abs(value - median)[:, None] / np.maximum(side, LEAST_WIDTH), axis=0)
    place = np.minimum(np.ceil((size + 1) * np.array(INTERVAL_LEVELS)).astype(np.int64), size) - 1
    return np.asarray(off[place, np.arange(len(INTERVAL_LEVELS))])


def rescale(probability: FloatArray, quantiles: FloatArray, factors: FloatArray) -> FloatArray:
    """Quantiles [..., probabilities] moved away from their median by the factors of `widening`, kept in order.

    probability [probabilities] ascending, 0.5 among them. Between and beyond INTERVAL_LEVELS the factor is interpolated
    in the level |2 p − 1|.
    """
    level = np.abs(2.0 * probability - 1.0)
    factor = np.interp(level, INTERVAL_LEVELS, factors)
    median = quantiles[..., [int(np.argmin(level))]]
    return np.asarray(np.sort(median + (quantiles - median) * factor, axis=-1))
