"""The parts that answers about buying are made of."""

import math
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BeforeValidator, Field

from app.api.http.answers import IntervalOut
from app.api.http.shapes import Answer, MoneyOut
from app.money import amount
from app.services.planning import Band, EvaluationAdvice, GroupPlan, Judged, Plan, SourcePlan, StopAdvice, Verdict
from app.services.planning.policies import PolicyName

MOST_MONEY = 10**18
"""Millionths; what is worth more is not told further."""
Exploration = Annotated[float | None, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Policy = Annotated[PolicyName, Query(description="How to split the money: 'optimal', or a policy to compare it with")]


class MetricOut(Answer):
    """The metric in its own units: mean, median and 90 % interval."""

    mean: float
    p05: float
    p50: float
    p95: float


class GainOut(IntervalOut):
    """One utility minus another over the same draws, with the chance `p_better` that it is above 0, never 0 or 1."""

    p_better: float


TimesOut = Annotated[float | None, BeforeValidator(lambda times: None if times == math.inf else times)]


class BudgetRatioOut(Answer):
    """How many times this plan's money a rule would need to reach what the plan reaches: by the expected utilities,
    with a 90 % interval; null: more than 8 times."""

    mean: TimesOut
    p05: TimesOut
    p95: TimesOut


class SimpleRuleOut(Answer):
    """The simple rule (equal counts, equal money, counts by weight) of the highest expected utility for the same money,
    and the plan's gain over it. `finding`: what the plan is worth beside simple rules, in a sentence."""

    policy: PolicyName
    utility: IntervalOut
    gain: GainOut
    budget_ratio: BudgetRatioOut | None
    finding: str


class UtilityOut(Answer):
    """The objective's value now, with this plan, and with each simple rule, over the same draws. `equal_budget_ratio`:
    what equal counts would need to reach the same; null where nothing is bought."""

    now: IntervalOut
    after: IntervalOut
    equal: IntervalOut
    equal_spend: IntervalOut
    proportional: IntervalOut
    best_simple_rule: SimpleRuleOut
    equal_budget_ratio: BudgetRatioOut | None


class MarginalOut(Answer):
    """Utility per currency unit spent on one more sample; null for a group that nothing delivers."""

    now: float | None
    after: float | None


class BudgetShare(Answer):
    """`available`, of which `spend` and `unspent`."""

    available: MoneyOut
    spend: MoneyOut
    unspent: MoneyOut


class OptimalityOut(Answer):
    """How far from the best answer this can be, as a share of the whole gain, by which method it was found, and how
    the gap is known."""

    gap: float
    method: str
    proof: str


class EvaluationOut(Answer):
    """Whether more evaluation samples of the group would help the decision more than more training samples: what each
    contributes to the variance of its part of the utility, and by which factor its holdout would have to grow."""

    advice: Literal["evaluation", "training", "neither"]
    evaluation_variance: float
    training_variance: float
    enlarge: float | None
    reason: str


class GroupPlanOut(Answer):
    """What to add to a group. In clean samples, as curves count them: `count` is held, `pending` is ordered and not
    delivered, `count_after` is both with what the plan adds. Whatever their quality: `raw_count`, `raw_pending`, and
    `add`, the accepted samples that are bought. `metric_now` is that of `count` and `pending`. Metrics, marginals and
    evaluation are null where nothing is known of the metric yet."""

    group: str
    count: int
    pending: int
    count_after: int
    raw_count: int
    raw_pending: int
    add: int
    cost: MoneyOut
    metric_now: MetricOut | None
    metric_after: MetricOut | None
    marginal_utility_per_cost: MarginalOut
    evaluation: EvaluationOut | None
    reason: str


class SourcePlanOut(Answer):
    """What to order where, and how many samples of it are expected to be `accepted`, whatever their quality; `group` is
    null for a source of several. `binding` names the limits that decided it.
    `quality`: clean samples that an accepted one is worth. `break_even`: the unit price up to which it is worth more
    than the cheapest other way to its groups, null where there is none. `verdict`: whether its price lies below that,
    above it, or within what is not known of the quality."""

    source: str
    group: str | None
    order: int
    accepted: int
    cost: MoneyOut
    binding: list[str]
    verdict: Verdict
    break_even: MoneyOut | None
    quality: IntervalOut


class StakeholderShareOut(Answer):
    """How a stakeholder fares under the plan: `share` of what it would gain were the plan made for it alone (1); below
    0 where it loses, null where nothing can be gained or nothing is known of the metric yet."""

    name: str
    share: float | None


class StopOut(Answer):
    """How much of the money is worth spending, and what the whole of it buys: `gain` in utility, `worth` in money
    (null without the project's `value_per_utility`). `stop`: nothing is worth spending."""

    stop: bool
    worth_spending: MoneyOut
    gain: float
    worth: MoneyOut | None
    reason: str


def stakeholder_shapes(plan: Plan, known: bool) -> list[StakeholderShareOut]:
    return [StakeholderShareOut(name=one.name, share=one.share if known else None) for one in plan.stakeholders]


def budget_shape(plan: Plan, available: Decimal) -> BudgetShare:
    return BudgetShare(available=available, spend=amount(plan.spend), unspent=amount(plan.unspent))


def group_shape(group: GroupPlan, known: bool, evaluation: EvaluationAdvice | None) -> GroupPlanOut:
    # Field by field: thousands are made, and looking for each field's owner would take as long as all the rest.
    return GroupPlanOut(
        group=group.key,
        count=group.count,
        pending=group.pending,
        count_after=group.count_after,
        raw_count=group.raw_count,
        raw_pending=group.raw_pending,
        add=group.add,
        cost=amount(group.cost),
        metric_now=metric_shape(group.metric_now) if known else None,
        metric_after=metric_shape(group.metric_after) if known else None,
        marginal_utility_per_cost=MarginalOut(
            now=group.marginal_now if known else None, after=group.marginal_after if known else None
        ),
        evaluation=None if evaluation is None else EvaluationOut.model_validate(evaluation),
        reason=group.reason,
    )


def metric_shape(band: Band) -> MetricOut:
    return MetricOut(mean=band.mean, p05=band.p05, p50=band.p50, p95=band.p95)


def source_plan_shape(one: SourcePlan, judged: Judged) -> SourcePlanOut:
    even = judged.break_even
    return SourcePlanOut(
        source=one.key,
        group=one.groups[0] if len(one.groups) == 1 else None,
        order=one.order,
        accepted=one.accepted,
        cost=amount(one.cost),
        binding=["hold" if name == "fixed_order" else name for name in one.binding],
        verdict=judged.verdict,
        quality=IntervalOut.model_validate(judged.quality),
        break_even=None if even is None else amount(max(0, int(min(even.mean, MOST_MONEY)))),
    )


def stop_shape(advice: StopAdvice | None) -> StopOut | None:
    if advice is None:
        return None
    worth = None if advice.worth is None else amount(round(advice.worth * 1_000_000))
    return StopOut.of(advice, worth_spending=amount(advice.worth_spending), worth=worth)
