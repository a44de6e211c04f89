"""At which subset sizes to retrain next, so that the decision becomes most certain (method.md 9).

A run measures every group at once, each on a subset of what is held of it; it costs compute and no samples. Runs are
chosen one after the other, each where the expected posterior variance of the marginal utility per cost, summed over
the groups at the recommended counts, falls most.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.errors import ProblemError
from app.planner.forecasts.predictive import Asked, at_runs, levels, shared_error
from app.planner.information.preposterior import Belief
from app.planner.plan.decide import decide
from app.planner.plan.margins import marginal_draws
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.wording import count, listed, percent

MAX_RUNS = 20
STEPS = 2.0 ** (-0.5 * np.arange(12))
"""Subset sizes that are considered, as shares of what is held."""
WATCHED = 32
"""Groups whose certainty is followed: those whose margins vary most."""
TRAINED = 0.1
"""A size this near a measured one, as a share, was trained on already."""
HALVINGS = 40
"""More leave nothing of what is held."""
AS_GOOD = 0.2
"""Runs that leave a standard deviation less than this share below that of plain halving are no better than it: two runs
typically save .15, and what was bought after them gained .0003 ± .0002 of accuracy over halving."""
MARGIN_ROUNDING = 1e-12
"""A margin whose sd is this share of it is known but for rounding."""


@dataclass(frozen=True)
class MeasurementRun:
    """One training run on nested subsets of what is held.

    counts: samples per group, in the problem's order, whole and at most those held. variance_before, variance_after:
    expected posterior variance of the marginal utility per currency unit at the recommended counts, summed over the
    groups, before and after this run. reason: one sentence.
    """

    counts: tuple[int, ...]
    variance_before: float
    variance_after: float
    reason: str


@dataclass(frozen=True)
class MeasurementPlan:
    """Runs in the order in which they tell most. keys: groups in the problem's order, of the runs' counts.

    variance_now, variance_after: as in `MeasurementRun`, before the first and after the last run.
    variance_halving: what is left after as many runs on plainly halved sizes (`_halved`). advice: what that means, one
    sentence, None where there is no run.
    recommended: the counts per group at which the marginal utility is judged.
    note: why there is no run, None where there is one.
    """

    keys: tuple[str, ...]
    recommended: tuple[float, ...]
    runs: tuple[MeasurementRun, ...]
    variance_now: float
    variance_after: float
    variance_halving: float
    advice: str | None
    note: str | None

    @property
    def gain_over_halving(self) -> float:
        """The share by which the runs leave a smaller sd than halved sizes do; below 0 where halving is better."""
        return _saved(self.variance_after, self.variance_halving)


@dataclass(frozen=True)
class _Question:
    """What candidates are judged by. held [groups]: whole samples. watched: indices of the groups that are followed.
    luck [groups, draws]: mean luck of each group's latest holdout, as a share of the level of `observations`."""

    posterior: Posterior
    held: IntArray
    watched: IntArray
    luck: FloatArray
    observations: Observations
    seed: int


def measurement_plan(problem: Problem, observations: Observations, runs: int, seed: int) -> MeasurementPlan:
    """The next `runs` training runs, most telling first; observations: what the problem's posterior was fitted to.

    Variances are estimated over the posterior's draws; as more knowledge never makes the expected variance larger, an
    estimate that rises is taken as no change. Raises ProblemError where runs is not from 1 to MAX_RUNS.
    """
    if not 1 <= runs <= MAX_RUNS:
        raise ProblemError(f"runs is {runs}; ask for 1 to {MAX_RUNS}")
    if observations.keys != problem.keys:
        raise ProblemError("the observations' groups are not the problem's, in its order")
    posterior = replace(problem.posterior, warnings=())
    counts, marginals = _marginals(problem)
    held = np.floor(problem.held).astype(np.int64)
    luck, shared = _shared(posterior, observations, problem.held)
    certain = marginals.std(axis=1) <= MARGIN_ROUNDING * np.abs(marginals).max(axis=1)
    spread = np.where(certain | (held == 0), 0.0, marginals.var(axis=1))
    ranked = np.argsort(-spread, kind="stable")[:WATCHED]
    watched = np.sort(ranked[spread[ranked] > 0.0])
    beliefs = [Belief.of(problem.keys[g], marginals[g], float(posterior.noise[g]), float(shared[g])) for g in watched]
    question = _Question(posterior, held, watched, luck, observations, seed)
    chosen, variance = _choose(question, beliefs, runs if posterior.draws > 1 else 0)
    now, after = float(variance[0].sum()), float(variance[-1].sum())
    halving = _left(question, beliefs, _halved(observations, held, len(chosen)))
    return MeasurementPlan(
        keys=problem.keys,
        recommended=tuple(counts.tolist()),
        runs=tuple(_run(problem, question, at, chosen[at], variance) for at in range(len(chosen))),
        variance_now=now,
        variance_after=after,
        variance_halving=halving,
        advice=_advice(after, halving) if chosen else None,
        note=None if chosen else _note(problem, held),
    )


def _marginals(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """The recommended counts [groups], and the marginal utility per currency unit there in every draw."""
    form = Canonical.of(problem)
    decision = decide(form, "optimal")
    marginals, counts = np.empty((len(form.keys), problem.posterior.draws)), np.empty(len(form.keys))
    marginals[form.order], counts[form.order] = marginal_draws(form, decision), decision.counts
    return counts, marginals


def _shared(posterior: Posterior, observations: Observations, held: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean luck [groups, draws] of each group's latest holdout, and the rms sd [groups] of the evaluation error that it
    leaves of a run at what is held."""
    groups = np.arange(len(posterior.keys))
    holdouts, errors = np.full(len(groups), -1, dtype=np.int64), np.full(len(groups), np.nan)
    for g, points in enumerate(observations.points):
        if len(points.counts):
            holdouts[g] = points.holdouts[-1]
            here = points.stderrs[(points.holdouts == holdouts[g]) & ~np.isnan(points.stderrs)]
            errors[g] = np.sqrt((here**2).mean()) if len(here) else np.nan
    runs = np.tile(held, (len(groups), 1))
    asked = Asked(groups, runs, errors, holdouts, posterior.keys)
    level, mean, sd = shared_error(posterior, observations, asked)
    return mean, np.sqrt(((level * sd) ** 2).mean(axis=1))


def _choose(question: _Question, beliefs: list[Belief], runs: int) -> tuple[list[IntArray], list[FloatArray]]:
    """The runs' counts [all groups], and the watched groups' variances before the first and after each."""
    variance = [np.array([belief.variance() for belief in beliefs])]
    chosen: list[IntArray] = []
    if not beliefs:
        return chosen, variance
    for _ in range(runs):
        counts = _best(question, beliefs)
        means = _measured(question, counts)
        beliefs = [belief.after(mean, question.seed) for belief, mean in zip(beliefs, means, strict=True)]
        variance.append(np.minimum(variance[-1], [belief.variance() for belief in beliefs]))
        chosen.append(counts)
    return chosen, variance


def _best(question: _Question, beliefs: list[Belief]) -> IntArray:
    """The counts [all groups] of the most telling run: each group's own best size, or with transfer, where every
    group's loss depends on all counts, the best of one share for all and of one group cut down alone."""
    candidates = _candidates(question)
    table = np.array(
        [
            [belief.after(mean, question.seed).variance() for belief, mean in zip(beliefs, means, strict=True)]
            for means in (_measured(question, counts) for counts in candidates)
        ]
    )
    if question.posterior.transfer is not None:
        return candidates[int(np.argmin(table.sum(axis=1)))]
    counts = question.held.copy()
    counts[question.watched] = np.array(candidates)[table.argmin(axis=0), question.watched]
    return counts


def _halved(observations: Observations, held: IntArray, runs: int) -> list[IntArray]:
    """The counts [all groups] of `runs` runs as anybody would plan them: each group on all that is held of it, then on
    a half, a quarter and so on, sizes that it was trained on already left out."""
    counts = np.empty((runs, len(held)), dtype=np.int64)
    for g, (most, points) in enumerate(zip(held.tolist(), observations.points, strict=True)):
        sizes = [max(round(most / 2**step), min(most, 1)) for step in range(runs + HALVINGS)]
        fresh = [size for size in sizes if not np.any(np.abs(points.counts - size) <= TRAINED * size)]
        counts[:, g] = (fresh + sizes[-1:] * runs)[:runs]
    return list(counts)


def _left(question: _Question, beliefs: list[Belief], runs: list[IntArray]) -> float:
    """The watched groups' variance, summed, after the runs."""
    least = np.array([belief.variance() for belief in beliefs])
    for counts in runs:
        means = _measured(question, counts)
        beliefs = [belief.after(mean, question.seed) for belief, mean in zip(beliefs, means, strict=True)]
        least = np.minimum(least, [belief.variance() for belief in beliefs])
    return float(least.sum())


def _saved(after: float, halving: float) -> float:
    return 1.0 - float(np.sqrt(after / halving)) if halving > 0.0 else 0.0


def _advice(after: float, halving: float) -> str:
    """Whether the plan is worth its trouble beside halving."""
    gain = _saved(after, halving)
    if gain < AS_GOOD:
        less = f"only {percent(gain)} less" if gain > 0.0 else "no less"
        return (
            f"Halving is as good: these runs leave the gains per cost {less} uncertain than as many runs on all, a"
            " half, a quarter of what is held, and so on."
        )
    return f"These runs leave the gains per cost {percent(gain)} less uncertain than halving what is held would."


def _candidates(question: _Question) -> list[IntArray]:
    held = question.held
    shares = [np.maximum(np.round(held * step), np.minimum(held, 1)).astype(np.int64) for step in STEPS]
    if question.posterior.transfer is None:
        return shares
    alone = [np.where(np.arange(len(held)) == g, share, held) for g in question.watched for share in shares[1::2]]
    return [*shares, *alone]


def _measured(question: _Question, counts: IntArray) -> FloatArray:
    """Mean losses [watched, draws] that a run on `counts` [all groups] would measure."""
    runs = np.tile(counts.astype(np.float64), (len(question.watched), 1))
    level = levels(question.posterior, question.observations, question.watched, runs)
    return (
        at_runs(question.posterior, question.watched, runs, Posterior.path).all()
        + level * question.luck[question.watched]
    )


def _run(
    problem: Problem, question: _Question, at: int, counts: IntArray, variance: list[FloatArray]
) -> MeasurementRun:
    before, after = variance[at], variance[at + 1]
    fall = before - after
    place = int(np.argmax(fall))
    group = int(question.watched[place])
    key, size = problem.keys[group], f"{count(counts[group])} of its {count(question.held[group])} samples"
    if fall[place] <= 0.0:
        reason = "No further run makes the decision clearly more certain."
    else:
        sd = percent(1.0 - float(np.sqrt(after[place] / before[place])))
        reason = f"It tells most about {key}, trained on {size}: the sd of its gain per cost falls by {sd}."
    return MeasurementRun(tuple(counts.tolist()), float(before.sum()), float(after.sum()), reason)


def _note(problem: Problem, held: IntArray) -> str:
    bare = [key for key, n in zip(problem.keys, held, strict=True) if n == 0]
    if len(bare) == len(problem.keys):
        return "No samples are held, so nothing can be trained on; buy some of each group first."
    if bare:
        return f"The other curves are certain, and nothing is held of {listed(bare)}; buy some samples first."
    return "Every group's gain per cost is certain or 0, so no run would change the decision."
