"""A problem in, a plan with its reasons out (planner.md 4, 6 and 9).

Notation: k groups in the order of `Problem.keys`; money is in whole millionths of the currency.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.certificate import level_multiplier
from app.planner.decision import Decision, decide
from app.planner.margins import Margins, room
from app.planner.metric import Metric
from app.planner.objective import Objective
from app.planner.policies import Policy
from app.planner.problem import Culprit, InfeasibleError, Limit, Problem, ProblemError, Task
from app.planner.reasons import group_reasons, unspent_reason
from app.planner.remarks import plan_warnings
from app.planner.sources import Source, Tier
from app.planner.warnings import Warning
from app.planner.words import MILLIONTHS

__all__ = [
    "Band", "BoundPrice", "Culprit", "GroupPlan", "InfeasibleError", "Interval", "Limit", "Metric", "Objective",
    "Optimality", "Plan", "Policy", "Problem", "ProblemError", "Relaxed", "Source", "SourcePlan", "Tier",
    "UtilitySummary", "make_plan",
]  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """A mean with the 5 % and 95 % quantiles over draws."""

    mean: float
    p05: float
    p95: float


@dataclass(frozen=True)
class Band:
    """A metric's predictive mean and quantiles, in the metric's units."""

    mean: float
    p05: float
    p50: float
    p95: float


@dataclass(frozen=True)
class UtilitySummary:
    """Utility now, with the plan, and with each baseline, over the same draws.

    p_better_than_equal: share of the draws in which the plan beats equal counts, ties half.
    """

    now: Interval
    after: Interval
    equal: Interval
    equal_spend: Interval
    proportional: Interval
    p_better_than_equal: float


@dataclass(frozen=True)
class Optimality:
    """How far the plan can be from the best one: a proven bound, relative to max(|U* − U(now)|, 1e-9).

    proof: one sentence that says how the gap is known.
    """

    gap: float
    method: str
    proof: str


@dataclass(frozen=True)
class BoundPrice:
    """A constraint that binds, named as in `Culprit`, and what loosening it is worth.

    shadow_price: utility per unit of the constraint, that is per sample, per currency unit, or per 1 of a share.
    """

    constraint: str
    shadow_price: float


@dataclass(frozen=True)
class GroupPlan:
    """One group's part. cost in millionths; marginals in utility per currency unit, None without a source.

    count: held now. pending: expected from orders placed but not delivered; the plan builds on both.
    """

    key: str
    count: int
    pending: int
    add: int
    cost: int
    metric_now: Band
    metric_after: Band
    marginal_now: float | None
    marginal_after: float | None
    reason: str


@dataclass(frozen=True)
class SourcePlan:
    """One source's order in samples, its cost in millionths, and which of its limits decided it."""

    key: str
    group: str
    order: int
    cost: int
    binding: tuple[str, ...]


@dataclass(frozen=True)
class Relaxed:
    """The optimum were samples divisible: orders [sources] in the order of `Problem.sources`, and its utility.

    gap: proven bound on what a better divisible answer could gain, in utility.
    """

    orders: FloatArray
    utility: float
    gap: float


@dataclass(frozen=True)
class Plan:
    """What to buy and why; groups and sources in the order of the problem's.

    spend + unspent = budget, in millionths. shadow_price: utility per further currency unit, None where nothing
    more could be bought. unspent_reason: None where nothing is left. bounds: the constraints that bind.
    """

    policy: Policy
    groups: tuple[GroupPlan, ...]
    sources: tuple[SourcePlan, ...]
    spend: int
    unspent: int
    unspent_reason: str | None
    utility: UtilitySummary
    shadow_price: float | None
    optimality: Optimality
    relaxed: Relaxed
    warnings: tuple[Warning, ...]
    bounds: tuple[BoundPrice, ...] = ()


def make_plan(problem: Problem, policy: Policy) -> Plan:
    """The plan of `policy` for the problem; the same inputs give the same plan, bit for bit."""
    task = Task.of(problem)
    decision = decide(task, policy)
    margins = Margins.of(task, decision)
    reason = unspent_reason(task, decision, margins)
    metric_now = task.metric_at(task.held)
    groups = _group_plans(task, decision, margins, metric_now)
    sources = _source_plans(task, decision)
    relaxed = np.empty(len(task.sources))
    relaxed[task.market.order] = decision.relaxed.orders
    bound_gain = max(0.0, decision.relaxed.bound - decision.relaxed.utility)
    return Plan(
        policy=policy,
        groups=tuple(groups[key] for key in problem.keys),
        sources=tuple(sources[source.key] for source in problem.sources),
        spend=problem.budget - decision.left,
        unspent=decision.left,
        unspent_reason=reason,
        utility=_utilities(task, decision),
        shadow_price=_shadow_price(task, decision, margins),
        optimality=Optimality(decision.gap, decision.method, decision.proof),
        relaxed=Relaxed(relaxed, decision.relaxed.utility, bound_gain),
        warnings=plan_warnings(task, decision, margins, metric_now, reason),
    )


def _group_plans(task: Task, decision: Decision, margins: Margins, metric_now: FloatArray) -> dict[str, GroupPlan]:
    now, after = _bands(metric_now), _bands(task.metric_at(decision.counts))
    reasons = group_reasons(task, decision, margins, metric_now.mean(axis=1))
    market = task.market
    cost = np.zeros(market.groups, dtype=np.int64)
    np.add.at(cost, market.group, decision.orders * market.unit_cost)
    return {
        key: GroupPlan(
            key=key,
            count=round(float(task.raw[at])),
            pending=round(float(task.pending_raw[at])),
            add=int(decision.added[at]),
            cost=int(cost[at]),
            metric_now=now[at],
            metric_after=after[at],
            marginal_now=float(margins.now[at]) if task.supplied[at] else None,
            marginal_after=float(margins.after[at]) if task.supplied[at] else None,
            reason=reasons[at],
        )
        for at, key in enumerate(task.keys)
    }


def _source_plans(task: Task, decision: Decision) -> dict[str, SourcePlan]:
    full = ~room(task, decision.orders)
    found = {}
    for at, source in enumerate(task.sources):
        order = int(decision.orders[at])
        found[source.key] = SourcePlan(
            key=source.key,
            group=task.keys[task.market.group[at]],
            order=order,
            cost=order * source.unit_cost,
            binding=_binding(task, decision, at, bool(full[at])),
        )
    return found


def _binding(task: Task, decision: Decision, at: int, full: bool) -> tuple[str, ...]:
    """Which of its limits keep the source's order from being what the plan would make it without them."""
    source, order = task.sources[at], int(decision.orders[at])
    wanted = float(decision.relaxed.orders[at]) if decision.policy == "optimal" else float(order)
    binding = []
    if full:
        binding.append("max_order")
    elif order > 0 and decision.relaxed.multiplier != 0.0:
        binding.append("budget")
    if source.least > source.lot_size and order in (0, source.least) and 0.5 < wanted < source.least + 0.5:
        binding.append("min_order")
    if source.lot_size > 1 and order != round(wanted):
        binding.append("lot_size")
    return tuple(binding)


def _utilities(task: Task, decision: Decision) -> UtilitySummary:
    utility, market = task.utility, task.market
    now, after = utility.draws(task.held), utility.draws(decision.counts)
    baselines = {name: utility.draws(task.held + market.added(orders)) for name, orders in decision.baselines.items()}
    better = (after > baselines["equal"]) + 0.5 * (after == baselines["equal"])
    return UtilitySummary(
        now=_interval(now),
        after=_interval(after),
        equal=_interval(baselines["equal"]),
        equal_spend=_interval(baselines["equal_spend"]),
        proportional=_interval(baselines["proportional"]),
        p_better_than_equal=float(better.mean()),
    )


def _shadow_price(task: Task, decision: Decision, margins: Margins) -> float | None:
    open_ = margins.open & task.utility.counted
    if not open_.any():
        return None
    multiplier = decision.relaxed.multiplier * MILLIONTHS / max(task.market.budget, 1)
    if decision.policy != "optimal":
        after = np.where(margins.open, margins.after, 0.0)
        value = decision.after.value
        multiplier = level_multiplier(task.utility, value, after, 1.0) if task.utility.is_level else float(after.max())
    return None if np.isnan(multiplier) else multiplier


def _interval(draws: FloatArray) -> Interval:
    p05, p95 = np.quantile(draws, (0.05, 0.95))
    return Interval(mean=float(draws.mean()), p05=float(p05), p95=float(p95))


def _bands(draws: FloatArray) -> list[Band]:
    """Per group, from predictive draws [groups, draws]."""
    quantiles = np.quantile(draws, (0.05, 0.5, 0.95), axis=1).T
    return [
        Band(mean=mean, p05=p05, p50=p50, p95=p95)
        for mean, (p05, p50, p95) in zip(draws.mean(axis=1).tolist(), quantiles.tolist(), strict=True)
    ]
