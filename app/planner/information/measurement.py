"""On which subsets of what is held to retrain next, so that the decision becomes most certain (method.md 9).

A run measures every group at once, each on a subset of what is held of it; it costs compute and no samples. Runs are
chosen one after the other, each where the expected posterior variance of the marginal utility per cost, summed over
the groups at the recommended counts, falls most: where one model is trained on all groups' data among compositions,
and for separate models each group at a size of its own.
"""

from dataclasses import dataclass, replace

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.errors import ProblemError
from app.planner.forecasts.predictive import Asked, shared_error
from app.planner.information.compositions import NESTED, Composition, fresh, usual
from app.planner.information.preposterior import Belief
from app.planner.information.telling import (
    Judge,
    choose_compositions,
    choose_sizes,
    halved,
    is_joint,
    made,
    variance_left,
)
from app.planner.plan.decide import decide
from app.planner.plan.margins import marginal_draws
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.wording import count, listed, percent

MAX_RUNS = 20
WATCHED = 32
"""Groups whose certainty is followed: those whose margins vary most."""
AS_GOOD = 0.2
"""Runs that leave a standard deviation less than this share below that of plain halving are no better than it: two runs
typically save .15, and what was bought after them gained .0003 ± .0002 of accuracy over halving."""
USUAL = "Too little is measured to tell which runs would say most: these are the usual ones."
MARGIN_ROUNDING = 1e-12
"""A margin whose sd is this share of it is known but for rounding."""


@dataclass(frozen=True)
class MeasurementRun:
    """One training run on subsets of what is held.

    counts: samples per group, in the problem's order, whole and at most those held. reason: what it tells, a sentence
    or two. variance_before, variance_after: expected posterior variance of the marginal utility per currency unit at
    the recommended counts, summed over the groups, before and after this run; None for a usual run.
    """

    counts: tuple[int, ...]
    reason: str
    variance_before: float | None = None
    variance_after: float | None = None


@dataclass(frozen=True)
class MeasurementPlan:
    """Runs in the order in which they tell most. keys: groups in the problem's order, of the runs' counts. held: whole
    samples of each that can be trained on.

    advice: how the runs were chosen and what they are worth, one sentence, None where there is no run. note: why there
    is no run, None where there is one. variance_now, variance_after: as in `MeasurementRun`, before the first and after
    the last run. variance_halving: what is left after as many runs on plainly halved sizes (`halved`). recommended:
    the counts per group at which the marginal utility is judged. All four are None for the usual runs.
    """

    keys: tuple[str, ...]
    held: tuple[int, ...]
    runs: tuple[MeasurementRun, ...]
    advice: str | None
    note: str | None
    recommended: tuple[float, ...] | None = None
    variance_now: float | None = None
    variance_after: float | None = None
    variance_halving: float | None = None

    @property
    def gain_over_halving(self) -> float | None:
        """The share by which the runs leave a smaller sd than halved sizes do; below 0 where halving is better."""
        if self.variance_after is None or self.variance_halving is None:
            return None
        return _saved(self.variance_after, self.variance_halving)


def too_little_is_known(observations: Observations) -> bool:
    """Whether the model that groups share was trained on too few compositions for draws to tell which run would say
    most, and usual ones are left."""
    if not is_joint(observations) or all(curve is not None for curve in observations.assumed):
        return False
    return len(np.unique(made(observations), axis=0)) < len(NESTED) and bool(_usual_ones(observations))


def usual_plan(observations: Observations, runs: int | None) -> MeasurementPlan:
    """Up to `runs` of the usual training runs of a model that groups share, by default all that were not made yet,
    where `too_little_is_known`. Raises ProblemError where runs is not from 1 to MAX_RUNS.
    """
    _check(runs)
    keys, chosen = observations.keys, _usual_ones(observations)[:runs]
    told = tuple(MeasurementRun(one.counts, one.why(keys)) for one in chosen)
    return MeasurementPlan(keys, tuple(_whole(observations.held).tolist()), told, advice=USUAL, note=None)


def _usual_ones(observations: Observations) -> list[Composition]:
    """The usual runs that were not made yet."""
    return fresh(usual(observations.keys, _whole(observations.held)), made(observations))


def _whole(held: FloatArray) -> IntArray:
    return np.floor(held).astype(np.int64)


def measurement_plan(problem: Problem, observations: Observations, runs: int | None, seed: int) -> MeasurementPlan:
    """Up to `runs` next training runs, most telling first, by default as many as are usual; observations: what the
    problem's posterior was fitted to.

    Variances are estimated over the posterior's draws; as more knowledge never makes the expected variance larger, an
    estimate that rises is taken as no change. Raises ProblemError where runs is not from 1 to MAX_RUNS.
    """
    _check(runs)
    if observations.keys != problem.keys:
        raise ProblemError("the observations' groups are not the problem's, in its order")
    posterior = replace(problem.posterior, warnings=())
    counts, marginals = _marginals(problem)
    held = _whole(problem.held)
    luck, shared = _shared(posterior, observations, problem.held)
    certain = marginals.std(axis=1) <= MARGIN_ROUNDING * np.abs(marginals).max(axis=1)
    spread = np.where(certain | (held == 0), 0.0, marginals.var(axis=1))
    ranked = np.argsort(-spread, kind="stable")[:WATCHED]
    watched = np.sort(ranked[spread[ranked] > 0.0])
    beliefs = [Belief.of(problem.keys[g], marginals[g], float(posterior.noise[g]), float(shared[g])) for g in watched]
    judge = Judge(posterior, held, watched, luck, observations, seed)
    joint = is_joint(observations)
    asked = runs or (len(usual(problem.keys, held)) if joint else len(NESTED))
    if not beliefs or posterior.draws < 2:
        asked = 0
    choose = choose_compositions if joint else choose_sizes
    chosen, variance = choose(judge, beliefs, asked)
    now, after = float(variance[0].sum()), float(variance[-1].sum())
    halving = variance_left(judge, beliefs, halved(observations, held, len(chosen)))
    return MeasurementPlan(
        keys=problem.keys,
        held=tuple(held.tolist()),
        runs=tuple(_run(problem, judge, at, chosen[at], variance) for at in range(len(chosen))),
        advice=_advice(after, halving) if chosen else None,
        note=None if chosen else _note(problem.keys, held, watched),
        recommended=tuple(counts.tolist()),
        variance_now=now,
        variance_after=after,
        variance_halving=halving,
    )


def _check(runs: int | None) -> None:
    """Raises ProblemError where runs is not from 1 to MAX_RUNS."""
    if runs is not None and not 1 <= runs <= MAX_RUNS:
        raise ProblemError(f"runs is {runs}; ask for 1 to {MAX_RUNS}")


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


def _run(problem: Problem, judge: Judge, at: int, run: Composition, variance: list[FloatArray]) -> MeasurementRun:
    before, after = variance[at], variance[at + 1]
    fall = before - after
    place = int(np.argmax(fall))
    group = int(judge.watched[place])
    key, size = problem.keys[group], f"{count(run.counts[group])} of its {count(judge.held[group])} samples"
    if fall[place] <= 0.0:
        reason = "No further run makes the decision clearly more certain."
    else:
        sd = percent(1.0 - float(np.sqrt(after[place] / before[place])))
        reason = f"It tells most about {key}, trained on {size}: its gain per cost will be {sd} less uncertain."
    if is_joint(judge.observations):
        reason = f"{run.why(problem.keys)} {reason}"
    return MeasurementRun(run.counts, reason, float(before.sum()), float(after.sum()))


def _note(keys: tuple[str, ...], held: IntArray, watched: IntArray | FloatArray) -> str:
    """Why there is no run."""
    bare = [key for key, n in zip(keys, held, strict=True) if n == 0]
    if len(bare) == len(keys):
        return "No samples are held, so nothing can be trained on; buy some of each group first."
    if len(watched):
        return "A model was trained on each of the compositions that are considered; buy samples first."
    if bare:
        return f"The other curves are certain, and nothing is held of {listed(bare)}; buy some samples first."
    return "Every group's gain per cost is certain or 0, so no run would change the decision."
