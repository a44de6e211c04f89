"""Whether to sign a plan: the first of a few verdicts that holds (method.md 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.planner.plan import Plan, StopAdvice
from app.planner.problem.problem import Problem
from app.planner.utility.metric import Metric
from app.planner.verdict.changes import MetricChanges, MetricScale
from app.planner.verdict.reach import budget_within, stretched
from app.planner.wording import Warning

VerdictKind = Literal["cannot", "keep", "measure", "part", "any", "buy"]
UNMEASURED = ("stale", "no_observations")
"""Warnings of groups whose curve rests on much less than is held."""
LITTLE_OF_THE_METRIC = 0.001
"""Of the metric's span, or of its distance from its one bound: a tenth of a percentage point."""
NEARLY_ALL = 0.95
"""Where so much of the spend is worth its cost, the rest is not worth a word."""


@dataclass(frozen=True)
class Thresholds:
    """From where on a verdict holds.

    measure_share: of the money, to groups whose held samples no run was trained on. part_share: of the money, to one
    group that ends beyond `reach` times what was measured of it. least_difference: in the metric's units, None a
    thousandth of its span. least_chance: that the plan is better than the best simple rule.
    """

    measure_share: float = 0.5
    part_share: float = 0.2
    reach: float = 3.0
    least_difference: float | None = None
    least_chance: float = 0.8


@dataclass(frozen=True)
class PlanVerdict:
    """cannot: the constraints cannot be met, of which no plan tells. keep: the money is not worth spending, or nothing
    can be bought. measure: what is to be bought rests on what was not measured, or gains less than the noise. part: buy
    up to `budget` (millionths), beyond which the `groups` leave what was measured far behind or, without groups, money
    buys less than it costs. any: a simple rule does as well. buy.

    changes: what the plan brings, None where nothing is known of the metric yet. instead: what it brings beside the
    best simple rule for the same money. groups: those that the verdict is about.
    """

    kind: VerdictKind
    changes: MetricChanges | None = None
    instead: MetricChanges | None = None
    groups: tuple[str, ...] = ()
    budget: int | None = None


def judge_plan(
    problem: Problem,
    plan: Plan,
    warnings: Sequence[Warning],
    stop: StopAdvice | None,
    thresholds: Thresholds,
) -> PlanVerdict:
    """The first verdict that holds of a plan by curves that were measured or assumed. warnings: the plan's and its
    curves'."""
    scale = MetricScale.of(problem, plan)
    counts = scale.bought(plan)
    changes = scale.changes(scale.form.held, counts)
    if not plan.spend or (stop is not None and stop.stop):
        return PlanVerdict("keep", changes)
    instead = scale.changes(scale.counts(plan.utility.best_simple_rule.orders), counts)
    unmeasured = _unmeasured(plan, warnings)
    money = {group.key: group.cost for group in plan.groups}
    if sum(money[key] for key in unmeasured) >= thresholds.measure_share * sum(money.values()) and unmeasured:
        return PlanVerdict("measure", changes, instead, unmeasured)
    if any(one.code == "no_gain" for one in warnings):
        return PlanVerdict("measure", changes, instead)
    far = stretched(problem, plan, thresholds.reach, thresholds.part_share)
    if far:
        within = min(budget_within(problem, thresholds.reach, far), plan.spend)
        return PlanVerdict("part" if within else "measure", changes, instead, far, within or None)
    if stop is not None and stop.worth_spending < NEARLY_ALL * plan.spend:
        return PlanVerdict("part", changes, instead, budget=stop.worth_spending)
    if _alike(instead, plan, problem.metric, changes, thresholds):
        return PlanVerdict("any", changes, instead)
    return PlanVerdict("buy", changes, instead)


def _unmeasured(plan: Plan, warnings: Sequence[Warning]) -> tuple[str, ...]:
    """The groups that get money though their samples were never trained on."""
    named = {one.group for one in warnings if one.code in UNMEASURED}
    return tuple(group.key for group in plan.groups if group.cost and group.key in named)


def _alike(instead: MetricChanges, plan: Plan, metric: Metric, changes: MetricChanges, thresholds: Thresholds) -> bool:
    """Whether the best simple rule does as well: on average and for the worst group, or as far as draws can tell."""
    little = thresholds.least_difference
    if little is None:
        bound = metric.upper if metric.goal == "maximize" else metric.lower
        little = LITTLE_OF_THE_METRIC * (metric.span or abs(changes.mean.now - (bound or 0.0)))
    close = max(instead.mean.gain.mean, instead.worst.gain.mean) < little
    return close or plan.utility.best_simple_rule.gain.p_better < thresholds.least_chance
