"""A finer grid for groups of which many compositions are known.

The nodes of `Prior` are made for five points. Dozens of compositions tell curves apart that lie between them: two
nodes then share what belongs to neither. The finer grid spans the same ranges. Its weights are flat but for the
exponent's: so much data leaves the prior little else to say.
"""

from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.prior import Prior

EXPONENTS, OFFSETS = 21, 15
"""Numbers of nodes."""

TYPICAL_EXPONENT, EXPONENT_SPREAD = 0.5, 0.6
"""Learning curves' exponents: log c ~ N(log 0.5, 0.6²). With no such weight a curve seen below its bend only is
continued by the steepest power and the highest floor that still fit."""


def finer(prior: Prior) -> Prior:
    """The prior with more nodes in c (geometric) and δ (geometric, from 0), and the same noises."""
    exponents = np.geomspace(prior.exponents[0], prior.exponents[-1], EXPONENTS)
    log_weight = -0.5 * (np.log(exponents / TYPICAL_EXPONENT) / EXPONENT_SPREAD) ** 2
    offsets = np.geomspace(prior.offsets[1], prior.offsets[-1], OFFSETS - 1)
    return replace(
        prior,
        exponents=_numbers(exponents),
        offsets=(prior.offsets[0], *_numbers(offsets)),
        shape=np.repeat(log_weight, OFFSETS)[:, None],
        shape_tilt=np.zeros(1),
        floor_tilt=np.zeros(1),
    )


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
