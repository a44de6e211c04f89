"""What a run not yet seen would measure: the curve, its deviation, and both parts of the error (method.md 4).

In one draw the curve f, the sd σ of the training error and the scale κ of the departure from f are known. With r the
distances from f of the losses measured so far on the run's holdout (averaged over steps of t where they are many), s
the evaluation error, and

    V = κ² K + σ² I,    K_ij = min(t_i, t_j),    t = log₂(n_ref / n),

the luck that the holdout's runs share, as a share of l, is N(lᵀV⁻¹r / P, 1/P), P = lᵀV⁻¹l + (l/s)². Where the metric
has both bounds l is the mean loss at each run, as luck shrinks with the loss, else 1. Between losses that differ, some
examples are learnt: of s², the part 1 − [l/(1 − l)] / [l'/(1 − l')], l < l' the two losses as shares of the span, is
the run's own luck. A measurement asked for is one row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtri

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Errors, Posterior
from app.planner.curves.random_streams import uniforms
from app.planner.fitting.binning import summed

MOST_ALONE, T_STEP = 64, 0.0625
"""More runs than these on one holdout are averaged over such steps of t."""

LEAST_SIGMA = 1e-100
"""The training error of runs on a stated curve, which have none."""

LEAST_LEVEL = 1e-9
"""l is at least this share of the span, so that luck can be a share of it."""


@dataclass(frozen=True)
class Asked:
    """Measurements to forecast, all [rows].

    groups: which group. runs [rows, all groups]: what the run is trained on. stderrs: evaluation errors, nan unknown.
    holdouts: as in `Points`. names: what the random numbers are made of, beside the seed.
    """

    groups: IntArray
    runs: FloatArray
    stderrs: FloatArray
    holdouts: IntArray
    names: tuple[str, ...]


def predict(posterior: Posterior, observations: Observations, asked: Asked, seed: int) -> FloatArray:
    """Predictive draws [rows, draws] of the losses that would be measured.

    observations: what the posterior was fitted to. On a holdout seen before, the shared error is what the earlier runs
    leave of it, draw by draw; on a new one it is N(0, s²).
    """
    # Every selection would search the warnings for its groups'.
    posterior = replace(posterior, warnings=())
    errors = _errors(posterior)
    past = _Past(posterior, observations)
    level, mean, left = _shared_error(past, asked)
    shift, own = level * mean, _learnt_error(past, asked, level)
    sd = np.hypot(np.hypot(level * left, own), errors.sigma[asked.groups[:, None], errors.node[asked.groups]])
    normal = ndtri(uniforms(seed, tuple(f"forecast:{name}" for name in asked.names), posterior.draws)[:, 0])
    band = at_runs(posterior, asked.groups, asked.runs, Posterior.band).all()
    predicted: FloatArray = band + shift + sd * normal
    return predicted


def shared_error(
    posterior: Posterior, observations: Observations, asked: Asked
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """l of the runs asked for [rows, 1], and mean and sd of their holdouts' luck as a share of it, given the runs seen
    [rows, draws]."""
    return _shared_error(_Past(posterior, observations), asked)


@dataclass(frozen=True)
class _SeenRuns:
    """Runs of a group on one holdout. away [runs, draws]: how far their losses are from the curve's path; t [runs];
    level [runs, 1]: l."""

    away: FloatArray
    t: FloatArray
    level: FloatArray


@dataclass(frozen=True)
class _Past:
    """What was seen on holdouts, each group's curve asked once at the runs of each. known: by group and holdout."""

    posterior: Posterior
    observations: Observations
    known: dict[tuple[int, int], "_SeenRuns | None"] = field(default_factory=dict)

    def seen(self, group: int, holdout: int) -> _SeenRuns | None:
        """The runs of the group on the holdout; None where there is none."""
        if (group, holdout) not in self.known:
            self.known[group, holdout] = self._seen(group, holdout)
        return self.known[group, holdout]

    def _seen(self, group: int, holdout: int) -> _SeenRuns | None:
        points = self.observations.points[group]
        seen = np.flatnonzero(points.holdouts == holdout)
        if not len(seen):
            return None
        runs, of = _runs_of(self.observations, group, seen), np.full(len(seen), group)
        loss, path, t = _asked_at_runs(self.posterior, of, runs, _loss_path_and_doublings)
        return _SeenRuns(points.losses[seen][:, None] - path.all(), t.means(), _level_of(self.observations, loss))


def _loss_path_and_doublings(posterior: Posterior, counts: FloatArray) -> tuple[FloatArray, ...]:
    return (*posterior.loss_and_path(counts), posterior.doublings_below(counts))


def _shared_error(past: _Past, asked: Asked) -> tuple[FloatArray, FloatArray, FloatArray]:
    level = levels(past.posterior, past.observations, asked.groups, asked.runs)
    total, precision = _seen(past, asked.groups, asked.holdouts)
    stderr = np.nan_to_num(asked.stderrs)[:, None]
    # No evaluation error leaves nothing to learn; a holdout not seen, all of it.
    with np.errstate(divide="ignore"):
        precision += (stderr / level) ** -2.0
    return level, total / precision, precision**-0.5


def _learnt_error(past: _Past, asked: Asked, level: FloatArray) -> FloatArray:
    """Sd of a run's own luck on a holdout seen before, by the run of the nearest loss there [rows, 1]; level: l."""
    found, span = np.zeros(level.shape), past.observations.span
    if span is None:
        return found
    odds: dict[tuple[int, int], FloatArray] = {}
    own = _odds(level / span)
    for row, (group, holdout) in enumerate(zip(asked.groups.tolist(), asked.holdouts.tolist(), strict=True)):
        runs = past.seen(group, holdout)
        if runs is not None:
            if (group, holdout) not in odds:
                odds[group, holdout] = _odds(runs.level / span)
            ratio = np.exp(-np.abs(np.log(odds[group, holdout] / own[row])).min())
            found[row] = np.nan_to_num(asked.stderrs[row]) * np.sqrt(1.0 - ratio)
    return found


def _odds(share: FloatArray) -> FloatArray:
    """Of a loss, kept off both ends."""
    inside = np.clip(share, LEAST_LEVEL, 1.0 - LEAST_LEVEL)
    return np.asarray(inside / (1.0 - inside))


def levels(posterior: Posterior, observations: Observations, groups: IntArray, runs: FloatArray) -> FloatArray:
    """l of each row's group at its run [rows, 1]."""
    if observations.span is None:
        return np.ones((len(groups), 1))
    return _level_of(observations, at_runs(posterior, groups, runs, Posterior.loss))


def _level_of(observations: Observations, loss: "AtRuns") -> FloatArray:
    """l [rows, 1] where the curves' losses are these."""
    if observations.span is None:
        return np.ones((len(loss.place), 1))
    mean = loss.means()[:, None]
    return np.asarray(np.clip(mean, LEAST_LEVEL * observations.span, observations.span))


def _errors(posterior: Posterior) -> Errors:
    """The runs' errors, by their rms where they are not known draw by draw."""
    if posterior.errors is not None:
        return posterior.errors
    sigma = posterior.noise[:, None]
    return Errors(np.zeros(posterior.asymptote.shape, dtype=np.int8), sigma, np.zeros(sigma.shape))


@dataclass(frozen=True)
class AtRuns:
    """Answers of which many rows share one: distinct ones [answers, draws], and the place of each row's [rows]."""

    distinct: FloatArray
    place: IntArray

    def all(self) -> FloatArray:
        """[rows, draws]."""
        return self.distinct[self.place]

    def means(self) -> FloatArray:
        """Over the draws [rows]."""
        return np.asarray(self.distinct.mean(axis=1)[self.place])


def at_runs(
    posterior: Posterior,
    groups: IntArray,
    runs: FloatArray,
    ask: Callable[[Posterior, FloatArray], FloatArray],
) -> AtRuns:
    """What `ask` says of each row's group at its run's counts [rows, all groups]."""
    [found] = _asked_at_runs(posterior, groups, runs, lambda picked, counts: (ask(picked, counts),))
    return found


def _asked_at_runs(
    posterior: Posterior,
    groups: IntArray,
    runs: FloatArray,
    ask: Callable[[Posterior, FloatArray], tuple[FloatArray, ...]],
) -> list[AtRuns]:
    """The same of several answers that `ask` gives at once."""
    own = runs[np.arange(len(groups)), groups]
    if posterior.transfer is None:
        pairs, place = np.unique(np.stack([groups, own], axis=1), axis=0, return_inverse=True)
        picked, counts = pairs[:, 0].astype(np.int64), pairs[:, 1]
        if len(picked) and picked[0] == picked[-1]:
            # One group at many counts: its draws need no copy for each.
            return [AtRuns(said[0], place) for said in ask(posterior.part(picked[:1]), counts[None, :])]
        return [AtRuns(said, place) for said in ask(posterior.part(picked), counts)]
    found: list[FloatArray] = []
    trained, place = np.unique(runs, axis=0, return_inverse=True)
    for at, counts in enumerate(trained):
        rows = np.flatnonzero(place == at)
        told = ask(posterior.moved(counts).select(groups[rows]), own[rows])
        found = found or [np.empty((len(groups), posterior.draws)) for _ in told]
        for answers, said in zip(found, told, strict=True):
            answers[rows] = said
    return [AtRuns(answers, np.arange(len(groups))) for answers in found]


def _seen(past: _Past, groups: IntArray, holdouts: IntArray) -> tuple[FloatArray, FloatArray]:
    """lᵀV⁻¹r and lᵀV⁻¹l of each row's group on its holdout [rows, draws]; 0 where it was not seen."""
    errors, every = _errors(past.posterior), np.arange(past.posterior.draws)
    pairs, place = np.unique(np.stack([groups, holdouts], axis=1), axis=0, return_inverse=True)
    found = np.zeros((2, len(pairs), past.posterior.draws))
    for at, (group, holdout) in enumerate(pairs.tolist()):
        runs = past.seen(group, holdout)
        if runs is not None:
            average, together = _average(runs.t)
            level = average @ runs.level
            by_node = _weights(average, together, level, errors.sigma[group], errors.kappa[group])
            # A draw's node says how its distances are weighed.
            node = errors.node[group]
            found[:, at] = (by_node @ (average @ runs.away))[node, every], (by_node @ level)[node, 0]
    total, precision = found
    return total[place], precision[place]


def _average(t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights that average runs at t [runs] over steps of t, where they are many [cells, runs], and K of the averages
    [cells, cells]."""
    if len(t) <= MOST_ALONE:
        return np.eye(len(t)), np.minimum.outer(t, t)
    _, cell, size = np.unique(np.floor(t / T_STEP), return_inverse=True, return_counts=True)
    average = (cell == np.arange(len(size))[:, None]) / size[:, None]
    at = average @ t
    together = np.minimum.outer(at, at)
    # In a cell, the i-th smallest of m values is the smaller one of 2 (m − i) + 1 ordered pairs.
    order = np.lexsort((t, cell))
    rank = np.arange(len(t)) - np.repeat(np.cumsum(size) - size, size)
    pairs = 2.0 * (np.repeat(size, size) - rank) - 1.0
    np.fill_diagonal(together, summed(cell[order], t[order] * pairs) / size**2)
    return average, together


def _weights(
    average: FloatArray, together: FloatArray, level: FloatArray, sigma: FloatArray, kappa: FloatArray
) -> FloatArray:
    """lᵀV⁻¹ for each σ and κ [nodes, cells]; level l [cells, 1]."""
    sigma, own = np.where(sigma > 0.0, sigma, LEAST_SIGMA), np.diag((average**2).sum(axis=1))
    v = (kappa**2)[:, None, None] * together + (sigma**2)[:, None, None] * own
    return np.asarray(np.linalg.solve(v, np.broadcast_to(level, (*v.shape[:2], 1)))[:, :, 0])


def _runs_of(observations: Observations, group: int, points: IntArray) -> FloatArray:
    """What the runs of some of a group's points were trained on [points, all groups]."""
    if observations.runs is not None and observations.run_of is not None:
        return np.asarray(observations.runs[observations.run_of[group][points]])
    runs = np.tile(observations.held, (len(points), 1))
    runs[:, group] = observations.points[group].counts[points]
    return runs
