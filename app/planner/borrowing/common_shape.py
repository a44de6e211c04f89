"""What groups together say of a shape that all of them have (method.md 3, "Pooling", open bounds).

    q ∝ π₀ Π_h (u + (1 − u) p_h/π₀)^α_h,

p_h group h's posterior by itself, so that p_h/π₀ is the likelihood of its points, u the chance that it is unlike the
others, α_h ½ to the number of attributes in which it differs, 1 for a parent. The average that `pooling` takes of the
p_h is as wide as any one of them; the product is as narrow as all the groups' points together. Each shape is told at
the donor's n_ref before its table is read.
"""

from collections.abc import Mapping

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.borrowing.shape_tables import at, nearest, plain, told_at, widened
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior

UNLIKE = 0.2
"""u: with it an odd group among the donors is passed over where the others agree."""


def likelihood(posterior: Posterior, prior: Prior, group: int) -> FloatArray:
    """p/π₀ of the group over the nodes [C, D, R], both one node wide."""
    found = np.zeros((len(prior.exponents), len(prior.offsets), len(prior.floors)))
    drawn = told_at(posterior, np.array([group]), posterior.reference[group], posterior.draws)
    np.add.at(found, nearest(prior, *drawn), 1.0 / posterior.draws)
    return _spread(found) / _spread(plain(prior))


def common(
    observations: Observations, posterior: Posterior, prior: Prior, group: int, tables: Mapping[int, FloatArray]
) -> FloatArray:
    """q_{−g} over the nodes [C, D, R], one node wide, from the donors' `likelihood`."""
    apart = observations.differences(np.array([group]))[0]
    parent = observations.parent[group] if observations.parent else None
    c, delta, rho = (axis.ravel() for axis in np.meshgrid(prior.exponents, prior.offsets, prior.floors, indexing="ij"))
    before = plain(prior)
    log_q = np.log(before)
    for donor in sorted(tables):
        ratio = posterior.reference[group] / posterior.reference[donor]
        excess = (1.0 - rho) * ((1.0 / ratio + delta) / (1.0 + delta)) ** -c
        told = np.divide(rho, rho + excess, out=np.ones_like(rho), where=rho + excess > 0.0)
        table = at(prior, tables[donor], c, delta * ratio, told).reshape(before.shape)
        log_q += (1.0 if donor == parent else 0.5 ** int(apart[donor])) * np.log(UNLIKE + (1.0 - UNLIKE) * table)
    q = np.exp(log_q - log_q.max())
    return _spread(q / q.sum())


def _spread(mass: FloatArray) -> FloatArray:
    for axis in range(mass.ndim):
        mass = widened(mass, axis)
    return mass
