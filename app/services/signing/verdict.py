"""The verdict on a plan as people say it: one sentence, in the metric's own units and in whole money."""

from collections.abc import Sequence
from decimal import Decimal

from app.money import amount, brief
from app.planner.verdict import MetricChange, MetricChanges
from app.services.planning.allocations import Allocation
from app.services.planning.policies import PLAYERS
from app.services.signing.words import has_points, in_percent, money, named, percent, signed
from app.store.models.projects import Project


def verdict_sentence(project: Project, allocation: Allocation) -> str:
    """What to do with the plan, and why, in one sentence."""
    sentence = SENTENCES[allocation.verdict.kind]
    return sentence(project, allocation)


def _keep(project: Project, allocation: Allocation) -> str:
    plan, stop = allocation.plan, allocation.stop
    if not plan.spend or allocation.verdict.changes is None:
        because = (plan.unspent_reason or "there is nothing to buy").rstrip(".")
        return f"Buy nothing in round {allocation.round}: {because[0].lower()}{because[1:]}."
    brings = f"{money(amount(plan.spend), project.currency)} would bring {brought(project, allocation.verdict.changes)}"
    worth = None if stop is None else stop.worth
    if worth is None:
        return f"Do not buy round {allocation.round}: {brings}, less than the least gain worth having."
    return f"Do not buy round {allocation.round}: {brings}, worth {money(Decimal(worth), project.currency)}."


def _measure(project: Project, allocation: Allocation) -> str:
    verdict, plan, metric = allocation.verdict, allocation.plan, project.metric_name
    if verdict.changes is None:
        return f"Measure before you buy: nothing is known of {metric} yet, so post one evaluated run."
    head = f"Measure before you buy round {allocation.round}"
    if not verdict.groups:
        spend = money(amount(plan.spend), project.currency)
        return f"{head}: what {spend} would bring is within the noise of what was measured."
    spent = sum(group.cost for group in plan.groups if group.key in verdict.groups)
    share = "all" if spent >= plan.spend else percent(spent / plan.spend)
    return (
        f"{head}: {share} of the money is for {listed(allocation, verdict.groups)}, of which no run was trained on what"
        " is held. Retrain, post the run, and plan anew."
    )


def _part(project: Project, allocation: Allocation) -> str:
    verdict, spend = allocation.verdict, amount(allocation.plan.spend)
    part = amount(verdict.budget or 0)
    currency = project.currency
    head = f"Buy a part of round {allocation.round}: {brief(part, currency)} of {money(spend, currency)}"
    if not verdict.groups:
        return f"{head}; beyond that the money buys less than it costs."
    return (
        f"{head}, then measure; beyond that {listed(allocation, verdict.groups)} would be far from anything measured."
    )


def _any(project: Project, allocation: Allocation) -> str:
    rule = PLAYERS[allocation.plan.utility.best_simple_rule.policy].lower()
    return f"{_bought(project, allocation)}; it matters little how it is split, {rule} would do as well."


def _buy(project: Project, allocation: Allocation) -> str:
    return f"{_bought(project, allocation)}."


def _bought(project: Project, allocation: Allocation) -> str:
    spend = money(amount(allocation.plan.spend), project.currency)
    changes = allocation.verdict.changes
    gained = "" if changes is None else f", {brought(project, changes)}"
    return f"Buy round {allocation.round}: {spend}{gained}"


SENTENCES = {"keep": _keep, "measure": _measure, "part": _part, "any": _any, "buy": _buy}


def brought(project: Project, changes: MetricChanges) -> str:
    """ "+0.3 points of accuracy on average, +0.7 for the worst group"."""
    mean, worst = improvement(project, changes.mean), improvement(project, changes.worst, bare=True)
    return f"{mean} on average, {worst} for the worst group"


def improvement(project: Project, change: MetricChange, *, bare: bool = False) -> str:
    """By how much the metric moves, with its sign: "+0.3 points of accuracy", "−12 of perplexity"; bare: "+0.3"."""
    points = has_points(project)
    moved = (100.0 if in_percent(project) else 1.0) * (change.after - change.now)
    text = signed(moved, 1) if points else signed(moved)
    return text if bare else f"{text} {'points of ' if points and moved else 'of '}{project.metric_name}"


def listed(allocation: Allocation, keys: Sequence[str]) -> str:
    return named([allocation.names[key] for key in keys])
