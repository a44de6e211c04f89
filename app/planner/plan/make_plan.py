"""A problem in, a plan with its reasons out (method.md 6, 8 and 9)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.errors import ProblemError
from app.planner.plan.compare import Outlooks, gain_of
from app.planner.plan.decide import Decision, decide
from app.planner.plan.exploration import decide_exploring
from app.planner.plan.margins import Margins, room
from app.planner.plan.plan import (
    Band,
    GroupPlan,
    Optimality,
    Plan,
    Relaxed,
    SourcePlan,
    StakeholderShare,
    UtilitySummary,
)
from app.planner.plan.reasons import group_reasons, unspent_reason
from app.planner.plan.shadow_prices import bound_prices
from app.planner.plan.warnings import plan_warnings
from app.planner.plan.worth import simple_rules
from app.planner.policies.policy import PolicyName
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.problem.problem import Problem
from app.planner.quantiles import quantiles
from app.planner.relaxation.certificate import level_multiplier
from app.planner.relaxation.compromise import parties_of, shares
from app.planner.wording import MILLIONTHS


def make_plan(
    problem: Problem, policy: PolicyName = "optimal", *, exploration: float | None = None, seed: int = 0
) -> Plan:
    """The plan of `policy` for the problem; the same inputs give the same plan, bit for bit. seed: of `thompson`.

    exploration: the share of the budget that is spent where it narrows the decision most; None: a small one where
    groups may not have started to learn.
    Raises InfeasibleError with every constraint that cannot be met, SolverError where numbers lie too far apart.
    """
    decision, explored = decide_exploring(problem, policy, exploration, seed)
    plan = _plan(problem, decision)
    return replace(plan, explored=explored, draw_seed=seed if policy == "thompson" else None)


def evaluate(problem: Problem, orders: Mapping[str, int]) -> Plan:
    """What orders by source, typed in by hand, lead to; sources left out get 0. The gap is to the best orders.

    Raises InfeasibleError where they break the budget, a bound or a limit, ProblemError where a source is unknown.
    """
    unknown = sorted(set(orders) - {source.key for source in problem.sources})
    if unknown:
        raise ProblemError(f"no source is called {', '.join(unknown)}; order from the problem's sources")
    fixed = [replace(source, fixed_order=orders.get(source.key, 0)) for source in problem.sources]
    check_feasible(Canonical.of(replace(problem, sources=tuple(fixed))))
    return _plan(problem, decide(Canonical.of(problem), "given", given=orders))


def _plan(problem: Problem, decision: Decision) -> Plan:
    form = decision.form
    margins = Margins.of(form, decision)
    reason = unspent_reason(form, decision, margins)
    metric_now = form.metric_at(form.held)
    groups = _group_plans(form, decision, margins, metric_now)
    sources = _source_plans(form, decision)
    relaxed = np.empty(len(form.sources))
    relaxed[form.market.order] = decision.relaxed.orders
    optimum = None if decision.optimum is None else np.empty(len(form.keys))
    if optimum is not None:
        optimum[form.order] = decision.optimum
    bound_gain = max(0.0, decision.relaxed.bound - decision.relaxed.utility)
    return Plan(
        policy=decision.policy,
        groups=tuple(groups[key] for key in problem.keys),
        sources=tuple(sources[source.key] for source in problem.sources),
        spend=problem.budget - decision.left,
        unspent=decision.left,
        unspent_reason=reason,
        utility=_utilities(form, decision, problem.widening),
        shadow_price=_shadow_price(form, decision, margins),
        optimality=Optimality(decision.gap, decision.method, decision.proof),
        relaxed=Relaxed(relaxed, decision.relaxed.utility, bound_gain),
        warnings=plan_warnings(form, decision, margins, metric_now, reason),
        bounds=bound_prices(form, decision),
        optimum=optimum,
        stakeholders=_stakeholders(problem, decision),
    )


def _stakeholders(problem: Problem, decision: Decision) -> tuple[StakeholderShare, ...]:
    if not problem.stakeholders:
        return ()
    form = Canonical.of(problem)
    found = shares(form, parties_of(form), decision.counts)
    return tuple(StakeholderShare(one.name, share) for one, share in zip(problem.stakeholders, found, strict=True))


def _group_plans(form: Canonical, decision: Decision, margins: Margins, metric_now: FloatArray) -> dict[str, GroupPlan]:
    now, after = _bands(metric_now), _bands(form.metric_at(decision.counts))
    reasons = group_reasons(form, decision, margins, metric_now.mean(axis=1))
    cost = form.spent_on(decision.spent)
    return {
        key: GroupPlan(
            key=key,
            **_counts(form, decision, at),
            add=round(float(decision.accepted[at])),
            cost=round(float(cost[at])),
            metric_now=now[at],
            metric_after=after[at],
            marginal_now=float(margins.now[at]) if form.supplied[at] else None,
            marginal_after=float(margins.after[at]) if form.supplied[at] else None,
            reason=reasons[at],
        )
        for at, key in enumerate(form.keys)
    }


def _counts(form: Canonical, decision: Decision, at: int) -> dict[str, int]:
    """The group's counts as `GroupPlan` has them: what is held and what is awaited add up to the rounded sum."""
    count, raw = round(float(form.clean[at])), round(float(form.raw[at]))
    return {
        "count": count,
        "pending": round(float(form.held[at])) - count,
        "count_after": round(float(decision.counts[at])),
        "raw_count": raw,
        "raw_pending": round(float(form.raw[at] + form.pending_raw[at])) - raw,
    }


def _source_plans(form: Canonical, decision: Decision) -> dict[str, SourcePlan]:
    full = ~room(form, decision.orders)
    brings = np.asarray(form.market.brings.sum(axis=0), dtype=np.float64).ravel()
    found = {}
    for at, source in enumerate(form.sources):
        order = int(decision.orders[at])
        found[source.key] = SourcePlan(
            key=source.key,
            groups=tuple(form.keys[group] for group in form.groups_of(at)),
            order=order,
            accepted=round(float(brings[at]) * order),
            cost=int(decision.spent[at]),
            binding=_binding(form, decision, at, bool(full[at])),
        )
    return found


def _binding(form: Canonical, decision: Decision, at: int, full: bool) -> tuple[str, ...]:
    """Which of its limits keep the source's order from being what the plan would make it without them."""
    source, order = form.sources[at], int(decision.orders[at])
    wanted = float(decision.relaxed.orders[at]) if decision.policy == "optimal" else float(order)
    if source.fixed_order is not None:
        return ("fixed_order",)
    if source.excluded:
        return ("licence_rule",)
    binding = []
    if full and (source.cap is None or order + (source.lot_size if order else source.least) <= source.cap):
        binding.append("bounds")
    elif full:
        binding.append("max_order")
    elif order > 0 and decision.relaxed.multiplier != 0.0:
        binding.append("budget")
    if source.least > source.lot_size and order in (0, source.least) and 0.5 < wanted < source.least + 0.5:
        binding.append("min_order")
    if source.lot_size > 1 and order != round(wanted):
        binding.append("lot_size")
    return tuple(binding)


def _utilities(form: Canonical, decision: Decision, widening: float) -> UtilitySummary:
    outlooks = Outlooks.of(form, widening)
    now, after = outlooks.at(form.held), outlooks.at(decision.counts)
    rules = {name: outlooks.at(form.held + form.market.added(orders)) for name, orders in decision.baselines.items()}
    best, equal_ratio = simple_rules(decision, outlooks, after, rules)
    return UtilitySummary(
        now=now.interval,
        after=after.interval,
        equal=rules["equal"].interval,
        equal_spend=rules["equal_spend"].interval,
        proportional=rules["proportional"].interval,
        gain=gain_of(after, now),
        gain_equal=gain_of(rules["equal"], now),
        best_simple_rule=best,
        equal_budget_ratio=equal_ratio,
    )


def _shadow_price(form: Canonical, decision: Decision, margins: Margins) -> float | None:
    open_ = margins.open & form.utility.counted
    if not open_.any():
        return None
    multiplier = decision.relaxed.multiplier * MILLIONTHS / max(form.market.budget, 1)
    if decision.policy != "optimal":
        after = np.where(margins.open, margins.after, 0.0)
        value = decision.after.value
        multiplier = level_multiplier(form.utility, value, after, 1.0) if form.utility.is_level else float(after.max())
    return None if np.isnan(multiplier) else multiplier


def _bands(draws: FloatArray) -> list[Band]:
    """Per group, from predictive draws [groups, draws]."""
    levels = quantiles(draws, (0.05, 0.5, 0.95)).T
    return [
        Band(mean=mean, p05=p05, p50=p50, p95=p95)
        for mean, (p05, p50, p95) in zip(draws.mean(axis=1).tolist(), levels.tolist(), strict=True)
    ]
