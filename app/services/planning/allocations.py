"""The next allocation: rows to the planner, its plan back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from sqlalchemy.orm import Session

from app.planner.arrays import FloatArray
from app.planner.forecasts import rescale
from app.planner.holdouts import worn, worn_groups
from app.planner.information import EvaluationAdvice, evaluation_advice
from app.planner.plan import Band, Plan, StopAdvice, make_plan, stop_advice
from app.planner.policies import PolicyName
from app.planner.problem import Problem
from app.planner.quality import Judged
from app.planner.utility import Metric
from app.planner.verdict import PlanVerdict, Thresholds, judge_plan
from app.planner.wording import Warning
from app.services.computing import Work, computed
from app.services.curves.fit import metric_of
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.ledger.payable import payably
from app.services.licences import Excluded, judge
from app.services.planning.problem import Budget
from app.services.planning.situations import (
    Situation,
    answer_key,
    bound_pointer,
    feasibly,
    refuse_unknown_sources,
    round_budget,
    situation_of,
)
from app.services.planning.verdicts import mixed_unknown, verdicts_of
from app.store.member_rows import AnyGroup, AnySource
from app.store.models.projects import Project

NAMED = 10
"""The most groups or sources that a sentence names."""
PROBABILITIES = np.array([0.05, 0.5, 0.95])


@dataclass(frozen=True)
class AllocationQuestion:
    """What the next allocation depends on beside the data; the defaults are the API's, too.

    `exploration`: the share of the money that goes to where it narrows the decision most; None: the planner's default,
    for groups that may not have started to learn. `hold`: orders of this round that are fixed, by source.
    """

    budget: Decimal | None = None
    policy: PolicyName = "optimal"
    draws: int = DRAWS
    seed: int = SEED
    exploration: float | None = None
    hold: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Allocation:
    """The plan, with what it was made from. `known` is False where nothing at all is known of the metric.

    `verdicts`: by source, whether it is worth its price. `bounds`: JSON pointers of the constraints that bind, with
    their shadow prices. `stop` is None for a project that says neither what utility is worth nor which gain is too
    small. `verdict`: whether to sign it. `names`: of the groups, by key. `evaluation`: by group. `excluded`: the
    sources from which the licence rule allows no order. `worn`: by worn holdout, the groups that it is worn for.
    """

    problem: Problem
    plan: Plan
    round: int
    budget: Budget
    known: bool
    warnings: tuple[Warning, ...]
    bounds: Mapping[str, float]
    verdicts: Mapping[str, Judged]
    verdict: PlanVerdict
    names: Mapping[str, str]
    stop: StopAdvice | None = None
    evaluation: Mapping[str, EvaluationAdvice] = field(default_factory=dict)
    excluded: tuple[Excluded, ...] = ()
    worn: Mapping[str, Sequence[str]] = field(default_factory=dict)


def next_allocation(
    session: Session, fits: Fits, project: Project, question: AllocationQuestion, *, evaluating: bool = True
) -> Allocation:
    """What to buy in the next round; without `evaluating`, no advice on evaluation samples, which costs a plan more.

    Raises Invalid for a project without groups, a budget not to be had, or orders of unknown sources; Infeasible.
    """
    key = answer_key("next", project, [vars(question), evaluating])
    return computed(session, key, allocating(session, fits, project, question, evaluating=evaluating))


def allocating(
    session: Session, fits: Fits, project: Project, question: AllocationQuestion, *, evaluating: bool
) -> Work[Allocation]:
    """What `next_allocation` takes to compute; raises as it does."""
    situation = situation_of(session, fits, project, question.draws, question.seed)
    budget = round_budget(project, situation.holdings, question.budget)
    refuse_unknown_sources(situation.sources, list(question.hold), lambda _: "?hold")

    def plan() -> Allocation:
        problem = situation.problem(budget, question.hold)
        return planned(project, situation, problem, budget, question, evaluating=evaluating)

    return Work(situation.cells, plan)


def planned(
    project: Project,
    situation: Situation,
    problem: Problem,
    budget: Budget,
    question: AllocationQuestion,
    *,
    evaluating: bool = True,
) -> Allocation:
    """The plan for a problem of the project's situation, with all that is said beside it. Raises Infeasible, Conflict
    where the numbers are beyond what can be computed."""
    policy = question.policy if situation.known else "equal_spend"
    exploration = question.exploration if situation.known else 0.0

    def make(problem: Problem) -> Plan:
        return make_plan(problem, policy, exploration=exploration, seed=question.seed)

    plan = feasibly(project, lambda: payably(problem, make))
    plan = widened(plan, metric_of(project), situation.widening)
    rounds = situation.holdings.rounds
    worn_out = worn_for(project, situation, plan)
    excluded, doubted = by_licence(project, situation.sources)
    said = (
        *worn(worn_out),
        *counts_without_purchase(rounds, situation.groups),
        *mixed_unknown(situation.groups, situation.sources, situation.holdings, situation.fitted.learnt),
        *doubted,
    )
    verdicts = verdicts_of(problem, situation.sources, situation.holdings)
    warnings = (*situation.fitted.posterior.warnings, *plan.warnings, *said)
    bounds = {bound_pointer(project, one.constraint): one.shadow_price for one in plan.bounds}
    names = {group.key: group.name or group.key for group in situation.groups}
    thresholds = Thresholds(**(project.verdict_thresholds or {}))
    if not situation.known:
        unknown = PlanVerdict("measure")
        return Allocation(
            problem, plan, rounds + 1, budget, False, warnings, {}, verdicts, unknown, names, excluded=excluded
        )
    advised = evaluation_advice(problem, situation.fitted.observations, plan.optimum) if evaluating else ()
    evaluation = {advice.key: advice for advice in advised}
    stop = stop_of(project, problem)
    verdict = judge_plan(problem, plan, warnings, stop, thresholds)
    return Allocation(
        problem, plan, rounds + 1, budget, True, warnings, bounds, verdicts, verdict, names, stop, evaluation, excluded,
        worn_out,
    )  # fmt: skip


def doubts_by_group(allocation: Allocation) -> dict[str, list[Warning]]:
    """What to doubt of each group, by its key: of its curve and of what the plan makes of it."""
    found: dict[str, list[Warning]] = {}
    for one in allocation.warnings:
        if one.group is not None:
            found.setdefault(one.group, []).append(one)
    return found


def worn_for(project: Project, situation: Situation, plan: Plan) -> dict[str, list[str]]:
    """By worn holdout that the project has not retired, the groups that it is worn for."""
    said, codes = project.retired_holdouts or {}, situation.fitted.holdouts
    names = {code: name for name, code in codes.items() if not said.get(name, {}).get("retired")}
    compared = {code: count for code, count in situation.compared.items() if code in names}
    targets = {group.key: group.target for group in situation.groups}
    found = worn_groups(situation.fitted.observations, compared, plan, targets)
    return {names[code]: keys for code, keys in found.items()}


def named(keys: Sequence[str]) -> str:
    """The keys as a sentence lists them."""
    return ", ".join(keys[:NAMED]) + (f" and {len(keys) - NAMED} more" if len(keys) > NAMED else "")


def counts_without_purchase(rounds: int, groups: Sequence[AnyGroup]) -> list[Warning]:
    """Counts that rose since the first run while nothing was bought: the budget does not know what they cost."""
    raised = [
        group.key
        for group in groups
        if group.first_run_count is not None and group.initial_count > group.first_run_count
    ]
    if rounds or not raised:
        return []
    detail = (
        "initial_count was raised after the first run, but nothing was bought, so the whole budget is still to be"
        f" spent: {named(raised)}. If these samples were bought for this budget, set initial_count back and record them"
        " by POST …/purchases, which counts them and spends their cost."
    )
    return [Warning("counts_without_purchase", detail)]


def by_licence(project: Project, sources: Sequence[AnySource]) -> tuple[tuple[Excluded, ...], list[Warning]]:
    """The sources that the licence rule excludes, and one warning for those whose terms it lets pass unspecified."""
    if project.licence_rule is None:
        return (), []
    verdicts = [(source.key, *judge(project.licence_rule, source)) for source in sources]
    excluded = tuple(Excluded(key, because) for key, because, _ in verdicts if because)
    doubted = [key for key, because, doubts in verdicts if doubts and not because]
    if not doubted:
        return excluded, []
    detail = (
        f"What the licence rule requires is not specified for {named(doubted)}: their orders are allowed because the"
        " rule only warns. Settle their terms before you train on what they deliver."
    )
    return excluded, [Warning("licence_unspecified", detail)]


def stop_of(project: Project, problem: Problem) -> StopAdvice | None:
    """How much of the money is worth spending, where the project says what its worth is measured by."""
    value, gain = project.value_per_utility, project.smallest_gain
    if value is None and gain is None:
        return None
    return stop_advice(problem, None if value is None else float(value), gain)


def widened(plan: Plan, metric: Metric, factors: FloatArray) -> Plan:
    """The plan with its metrics' bands as the record of past forecasts says they should be."""
    if np.all(factors == 1.0):
        return plan
    groups = [
        replace(
            group,
            metric_now=widened_band(group.metric_now, metric, factors),
            metric_after=widened_band(group.metric_after, metric, factors),
        )
        for group in plan.groups
    ]
    return replace(plan, groups=tuple(groups))


def widened_band(band: Band, metric: Metric, factors: FloatArray) -> Band:
    quantiles = np.array([band.p05, band.p50, band.p95])
    p05, p50, p95 = metric.within(rescale(PROBABILITIES, quantiles, factors)).tolist()
    return replace(band, p05=p05, p50=p50, p95=p95)
