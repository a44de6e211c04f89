"""The evidence of one group's losses for how many clean samples its runs were worth (method.md 6, "Quality").

Each variant is the same runs at other effective counts. Its evidence is that of the group's own curve, by the grid and
the prior that fit it, with all of the curve integrated out. Variants are comparable as their losses are in one unit,
none is binned, and the prior's total weight, which goes with n_ref, is divided out.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.curves.prior import Prior
from app.planner.fitting.batched_grid import grids
from app.planner.fitting.binning import summed, table_of
from app.planner.fitting.fit import data_of
from app.planner.fitting.floor_integral import integrate

NOISES = (0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
"""σ, all weighed alike: with a point or two more than the curve has parameters, a prior that leans to little noise
takes the quality at which the points happen to lie on a curve for certain. By it the 90 % interval covers .73 to .83,
by this one .85 to .93 (`benchmarks/bench_quality.py`)."""
STRAY = 0.004
"""κ: noise stands for what a curve strays from its family, too."""
UNBINNED = 10**6
"""No group is binned: bins change with the counts, and what they leave out with them."""


def judging(prior: Prior) -> Prior:
    """The prior of shapes with even noise."""
    even = np.zeros(1)
    return replace(
        prior, noises=NOISES, discrepancies=(STRAY,) * len(NOISES), noise=even, noise_tilt=even, ahead=even,
        widening=np.ones(1),
    )  # fmt: skip


def log_evidence(variants: Sequence[Points], unit: float, span: float | None, prior: Prior) -> FloatArray:
    """log p(losses | effective counts) of every variant [variants], up to a constant that they share.

    variants: the same losses in the same order, at other counts. unit: ȳ > 0, in which losses are told. span: of the
    metric, None where a bound is open.
    """
    observations = Observations(
        keys=tuple(map(str, range(len(variants)))),
        points=tuple(variants),
        assumed=(None,) * len(variants),
        held=np.zeros(len(variants)),
        span=span,
    )
    table = table_of(variants, UNBINNED)
    data = data_of(observations, table, prior, unit, np.full(len(variants), unit))
    found = np.empty(len(variants))
    for groups, _, _, nodes, level in grids(data, prior, 1):
        x = data.covariates[groups]
        floors = integrate(nodes, level, prior, x)
        weight = summed(floors.group, floors.weights.sum(axis=0), len(groups)) / floors.cells
        noise, _ = prior.log_weights(x)
        total = prior.log_total(x) + np.log(np.exp(noise).sum(axis=1))
        found[groups] = floors.top + np.log(weight) - total
    return found
