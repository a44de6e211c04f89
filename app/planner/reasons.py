"""Why each group gets what it gets, and why money is left: one plain sentence each."""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.decision import Decision
from app.planner.margins import Margins, room
from app.planner.problem import Task
from app.planner.words import count, money, number, percent


def group_reasons(task: Task, decision: Decision, margins: Margins) -> tuple[str, ...]:
    """One sentence per group in the task's order: what decides."""
    groups = range(len(task.keys))
    if decision.policy != "optimal":
        return tuple(_by_rule(task, decision, margins, group) for group in groups)
    drivers = _drivers(task, decision, margins)
    return tuple(
        _unavailable(task, group)
        or _worthless(task, decision, group)
        or _weighed(task, decision, margins, drivers, group)
        for group in groups
    )


def unspent_reason(task: Task, decision: Decision, margins: Margins) -> str | None:
    """Why money is left, or why nothing is bought; None where there is nothing to explain."""
    if task.market.budget == 0:
        return "The budget is 0, so nothing can be bought."
    if decision.left == 0:
        return None
    if not len(task.sources):
        return "No source sells samples of any group."
    if not margins.open.any():
        return "Every source is at its largest order."
    cheapest = _cheapest_step(task, decision, margins)
    if cheapest is None:
        return "The groups that count are served to their sources' largest orders, or can gain no more."
    if cheapest > decision.left:
        return f"It is less than the cheapest further order, {money(cheapest)}."
    if decision.policy != "optimal":
        return "It does not buy one more step for every group, and this policy favours none."
    if task.utility.objective.stop_ratio > 0.0:
        return "What it could buy goes to groups that stop_ratio leaves at rest."
    return "More samples would not raise the utility."


def _cheapest_step(task: Task, decision: Decision, margins: Margins) -> int | None:
    """Least cost in millionths of a further order for a group that can gain, None where there is none."""
    gains = margins.after > 0.0 if decision.policy == "optimal" else np.ones_like(margins.open)
    costs = [
        source.unit_cost * (source.lot_size if order > 0 else source.least)
        for source, order, free, group in zip(
            task.sources, decision.orders, room(task, decision.orders), task.market.group, strict=True
        )
        if free and gains[group]
    ]
    return min(costs, default=None)


def _unavailable(task: Task, group: int) -> str | None:
    """Why nothing can be bought for the group at all, whatever it is worth."""
    market = task.market
    own = np.flatnonzero(market.group == group)
    if not len(own):
        return "No source sells samples of it."
    if market.budget == 0:
        return "There is no money to spend."
    if all(task.sources[at].cap == 0 for at in own):
        return "Its sources sell less than their smallest order."
    if not market.most[own].any():
        smallest = min(task.sources[at].least * task.sources[at].unit_cost for at in own)
        return f"Its smallest order costs {money(smallest)}, more than the budget."
    return None


def _worthless(task: Task, decision: Decision, group: int) -> str | None:
    """Why the objective wants nothing for the group."""
    if not task.utility.counted[group]:
        return "Its weight is 0, so it does not count."
    if decision.added[group] == 0 and decision.now.slope[group] <= 0.0:
        return "Saturation: its curve is at its floor, and more samples change nothing."
    return None


def _weighed(task: Task, decision: Decision, margins: Margins, drivers: dict[str, FloatArray], group: int) -> str:
    added = int(decision.added[group])
    if added and not margins.open[group]:
        return f"Its sources sell no more than {count(added)}, or it would get more."
    if not added and _waits_for_lot(task, decision, group):
        return "Its smallest order would take more money than it is worth here."
    if task.utility.is_level:
        return _leveled(task, decision, margins, group)
    if int((task.utility.counted & task.supplied).sum()) == 1:
        return "It is the only group that counts and can be bought for."
    sign = 1.0 if added else -1.0
    name = max(drivers, key=lambda driver: float(sign * drivers[driver][group]))
    if sign * drivers[name][group] <= 0.05:
        return "It gains about as much per cost as the other groups." if added else "Others gain more per cost."
    return (GAINS if added else LACKS)[name].format(count=count(task.held[group]))


GAINS = {
    "curve": "Its curve is the steeper: a further sample improves it more than others'.",
    "need": "It is served worse than others, which the utility counts more.",
    "weight": "Its weight is above the others'.",
    "price": "Its samples are cheaper than the others'.",
}
LACKS = {
    "curve": "Saturation: its curve is flatter at {count} samples than the others'.",
    "need": "It is served better than others already.",
    "weight": "Its weight is below the others'.",
    "price": "Its samples are dearer than the others'.",
}


def _drivers(task: Task, decision: Decision, margins: Margins) -> dict[str, FloatArray]:
    """Marginal utility per cost now, split into factors: each one's logarithm against the mean of the groups."""
    utility = task.utility
    loss_slope = -utility.posterior.slope(task.held).mean(axis=1) / utility.unit
    live = utility.counted & task.supplied & (decision.now.slope > 0.0) & (loss_slope > 0.0)
    parts = {
        "curve": loss_slope,
        "need": np.divide(decision.now.slope, loss_slope, out=np.ones_like(loss_slope), where=live),
        "weight": utility.emphasis,
        "price": 1.0 / margins.price,
    }
    logs = {name: np.log(part, out=np.zeros_like(part), where=live) for name, part in parts.items()}
    return {name: np.where(live, log - log[live].mean() if live.any() else 0.0, 0.0) for name, log in logs.items()}


def _waits_for_lot(task: Task, decision: Decision, group: int) -> bool:
    own = np.flatnonzero(task.market.group == group)
    wanted = decision.relaxed.orders[own]
    return bool(np.any((wanted >= 1.0) & (wanted < task.market.least[own])))


def _leveled(task: Task, decision: Decision, margins: Margins, group: int) -> str:
    level = number(float(task.metric_at(task.held)[group].mean()))
    if decision.added[group]:
        return f"It is among the worst off, at {level} now."
    utility = task.utility
    fed = decision.added > 0
    if fed.any() and decision.now.value[group] >= decision.after.value[fed & utility.counted].min():
        return f"At {level} it is no worse off than the groups that are raised."
    if utility.objective.stop_ratio > 0.0:
        least = percent(utility.objective.stop_ratio)
        return f"It gains less than {least} per cost of what the best group gains, so stop_ratio leaves it at rest."
    best = float(margins.now.max())
    return "It is among the worst off, but a step costs more than is left." if best else "It cannot gain."


def _by_rule(task: Task, decision: Decision, margins: Margins, group: int) -> str:
    added = int(decision.added[group])
    unavailable = _unavailable(task, group)
    if unavailable:
        return unavailable
    if added and not margins.open[group]:
        return f"The policy would give it more, but its sources sell no more than {count(added)}."
    if decision.policy == "proportional":
        return f"The policy gives counts by weight, and its weight is {percent(float(task.utility.weights[group]))}."
    what = "count" if decision.policy == "equal" else "money"
    return f"The policy gives every group with a source the same {what}."
