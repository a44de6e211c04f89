"""Groups that may not have started to learn: a curve flat up to a threshold beyond what was measured (method.md 2).

In this state the loss is s at every size up to n₀ and ρ s from there on, with

    s ~ N(μ₀, τ²) truncated to (0, upper),    P(n₀ > n) = q (n / n_ref)^(−h) + 1 − q,  n ≥ n_ref,

ρ with the density 2ρ on (0, 1): what starts falls by a third on average, and a share 1 − q never does.

What was measured is flat, so its evidence at a noise node is that of the family's curves at γ = 0, a closed form of the
node's oo and oy. Against the family's, all shapes and floors integrated, and that of a loss that rises, each by its
prior chance, it gives the chance w that a group has not started; so many of its draws are in the state. A rising loss
is no state of its draws: as the family cannot rise, it is fitted as flat, without a start.

Shapes: B groups, N noise nodes, M nodes of `Floors`; D draws.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import Lattice
from app.planner.fitting.binning import Table, summed
from app.planner.fitting.floor_integral import Floors
from app.planner.fitting.grid import Level, Nodes, draw_level, log_mass
from app.planner.fitting.holdout_luck import without_luck
from app.planner.fitting.sampling import Frame, Learnt

LEAST_SIZES, LEAST_RATIO = 3, 3.0
"""Fewer sizes, or a smaller factor from the smallest to the largest, cannot show that a loss stands still. What others'
samples are worth pulls the sizes of a joint model together: runs that shrink by four span three and a half or so."""

LEAST_EXAMPLES = 1.0
"""Losses whose errors are worth fewer examples M are drawn in to the middle, and look flat whatever they are."""

LEAST_CHANCE = 0.01
"""A smaller chance of the state is taken as none: it would move no plan, and most groups are then done with."""

RATHER = 2.0
"""A loss that is so many times likelier to rise than to wait is not taken to wait: where runs scatter by 3 %, one flat
curve in twenty passes for a rising one at three sizes, one in a hundred at four."""

LARGEST_LOG_ODDS = 50.0
"""Larger log odds against the state are as good as these."""

_TURNS = np.array([0.6457513110645906, 0.41421356237309515, 0.7320508075688772])
"""√7 − 2, √2 − 1 and √3 − 1: steps of three even sequences that none of `Lattice`'s repeats."""


@dataclass(frozen=True)
class Still:
    """What is flat of a batch: logs of each noise node's evidence for a flat curve [B, N], and the chance w [B]."""

    evidence: FloatArray
    chance: FloatArray


def flat_enough(table: Table, examples: FloatArray) -> BoolArray:
    """Whether a group's sizes and errors could show that its loss stands still [G]; examples [G]: M."""
    smallest = np.array(table.n_ref)
    np.minimum.at(smallest, table.row_group, np.maximum(table.row_count, 1.0))
    sizes = np.bincount(table.row_group[table.new_size], minlength=table.groups)
    shown = (sizes >= LEAST_SIZES) & (table.n_ref >= LEAST_RATIO * smallest)
    return np.asarray(shown & (examples >= LEAST_EXAMPLES))


def still(nodes: Nodes, floors: Floors, level: Level, prior: Prior, covariates: FloatArray, able: BoolArray) -> Still:
    """A flat curve's evidence and the chance of the state, 0 for groups that are not `able` [B] or rather rise;
    covariates [B, 2]."""
    oo, oy, noise = nodes.oo[:, :, 0], nodes.oy[:, :, 0], nodes.noise[:, :, 0]
    mean = oy / oo
    evidence = noise + 0.5 * oy * mean - 0.5 * np.log(oo)
    evidence += log_mass(mean, oo**-0.5, np.broadcast_to(level.upper[:, None], mean.shape))
    log_odds = np.log(prior.not_started) - np.log1p(-prior.not_started)
    family = summed(floors.group, floors.weights.sum(axis=0), len(level.upper)) / floors.cells
    family = floors.top + np.log(family) - prior.log_total(covariates) - log_odds
    flat = _log_sum(evidence)
    rising = _log_sum(evidence + _rise(nodes, prior)) + np.log(prior.rises / prior.not_started)
    chance = 1.0 / (1.0 + np.exp(np.minimum(np.logaddexp(family, rising) - flat, LARGEST_LOG_ODDS)))
    waits = able & (rising < flat + np.log(RATHER)) & (chance >= LEAST_CHANCE)
    return Still(evidence, np.where(waits, chance, 0.0))


def _log_sum(values: FloatArray) -> FloatArray:
    """log Σ exp over the noise nodes [B]."""
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))


def _rise(nodes: Nodes, prior: Prior) -> FloatArray:
    """Log of a rising loss's evidence at each noise node, as a multiple of a flat one's [B, N].

    The loss is s − b q, q that of the shape nearest a line in log n, b ≥ 0: a bivariate normal, half of it in b.
    """
    # At n_ref, q falls by c log 2 per doubling.
    precision = (prior.exponents[0] * np.log(2.0) / prior.rise) ** 2
    oo, oq, qq, oy, qy = (getattr(nodes, name)[:, :, 0] for name in ("oo", "oq", "qq", "oy", "qy"))
    e = qq - oq**2 / oo + precision
    z = (oq * oy / oo - qy) / np.sqrt(e)
    return np.asarray(np.log(2.0) + 0.5 * (np.log(precision / e) + z**2) + log_ndtr(z))


def put(
    learnt: Learnt,
    groups: IntArray,
    frame: Frame,
    nodes: Nodes,
    found: Still,
    able: BoolArray,
    prior: Prior,
    lattice: Lattice,
) -> None:
    """Puts a share w of the draws of `groups` into the state, in place; frame, nodes, lattice: theirs.

    able [B]: those that hold what was measured. What others would buy next was measured flat: there the mean curve over
    n₀, which falls from the first sample on, would promise what is known not to come.
    """
    learnt.not_started[groups] = found.chance
    some = np.flatnonzero(able & (found.chance > 0.0))
    if not len(some):
        return
    chosen = lattice.select(some)
    numbers = (chosen.order[:, None] + 0.5) * _TURNS[:, None] + chosen.shifts[:, :, None]
    numbers -= np.floor(numbers)
    of, draw = np.nonzero(numbers[:, 0] < found.chance[some, None])
    late, rho, pick = (numbers[of, i, draw] for i in range(3))
    at = some[of]
    group = groups[at]
    # In (0, 1) again: of the share that starts, and of the rest.
    late = late / found.chance[at] / prior.starts
    starts = late < 1.0
    rho = np.where(starts, np.sqrt(rho), 1.0)
    weight = np.exp(found.evidence - found.evidence.max(axis=1, keepdims=True)).cumsum(axis=1)
    node = (weight[at] < (pick * weight[at, -1])[:, None]).sum(axis=1)
    oo, oy = nodes.oo[at, node, 0], nodes.oy[at, node, 0]
    root = np.sqrt(oo)
    seen = draw_level(oy / root, root, frame.upper[at], chosen.normals(0)[of, draw])
    s = without_luck(seen, frame.upper[at], frame.examples[at], chosen.normals(2)[of, draw]) * frame.units[at]
    ahead = prior.ahead_sequence(lattice.draws)[node + len(prior.noises) * frame.binned[at], chosen.places(1)[of, draw]]
    n_ref = frame.n_ref[at]
    written = {
        "asymptote": rho * s,
        "excess": s - rho * s,
        "anchor": n_ref,
        "exponent": prior.start_exponent,
        "offset": 0.0,
        "discrepancy": ahead * frame.units[at],
        "threshold": np.where(starts, n_ref * np.minimum(late, 1.0) ** (-1.0 / prior.start_exponent), np.inf),
        "node": node,
    }
    for name, values in written.items():
        getattr(learnt, name)[group, draw] = values
