"""Tables of what is planned and of what it is planned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from app.money import amount
from app.planner.curves import Diagnostics, Posterior
from app.planner.information import MeasurementRun
from app.planner.plan import GroupPlan, Interval, SourcePlan, StakeholderShare
from app.planner.utility import Metric
from app.planner.wording import Warning
from app.services.computing import Work, computed
from app.services.curves.fit import metric_of
from app.services.curves.readings import standard_error
from app.services.curves.runs import reading_of
from app.services.exports.columns import (
    Content,
    ends_of,
    ends_of_summary,
    group_key,
    group_name,
    interval,
    keys_in_one,
    within,
)
from app.services.exports.dossier import Dossier
from app.services.forecasts.curves import Summary, bands_at, chance_reachable, counts_now, parameters_of
from app.services.ledger.holdings import Stock
from app.services.ledger.terms import price_of
from app.services.planning.allocations import doubts_by_group
from app.services.planning.scenarios import ScenarioResult
from app.services.planning.situations import answer_key
from app.services.projects.sources import lot_of
from app.store.member_rows import AnyGroup
from app.tables.shape import Column

STOCK: Sequence[Column[GroupPlan | Stock]] = (
    Column("count", "count", "samples held now, counted as clean ones", lambda one: one.count),
    Column("pending", "count", "clean samples that open orders will still bring", lambda one: one.pending),
    Column("raw_count", "count", "samples held now, whatever their quality", lambda one: one.raw_count),
    Column("raw_pending", "count", "samples of any quality that open orders will still bring",
           lambda one: one.raw_pending),
)  # fmt: skip
"""What is had and awaited of a group, in the words of every table."""


def allocation_table(dossier: Dossier) -> Content[GroupPlan]:
    allocation, currency, metric = dossier.allocation, dossier.project.currency, dossier.project.metric_name
    told = warnings_by_group(dossier)
    return [
        group_key(lambda one: one.key),
        group_name(lambda one: dossier.names[one.key]),
        within(lambda one: one, STOCK),
        Column("add", "count", "samples to add in this round", lambda one: one.add, summed=True),
        Column("count_after", "count", "clean samples with what is awaited and added", lambda one: one.count_after),
        Column("cost", "money", f"what they cost, {currency}", lambda one: amount(one.cost), summed=True),
        within(lambda one: one if allocation.known else None, [
            interval("metric_now", f"{metric} with what is held and awaited", lambda one: ends_of(one.metric_now)),
            interval("metric_after", f"{metric} once the plan has come", lambda one: ends_of(one.metric_after)),
            Column("marginal_utility_per_cost_now", "number", f"utility per {currency} spent on the group now",
                   lambda one: one.marginal_now),
            Column("marginal_utility_per_cost_after", "number",
                   f"utility per {currency} spent on it after the plan", lambda one: one.marginal_after),
        ]),
        Column("reason", "long text", "why the group gets what it gets", lambda one: one.reason),
        Column("warnings", "long text", "what to check before relying on the row",
               lambda one: " ".join(told.get(one.key, ()))),
    ], allocation.plan.groups  # fmt: skip


def warnings_by_group(dossier: Dossier) -> dict[str, list[str]]:
    return {key: [one.detail for one in found] for key, found in doubts_by_group(dossier.allocation).items()}


def sources_table(dossier: Dossier) -> Content[SourcePlan]:
    currency = dossier.project.currency
    why_excluded = {one.source: ", ".join(map(str, one.because)) for one in dossier.allocation.excluded}
    return [
        Column("source", "text", "key of the source", lambda one: one.key),
        Column("name", "text", "name of the source", lambda one: dossier.sources[one.key].name),
        Column("groups", "text", "keys of the groups it feeds, parted by blanks, quoted where they hold some",
               lambda one: keys_in_one(one.groups)),
        Column("order", "count", "samples to order in this round", lambda one: one.order, summed=True),
        Column("cost", "money", f"what the order costs, {currency}", lambda one: amount(one.cost), summed=True),
        within(lambda one: dossier.sources[one.key], [
            Column("unit_cost", "money", f"price of a sample, before tiers, {currency}", price_of),
            Column("fixed_cost", "money", f"price of ordering at all, {currency}", lambda it: it.fixed_cost),
            Column("min_order", "count", "least order", lambda it: it.min_order),
            Column("max_order", "count", "largest order", lambda it: it.max_order),
            Column("lot_size", "count", "orders are whole lots of so many samples", lot_of),
            Column("acceptance_rate", "share", "share of delivered samples that passes review, as stated",
                   lambda it: it.acceptance_rate),
            Column("lead_time_days", "count", "days from order to delivery", lambda it: it.lead_time_days),
            Column("license", "text", "the licence that it delivers under", lambda it: it.license),
            Column("method", "text", "how its samples come to be", lambda it: it.method),
        ]),
        within(lambda one: dossier.allocation.verdicts[one.key], [
            interval("quality", "clean samples that an accepted one is worth",
                     lambda it: (it.quality.mean, it.quality.p05, it.quality.p95)),
            Column("verdict", "text", "whether it is worth its price: buy, leave or undecided", lambda it: it.verdict),
            Column("break_even", "money", f"unit price up to which it would be, {currency}",
                   lambda it: None if it.break_even is None else amount(max(0, int(it.break_even.mean)))),
        ]),
        Column("excluded", "text", "why the project's licence rule allows no order",
               lambda one: why_excluded.get(one.key)),
        Column("limits", "text", "what decided the order", lambda one: " ".join(one.binding)),
    ], dossier.allocation.plan.sources  # fmt: skip


@dataclass(frozen=True)
class Learned:
    """A group's curve: the metric where it stands now, its parameters, and the samples that its target needs."""

    now: Summary
    exponent: Summary
    floor: Summary
    needed: float | None
    reachable: float | None


@dataclass(frozen=True)
class Newest:
    """The newest run in which a group was measured, and the count it was trained on."""

    value: float
    stderr: float | None
    count: int


@dataclass(frozen=True)
class Standing:
    """Where a group stands. `curve`: None where nothing is known of the metric. `data`: what the curve is fitted to."""

    group: AnyGroup
    stock: Stock
    curve: Learned | None
    newest: Newest | None
    data: Diagnostics


def groups_table(dossier: Dossier) -> Content[Standing]:
    metric = dossier.project.metric_name
    return [
        group_key(lambda one: one.group.key),
        group_name(lambda one: one.group.name),
        Column("weight", "number", "weight in the objective", lambda one: one.group.weight),
        Column("target", "number", f"{metric} to reach", lambda one: one.group.target),
        Column("parent", "text", "key of the group it learns from", lambda one: one.group.parent),
        Column("unit_cost", "money", f"price of a sample from the source of its own key, {dossier.project.currency}",
               lambda one: own_price(dossier, one.group)),
        Column("initial_count", "count", "samples held before the first round", lambda one: one.group.initial_count),
        Column("min_count", "count", "least to hold after buying", lambda one: one.group.min_count),
        Column("max_count", "count", "most to hold after buying", lambda one: one.group.max_count),
        within(lambda one: one.stock, STOCK),
        within(lambda one: one.curve, [
            interval("metric_now", f"{metric} with what is held and awaited", lambda it: ends_of_summary(it.now)),
            interval("exponent", "exponent of the learning curve", lambda it: ends_of_summary(it.exponent)),
            interval("floor", f"{metric} that no amount of data passes", lambda it: ends_of_summary(it.floor)),
            Column("samples_to_target_p50", "number", "median of the samples at which the target is reached",
                   lambda it: it.needed),
            Column("chance_reachable", "share", "chance that endless data reaches the target",
                   lambda it: it.reachable),
        ]),
        within(lambda one: one.newest, [
            Column("measured", "number", f"{metric} in the newest run", lambda it: it.value),
            Column("measured_stderr", "number", "its standard error", lambda it: it.stderr),
            Column("measured_at_count", "count", "samples of the group that the run was trained on",
                   lambda it: it.count),
        ]),
        Column("points", "count", "runs in which the group was measured", lambda one: one.data.points),
        Column("distinct_sizes", "count", "different counts among them", lambda one: one.data.distinct_sizes),
        Column("largest_count", "count", "the largest of these", lambda one: one.data.largest_count),
        Column("holdouts", "count", "holdouts it was scored on", lambda one: one.data.holdouts),
    ], standings(dossier)  # fmt: skip


def own_price(dossier: Dossier, group: AnyGroup) -> Decimal | None:
    source = dossier.sources.get(group.key)
    return None if source is None else source.unit_cost


def standings(dossier: Dossier) -> list[Standing]:
    situation = dossier.situation
    stocks = [situation.holdings.stock(group) for group in situation.groups]
    newest = newest_readings(dossier)
    curves: Sequence[Learned | None] = [None] * len(stocks)
    if situation.known:
        key = answer_key("learned", dossier.project, [dossier.question.draws, dossier.question.seed])
        curves = computed(dossier.session, key, Work(situation.cells, lambda: learned(dossier, stocks)))
    diagnostics = situation.fitted.posterior.diagnostics
    return [
        Standing(group, stock, curve, newest.get(group.key), data)
        for group, stock, curve, data in zip(situation.groups, stocks, curves, diagnostics, strict=True)
    ]


def learned(dossier: Dossier, stocks: Sequence[Stock]) -> list[Learned]:
    situation, metric = dossier.situation, metric_of(dossier.project)
    counts = counts_now(stocks)
    posterior = situation.fitted.posterior.moved(counts)
    bands = bands_at(posterior, metric, counts[:, None], situation.widening)
    return [
        learned_of(posterior.select(np.array([place])), metric, group, now)
        for place, (group, [now]) in enumerate(zip(situation.groups, bands, strict=True))
    ]


def learned_of(one: Posterior, metric: Metric, group: AnyGroup, now: Summary) -> Learned:
    """`one` is the group's own posterior."""
    known = parameters_of(one, metric, group)
    needed = known.get("samples_to_target")
    return Learned(
        now=now,
        exponent=known["exponent"],
        floor=known["asymptote"],
        needed=None if needed is None else needed.quantiles["p50"],
        reachable=chance_reachable(one, metric, group),
    )


def newest_readings(dossier: Dossier) -> dict[str, Newest]:
    found, runs = {}, dossier.fitted_runs
    for group in dossier.groups:
        measured = runs.measured(group.key)
        if len(measured):
            row = int(max(measured, key=lambda one: (runs.observed[one], one)))
            reading = reading_of(runs, row, group.key)
            error = standard_error(dossier.project, reading)
            found[group.key] = Newest(reading.value, error, int(runs.column("counts", group.key)[row]))
    return found


def budgets_table(dossier: Dossier) -> Content[dict[str, Any]]:
    found, currency = dossier.budgets, dossier.project.currency
    return [
        Column("budget", "money", f"money of the round, {currency}", lambda row: row["budget"]),
        Column("chosen", "count", "1 for the budget of this plan", lambda row: int(row["budget"] == found.chosen)),
        interval("utility", "utility after the round", lambda row: ends_of(Interval(**row["utility"]))),
        interval("utility_equal_counts", "utility had every group got the same count",
                 lambda row: ends_of(Interval(**row["equal"]))),
        Column("chance_all_targets", "share", "chance that every group with a target reaches it",
               lambda row: row["chance"]),
    ], found.rows  # fmt: skip


def stakeholders_table(dossier: Dossier) -> Content[StakeholderShare]:
    allocation = dossier.allocation
    return [
        Column("stakeholder", "text", "name of the stakeholder", lambda one: one.name),
        Column("share", "number", "of what it would gain were the plan made for it alone; empty: nothing to gain",
               lambda one: one.share if allocation.known else None),
    ], allocation.plan.stakeholders  # fmt: skip


def scenarios_table(dossier: Dossier) -> Content[ScenarioResult]:
    outcomes, currency = dossier.outcomes, dossier.project.currency
    return [
        Column("scenario", "text", "name of the scenario", lambda one: one.scenario.name),
        Column("policy", "text", "how the money is split; empty where the orders were typed in", policy_of),
        Column("objective", "text", "what it aims at",
               lambda one: one.scenario.project.get("objective", dossier.project.objective)["kind"]),
        Column("budget", "money", f"money to spend, {currency}", lambda one: one.budget.available),
        Column("spend", "money", f"money spent, {currency}", lambda one: amount(one.plan.spend) if one.plan else None),
        interval("utility", "utility after the round, by the scenario's own objective",
                 lambda one: ends_of(one.plan.utility.after) if one.plan and one.known else None),
        within(lambda one: one.gain, [
            interval("difference",
                     "utility by the first scenario's objective, less the first's, over the same draws", ends_of),
            Column("p_better", "share", "chance to be better than the first", lambda gain: gain.p_better),
        ]),
        Column("infeasible", "long text", "what leaves the scenario without a plan", culprits_of),
    ], outcomes  # fmt: skip


def policy_of(one: ScenarioResult) -> str | None:
    if one.scenario.orders is not None:
        return None
    return one.plan.policy if one.plan else one.scenario.policy


def culprits_of(one: ScenarioResult) -> str | None:
    return None if one.plan else " ".join(f"{fault.pointer}: {fault.detail}" for fault in one.culprits)


def scenario_groups_table(dossier: Dossier) -> Content[tuple[ScenarioResult, GroupPlan]]:
    outcomes, metric = dossier.outcomes, dossier.project.metric_name
    return [
        Column("scenario", "text", "name of the scenario", lambda one: one[0].scenario.name),
        group_key(lambda one: one[1].key),
        group_name(lambda one: dossier.names[one[1].key]),
        Column("add", "count", "samples it adds", lambda one: one[1].add),
        Column("cost", "money", f"what they cost, {dossier.project.currency}", lambda one: amount(one[1].cost)),
        interval("metric_after", f"{metric} after it",
                 lambda one: ends_of(one[1].metric_after) if one[0].known else None),
    ], ((outcome, group) for outcome in outcomes if outcome.plan for group in outcome.plan.groups)  # fmt: skip


def measurement_table(dossier: Dossier) -> Content[tuple[int, str, int, MeasurementRun]]:
    plan = dossier.measurements
    return [
        Column("run", "count", "number of the training run, the most telling first", lambda one: one[0]),
        group_key(lambda one: one[1]),
        group_name(lambda one: dossier.names[one[1]]),
        Column("samples", "count", "samples of the group to train on", lambda one: one[2]),
        within(lambda one: one[3], [
            Column("variance_before", "number", "expected variance of the margins before the run",
                   lambda run: run.variance_before),
            Column("variance_after", "number", "and after it", lambda run: run.variance_after),
            Column("reason", "long text", "what the run tells", lambda run: run.reason),
        ]),
    ], (
        (number, key, int(count), run)
        for number, run in enumerate(plan.runs, 1)
        for key, count in zip(plan.keys, run.counts, strict=True)
    )  # fmt: skip


def warnings_table(dossier: Dossier) -> Content[Warning]:
    return [
        Column("code", "text", "what kind of warning it is (docs/warnings.md)", lambda one: one.code),
        group_key(lambda one: one.group),
        Column("source", "text", "key of the source", lambda one: one.source),
        Column("detail", "long text", "what is to be doubted, and what to do", lambda one: one.detail),
    ], dossier.allocation.warnings
