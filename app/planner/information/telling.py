"""Which run tells most: training runs chosen one after the other by what they would leave uncertain (method.md 9)."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.forecasts.predictive import at_runs, levels
from app.planner.information.compositions import TRAINED, Composition, considered, fresh, shared
from app.planner.information.preposterior import Belief

STEPS = 2.0 ** (-0.5 * np.arange(12))
"""Sizes that are considered of a group with a model of its own, as shares of what is held."""
HALVINGS = 40
"""More leave nothing of what is held."""


@dataclass(frozen=True)
class Judge:
    """What candidates are judged by. held [groups]: whole samples. watched: indices of the groups that are followed.
    luck [groups, draws]: mean luck of each group's latest holdout, as a share of the level of `observations`."""

    posterior: Posterior
    held: IntArray
    watched: IntArray
    luck: FloatArray
    observations: Observations
    seed: int


def is_joint(observations: Observations) -> bool:
    """Whether a run trains one model on all groups' data."""
    return observations.joint and observations.runs is not None


def made(observations: Observations) -> FloatArray:
    """What the runs that measured anything were trained on [runs, groups]."""
    if observations.runs is None or observations.run_of is None:
        return np.zeros((0, len(observations.keys)))
    measured = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *observations.run_of]))
    return np.asarray(observations.runs[measured])


def choose_sizes(judge: Judge, beliefs: list[Belief], runs: int) -> tuple[list[Composition], list[FloatArray]]:
    """Each group at its own best size, run by run; the watched groups' variances before the first and after each."""
    shares = [shared(judge.held, step) for step in STEPS]
    variance = [_variances(beliefs)]
    chosen: list[Composition] = []
    for _ in range(runs):
        table = np.array([_variances(_after(judge, beliefs, counts)) for counts in shares])
        counts = judge.held.copy()
        counts[judge.watched] = np.array(shares)[table.argmin(axis=0), judge.watched]
        beliefs = _after(judge, beliefs, counts)
        variance.append(np.minimum(variance[-1], _variances(beliefs)))
        chosen.append(Composition(tuple(counts.tolist()), 1.0))
    return chosen, variance


def choose_compositions(judge: Judge, beliefs: list[Belief], runs: int) -> tuple[list[Composition], list[FloatArray]]:
    """As `choose_sizes` for one model: all that is held, where no run was trained on it, then the most telling of the
    compositions that were not made. Fewer than `runs` where there are no more."""
    keys, done = judge.observations.keys, made(judge.observations)
    left = fresh(considered(keys, judge.held), done)
    variance = [_variances(beliefs)]
    chosen: list[Composition] = []
    # What a run saves shrinks as others are chosen: one that saved less before than another does now is not looked at.
    saves = {one.counts: np.inf for one in left}
    while left and len(chosen) < runs:
        first = left[0] if left[0].counts == tuple(judge.held.tolist()) else None
        one = first or _most_telling(judge, beliefs, left, saves)
        left.remove(one)
        beliefs = _after(judge, beliefs, np.array(one.counts))
        variance.append(np.minimum(variance[-1], _variances(beliefs)))
        chosen.append(one)
    return chosen, variance


def _most_telling(
    judge: Judge, beliefs: list[Belief], left: list[Composition], saves: dict[tuple[int, ...], float]
) -> Composition:
    """The composition that saves most variance; `saves`: what each saved when it was last looked at, brought up to
    date."""
    now = float(_variances(beliefs).sum())
    best, most = left[0], -np.inf
    for one in sorted(left, key=lambda one: -saves[one.counts]):
        if saves[one.counts] <= most:
            break
        saved = now - float(_variances(_after(judge, beliefs, np.array(one.counts))).sum())
        saves[one.counts] = saved
        if saved > most:
            best, most = one, saved
    return best


def _after(judge: Judge, beliefs: list[Belief], counts: IntArray) -> list[Belief]:
    """What is believed of the watched groups once a run on `counts` [all groups] is chosen too."""
    means = _measured(judge, counts)
    return [belief.after(mean, judge.seed) for belief, mean in zip(beliefs, means, strict=True)]


def _variances(beliefs: list[Belief]) -> FloatArray:
    """[watched]."""
    return np.array([belief.variance() for belief in beliefs])


def halved(observations: Observations, held: IntArray, runs: int) -> list[IntArray]:
    """The counts [all groups] of `runs` runs as anybody would plan them: each group on all that is held of it, then on
    a half, a quarter and so on, sizes that it was trained on already left out."""
    counts = np.empty((runs, len(held)), dtype=np.int64)
    for g, (most, points) in enumerate(zip(held.tolist(), observations.points, strict=True)):
        sizes = [max(round(most / 2**step), min(most, 1)) for step in range(runs + HALVINGS)]
        fresh = [size for size in sizes if not np.any(np.abs(points.counts - size) <= TRAINED * size)]
        counts[:, g] = (fresh + sizes[-1:] * runs)[:runs]
    return list(counts)


def variance_left(judge: Judge, beliefs: list[Belief], runs: list[IntArray]) -> float:
    """The watched groups' variance, summed, after the runs."""
    least = _variances(beliefs)
    for counts in runs:
        beliefs = _after(judge, beliefs, counts)
        least = np.minimum(least, _variances(beliefs))
    return float(least.sum())


def _measured(judge: Judge, counts: IntArray) -> FloatArray:
    """Mean losses [watched, draws] that a run on `counts` [all groups] would measure."""
    runs = np.tile(counts.astype(np.float64), (len(judge.watched), 1))
    level = levels(judge.posterior, judge.observations, judge.watched, runs)
    return at_runs(judge.posterior, judge.watched, runs, Posterior.path).all() + level * judge.luck[judge.watched]
