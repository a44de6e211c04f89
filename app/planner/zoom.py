"""A finer grid where the data has singled out a few of its nodes.

The grid of `grid.Prior` is made for five points. Dozens of compositions tell curves apart that lie between its nodes;
a grid as large, over the nodes that the draws use and one node beyond, holds them. Its weights
are flat but for the exponent's: so much data leaves the prior little to say.
"""

from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.grid import Prior
from app.planner.posterior import Posterior

SHARE = 0.02
"""Draws beyond these quantiles do not widen the grid."""

TYPICAL_EXPONENT, EXPONENT_SPREAD = 0.5, 0.6
"""Learning curves' exponents: log c ~ N(log 0.5, 0.6²). With no such weight a curve seen below its bend only is
continued by the steepest power and the highest floor that still fit."""

FINEST_NOISE = 0.003


def zoomed(prior: Prior, posterior: Posterior, group: int) -> Prior:
    """The prior with its nodes spread anew about the draws of `group` in a fit by it."""
    level = posterior.asymptote[group] + posterior.excess[group]
    floor = np.divide(posterior.asymptote[group], level, out=np.ones_like(level), where=level > 0.0)
    shift = posterior.offset[group] / posterior.reference[group]
    low, high = _around(np.array(prior.exponents), posterior.exponent[group])
    near, far = _around(np.array(prior.offsets), shift)
    bottom, top = _around(np.array(prior.floors), floor)
    exponents = np.geomspace(low, high, len(prior.exponents))
    likely = np.exp(-0.5 * (np.log(exponents / TYPICAL_EXPONENT) / EXPONENT_SPREAD) ** 2)
    # Offsets start at 0, where a geometric spread cannot.
    start = prior.offsets[1] / 2.0
    return replace(
        prior,
        exponents=_numbers(exponents),
        offsets=_numbers(np.maximum(np.geomspace(near + start, far + start, len(prior.offsets)) - start, 0.0)),
        floors=_numbers(np.linspace(bottom, top, len(prior.floors))),
        noises=(FINEST_NOISE, *prior.noises),
        weights=np.repeat(likely, len(prior.offsets))[None, :, None],
    )


def _around(nodes: FloatArray, draws: FloatArray) -> tuple[float, float]:
    """From one node below the draws' low quantile to one above their high one."""
    low, high = np.quantile(draws, (SHARE, 1.0 - SHARE))
    first = max(int(np.searchsorted(nodes, low + 1e-9)) - 2, 0)
    last = min(int(np.searchsorted(nodes, high - 1e-9)) + 1, len(nodes) - 1)
    return float(nodes[first]), float(nodes[last])


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
