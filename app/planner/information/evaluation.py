"""Where the holdout's error matters more than further samples: buy evaluation or training (method.md 9)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations, Points
from app.planner.plan.decide import decide
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.wording import number


@dataclass(frozen=True)
class EvaluationAdvice:
    """Whether a group's next samples help the decision more in the holdout or in training.

    evaluation_variance, training_variance: what the holdout's error and what is not known of the curve contribute to
    the variance of the group's part of the utility after the plan (utility²). advice: the larger of the two,
    "neither" where both vanish. enlarge: by which factor the holdout must grow for the two to be equal, None where it
    is large enough. reason: one sentence.
    """

    key: str
    evaluation_variance: float
    training_variance: float
    advice: Literal["evaluation", "training", "neither"]
    enlarge: float | None
    reason: str


def evaluation_advice(
    problem: Problem, observations: Observations, optimum: FloatArray | None = None
) -> tuple[EvaluationAdvice, ...]:
    """Per group of the problem, in its order, what more samples of it would help with.

    optimum [groups]: the counts that the optimal policy recommends, found here where they are not given.

    A group's part of the utility after the plan is V at N, the count that the optimal policy recommends (where it buys
    none, twice what is held). It is uncertain by the level, which the holdout's error s moves as a whole however many
    runs are scored on it, and by what the curve does from the largest measured count n to N, the training error σ of
    the k runs there are, and how far the truth strays. With w φ'/unit the utility per loss,

        evaluation = (w φ'/unit)² s²,    s⁻² = Σ_h s_h⁻² over the group's holdouts,
        training = (w φ'/unit)² (Var[f(n) − f(N)] + Var[δ(N)] + σ²/k).

    Evaluation samples shrink the first, s² as 1 / their number; training samples and their runs the second.
    """
    form = Canonical.of(problem)
    after = decide(form, "optimal").counts if optimum is None else optimum[form.order]
    counts, scale = np.empty(len(form.keys)), np.empty(len(form.keys))
    recommended = np.where(after > form.held, after, 2.0 * np.maximum(form.held, 1.0))
    counts[form.order] = recommended
    scale[form.order] = _utility_per_loss(form, recommended)
    posterior = replace(problem.posterior, warnings=())
    path = posterior.path(counts)
    change = posterior.path(posterior.reference) - path
    strays = posterior.band_from(counts, path) - np.maximum(path, 0.0)
    runs = np.array([max(len(points.counts), 1) for points in observations.points])
    noise = np.array([sd**2 for sd in posterior.noise.tolist()])
    curve = change.var(axis=1) + strays.var(axis=1) + noise / runs
    holdout = holdout_variances(observations.points)
    rows = zip(problem.keys, holdout.tolist(), curve.tolist(), scale.tolist(), strict=True)
    return tuple(_advise(key, error, spread, worth**2) for key, error, spread, worth in rows)


def _utility_per_loss(form: Canonical, counts: FloatArray) -> FloatArray:
    """w φ'/unit [groups] at counts [groups]."""
    utility = form.values.moved(counts)
    worth = utility.worth(utility.posterior.loss(counts))
    return np.asarray(utility.emphasis * worth.mean(axis=1) / utility.unit)


def holdout_variance(points: Points) -> float:
    """s²: what the evaluation errors leave of the level's variance when all holdouts are pooled; 0 where unknown."""
    known = ~np.isnan(points.stderrs) & (points.stderrs > 0.0)
    if not known.any():
        return 0.0
    holdouts = points.holdouts[known]
    squares = [float((points.stderrs[known][holdouts == h] ** 2).mean()) for h in np.unique(holdouts)]
    return 1.0 / sum(1.0 / square for square in squares)


def holdout_variances(points: Sequence[Points]) -> FloatArray:
    """`holdout_variance` of each group [groups]; groups with as many points, all on one holdout, at once."""
    found = np.zeros(len(points))
    alike: dict[int, list[int]] = {}
    for group, one in enumerate(points):
        alike.setdefault(len(one.stderrs), []).append(group)
    for size, groups in alike.items():
        if not size:
            continue
        stderrs, holdouts = (np.stack([getattr(points[g], name) for g in groups]) for name in ("stderrs", "holdouts"))
        plain = (stderrs > 0.0).all(axis=1) & (holdouts == holdouts[:, :1]).all(axis=1)
        place = np.array(groups)
        found[place[plain]] = 1.0 / (1.0 / (stderrs[plain] ** 2).mean(axis=1))
        for group in place[~plain].tolist():
            found[group] = holdout_variance(points[group])
    return found


def _advise(key: str, holdout: float, curve: float, scale: float) -> EvaluationAdvice:
    sds = f"{number(sqrt(holdout))} in the holdout's error, {number(sqrt(curve))} in the curve"
    if holdout <= 0.0 and curve <= 0.0:
        return EvaluationAdvice(key, 0.0, 0.0, "neither", None, "Its curve is taken as certain.")
    if holdout > curve:
        enlarge = holdout / curve if curve > 0.0 else None
        size = f"; a holdout {number(enlarge)} times as large would be as certain as the curve" if enlarge else ""
        reason = f"More evaluation samples help more: its loss is uncertain by {sds}{size}."
        return EvaluationAdvice(key, scale * holdout, scale * curve, "evaluation", enlarge, reason)
    if holdout <= 0.0:
        reason = "Its runs state no evaluation error; state stderr or eval_size to have the holdout judged."
        return EvaluationAdvice(key, 0.0, scale * curve, "training", None, reason)
    reason = f"More training samples help more: its loss is uncertain by {sds}."
    return EvaluationAdvice(key, scale * holdout, scale * curve, "training", None, reason)
