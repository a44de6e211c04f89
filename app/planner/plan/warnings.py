"""The warnings that belong to a plan (warnings.md). Each is one sentence that says what to do."""

from dataclasses import replace

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.plan.decide import Decision
from app.planner.plan.extrapolation import extrapolations
from app.planner.plan.margins import Margins, next_prices, room, worth
from app.planner.problem.canonical import Canonical
from app.planner.quantiles import quantiles
from app.planner.relaxation.relax import relax
from app.planner.relaxation.separable import is_separable
from app.planner.utility.objective import Objective
from app.planner.utility.values import Values, is_held
from app.planner.wording import Warning, count, money, near, number, percent

STALE = 1.25
"""Held counts this many times the largest measured one have moved since the last measurement."""
LIKELY_CHANCE, UNLIKELY_CHANCE = 0.9, 0.05
IDLE_SHARE = 0.05
"""Money left that is worth a warning, as a share of the budget."""
HOPELESS = 0.1
"""A group that gains less than this share of the largest gain per cost is hopeless (method.md 5)."""
NOTABLE_SPENDING = 0.01
"""... if it takes more than this share of the money."""
FREER = 1.2
"""A cap or a price decides where without it a sample would be worth this many times what money buys elsewhere."""
NEEDIER = 1.5
"""A group is needier than another where a sample is worth this many times as much to it."""
SLIGHT_MISFIT = 0.01
"""Misfit that takes less than this share of a group's loss is not worth a word."""
SLIGHT_GAIN = 0.01
"""A gain in mean benefit above this is never called noise."""


def plan_warnings(
    form: Canonical, decision: Decision, margins: Margins, metric_now: FloatArray, reason: str | None
) -> tuple[Warning, ...]:
    """All warnings, group by group in the order of keys. metric_now: predictive draws [groups, draws]."""
    found = [*_unsupplied(form), *_targets(form, metric_now), *_stale(form), *_conflicts(form)]
    found += extrapolations(form, decision)
    if decision.policy == "optimal":
        found += [
            *_caps(form, decision, margins),
            *_limits(form, decision),
            *_held(form),
            *_prices(form, decision, margins),
            *_hopeless(form, decision, margins),
        ]
    return (*found, *_explored(form, decision), *_gainless(form, decision), *_idle(form, decision, reason))


def _unsupplied(form: Canonical) -> list[Warning]:
    missing = np.flatnonzero(~form.supplied & form.utility.counted)
    return [
        Warning("no_source", "No source sells samples of it, so it gets none: add one.", group=form.keys[at])
        for at in missing
    ]


def _targets(form: Canonical, metric_now: FloatArray) -> list[Warning]:
    """Targets that are met already, and those that no amount of data is likely to meet."""
    sign = 1.0 if form.metric.goal == "maximize" else -1.0
    best = form.metric.to_metric(form.utility.posterior.parameters()["asymptote"])
    found = []
    for at in np.flatnonzero(np.isfinite(form.targets)):
        target, hurdle, key = float(form.targets[at]), sign * float(form.hurdles[at]), form.keys[at]
        met = float(np.mean(sign * metric_now[at] >= hurdle))
        reachable = float(np.mean(sign * best[at] > hurdle))
        if met >= LIKELY_CHANCE:
            detail = (
                f"It meets its target {number(target)} already (chance {percent(met)}):"
                " raise the target or lower its weight."
            )
            found.append(Warning("target_reached", detail, group=key))
        elif reachable < UNLIKELY_CHANCE:
            detail = (
                f"No amount of data is likely to bring it to its target {number(target)}"
                f" (chance {percent(reachable)}): lower the target or improve the model."
            )
            found.append(Warning("hopeless_target", detail, group=key))
    return found


def _stale(form: Canonical) -> list[Warning]:
    """Groups of which much more is held than any run was trained on."""
    found = []
    for at, diagnostics in enumerate(form.utility.posterior.diagnostics):
        measured, held = diagnostics.largest_count, float(form.clean[at])
        if diagnostics.points and held > STALE * max(measured, 1.0):
            detail = (
                f"{count(held)} samples are held, but no run was trained on more than {count(measured)}:"
                " retrain on what is held and post it before buying more."
            )
            found.append(Warning("stale", detail, group=form.keys[at]))
    return found


def _conflicts(form: Canonical) -> list[Warning]:
    """Groups that a model trained on all fits worse by its misfit than the others' data makes up for."""
    posterior = form.values.moved(form.held).posterior
    transfer = posterior.transfer
    if transfer is None or not transfer.clashes:
        return []
    loss, harm = posterior.loss(form.held).mean(axis=1), transfer.harm(form.held).mean(axis=1)
    brings = replace(posterior, transfer=None).loss(form.held).mean(axis=1) - (loss - harm)
    found = []
    for at in np.flatnonzero((harm > brings) & (harm >= SLIGHT_MISFIT * loss)):
        takes, gives = (percent(max(float(part[at] / loss[at]), 0.0)) for part in (harm, brings))
        detail = (
            f"What one model learns from the other groups does not suit it: misfit makes {takes} of its loss, and"
            f" their data takes {gives} off it. More data is no cure: give the model the"
            " group as a feature, or train it a model of its own."
        )
        found.append(Warning("conflict", detail, group=form.keys[at]))
    return found


def _caps(form: Canonical, decision: Decision, margins: Margins) -> list[Warning]:
    """Sources at their cap although a further sample there would be worth more than money is elsewhere."""
    elsewhere = float(margins.after[margins.open].max(initial=0.0))
    free = np.array([source.fixed_order is None for source in form.sources], dtype=np.bool_)
    full = (decision.orders > 0) & free & ~room(form, decision.orders)
    per_cost = (form.market.effective.T @ worth(form, decision.counts, decision.after)) / next_prices(
        form, decision.orders
    )
    found = []
    for at in np.flatnonzero(full).tolist():
        groups = form.groups_of(at)
        if form.utility.is_level and not _feeds_the_worst(form, decision, groups):
            continue
        if form.sources[at].cap is not None and per_cost[at] > FREER * elsewhere:
            gain = "more than other money buys"
            if elsewhere:
                gain = f"{number(per_cost[at] / elsewhere)} times what money buys elsewhere"
            detail = (
                f"It is at its largest order, {count(decision.orders[at])}, and a further sample would be worth {gain}:"
                " raise the limit or add a source."
            )
            key = form.keys[groups[0]] if len(groups) == 1 else None
            found.append(Warning("bound_binds", detail, group=key, source=form.sources[at].key))
    return found


def _feeds_the_worst(form: Canonical, decision: Decision, groups: IntArray) -> bool:
    worst = decision.after.value[form.utility.counted].min()
    return bool(np.any(decision.after.value[groups] <= worst))


def _limits(form: Canonical, decision: Decision) -> list[Warning]:
    """Bounds of groups and limits over sets that cost utility, with what loosening them by one is worth."""
    found = []
    price = decision.relaxed.multiplier
    for row, (bound, worth_of) in enumerate(zip(form.region.bounds, decision.rows.tolist(), strict=True)):
        if form.region.counts_orders[row]:
            found += _number_of_orders(form, decision, row)
            continue
        if abs(worth_of) <= SLIGHT_GAIN * price * _row_size(form, row) or not price > 0.0:
            continue
        upper = worth_of > 0.0
        edge = form.region.upper[row] if upper else form.region.lower[row]
        limit = edge * bound.unit + bound.offset if bound.share is None else bound.share
        side, change = ("largest", "raise") if upper else ("least", "lower")
        if bound.group is not None:
            detail = f"Its {side} count, {count(limit)}, decides what it gets: {change} it if that is not meant."
            found.append(Warning("bound_binds", detail, group=form.keys[bound.group]))
            continue
        paid = money(round(limit), form.market.payable)
        said = percent(limit) if bound.share is not None else paid if bound.unit > 1.0 else count(limit)
        name = bound.lower.key
        detail = f"The limit {name} is at its {side}, {said}, and costs utility: {change} it if that is not meant."
        found.append(Warning("bound_binds", detail))
    return found


def _number_of_orders(form: Canonical, decision: Decision, row: int) -> list[Warning]:
    """A limit on how many sources get an order, where it is at its edge: it has no price per unit."""
    region = form.region
    value = float(region.values(form.market, decision.orders)[row])
    if value not in (region.lower[row], region.upper[row]):
        return []
    side = "largest" if value == region.upper[row] else "least"
    said = "1 order" if value == 1.0 else f"{count(value)} orders"
    detail = f"The limit {region.bounds[row].lower.key} is at its {side}, {said}: a scenario without it says its cost."
    return [Warning("bound_binds", detail)]


def _row_size(form: Canonical, row: int) -> float:
    """The share of the budget that a unit of a row costs from its cheapest source; a share's: all of it."""
    if form.region.bounds[row].share is not None or form.region.costs[[row]].nnz:
        return 1.0
    entries = form.region.samples[[row]].tocoo()
    sources = entries.coords[1]
    return float((form.market.share[sources] / np.abs(entries.data)).min()) if len(sources) else np.inf


def _held(form: Canonical) -> list[Warning]:
    """What of the objective or the curves the problem is too large or too mixed for."""
    found = []
    if is_held(form.utility):
        detail = (
            "Other groups' data moves the curves, but the problem is too large to plan for it: others' counts are held."
        )
        found.append(Warning("transfer_held", detail))
    if form.utility.is_level and form.utility.objective.stop_ratio > 0.0 and not is_separable(form, form.utility):
        detail = "stop_ratio needs sources that feed one group each at prices that do not fall: maximin is exact here."
        found.append(Warning("stop_ratio_ignored", detail))
    return found


def _prices(form: Canonical, decision: Decision, margins: Margins) -> list[Warning]:
    """The group that gains most per sample gets less than another only because it is dearer."""
    utility = form.utility
    live = utility.counted & form.supplied & (margins.now > 0.0)
    if utility.is_level or not form.market.is_single or not decision.added.any() or not live.any():
        return []
    per_sample = np.where(live, utility.emphasis * decision.now.slope, 0.0)
    needy, served = int(np.argmax(per_sample)), int(np.argmax(decision.added))
    need = per_sample[needy] / per_sample[served] if per_sample[served] else 0.0
    dearer = margins.price[needy] / margins.price[served]
    outweighed = dearer > FREER * need and decision.added[needy] < decision.added[served]
    if need < NEEDIER or not outweighed or not margins.open[needy]:
        return []
    detail = (
        f"A sample of it is worth {number(need)} times one of {form.keys[served]} but costs {number(dearer)} times as"
        " much, so the price decides: look for a cheaper source."
    )
    return [Warning("price_dominates", detail, group=form.keys[needy])]


def _hopeless(form: Canonical, decision: Decision, margins: Margins) -> list[Warning]:
    """Groups that exact maximin feeds though they gain little, and what a milder aversion would do (method.md 5)."""
    utility = form.utility
    if not utility.is_level or utility.objective.stop_ratio > 0.0 or not decision.added.any():
        return []
    able: BoolArray = margins.open & utility.counted
    best = int(np.argmax(np.where(able, margins.after, 0.0)))
    budget = max(form.market.budget, 1)
    spent = form.spent_on(decision.spent / budget)
    named = np.flatnonzero(able & (spent > NOTABLE_SPENDING) & (margins.after < HOPELESS * margins.after[best]))
    if not len(named):
        return []
    other = relax(form, replace(utility, objective=Objective("isoelastic", aversion=5.0))).relaxation
    would = form.spent_on(other.orders * form.market.share)
    ours, theirs = form.metric_at(decision.counts).mean(axis=1), form.metric_at(other.counts).mean(axis=1)
    return [
        Warning(
            "hopeless",
            f"It takes {percent(float(spent[at]))} of the money and gains under a tenth per cost of what"
            f" {form.keys[best]} would; isoelastic with aversion 5 would give it {percent(float(would[at]))}, for"
            f" {near(float(theirs[at]))} instead of {near(float(ours[at]))}, and bring {form.keys[best]} to"
            f" {near(float(theirs[best]))} instead of {near(float(ours[best]))}: use that, or a stop_ratio.",
            group=form.keys[at],
        )
        for at in named
    ]


def _explored(form: Canonical, decision: Decision) -> list[Warning]:
    """Groups that may not have started to learn, and get a share of the money to find out."""
    if decision.explored is None:
        return []
    share, chance = decision.explored / max(form.market.budget, 1), form.utility.posterior.not_started
    return [
        Warning(
            "explored",
            f"It may not have started to learn (chance {percent(float(chance[at]))}), so {percent(float(share[at]))} of"
            " the money goes to finding out: buy that, measure again, or plan with exploration=0.",
            group=form.keys[at],
        )
        for at in np.flatnonzero(share > 0.0)
    ]


def _gainless(form: Canonical, decision: Decision) -> list[Warning]:
    """Even an optimistic gain in mean benefit is small, and smaller than what is not known about today's."""
    if not decision.added.any():
        return []
    plain = replace(form.utility, objective=Objective("utilitarian"))
    values = Values.of(plain, form.order)
    now = values.moved(form.held).draws(form.held)
    gain = float(quantiles(values.moved(decision.counts).draws(decision.counts) - now, (0.95,))[0])
    if gain > max(min(float(now.std()), SLIGHT_GAIN), 1e-9):
        return []
    detail = (
        f"What it buys raises the mean benefit by {number(max(gain, 0.0))} at best, within the noise of today's"
        f" {number(float(now.mean()))} ± {number(float(now.std()))}: measure again, or keep the money."
    )
    return [Warning("no_gain", detail)]


def _idle(form: Canonical, decision: Decision, reason: str | None) -> list[Warning]:
    if decision.policy != "optimal" or decision.left == 0 or decision.left < IDLE_SHARE * form.market.budget:
        return []
    why = reason[0].lower() + reason[1:].rstrip(".") if reason else "nothing could be bought"
    advice = "raise the limits or add sources" if "largest" in why else "keep it for a larger round"
    return [Warning("budget_unspent", f"{money(decision.left, form.market.payable)} is not spent: {why}; {advice}.")]
