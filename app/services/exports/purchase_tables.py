"""Tables of what was bought: rounds, their orders, and the money. Long ones are read page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from app.services.exports.columns import (
    Content,
    ends_of,
    group_key,
    group_name,
    interval,
    keys_in_one,
    round_number,
    within,
)
from app.services.exports.dossier import Dossier
from app.services.exports.paging import paged
from app.services.intake.manifests import manifests_of
from app.services.ledger.deliveries import over_delivered
from app.services.ledger.provenance import Lot, provenance_of
from app.services.ledger.terms import Terms
from app.services.purchases.progress import GroupProgress, OrderProgress, progress_of
from app.services.purchases.steps import StepName, state_of, steps_of
from app.services.purchases.timeline import Stage, stages_of
from app.services.valuation.hindsight import Instead, PastRound, by_group
from app.services.valuation.source_values import Item
from app.services.vendors.counts import vendor_folds
from app.store.access import key_name
from app.store.ledger import listed_entries
from app.store.member_rows import group_rows
from app.store.models.purchases import LedgerEntry, Manifest, Round
from app.store.rounds import ACCEPTED, listed_rounds, orders_of_project, rounds_of_project
from app.tables.shape import Column


def all_rounds(dossier: Dossier) -> Iterator[Round]:
    return paged(listed_rounds(dossier.session, dossier.project.id))


def approved_by_names(purchase: Round) -> str:
    return ", ".join(key_name(purchase, key_id) or key_id for key_id in purchase.approvals)


def approval_notes(purchase: Round) -> str | None:
    """Of the approvals that stand."""
    given = {one.key: one for one in steps_of(purchase) if one.step == "approved" and one.key in purchase.approvals}
    return "\n".join(f"{one.name or one.key}: {one.note}" for one in given.values() if one.note) or None


def taker(purchase: Round, step: StepName) -> str | None:
    """By whose name it was done last, or the id of a key that has none."""
    return next((one.name or one.key for one in reversed(steps_of(purchase)) if one.step == step), None)


def rounds_table(dossier: Dossier) -> Content[Round]:
    currency = dossier.project.currency
    return [
        round_number(lambda one: one.number),
        Column(
            "state",
            "text",
            "proposed, accepted, collecting, closed, declined, cancelled or expired",
            lambda one: state_of(one, dossier.at),
        ),
        Column("external_id", "text", "the round's name in your own records", lambda one: one.external_id),
        Column("round_data_version", "count", "of the data that it was planned on", lambda one: one.data_version),
        Column("policy", "text", "how its money was split", lambda one: one.query.get("policy")),
        Column("cost", "money", f"what its orders were planned to cost, {currency}", lambda one: one.cost),
        Column("sources", "count", "sources that it orders from", lambda one: len(one.lines)),
        Column("samples", "count", "samples that it expected to add", lambda one: sum(one.added.values())),
        Column("proposed_by", "text", "API key that proposed it", lambda one: one.proposed_by),
        Column(
            "approved_by", "text", "API keys that accepted it, parted by blanks", lambda one: " ".join(one.approvals)
        ),
        Column("proposed_by_name", "text", "name of that key", lambda one: key_name(one, one.proposed_by)),
        Column("approved_by_names", "text", "names of those keys, parted by commas", approved_by_names),
        Column("note", "text", "words of who proposed it", lambda one: one.note),
        Column("approval_notes", "text", "words of who approved it, by name, parted by line breaks", approval_notes),
        Column("closed_by_name", "text", "name of the API key that closed it", lambda one: taker(one, "closed")),
        Column("declined_by_name", "text", "name of the API key that declined it", lambda one: taker(one, "declined")),
        Column(
            "cancelled_by_name", "text", "name of the API key that cancelled it", lambda one: taker(one, "cancelled")
        ),
        Column("reason", "text", "why it was declined or cancelled", lambda one: one.reason),
        Column("reference", "text", "number of the purchase order", lambda one: one.reference),
        Column("created_at", "instant", "when it was proposed (UTC)", lambda one: one.created_at),
        Column("expires_at", "instant", "until when the proposal can be accepted (UTC)", lambda one: one.expires_at),
        Column("accepted_at", "instant", "when it was accepted (UTC)", lambda one: one.accepted_at),
        Column("declined_at", "instant", "when it was declined (UTC)", lambda one: one.declined_at),
        Column("closed_at", "instant", "when it was closed (UTC)", lambda one: one.closed_at),
        Column("cancelled_at", "instant", "when it was cancelled (UTC)", lambda one: one.cancelled_at),
    ], all_rounds(dossier)


def round_groups_table(dossier: Dossier) -> Content[tuple[Round, GroupProgress]]:
    metric = dossier.project.metric_name
    return [
        round_number(lambda one: one[0].number),
        within(lambda one: one[1], [
            group_key(lambda it: it.group),
            group_name(lambda it: dossier.names.get(it.group)),
            Column("planned", "count", "samples that the round expected to bring", lambda it: it.planned),
            Column("accepted", "count", "samples that passed review", lambda it: it.counts["accepted"]),
            Column("rejected", "count", "samples that did not", lambda it: it.counts["rejected"]),
            Column("pending", "count", "samples that wait for review", lambda it: it.counts["pending"]),
            Column("metric_before", "number", f"{metric} when the round was proposed",
                   lambda it: forecast(it, "now", "mean")),
            Column("metric_forecast", "number", f"{metric} that was forecast for after it",
                   lambda it: forecast(it, "after", "mean")),
            Column("metric_forecast_p05", "number", "5 % quantile of the forecast",
                   lambda it: forecast(it, "after", "p05")),
            Column("metric_forecast_p95", "number", "95 % quantile of the forecast",
                   lambda it: forecast(it, "after", "p95")),
        ]),
        within(lambda one: one[1].measured, [
            Column("measured", "number", f"{metric} in the newest run since", lambda run: run.value),
            Column("measured_at_count", "count", "samples of the group in that run", lambda run: run.count),
        ]),
    ], (
        (one, group)
        for one in all_rounds(dossier)
        for group in progress_of(dossier.session, dossier.project, one).groups
    )  # fmt: skip


def forecast(one: GroupProgress, when: str, part: str) -> float | None:
    found: float | None = (one.forecast.get(when) or {}).get(part)
    return found


@dataclass(frozen=True)
class Ordered:
    """A round's order. `progress`: None while the round is only proposed."""

    round: int
    source: str
    state: str
    quantity: int
    cost: Decimal
    progress: OrderProgress | None = None


def orders_table(dossier: Dossier) -> Content[Ordered]:
    currency = dossier.project.currency
    return [
        round_number(lambda one: one.round),
        Column("order", "text", "id of the order; empty while the round is only proposed",
               lambda one: str(one.progress.order.id) if one.progress else None),
        Column("source", "text", "key of the source", lambda one: one.source),
        Column("state", "text", "of the order", lambda one: one.state),
        Column("quantity", "count", "samples ordered", lambda one: one.quantity),
        Column("cost", "money", f"planned cost, {currency}", lambda one: one.cost),
        within(lambda one: one.progress, [
            Column("spent", "money", f"charged so far, {currency}", lambda it: it.totals.spent, summed=True),
            Column("committed", "money", f"what may still be charged, {currency}",
                   lambda it: it.totals.committed, summed=True),
            Column("billed", "text", "whether delivered or accepted samples are charged",
                   lambda it: Terms.read(it.order.terms).billed),
            Column("delivered", "count", "samples that came", lambda it: it.totals.delivered, summed=True),
            [in_state(state) for state in ("accepted", "rejected", "pending", "unmapped")],
            Column("over_delivered", "count", "samples beyond the quantity",
                   lambda it: over_delivered(it.order, it.totals)),
            Column("external_id", "text", "the vendor's name for the order", lambda it: it.order.external_id),
            Column("created_at", "instant", "when the round was accepted (UTC)", lambda it: it.order.created_at),
            Column("placed_at", "instant", "when the vendor took it (UTC)", lambda it: it.order.placed_at),
            Column("closed_at", "instant", "when it was closed (UTC)", lambda it: it.order.closed_at),
        ]),
    ], (order for one in all_rounds(dossier) for order in ordered(dossier, one))  # fmt: skip


def in_state(state: str) -> Column[OrderProgress]:
    return Column(state, "count", f"of these {state}", lambda it: it.totals.in_state(state))


def ordered(dossier: Dossier, one: Round) -> Iterator[Ordered]:
    if one.state == "proposed":
        for key, line in one.lines.items():
            yield Ordered(one.number, key, "proposed", line["quantity"], Decimal(line["cost"]))
        return
    for it in progress_of(dossier.session, dossier.project, one).orders:
        yield Ordered(one.number, it.source, it.order.state, it.order.quantity, it.order.cost, it)


@dataclass(frozen=True)
class Spending:
    """Of an accepted round, and of all up to it."""

    round: Round
    stage: Stage
    spent_so_far: Decimal


def spending_table(dossier: Dossier) -> Content[Spending]:
    currency = dossier.project.currency
    return [
        round_number(lambda one: one.round.number),
        Column("state", "text", "of the round", lambda one: one.round.state),
        Column("planned", "money", f"what its orders were planned to cost, {currency}",
               lambda one: one.round.cost, summed=True),
        Column("spent", "money", f"what they have cost so far, {currency}", lambda one: one.stage.spent, summed=True),
        Column("committed", "money", f"what they may still cost, {currency}",
               lambda one: one.stage.committed, summed=True),
        Column("spent_so_far", "money", f"spent in all rounds up to it, {currency}", lambda one: one.spent_so_far),
        Column("left", "money", f"of the project's budget after it, nothing committed to later rounds, {currency}",
               lambda one: one.stage.left),
    ], spending_of(dossier)  # fmt: skip


def spending_of(dossier: Dossier) -> Iterator[Spending]:
    rounds = rounds_of_project(dossier.session, dossier.project.id, ACCEPTED)
    stages = stages_of(dossier.session, dossier.project, rounds)
    spent_so_far = accumulate(stages[one.number].spent for one in rounds)
    return (Spending(one, stages[one.number], spent) for one, spent in zip(rounds, spent_so_far, strict=True))


def source_values_table(dossier: Dossier) -> Content[Item]:
    currency, found = dossier.project.currency, dossier.source_values
    return [
        Column("source", "text", "key of the source", lambda one: one.source),
        Column("delivered", "count", "accepted samples that it delivered", lambda one: one.delivered, summed=True),
        Column("spent", "money", f"what they cost, {currency}", lambda one: one.spent, summed=True),
        interval("value", "utility that its deliveries are worth (Shapley)",
                 lambda one: (one.worth.value.mean, one.worth.value.p05, one.worth.value.p95)),
        Column("share", "number", "of what all deliveries are worth", lambda one: one.worth.share),
        within(lambda one: one.value_per_1000, [
            interval("value_per_1000", f"utility per 1,000 {currency} spent on it", lambda it: it),
        ]),
        Column("leave_one_out", "number", "utility that would be missing without it alone",
               lambda one: one.worth.leave_one_out),
        Column("closing_costs", "number", "by how much the next round's utility falls where it is shut",
               lambda one: one.closing_costs),
    ], found.items  # fmt: skip


def hindsight_table(dossier: Dossier) -> Content[tuple[PastRound, Instead]]:
    currency, found = dossier.project.currency, dossier.hindsight
    return [
        round_number(lambda one: one[0].number),
        Column("spent", "money", f"what the round cost, {currency}", lambda one: one[0].spent),
        interval("actual", "utility that it led to, by today's curves", lambda one: ends_of(one[0].review.utility)),
        within(lambda one: one[1], [
            Column("policy", "text", "who would have split the money otherwise", lambda it: it.policy),
            Column("hindsight", "text", "yes: by curves that nobody knew then",
                   lambda it: "yes" if it.hindsight else ""),
            Column("added", "long text", "accepted samples by group that it would have brought",
                   lambda it: ", ".join(f"{key}: {n}" for key, n in by_group(found.keys, it.added).items())),
        ]),
        within(lambda one: one[1].difference, [
            interval("difference", "its utility less the actual one, on the same draws", ends_of),
            Column("p_better", "share", "chance that it would have done better", lambda it: it.p_better),
        ]),
    ], ((one, it) for one in found.rounds for it in (*one.review.policies, one.review.best))  # fmt: skip


def ledger_table(dossier: Dossier) -> Content[LedgerEntry]:
    session, project, currency = dossier.session, dossier.project, dossier.project.currency
    keys = {group.id: group.key for group in group_rows(session, project.id, archived=None)}
    number = {one.id: one.number for one in all_rounds(dossier)}
    round_of = {one.id: number[one.round_id] for one in orders_of_project(session, project.id, cancelled=True)}
    return [
        Column("entry", "count", "number of the entry", lambda one: one.id),
        round_number(lambda one: round_of.get(one.order_id)),
        Column("order", "text", "id of the order", lambda one: str(one.order_id)),
        Column("kind", "text", "what made the entry", lambda one: one.kind),
        group_key(lambda one: None if one.group_id is None else keys[one.group_id]),
        Column("state", "text", "of the samples", lambda one: one.state),
        Column("count", "count", "samples more, or fewer", lambda one: one.count),
        Column("spent", "money", f"spent more, or less, {currency}", lambda one: one.spent),
        Column("committed", "money", f"committed more, or less, {currency}", lambda one: one.committed),
        Column("cause", "text", "what it comes from", lambda one: one.cause),
        Column("note", "long text", "as it was recorded", lambda one: one.note),
        Column("api_key", "text", "API key that acted; empty for the service itself", lambda one: one.api_key_id),
        Column("api_key_name", "text", "name of that key", lambda one: key_name(one, one.api_key_id)),
        Column("created_at", "instant", "when it was made (UTC)", lambda one: one.created_at),
    ], paged(listed_entries(session, project.id))


def provenance_table(dossier: Dossier) -> Content[tuple[Lot, str | None]]:
    session, project = dossier.session, dossier.project
    lots = provenance_of(session, project, vendor_folds(session, project.id)).lots

    def state(name: str) -> Column[tuple[Lot, str | None]]:
        counts = f"samples more, or fewer, that are {name}"
        return Column(name, "count", counts, lambda one: one[0].groups.get(one[1] or "", {}).get(name, 0))

    return [
        round_number(lambda one: one[0].round),
        Column("kind", "text", "initial, delivery, correction or vendor", lambda one: one[0].kind),
        group_key(lambda one: one[1]),
        *map(state, ("accepted", "rejected", "pending")),
        Column("unmapped", "count", "samples more, or fewer, of no known group",
               lambda one: 0 if one[1] else one[0].unmapped),
        Column("license", "text", "what the lot came with, or its source's", lambda one: one[0].license),
        within(lambda one: one[0].terms, [
            Column("commercial", "text", "whether commercial use is allowed", lambda it: it.commercial),
            Column("derivatives", "text", "whether derivatives are allowed", lambda it: it.derivatives),
            Column("redistribution", "text", "whether passing on is allowed", lambda it: it.redistribution),
        ]),
        within(lambda one: one[0].source, [
            Column("source", "text", "key of the source", lambda it: it.key),
            Column("license_url", "text", "where the licence stands", lambda it: it.license_url),
            Column("method", "text", "how its samples come to be", lambda it: it.method),
            Column("collected_from", "text", "first day of collecting", lambda it: it.collected_from),
            Column("collected_to", "text", "last day of collecting", lambda it: it.collected_to),
            Column("derived_from", "long text", "what it was made from", lambda it: "; ".join(it.derived_from)),
            Column("consent", "long text", "by which consent", lambda it: it.consent),
        ]),
        within(lambda one: one[0], [
            Column("order", "text", "id of the order", lambda it: None if it.order is None else str(it.order)),
            Column("delivery", "text", "id of what was recorded",
                   lambda it: None if it.delivery is None else str(it.delivery)),
            Column("note", "long text", "as it was recorded", lambda it: it.note),
            Column("created_at", "instant", "when it was recorded (UTC)", lambda it: it.created_at),
        ]),
    ], ((lot, key) for lot in lots for key in [*lot.groups, *([None] if lot.unmapped else [])])  # fmt: skip


def manifests_table(dossier: Dossier) -> Content[tuple[Manifest, dict[str, Any]]]:
    orders = orders_of_project(dossier.session, dossier.project.id, cancelled=True)
    found = manifests_of(dossier.session, [one.id for one in orders])
    return [
        within(lambda one: one[0], [
            Column("manifest", "text", "id of the manifest", lambda it: str(it.id)),
            Column("order", "text", "id of the order", lambda it: str(it.order_id)),
            Column("delivery", "text", "what it was recorded as; empty where it is held back",
                   lambda it: None if it.delivery_id is None else str(it.delivery_id)),
            Column("rows", "count", "rows of the manifest", lambda it: it.answer["rows"]),
            Column("accepted", "count", "of them accepted", lambda it: it.answer["accepted"]),
            Column("rejected", "count", "of them rejected", lambda it: it.answer["rejected"]),
            Column("held", "count", "of them held back", lambda it: it.answer["held"]),
            Column("unmapped", "count", "of them of no known group", lambda it: it.answer["unmapped"]),
        ]),
        within(lambda one: one[1], [
            Column("rule", "text", "kind of the intake rule", lambda it: it["kind"]),
            Column("columns", "text", "what it looks at", lambda it: keys_in_one(it["columns"])),
            Column("severity", "text", "what becomes of what breaks it", lambda it: it["severity"]),
            Column("violations", "count", "rows that break it", lambda it: it["violations"]),
            Column("says", "long text", "what became of it", lambda it: it["says"]),
        ]),
        Column("created_at", "instant", "when it came (UTC)", lambda one: one[0].created_at),
    ], ((row, rule) for order in orders for row in found.get(order.id, ()) for rule in row.answer["rules"])  # fmt: skip
