"""Where the evidence of one group peaks in the strata, and how sharply (method.md 3).

Gauss–Newton steps in all strata at once: the losses' fit is linear in (a, b, d) and nearly so in x. Strata that differ
in the gain alone have their peaks near each other's: theirs are sought from the middle one's on. The share of fresh
error is the middle one throughout.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing.joint_evidence import FRESH, SIGMAS, Compositions, coefficients, columns, look
from app.planner.borrowing.strata import GAIN_LEVELS, STRATA

NODES = len(SIGMAS) * (len(FRESH) // 2) + np.arange(len(SIGMAS))
"""The noise nodes of the middle share of fresh error."""
CLIMBS, MORE_CLIMBS = 6, 3
SHARES = np.array([1.0, 0.3])
"""Of a step, which are tried."""
FARTHEST = 8.0
"""A peak is sought within so many of the prior's sds about its mean."""
CLOSE = 0.01
"""The steps end where none gains more than this in log evidence."""
DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Peaks:
    """Of each stratum: the peak [J, X], the precision there [J, X, X], and the log evidence [J] by its normal law."""

    at: FloatArray
    precision: FloatArray
    log_evidence: FloatArray


def peaks(data: Compositions, mean: FloatArray, sd: FloatArray) -> Peaks:
    """The peaks of all strata, where x has the prior N(mean, sd²) [J, X]."""
    every, gains = np.arange(len(STRATA)), len(GAIN_LEVELS)
    middle = every[gains // 2 :: gains]
    at, _ = _climbed(data, middle, mean[middle], sd[middle], mean[middle], CLIMBS)
    x, curvature = _climbed(data, every, mean, sd, np.repeat(at, gains, axis=0), MORE_CLIMBS)
    log_prior = -np.log(sd).sum(axis=1) - 0.5 * (((x - mean) / sd) ** 2).sum(axis=1)
    evidence = look(data, x, every).log + log_prior - 0.5 * np.linalg.slogdet(curvature)[1]
    return Peaks(x, curvature, evidence)


def _climbed(
    data: Compositions, strata: IntArray, mean: FloatArray, sd: FloatArray, start: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """The peaks [J, X] of the strata numbered `strata`, where x has the prior N(mean, sd²), so many steps from `start`
    on, and the precision [J, X, X]."""
    x, every, size, prior = start, np.arange(len(mean)), mean.shape[1], sd**-2.0
    within = mean - FARTHEST * sd, mean + FARTHEST * sd
    looked = look(data, x, strata, NODES)
    value = looked.log - 0.5 * (prior * (x - mean) ** 2).sum(axis=1)
    for _ in range(steps):
        slope, curvature = _bend(data, x, strata, looked.by_noise, looked.mean)
        curvature[:, range(size), range(size)] += prior
        step = np.linalg.solve(curvature, (slope - prior * (x - mean))[:, :, None])[:, :, 0]
        tried = np.clip(x + SHARES[:, None, None] * step, *within)
        found = look(data, tried.reshape(-1, size), np.tile(strata, len(SHARES)), NODES)
        values = found.log.reshape(len(SHARES), -1) - 0.5 * (prior * (tried - mean) ** 2).sum(axis=2)
        best = values.argmax(axis=0)
        gained = values[best, every] - value
        better = gained > 0.0
        x, value = np.where(better[:, None], tried[best, every], x), value + np.maximum(gained, 0.0)
        if gained.max() < CLOSE:
            break
        looked = look(data, x, strata, NODES)
    _, curvature = _bend(data, x, strata, looked.by_noise, looked.mean)
    curvature[:, range(size), range(size)] += prior
    return x, curvature


def _bend(
    data: Compositions, x: FloatArray, strata: IntArray, by_noise: FloatArray, mean: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slope [J, X] of the log evidence and its curvature [J, X, X] by the Gauss–Newton form, at the likeliest noise
    node of each stratum, (a, b, d) projected out; by_noise [J, T] and mean [J, T, 3], of (a, b, d): as looked at."""
    number, size = x.shape
    node = by_noise.argmax(axis=1)
    every = np.arange(number)
    a, b, d = np.maximum(mean[every, node], [-np.inf, 0.0, 0.0]).T[:, :, None]
    power, misfit = columns(data, x)
    moved = (x[:, None] + DIFFERENCE * np.eye(size)).reshape(-1, size)
    power_moved, misfit_moved = (c.reshape(number, size, -1) for c in columns(data, moved))
    change = (b[:, None] * (power_moved - power[:, None]) + d[:, None] * (misfit_moved - misfit[:, None])) / DIFFERENCE
    white = data.factors[0][NODES[node]]
    jacobian = white @ change.swapaxes(1, 2)
    rest = white @ (data.losses - a - b * power - d * misfit)[:, :, None]
    design = white @ np.stack([np.ones_like(power), power, misfit], axis=2)
    gram = design.swapaxes(1, 2) @ design
    gram[:, range(3), range(3)] += coefficients(strata)[1]
    crossed = design.swapaxes(1, 2) @ jacobian
    curvature = jacobian.swapaxes(1, 2) @ jacobian - crossed.swapaxes(1, 2) @ np.linalg.solve(gram, crossed)
    slope = (jacobian.swapaxes(1, 2) @ rest)[:, :, 0]
    return slope, curvature
