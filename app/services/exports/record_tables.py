"""Tables of what happened: runs, forecasts, rounds, orders and money. Long ones are read page by page."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Any, TypeVar

from app.services.curves.readings import Reading
from app.services.exports.dossier import Dossier
from app.services.ledger.deliveries import over_delivered
from app.services.ledger.terms import Terms
from app.services.purchases.progress import GroupProgress, OrderProgress, progress_of
from app.services.purchases.timeline import stages_of
from app.store.ledger import entries_page
from app.store.models.jobs import Job
from app.store.models.observations import Observation
from app.store.models.projects import Group
from app.store.models.purchases import LedgerEntry, Round
from app.store.models.simulations import Simulation
from app.store.observations import forecasts_page, observations_page
from app.store.projects import members
from app.store.rounds import ACCEPTED, orders_of_project, rounds_of_project, rounds_page
from app.store.simulations import simulations_page
from app.tables.shape import Cell, Column, Content, Row

PAGE = 200
GROUP = Column("group", "text", "key of the group")
NAME = Column("name", "text", "name of the group")
ROUND = Column("round", "count", "number of the round")
STATES = ("accepted", "rejected", "pending", "unmapped")

Item = TypeVar("Item")


def paged(fetch: Callable[[Any, int], Sequence[Item]], position: Callable[[Item], Any]) -> Iterator[Item]:
    """All items of a list that `fetch(after, limit)` reads in parts."""
    after = None
    while True:
        some = fetch(after, PAGE)
        yield from some
        if len(some) < PAGE:
            return
        after = position(some[-1])


def observations_table(dossier: Dossier) -> Content:
    columns = [
        Column("observation", "text", "id of the run"),
        Column("external_id", "text", "the run's name in your own records"),
        GROUP,
        Column("n", "count", "samples of the group that it was trained on"),
        Column("value", "number", f"{dossier.project.metric_name} of the group"),
        Column("stderr", "number", "its standard error, as posted"),
        Column("eval_size", "count", "evaluation samples, as posted"),
        Column("holdout", "text", "what it was scored on"),
        Column("recipe", "text", "how it was trained; only runs of the project's recipe are fitted"),
        Column("observed_at", "instant", "when it was measured (UTC)"),
        Column("voided_at", "instant", "when it was taken back (UTC)"),
        Column("void_reason", "text", "why"),
    ]
    session, project = dossier.session, dossier.project

    def rows() -> Iterator[Row]:
        for voided in (False, True):

            def fetch(after: str | None, limit: int, voided: bool = voided) -> Sequence[Observation]:
                return observations_page(session, project.id, voided, after, limit)

            for run in paged(fetch, lambda one: str(one.id)):
                yield from run_rows(run)

    return columns, rows()


def run_rows(run: Observation) -> Iterator[Row]:
    """A line for each group that was trained on or measured."""
    for key in dict.fromkeys((*run.counts, *run.metrics)):
        reading = Reading(**run.metrics[key]) if key in run.metrics else None
        measured: list[Cell] = [reading.value, reading.stderr, reading.eval_size] if reading else [None] * 3
        yield [str(run.id), run.external_id, key, run.counts.get(key, 0), *measured, run.holdout, run.recipe,
               run.observed_at, run.voided_at, run.void_reason]  # fmt: skip


def forecasts_table(dossier: Dossier) -> Content:
    metric = dossier.project.metric_name
    levels = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
    columns = [
        Column("observation", "text", "id of the run that was forecast"),
        GROUP,
        Column("count", "count", "samples of the group that it was trained on"),
        Column("value", "number", f"{metric} that was measured"),
        Column("mean", "number", f"{metric} that was expected before"),
        *(Column(level, "number", f"{level[1:]} % quantile of what was expected") for level in levels),
        Column("crps", "number", "continuous ranked probability score, less is better"),
        Column("wis", "number", "weighted interval score, less is better"),
        Column("created_at", "instant", "when it was scored (UTC)"),
    ]
    session, project = dossier.session, dossier.project
    found = paged(
        lambda after, limit: forecasts_page(session, project.id, None, after, limit), lambda one: one.forecast.id
    )
    rows = (
        [str(one.forecast.observation_id), one.group, one.forecast.count, one.forecast.value, one.forecast.mean,
         *(one.forecast.quantiles[level] for level in levels), one.forecast.crps, one.forecast.wis,
         one.forecast.created_at]
        for one in found
    )  # fmt: skip
    return columns, rows


def all_rounds(dossier: Dossier) -> Iterator[Round]:
    session, project = dossier.session, dossier.project
    return paged(lambda after, limit: rounds_page(session, project.id, after, limit), lambda one: one.number)


def rounds_table(dossier: Dossier) -> Content:
    currency = dossier.project.currency
    columns = [
        ROUND,
        Column("state", "text", "proposed, accepted, collecting, closed or cancelled"),
        Column("external_id", "text", "the round's name in your own records"),
        Column("round_data_version", "count", "of the data that it was planned on"),
        Column("policy", "text", "how its money was split"),
        Column("cost", "money", f"what its orders were planned to cost, {currency}"),
        Column("sources", "count", "sources that it orders from"),
        Column("samples", "count", "samples that it expected to add"),
        Column("proposed_by", "text", "API key that proposed it"),
        Column("approved_by", "text", "API keys that accepted it, parted by blanks"),
        Column("reason", "text", "why it was cancelled"),
        Column("created_at", "instant", "when it was proposed (UTC)"),
        Column("accepted_at", "instant", "when it was accepted (UTC)"),
        Column("closed_at", "instant", "when it was closed (UTC)"),
        Column("cancelled_at", "instant", "when it was cancelled (UTC)"),
    ]
    rows = (
        [one.number, one.state, one.external_id, one.data_version, one.query.get("policy"), one.cost, len(one.lines),
         sum(one.added.values()), one.proposed_by, " ".join(one.approvals), one.reason, one.created_at,
         one.accepted_at, one.closed_at, one.cancelled_at]
        for one in all_rounds(dossier)
    )  # fmt: skip
    return columns, rows


def round_groups_table(dossier: Dossier) -> Content:
    metric = dossier.project.metric_name
    columns = [
        ROUND,
        GROUP,
        NAME,
        Column("planned", "count", "samples that the round expected to bring"),
        Column("accepted", "count", "samples that passed review"),
        Column("rejected", "count", "samples that did not"),
        Column("pending", "count", "samples that wait for review"),
        Column("metric_before", "number", f"{metric} when the round was proposed"),
        Column("metric_forecast", "number", f"{metric} that was forecast for after it"),
        Column("metric_forecast_p05", "number", "5 % quantile of the forecast"),
        Column("metric_forecast_p95", "number", "95 % quantile of the forecast"),
        Column("measured", "number", f"{metric} in the newest run since"),
        Column("measured_at_count", "count", "samples of the group in that run"),
    ]
    rows = (
        group_row(dossier, one.number, group)
        for one in all_rounds(dossier)
        for group in progress_of(dossier.session, dossier.project, one).groups
    )
    return columns, rows


def group_row(dossier: Dossier, number: int, one: GroupProgress) -> Row:
    before, after = one.forecast.get("now") or {}, one.forecast.get("after") or {}
    return [
        number,
        one.group,
        dossier.names.get(one.group),
        one.planned,
        *(one.counts[state] for state in ("accepted", "rejected", "pending")),
        before.get("mean"),
        *(after.get(part) for part in ("mean", "p05", "p95")),
        one.measured.value if one.measured else None,
        one.measured.count if one.measured else None,
    ]


def orders_table(dossier: Dossier) -> Content:
    currency = dossier.project.currency
    columns = [
        ROUND,
        Column("order", "text", "id of the order; empty while the round is only proposed"),
        Column("source", "text", "key of the source"),
        Column("state", "text", "of the order"),
        Column("quantity", "count", "samples ordered"),
        Column("cost", "money", f"planned cost, {currency}"),
        Column("spent", "money", f"charged so far, {currency}"),
        Column("committed", "money", f"what may still be charged, {currency}"),
        Column("billed", "text", "whether delivered or accepted samples are charged"),
        Column("delivered", "count", "samples that came"),
        *(Column(state, "count", f"of these {state}") for state in STATES),
        Column("over_delivered", "count", "samples beyond the quantity"),
        Column("external_id", "text", "the vendor's name for the order"),
        Column("created_at", "instant", "when the round was accepted (UTC)"),
        Column("placed_at", "instant", "when the vendor took it (UTC)"),
        Column("closed_at", "instant", "when it was closed (UTC)"),
    ]
    rows = (row for one in all_rounds(dossier) for row in order_rows(dossier, one))
    return columns, rows


def order_rows(dossier: Dossier, one: Round) -> Iterator[Row]:
    if one.state == "proposed":
        for key, line in one.lines.items():
            yield [one.number, None, key, "proposed", line["quantity"], Decimal(line["cost"]), *[None] * 13]
        return
    for progress in progress_of(dossier.session, dossier.project, one).orders:
        yield order_row(one.number, progress)


def order_row(number: int, progress: OrderProgress) -> Row:
    order, totals = progress.order, progress.totals
    return [
        number,
        str(order.id),
        progress.source,
        order.state,
        order.quantity,
        order.cost,
        totals.spent,
        totals.committed,
        Terms.read(order.terms).billed,
        totals.delivered,
        *(totals.in_state(state) for state in STATES),
        over_delivered(order, totals),
        order.external_id,
        order.created_at,
        order.placed_at,
        order.closed_at,
    ]


def spending_table(dossier: Dossier) -> Content:
    """Per accepted round; the sums of all rounds up to it stand beside it."""
    currency = dossier.project.currency
    columns = [
        ROUND,
        Column("state", "text", "of the round"),
        Column("planned", "money", f"what its orders were planned to cost, {currency}"),
        Column("spent", "money", f"what they have cost so far, {currency}"),
        Column("committed", "money", f"what they may still cost, {currency}"),
        Column("spent_so_far", "money", f"spent in all rounds up to it, {currency}"),
        Column("left", "money", f"of the project's budget after it, nothing committed to later rounds, {currency}"),
    ]
    session, project = dossier.session, dossier.project
    found = rounds_of_project(session, project.id, ACCEPTED)
    stages = stages_of(session, project, found)
    spent_so_far = accumulate(stages[one.number].spent for one in found)
    rows: Iterator[Row] = (
        [one.number, one.state, one.cost, stage.spent, stage.committed, spent, stage.left]
        for one, stage, spent in zip(found, stages.values(), spent_so_far, strict=True)
    )
    return columns, rows


def ledger_table(dossier: Dossier) -> Content:
    currency = dossier.project.currency
    session, project = dossier.session, dossier.project
    keys = {group.id: group.key for group in members(session, Group, project.id, archived=None)}
    number = {one.id: one.number for one in all_rounds(dossier)}
    round_of = {one.id: number[one.round_id] for one in orders_of_project(session, project.id, cancelled=True)}
    columns = [
        Column("entry", "count", "number of the entry"),
        ROUND,
        Column("order", "text", "id of the order"),
        Column("kind", "text", "what made the entry"),
        GROUP,
        Column("state", "text", "of the samples"),
        Column("count", "count", "samples more, or fewer"),
        Column("spent", "money", f"spent more, or less, {currency}"),
        Column("committed", "money", f"committed more, or less, {currency}"),
        Column("cause", "text", "what it comes from"),
        Column("note", "long text", "as it was recorded"),
        Column("api_key", "text", "API key that acted; empty for the service itself"),
        Column("created_at", "instant", "when it was made (UTC)"),
    ]

    def row(one: LedgerEntry) -> Row:
        group = None if one.group_id is None else keys[one.group_id]
        return [one.id, round_of.get(one.order_id), str(one.order_id), one.kind, group, one.state, one.count,
                one.spent, one.committed, one.cause, one.note, one.api_key_id, one.created_at]  # fmt: skip

    found = paged(lambda after, limit: entries_page(session, project.id, None, after, limit), lambda one: one.id)
    return columns, map(row, found)


def simulations_table(dossier: Dossier) -> Content:
    columns = [
        Column("simulation", "text", "id of the simulation"),
        Column("state", "text", "of its job"),
        Column("created_at", "instant", "when it was asked for (UTC)"),
        Column("simulation_data_version", "count", "of the data that it was played on"),
        Column("games", "count", "simulated games"),
        Column("rounds", "count", "rounds in each"),
        Column("budget", "money", f"money of all rounds, {dossier.project.currency}"),
        Column("chosen", "text", "the policy that the others are compared with"),
        Column("policy", "text", "how the money was split; oracle knows the true curves"),
        Column("utility_mean", "number", "final utility, mean over the games"),
        Column("utility_se", "number", "its standard error"),
        Column("worst_mean", "number", "final benefit of the worst group, mean over the games"),
        Column("worst_se", "number", "its standard error"),
        Column("regret", "number", "0 for the oracle, 1 for buying nothing"),
        Column("difference_mean", "number", "final utility less the chosen policy's, paired over the games"),
        Column("difference_se", "number", "its standard error"),
        Column("p_better", "share", "share of games in which it ends above the chosen policy"),
    ]
    session, project = dossier.session, dossier.project
    found = paged(
        lambda after, limit: simulations_page(session, project.id, after, limit), lambda both: str(both[0].id)
    )
    rows = (row for one, job in found for row in simulation_rows(one, job))
    return columns, rows


def simulation_rows(one: Simulation, job: Job) -> Iterator[Row]:
    first: list[Cell] = [str(one.id), job.state, one.created_at, one.data_version]
    result = one.result
    if result is None:
        yield [*first, *[None] * 13]
        return
    played: list[Cell] = [result["games"], result["rounds"], Decimal(result["budget"]), result["chosen"]]
    for standing in (*result["policies"], result["oracle"]):
        yield [
            *first,
            *played,
            standing["policy"],
            *(standing[what][part] for what in ("utility", "worst") for part in ("mean", "se")),
            standing["regret"],
            standing["difference"]["mean"],
            standing["difference"]["se"],
            standing["p_better"],
        ]
