"""The verdict on a plan as people say it: one sentence, in the metric's own units and in whole money."""

from collections.abc import Sequence
from decimal import Decimal

from app.money import amount
from app.planner.verdict import MetricChange, MetricChanges
from app.services.planning.allocations import Allocation
from app.services.planning.policies import PLAYERS
from app.store.models.projects import Project

NAMED = 2
"""Groups that a sentence names."""
WHOLE = 100
"""From here on sentences leave decimals of money out."""


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
    head = f"Buy a part of round {allocation.round}: {whole(part)} of {money(spend, project.currency)}"
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


def level(project: Project, value: float) -> str:
    """A value of the metric: "88.2 %" where its bounds are 0 and 1, else a number."""
    return f"{100 * value:.1f} %" if in_percent(project) else f"{value:.4g}"


def in_percent(project: Project) -> bool:
    return (project.metric_lower, project.metric_upper) == (0.0, 1.0)


def has_points(project: Project) -> bool:
    """Whether changes are told in points: hundredths of bounds 0 and 1, or of 0 and 100."""
    return in_percent(project) or (project.metric_lower, project.metric_upper) == (0.0, 100.0)


def signed(value: float, decimals: int | None = None) -> str:
    """ "+0.3", "−0.04": three significant digits, or so many decimals, and a digit where they would say nothing."""
    if not value:
        return "no change"
    text = f"{abs(value):.3g}" if decimals is None else f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        text = f"{abs(value):.1g}"
    return f"{'−' if value < 0 else '+'}{Decimal(text):,f}"


def money(value: Decimal, currency: str) -> str:
    return f"{whole(value)} {currency}"


def whole(value: Decimal) -> str:
    """Whole units from a hundred on, two decimals below."""
    return f"{value:,.0f}" if abs(value) >= WHOLE or value == int(value) else f"{value:,.2f}"


def percent(share: float) -> str:
    """Never 0 % or 100 % of what is neither."""
    if 0.0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1.0:
        return "more than 99 %"
    return f"{100 * share:.0f} %"


def listed(allocation: Allocation, keys: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and 3 others"."""
    names = [allocation.names[key] for key in keys]
    more = len(names) - NAMED
    if more > 1:
        return f"{', '.join(names[:NAMED])} and {more} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
