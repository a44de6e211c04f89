"""Why each group gets what it gets, and why money is left: one plain sentence each."""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray
from app.planner.plan.decide import Decision
from app.planner.plan.margins import Margins, room, taught
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.wording import count, money, number, percent

SET_BY_HAND = "Its orders were set by hand."
BY_HAND_LEAVE = "The orders that were set by hand leave it."
ALIKE = 0.05
"""Groups whose factors differ by less than this, in logarithms, are said to gain alike."""

NOISY = 0.5
"""Where no factor sets a group further apart than this, in logarithms, what is not known of its curve may decide."""
WORTH_SAYING = 0.01
"""What others' samples do to a group is said from this share of its gain on."""
NOISE_CHANCE = 0.3
"""A group left out gains more than those served in this share of the draws: noise decides."""


@dataclass(frozen=True)
class _View:
    """What the sentences are read from. metric_now: predictive mean [groups]. drivers: see `_drivers`. noisy [groups]:
    see `_noisy`."""

    form: Canonical
    decision: Decision
    margins: Margins
    metric_now: FloatArray
    drivers: dict[str, FloatArray]
    noisy: BoolArray


def group_reasons(form: Canonical, decision: Decision, margins: Margins, metric_now: FloatArray) -> tuple[str, ...]:
    """Per group in canonical order a sentence on what decides, and one on what others' samples do to it where they do.

    metric_now: predictive mean [groups].
    """
    slopes = -form.utility.posterior.slope(form.held)
    noisy = _noisy(slopes, decision, margins)
    view = _View(form, decision, margins, metric_now, _drivers(form, decision, margins, slopes.mean(axis=1)), noisy)
    decide = _weighed if decision.policy == "optimal" else _by_rule
    said = [_unavailable(form, group) or decide(view, group) for group in range(len(form.keys))]
    return tuple(one + more for one, more in zip(said, _from_others(form, decision), strict=True))


def _from_others(form: Canonical, decision: Decision) -> list[str]:
    """Per group, what is bought of others does to it, where it is worth a word: a sentence with a blank before it."""
    if not form.values.crossed or not decision.added.any():
        return [""] * len(form.keys)
    before, after = (form.values.moved(counts).posterior for counts in (form.held, decision.counts))
    now, then = before.loss(form.held).mean(axis=1), after.loss(decision.counts).mean(axis=1)
    # With its own purchases alone.
    alone = before.loss(decision.counts).mean(axis=1)
    return [_shared(*losses) for losses in zip(now.tolist(), alone.tolist(), then.tolist(), strict=True)]


def _shared(now: float, alone: float, then: float) -> str:
    """From a group's loss now, with its own purchases alone, and with all."""
    own, others = now - alone, alone - then
    if others >= WORTH_SAYING * max(now - then, 1e-12):
        return f" Of its gain, {percent(min(others / (now - then), 1.0))} comes from what is bought of others."
    if -others < WORTH_SAYING * max(own, 1e-12):
        return ""
    if own <= -others:
        return " What is bought of others makes it worse."
    return f" What is bought of others takes back {percent(-others / own)} of what its own samples gain."


def unspent_reason(form: Canonical, decision: Decision, margins: Margins) -> str | None:
    """Why money is left, or why nothing is bought; None where there is nothing to explain."""
    if form.market.budget == 0:
        return "The budget is 0, so nothing can be bought."
    if decision.left == 0:
        return None
    if not len(form.sources):
        return "No source sells samples of any group."
    if all(source.fixed_order is not None for source in form.sources):
        return BY_HAND_LEAVE
    if not margins.open.any():
        return "Every source is at its largest order."
    cheapest = _cheapest_step(form, decision, margins)
    if cheapest is None:
        return "The groups that count are served to their sources' largest orders, or can gain no more."
    if cheapest > decision.left:
        return f"It is less than the cheapest further order, {money(cheapest, form.market.payable)}."
    if decision.policy == "given":
        return BY_HAND_LEAVE
    if decision.policy == "optimal" and form.utility.objective.stop_ratio > 0.0:
        return "What it could buy goes to groups that stop_ratio leaves at rest."
    return POLICIES[decision.policy].unspent


def _cheapest_step(form: Canonical, decision: Decision, margins: Margins) -> int | None:
    """Least cost in millionths of a further order for a group that can gain, None where there is none."""
    market, free = form.market, room(form, decision.orders)
    if decision.policy == "optimal":
        groups, sources = market.effective.tocoo().coords
        gaining = np.zeros(len(free), dtype=np.bool_)
        gaining[sources[margins.after[groups] > 0.0]] = True
        free &= gaining
    elif len(free):
        free &= np.diff(market.feeds.indptr) > 0
    steps = np.where(decision.orders > 0, market.lot, market.least)
    costs = [
        market.sources[at].cost(int(decision.orders[at] + steps[at]))
        - market.sources[at].cost(int(decision.orders[at]))
        for at in np.flatnonzero(free).tolist()
    ]
    return min(costs, default=None)


def _unavailable(form: Canonical, group: int) -> str | None:
    """Why nothing can be bought for the group at all, whatever it is worth."""
    market = form.market
    own = form.sources_of(group)
    if not len(own):
        return "No source sells samples of it."
    if market.budget == 0:
        return "There is no money to spend."
    if all(form.sources[at].excluded for at in own):
        return "The licence rule excludes every source of it."
    if all(form.sources[at].cap == 0 for at in own):
        return "Its sources sell less than their smallest order."
    if not market.most[own].any():
        smallest = min(form.sources[at].cost(form.sources[at].least) for at in own)
        return f"Its smallest order costs {money(smallest, market.payable)}, more than the budget."
    return None


def _worthless(form: Canonical, decision: Decision, group: int) -> str | None:
    """Why the objective wants nothing for the group."""
    if not form.utility.counted[group]:
        return "Its weight is 0, so it does not count."
    if decision.added[group] == 0 and decision.now.slope[group] <= 0.0:
        return "Saturation: its curve is at its floor, and more samples change nothing."
    return None


def _for_others(view: _View, group: int) -> str | None:
    """Why samples are bought for a group that by itself can gain nothing that counts."""
    form, decision = view.form, view.decision
    counted, own = form.utility.counted, form.sources_of(group)
    if decision.added[group] <= 0.0 or (counted[group] and decision.now.slope[group] > 0.0):
        return None
    why = "Its own curve is at its floor" if counted[group] else "Its weight is 0"
    lessons = taught(form, form.held, decision.now)[:, group]
    if lessons.max() > 0.0:
        learner = form.keys[int(np.argmax(lessons))]
        return f"{why}; its samples are bought for what they teach others, most of all '{learner}'."
    along = own[decision.orders[own] > 0]
    if any(counted[other] for at in along.tolist() for other in form.groups_of(at).tolist() if other != group):
        return f"{why}; its samples come along from sources of groups that count."
    return None


def _weighed(view: _View, group: int) -> str:
    form, added = view.form, round(float(view.decision.accepted[group]))
    others = (_bounded(view, group) or _for_others(view, group)) if added else None
    if others:
        return others
    worthless = _worthless(form, view.decision, group)
    if worthless:
        return worthless
    bound = _bounded(view, group)
    if bound:
        return bound
    if not added and _waits_for_lot(form, view.decision, group):
        return "Its smallest order would take more money than it is worth here."
    if view.decision.explored is not None and view.decision.explored[group] > 0.0:
        return "It may not have started to learn, and its share goes to finding out."
    if form.utility.is_level:
        return _leveled(view, group)
    if int((form.utility.counted & form.supplied).sum()) == 1:
        return "It is the only group that counts and can be bought for."
    sign = 1.0 if added else -1.0
    name = max(view.drivers, key=lambda driver: float(sign * view.drivers[driver][group]))
    if not added and sign * view.drivers[name][group] <= NOISY and view.noisy[group]:
        return "Noise: in many of the curves that the data allow it would gain more than those that get samples."
    if sign * view.drivers[name][group] <= ALIKE:
        return "It gains about as much per cost as the other groups." if added else "Others gain more per cost."
    return (GAINS if added else LACKS)[name].format(count=count(form.held[group]))


def _bounded(view: _View, group: int) -> str | None:
    """The bound that keeps the group from more, or that makes it get as much as it gets."""
    form, added = view.form, round(float(view.decision.accepted[group]))
    row = next((at for at, bound in enumerate(form.region.bounds) if bound.group == group), None)
    if row is not None:
        raw = form.region.bounds[row].offset
        bought = float(view.decision.accepted[group])
        if view.decision.rows[row] > 0.0 or (not added and form.region.upper[row] <= 0.0):
            return f"Its largest count, {count(raw + form.region.upper[row])}, keeps it from more."
        if view.decision.rows[row] < 0.0 and bought <= form.region.lower[row] + 1.0:
            return f"Its least count, {count(raw + form.region.lower[row])}, decides: money gains more elsewhere."
    if all(form.sources[at].fixed_order is not None for at in form.sources_of(group)):
        return SET_BY_HAND
    if added and not view.margins.open[group]:
        return f"Its sources sell no more than {count(added)}, or it would get more."
    return None


def _noisy(slopes: FloatArray, decision: Decision, margins: Margins) -> BoolArray:
    """Whether each group [groups] gains more per cost than money does where it is spent, in many draws; slopes: the
    fall of its loss per sample now [groups, draws]."""
    mean = slopes.mean(axis=1)
    served = float(margins.after[(decision.added > 0) & margins.open].max(initial=0.0))
    if served <= 0.0:
        return np.zeros(len(mean), dtype=np.bool_)
    falls = mean > 0.0
    relative = slopes / np.where(falls, mean, 1.0)[:, None]
    return np.asarray(falls & ((relative * margins.now[:, None] > served).mean(axis=1) >= NOISE_CHANCE))


GAINS = {
    "curve": "Its curve is steeper: a further sample improves it more than it does the others.",
    "need": "It is worse off than the others, and the utility counts that for more.",
    "weight": "Its weight is above the others'.",
    "price": "Its samples are cheaper than the others'.",
}
LACKS = {
    "curve": "Saturation: its curve is flatter at {count} samples than the others'.",
    "need": "It is better off than the others already.",
    "weight": "Its weight is below the others'.",
    "price": "Its samples are dearer than the others'.",
}


def _drivers(form: Canonical, decision: Decision, margins: Margins, steepness: FloatArray) -> dict[str, FloatArray]:
    """Marginal utility per cost now, split into factors: each one's logarithm against the mean of the groups.

    steepness [groups]: the mean fall of each group's loss per sample now.
    """
    utility = form.utility
    loss_slope = steepness / utility.unit
    live = utility.counted & form.supplied & (decision.now.slope > 0.0) & (loss_slope > 0.0)
    parts = {
        "curve": loss_slope,
        "need": np.divide(decision.now.slope, loss_slope, out=np.ones_like(loss_slope), where=live),
        "weight": utility.emphasis,
        "price": 1.0 / margins.price,
    }
    logs = {name: np.log(part, out=np.zeros_like(part), where=live) for name, part in parts.items()}
    return {name: np.where(live, log - log[live].mean() if live.any() else 0.0, 0.0) for name, log in logs.items()}


def _waits_for_lot(form: Canonical, decision: Decision, group: int) -> bool:
    own = form.sources_of(group)
    wanted = decision.relaxed.orders[own]
    return bool(np.any((wanted >= 1.0) & (wanted < form.market.least[own])))


def _leveled(view: _View, group: int) -> str:
    decision, utility = view.decision, view.form.utility
    level = number(float(view.metric_now[group]))
    if decision.added[group]:
        return f"It is among the worst off, at {level} now."
    fed = (decision.added > 0) & utility.counted
    if fed.any() and decision.now.value[group] >= decision.after.value[fed].min():
        return f"At {level} it is no worse off than the groups that are raised."
    if utility.objective.stop_ratio > 0.0:
        least = percent(utility.objective.stop_ratio)
        return f"It gains less than {least} per cost of what the best group gains, so stop_ratio leaves it at rest."
    return "It is among the worst off, but its next step costs more than is left."


def _by_rule(view: _View, group: int) -> str:
    added = round(float(view.decision.accepted[group]))
    if view.decision.policy == "given":
        return SET_BY_HAND
    if added and not view.margins.open[group]:
        return f"The policy would give it more, but its sources sell no more than {count(added)}."
    weight = percent(float(view.form.utility.weights[group]))
    return POLICIES[view.decision.policy].reason.format(weight=weight)
