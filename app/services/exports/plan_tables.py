"""Tables of what is planned and of what it is planned from."""

from collections.abc import Iterator, Sequence

import numpy as np

from app.money import amount
from app.planner.arrays import FloatArray
from app.services.curves.curves import Summary, finite, summary, widened
from app.services.curves.fit import metric_of, runs_of
from app.services.curves.readings import Reading, standard_error
from app.services.exports.dossier import Dossier
from app.services.ledger.holdings import held_of
from app.services.planning.allocations import Plan
from app.services.planning.scenarios import ScenarioResult
from app.store.models.projects import Source
from app.tables.shape import Cell, Column, Content, Kind, Row

GROUP = Column("group", "text", "key of the group")
NAME = Column("name", "text", "name of the group")


def interval(name: str, of: str, kind: Kind = "number") -> list[Column]:
    """Columns of a quantity: its mean and its 90 % interval."""
    return [
        Column(f"{name}_mean", kind, f"{of}: mean over the posterior"),
        Column(f"{name}_p05", kind, f"{of}: 5 % quantile"),
        Column(f"{name}_p95", kind, f"{of}: 95 % quantile"),
    ]


def allocation_table(dossier: Dossier) -> Content:
    allocation, currency = dossier.allocation, dossier.project.currency
    metric = dossier.project.metric_name
    known = allocation.known
    told = warnings_by_group(dossier)

    def rows() -> Iterator[Row]:
        for one in allocation.plan.groups:
            before, after = one.metric_now, one.metric_after
            bands: list[Cell] = [before.mean, before.p05, before.p95, after.mean, after.p05, after.p95]
            margins: list[Cell] = [one.marginal_now, one.marginal_after]
            yield [
                one.key,
                dossier.names[one.key],
                one.count,
                one.pending,
                one.add,
                amount(one.cost),
                *(bands if known else [None] * 6),
                *(margins if known else [None] * 2),
                one.reason,
                " ".join(told.get(one.key, ())),
            ]

    columns = [
        GROUP,
        NAME,
        Column("count", "count", "clean samples held now"),
        Column("pending", "count", "samples that open orders will still bring"),
        Column("add", "count", "samples to add in this round"),
        Column("cost", "money", f"what they cost, {currency}"),
        *interval("metric_now", f"{metric} now"),
        *interval("metric_after", f"{metric} once the plan has come"),
        Column("marginal_utility_per_cost_now", "number", f"utility per {currency} spent on the group now"),
        Column("marginal_utility_per_cost_after", "number", f"utility per {currency} spent on it after the plan"),
        Column("reason", "long text", "why the group gets what it gets"),
        Column("warnings", "long text", "what to check before relying on the row"),
    ]
    return columns, rows()


def warnings_by_group(dossier: Dossier) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in dossier.allocation.warnings:
        if one.group is not None:
            found.setdefault(one.group, []).append(one.detail)
    return found


def sources_table(dossier: Dossier) -> Content:
    currency = dossier.project.currency
    plan = dossier.allocation.plan

    def rows() -> Iterator[Row]:
        for one in plan.sources:
            source = dossier.sources[one.key]
            yield [one.key, source.name, " ".join(one.groups), one.order, amount(one.cost), *terms_of(source),
                   " ".join(one.binding)]  # fmt: skip

    columns = [
        Column("source", "text", "key of the source"),
        Column("name", "text", "name of the source"),
        Column("groups", "text", "keys of the groups it feeds, parted by blanks"),
        Column("order", "count", "samples to order in this round"),
        Column("cost", "money", f"what the order costs, {currency}"),
        Column("unit_cost", "money", f"price of a sample, before tiers, {currency}"),
        Column("fixed_cost", "money", f"price of ordering at all, {currency}"),
        Column("min_order", "count", "least order"),
        Column("max_order", "count", "largest order"),
        Column("lot_size", "count", "orders are whole lots of so many samples"),
        Column("acceptance_rate", "share", "share of delivered samples that passes review, as stated"),
        Column("lead_time_days", "count", "days from order to delivery"),
        Column("limits", "text", "what decided the order"),
    ]
    return columns, rows()


def terms_of(source: Source) -> list[Cell]:
    return [source.unit_cost, source.fixed_cost, source.min_order, source.max_order, source.lot_size,
            source.acceptance_rate, source.lead_time_days]  # fmt: skip


def groups_table(dossier: Dossier) -> Content:
    """Where each group stands, and its curve. Curves of a metric of which nothing is known are left empty."""
    situation, metric = dossier.situation, metric_of(dossier.project)
    posterior, factors = situation.fitted.posterior, situation.widening
    held = [held_of(group, situation.holdings.collected) for group in situation.groups]
    effective = np.array([[one.effective] for one in held])
    newest = newest_readings(dossier)

    def rows() -> Iterator[Row]:
        bands, drawn = metric.to_metric(posterior.band(effective)), posterior.parameters()
        needed = samples_needed(dossier)
        for place, group in enumerate(situation.groups):
            now = widened(summary(bands[place, 0]), metric, factors)
            floor = summary(metric.to_metric(drawn["asymptote"][place]))
            curve = [*cells(now), *cells(summary(drawn["exponent"][place])), *cells(floor), needed.get(group.key)]
            found = posterior.diagnostics[place]
            yield [
                group.key,
                group.name,
                group.weight,
                group.target,
                group.parent,
                held[place].raw,
                held[place].effective,
                *(curve if situation.known else [None] * 10),
                *newest.get(group.key, (None, None, None)),
                found.points,
                found.distinct_sizes,
                found.largest_count,
                found.holdouts,
            ]

    name = dossier.project.metric_name
    columns = [
        GROUP,
        NAME,
        Column("weight", "number", "weight in the objective"),
        Column("target", "number", f"{name} to reach"),
        Column("parent", "text", "key of the group it learns from"),
        Column("held", "count", "samples held"),
        Column("count", "number", "their worth in clean samples"),
        *interval("metric_now", f"{name} at what is held"),
        *interval("exponent", "exponent of the learning curve"),
        *interval("floor", f"{name} that no amount of data passes"),
        Column("samples_to_target_p50", "number", "median of the samples at which the target is reached"),
        Column("measured", "number", f"{name} in the newest run"),
        Column("measured_stderr", "number", "its standard error"),
        Column("measured_at_count", "count", "samples of the group that the run was trained on"),
        Column("points", "count", "runs in which the group was measured"),
        Column("distinct_sizes", "count", "different counts among them"),
        Column("largest_count", "count", "the largest of these"),
        Column("holdouts", "count", "holdouts it was scored on"),
    ]
    return columns, rows()


def cells(one: Summary) -> list[Cell]:
    return [one.mean, one.quantiles["p05"], one.quantiles["p95"]]


def newest_readings(dossier: Dossier) -> dict[str, tuple[Cell, Cell, Cell]]:
    """Group → the newest value, its standard error, and the count it was measured at."""
    found: dict[str, tuple[Cell, Cell, Cell]] = {}
    for group in dossier.groups:
        runs = runs_of(group.key, dossier.situation.runs)
        if runs:
            run = max(runs, key=lambda one: (one.observed_at, one.id))
            reading = Reading(**run.metrics[group.key])
            error = standard_error(dossier.project, reading)
            found[group.key] = (reading.value, error, run.counts.get(group.key, 0))
    return found


def samples_needed(dossier: Dossier) -> dict[str, float | None]:
    """Group → the median over the draws of the samples that its target needs; groups without a target are left out."""
    groups, metric = dossier.situation.groups, metric_of(dossier.project)
    aimed = [place for place, group in enumerate(groups) if group.target is not None]
    if not aimed:
        return {}
    losses: FloatArray = metric.to_loss(np.array([groups[place].target for place in aimed], dtype=np.float64))
    counts = np.ceil(dossier.situation.fitted.posterior.select(np.array(aimed)).inverse(losses))
    # "inverted_cdf" picks a draw and never averages two, which may be infinite.
    medians = np.percentile(counts, 50, axis=1, method="inverted_cdf")
    return {groups[place].key: finite(one) for place, one in zip(aimed, medians, strict=True)}


def budgets_table(dossier: Dossier) -> Content:
    found, currency = dossier.budgets, dossier.project.currency
    columns = [
        Column("budget", "money", f"money of the round, {currency}"),
        Column("chosen", "count", "1 for the budget of this plan"),
        *interval("utility", "utility after the round"),
        *interval("utility_equal_counts", "utility had every group got the same count"),
        Column("chance_all_targets", "share", "chance that every group with a target reaches it"),
    ]
    parts = ("mean", "p05", "p95")
    rows = (
        [
            row["budget"],
            int(row["budget"] == found.chosen),
            *(row["utility"][part] for part in parts),
            *(row["equal"][part] for part in parts),
            row["chance"],
        ]
        for row in found.rows
    )
    return columns, rows


def scenarios_table(dossier: Dossier) -> Content:
    outcomes, currency = dossier.outcomes, dossier.project.currency
    columns = [
        Column("scenario", "text", "name of the scenario"),
        Column("policy", "text", "how the money is split; empty where the orders were typed in"),
        Column("objective", "text", "what it aims at"),
        Column("budget", "money", f"money to spend, {currency}"),
        Column("spend", "money", f"money spent, {currency}"),
        *interval("utility", "utility after the round, by the scenario's own objective"),
        *interval("difference", "utility by the first scenario's objective, less the first's, over the same draws"),
        Column("p_better", "share", "chance to be better than the first"),
        Column("infeasible", "long text", "what leaves the scenario without a plan"),
    ]
    return columns, (scenario_row(dossier, one) for one in outcomes)


def scenario_row(dossier: Dossier, outcome: ScenarioResult) -> Row:
    scenario, plan, gain = outcome.scenario, outcome.plan, outcome.gain
    objective = scenario.project.get("objective", dossier.project.objective)["kind"]
    policy = None if scenario.orders is not None else plan.policy if plan else scenario.policy
    first: list[Cell] = [scenario.name, policy, objective, outcome.budget.available]
    if plan is None:
        return [*first, *[None] * 8, " ".join(f"{one.pointer}: {one.detail}" for one in outcome.culprits)]
    after = plan.utility.after
    return [
        *first,
        amount(plan.spend),
        *([after.mean, after.p05, after.p95] if outcome.known else [None] * 3),
        *([gain.mean, gain.p05, gain.p95, gain.p_better] if gain else [None] * 4),
        None,
    ]


def scenario_groups_table(dossier: Dossier) -> Content:
    outcomes = dossier.outcomes
    metric = dossier.project.metric_name
    columns = [
        Column("scenario", "text", "name of the scenario"),
        GROUP,
        NAME,
        Column("add", "count", "samples it adds"),
        Column("cost", "money", f"what they cost, {dossier.project.currency}"),
        *interval("metric_after", f"{metric} after it"),
    ]
    rows = (row for one in outcomes if one.plan for row in scenario_groups(dossier, one, one.plan))
    return columns, rows


def scenario_groups(dossier: Dossier, outcome: ScenarioResult, plan: Plan) -> Iterator[Row]:
    for one in plan.groups:
        after: list[Cell] = [one.metric_after.mean, one.metric_after.p05, one.metric_after.p95]
        band = after if outcome.known else [None] * 3
        yield [outcome.scenario.name, one.key, dossier.names[one.key], one.add, amount(one.cost), *band]


def measurement_table(dossier: Dossier) -> Content:
    plan = dossier.measurements
    columns = [
        Column("run", "count", "number of the training run, the most telling first"),
        GROUP,
        NAME,
        Column("samples", "count", "samples of the group to train on"),
        Column("variance_before", "number", "expected variance of the margins before the run"),
        Column("variance_after", "number", "and after it"),
        Column("reason", "long text", "what the run tells"),
    ]

    def rows() -> Iterator[Row]:
        for number, run in enumerate(plan.runs, 1):
            for key, count in zip(plan.keys, run.counts, strict=True):
                name = dossier.names[key]
                yield [number, key, name, int(count), run.variance_before, run.variance_after, run.reason]

    return columns, rows()


def warnings_table(dossier: Dossier) -> Content:
    columns = [
        Column("code", "text", "what kind of warning it is (docs/warnings.md)"),
        GROUP,
        Column("source", "text", "key of the source"),
        Column("detail", "long text", "what is to be doubted, and what to do"),
    ]
    rows: Sequence[Row] = [[one.code, one.group, one.source, one.detail] for one in dossier.allocation.warnings]
    return columns, rows
