"""What counts must be after buying, as rows of the integer programme of allowed orders (method.md 7).

Arrays [groups] in canonical order; `order_programme` without its budget.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import FloatArray
from app.planner.problem.canonical import Canonical
from app.planner.problem.linear import Linear
from app.planner.problem.order_programme import Programme


@dataclass(frozen=True)
class Hull:
    """min over lines of slope · N + intercept: a concave function of one group's count."""

    group: int
    slopes: FloatArray
    intercepts: FloatArray


@dataclass(frozen=True)
class Need:
    """What counts N [groups] must satisfy: N ≥ least (−inf: nothing), slopes @ N ≥ floor, Σ hulls(N) ≥ level."""

    least: FloatArray
    slopes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    floor: FloatArray = field(default_factory=lambda: np.zeros(0))
    hulls: tuple[Hull, ...] = ()
    level: float = 0.0


def question_of(programme: Programme, form: Canonical, need: Need) -> Linear:
    """Least cost subject to the programme's rows and the need's."""
    rows, at = programme.rows, programme.at
    lower, upper = (bound.copy() for bound in programme.bounds)
    lower[at["n"]] = np.maximum((need.least - form.held) / programme.reach, 0.0)
    matrices, low, high = [rows.matrix], [rows.lower], [rows.upper]
    for matrix, floor in (_cuts(programme, form, need), _hulls(programme, form, need)):
        matrices.append(matrix)
        low.append(floor)
        high.append(np.full(len(floor), np.inf))
    idle = np.setdiff1d(np.arange(len(form.keys)), [hull.group for hull in need.hulls]) + at["t"].start
    lower[idle] = upper[idle] = 0.0
    cost = np.asarray(np.ones(len(form.market.sources)) @ programme.cost_of)
    matrix = csr_array(vstack(matrices))
    return Linear(-cost, matrix, np.concatenate(low), np.concatenate(high), lower, upper)


def _cuts(programme: Programme, form: Canonical, need: Need) -> tuple[csr_array, FloatArray]:
    """slopes @ N ≥ floor, each row divided by its largest entry."""
    rows = len(need.floor)
    slopes = need.slopes.reshape(rows, len(form.keys))
    scaled = slopes * programme.reach
    size = np.maximum(np.abs(scaled).max(axis=1, initial=0.0), np.finfo(np.float64).tiny)
    matrix = csr_array((rows, programme.columns)).tolil()
    matrix[:, programme.at["n"]] = scaled / size[:, None]
    return csr_array(matrix), (need.floor - slopes @ form.held) / size


def _hulls(programme: Programme, form: Canonical, need: Need) -> tuple[csr_array, FloatArray]:
    """Every line above its t, and the t's above the level in sum."""
    group = np.concatenate([np.full(len(hull.slopes), hull.group) for hull in need.hulls] or [np.zeros(0)]).astype(int)
    slope = np.concatenate([hull.slopes for hull in need.hulls] or [np.zeros(0)])
    intercept = np.concatenate([hull.intercepts for hull in need.hulls] or [np.zeros(0)])
    lines = np.arange(len(group))
    at, total = programme.at, len(group)
    places = np.array([hull.group for hull in need.hulls], dtype=np.int64)
    matrix = csr_array(
        (
            np.concatenate([slope * programme.reach[group], -np.ones(len(group)), np.ones(len(places))]),
            (
                np.concatenate([lines, lines, np.full(len(places), total)]),
                np.concatenate([at["n"].start + group, at["t"].start + group, at["t"].start + places]),
            ),
        ),
        shape=(total + 1, programme.columns),
    )
    floor = np.append(-intercept - slope * form.held[group], need.level)
    kept = np.arange(total + (len(places) > 0))
    return csr_array(matrix[kept]), floor[kept]
