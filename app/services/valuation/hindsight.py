"""Looking back: what other splits of closed rounds' money would have come to, on today's curves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, NoClosedRound, escape, invalid
from app.money import millionths
from app.planner.arrays import FloatArray
from app.planner.problem import Problem, SourceError, Tier
from app.planner.problem import Source as PlannerSource
from app.planner.valuation import Came, Instead, Purchase, Review, look_back
from app.services.computing import Work
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.curves.kept import kept
from app.services.forecasts.due import record_now
from app.services.forecasts.record import ForecastRecord
from app.services.ledger.terms import Terms
from app.services.planning.policies import BASELINE_KEYS, PolicyName
from app.services.planning.problem import Budget
from app.services.planning.situations import Situation, answer_key, feasibly, known_situation
from app.services.projects.objectives import labels_of, usual
from app.store.ledger import Totals, changes_since, totals_of_orders
from app.store.member_rows import SourceRow, source_rows
from app.store.models.projects import Project
from app.store.models.purchases import AuditEntry, Order, Round
from app.store.projects import unstored
from app.store.rounds import newest_closed, orders_of_project

__all__ = ["Hindsight", "HindsightQuestion", "Instead", "PastRound", "Review", "by_group", "kept_hindsight"]

MOST_ROUNDS = 24
"""So many closed rounds are looked back on, the newest."""
TIMES = 4
"""About so often the draws of a round are gone over for each policy."""
PRICES = frozenset({"unit_cost", "labels_per_item", "price_tiers", "tier_scope", "fixed_cost", "billed"})
"""What a round keeps of the sources that it ordered from."""
OFFERED = PRICES | {"min_order", "max_order", "lot_size", "max_total", "yields"}
ASKED = {
    "source": OFFERED,
    "group": frozenset({"weight", "target", "min_count", "max_count", "reference_loss"}),
    "project": frozenset({"set_limits", "stakeholders"}),
}
"""By what the audit calls it, the fields that decide a split."""
MOST_NAMED = 50


@dataclass(frozen=True)
class HindsightQuestion:
    """policies: beside the best. objective: a kind with its usual parameters, None: the project's own."""

    policies: tuple[PolicyName, ...] = BASELINE_KEYS
    objective: str | None = None
    draws: int = DRAWS
    seed: int = SEED


@dataclass(frozen=True)
class PastRound:
    """A closed round looked back on. forecast: the utility that was forecast for it, None where its orders were not
    those of the allocation or the objective is another. as_today: pointers to what has changed since and is not kept
    with the round, so that it is taken as it is today."""

    number: int
    spent: Decimal
    forecast: Mapping[str, float] | None
    as_today: Sequence[str]
    review: Review


@dataclass(frozen=True)
class Hindsight:
    """rounds: oldest first; together: all of them. left_out: older closed rounds. keys: of the groups of `added`.
    record: how past forecasts fared, which says how far to trust the curves that all of this rests on."""

    objective: Mapping[str, Any]
    keys: Sequence[str]
    rounds: Sequence[PastRound]
    together: Review
    left_out: int
    record: ForecastRecord

    @property
    def spent(self) -> Decimal:
        return sum((one.spent for one in self.rounds), Decimal(0))


def hindsight_key(project: Project, question: HindsightQuestion) -> Any:
    return answer_key("hindsight", project, vars(question))


def kept_hindsight(session: Session, fits: Fits, project: Project, question: HindsightQuestion) -> Hindsight:
    """What other policies would have done, computed once per data version. Raises as `looking_back`."""
    asked = asked_of(project, question)
    key = hindsight_key(asked, question)
    found: Hindsight = kept(session, fits.answers, key, lambda: looking_back(session, fits, asked, question))
    return found


def asked_of(project: Project, question: HindsightQuestion) -> Project:
    """The project with the objective that is asked for. Raises Invalid where it suits no such project."""
    kind = question.objective
    if kind is None or kind == project.objective["kind"]:
        return project
    known = labels_of(project.stakeholders)
    if kind not in known:
        detail = f"choose one of {', '.join(known)}, or leave it out for the project's own"
        raise invalid(Fault("?objective", detail))
    return unstored(project, {"objective": usual(kind)})


def looking_back(session: Session, fits: Fits, project: Project, question: HindsightQuestion) -> Work[Hindsight]:
    """Raises NoClosedRound, Conflict while nothing is known of the metric, Invalid where the objective lacks
    targets."""
    rounds, left_out = newest_closed(session, project.id, MOST_ROUNDS)
    if not rounds:
        raise NoClosedRound("No round is closed yet. Ask again once one is.")
    situation = known_situation(session, fits, project, question.draws, question.seed)
    record = record_now(session, fits, project)
    past = Past.read(session, situation, rounds)
    purchases = [past.purchase(one) for one in rounds]
    said = [(one.number, past.spent(one), forecast_of(project, one), past.as_today(one)) for one in rounds]
    keys = [group.key for group in situation.groups]

    def look() -> Hindsight:
        each, together = feasibly(project, lambda: look_back(purchases, question.policies, question.seed))
        found = [PastRound(*one, review) for one, review in zip(said, each, strict=True)]
        return Hindsight(project.objective, keys, found, together, left_out, record)

    return Work(situation.cells * len(rounds) * (len(question.policies) + 1) * TIMES, look)


@dataclass(frozen=True)
class Past:
    """What is kept of the time of rounds. orders: all but cancelled ones, by the id of their round; before: samples
    ordered of a source, by its id, in rounds before that of an id. changes: since the first of the rounds."""

    situation: Situation
    sources: Mapping[int, SourceRow]
    orders: Mapping[int, Sequence[Order]]
    totals: Mapping[Any, Totals]
    changes: Sequence[AuditEntry]

    @classmethod
    def read(cls, session: Session, situation: Situation, rounds: Sequence[Round]) -> "Past":
        project = situation.project
        orders: dict[int, list[Order]] = {}
        for order in orders_of_project(session, project.id):
            orders.setdefault(order.round_id, []).append(order)
        rows = {row.id: row for row in source_rows(session, project.id, archived=True)}
        # Those on offer are the situation's own rows: what it knows of their rates goes by the row.
        rows |= {row.id: row for row in situation.sources}
        since = min(one.created_at for one in rounds)
        changes = changes_since(session, project.id, since, [*ASKED, "sources", "groups"])
        return cls(situation, rows, orders, totals_of_orders(session, project.id), changes)

    def of(self, row: Round) -> Sequence[Order]:
        return self.orders.get(row.id, ())

    def spent(self, row: Round) -> Decimal:
        return sum((self.totals[order.id].spent for order in self.of(row) if order.id in self.totals), Decimal(0))

    def purchase(self, row: Round) -> Purchase:
        """The round as the planner looks back on it: with its own counts, money, prices and what was on offer, and what
        is not kept as it is today. Raises Invalid."""
        bought = {self.sources[order.source_id].key: order for order in self.of(row) if order.source_id in self.sources}
        offered = self._offered(row, bought)
        project = unstored(self.situation.project, {"set_limits": self._limits(offered)})
        situation = replace(self.situation, project=project, sources=list(offered.values()))
        problem = with_counts(situation.problem(Budget(row.cost, row.cost)), row.allocation)
        excluded = {one["source"] for one in row.allocation.get("excluded", ())}
        sources = tuple(
            self._as_then(row, offered[one.key], one, bought.get(one.key), one.key in excluded)
            for one in problem.sources
        )
        came = {key: self._came(order, offered[key]) for key, order in bought.items() if key in offered}
        orders = {key: order.quantity for key, order in bought.items() if key in offered}
        return Purchase(replace(problem, sources=sources), orders, came)

    def _offered(self, row: Round, bought: Mapping[str, Order]) -> dict[str, SourceRow]:
        """The sources that the allocation of the round knew, or that were bought from; of those the ones that still
        feed a group."""
        known = {one["source"] for one in row.allocation.get("sources", ())} | bought.keys()
        groups = {group.id for group in self.situation.groups}
        return {
            one.key: one
            for one in self.sources.values()
            if one.key in known and any(part.group_id in groups for part in one.yields)
        }

    def _limits(self, offered: Mapping[str, SourceRow]) -> list[dict[str, Any]]:
        """The limits that name no other sources than those."""
        named = [{*limit.get("sources", ()), *(limit.get("share_of") or ())} for limit in self._set_limits]
        groups = {group.key for group in self.situation.groups}
        return [limit for limit, keys in zip(self._set_limits, named, strict=True) if keys <= offered.keys() | groups]

    @property
    def _set_limits(self) -> Sequence[dict[str, Any]]:
        return self.situation.project.set_limits

    def _as_then(
        self, row: Round, source: SourceRow, offer: PlannerSource, order: Order | None, excluded: bool
    ) -> PlannerSource:
        """The offer at the time of the round: at the order's terms where there is one."""
        ordered = sum(
            one.quantity
            for round_id, orders in self.orders.items()
            if round_id < row.id
            for one in orders
            if one.source_id == source.id
        )
        then = replace(offer, ordered=ordered, excluded=excluded)
        if order is None:
            return then
        terms = Terms.read(order.terms)
        try:
            return replace(
                then,
                unit_cost=millionths(terms.unit_cost),
                tiers=tuple(Tier(start, millionths(price)) for start, price in terms.tiers),
                fixed_cost=millionths(terms.fixed_cost),
                billed="accepted" if terms.billed == "accepted" else "delivered",
                excluded=False,
            )
        except SourceError:
            # Its price of then goes with none of today's bounds.
            return then

    def _came(self, order: Order, source: SourceRow) -> Came:
        totals = self.totals.get(order.id, Totals())
        place = {group.id: at for at, group in enumerate(self.situation.groups)}
        accepted = np.zeros(len(place))
        for (group_id, state), count in totals.counts.items():
            if state == "accepted" and group_id in place:
                accepted[place[group_id]] += count / order.quantity
        quality = self.situation.holdings.record(source).quality
        return Came(accepted, order.quality if quality.is_exact else quality.mean)

    def as_today(self, row: Round) -> list[str]:
        """Pointers to what was changed since the round was proposed, as far as it decides a split and is not kept."""
        bought = {self.sources[order.source_id].key for order in self.of(row) if order.source_id in self.sources}
        found: dict[str, None] = {}
        for entry in self.changes:
            if entry.created_at <= row.created_at:
                continue
            for place, fields in changed_by(entry):
                word, _, key = place.partition("/")
                kept_of_it = PRICES if word == "source" and key in bought else frozenset()
                named = sorted(ASKED[word].intersection(fields) - kept_of_it)
                at = f"/{word}s/{escape(key)}" if key else ""
                found |= dict.fromkeys(f"{at}/{name}" for name in named)
        return list(found)[:MOST_NAMED]


def changed_by(entry: AuditEntry) -> list[tuple[str, Collection[str]]]:
    """What an entry of the audit tells of, such as 'source/clinic-7' or 'project', with the fields that changed; what
    was made aside, as a round knows what was on offer."""
    word, _, verb = entry.action.partition(".")
    if verb == "replaced":
        one = word.removesuffix("s")
        return [(f"{one}/{key}", fields_of(one, said)) for key, said in entry.changes.items()]
    if verb != "changed":
        return []
    _, _, key = entry.resource.partition(":")
    return [(word if word == "project" else f"{word}/{key}", entry.changes.keys())]


def fields_of(word: str, said: Mapping[str, Any]) -> Collection[str]:
    """The fields that a whole list changed of one of its members: none of a new one, and all that matter where they
    were too many to be told."""
    before = said["from"]
    if not isinstance(before, dict):
        return ASKED[word]
    return () if before.get("key", "") is None else before.keys()


def with_counts(problem: Problem, allocation: Mapping[str, Any]) -> Problem:
    """The problem at the counts of an allocation that was kept; of groups that it does not know at those of today."""
    held, raw = problem.held.copy(), (problem.held if problem.raw is None else problem.raw).copy()
    pending, pending_raw = np.zeros(len(held)), np.zeros(len(held))
    place = {key: at for at, key in enumerate(problem.keys)}
    for one in allocation.get("groups", ()):
        at = place.get(one["group"])
        if at is None:
            continue
        held[at], pending[at] = one["count"], one.get("pending", 0)
        raw[at], pending_raw[at] = one.get("raw_count", one["count"]), one.get("raw_pending", pending[at])
    return replace(problem, held=held, raw=raw, pending=pending, pending_raw=pending_raw)


def forecast_of(project: Project, row: Round) -> Mapping[str, float] | None:
    """The utility that was forecast as the round was proposed, where it was of these orders and this objective."""
    allocation = row.allocation
    ordered = {one["source"]: one["order"] for one in allocation.get("sources", ()) if one["order"]}
    same = ordered == {key: line["quantity"] for key, line in row.lines.items()}
    utility = allocation.get("utility")
    if utility is None or not same or allocation.get("objective") != project.objective:
        return None
    forecast: Mapping[str, float] = utility["after"]
    return forecast


def by_group(keys: Sequence[str], added: FloatArray | None) -> dict[str, int]:
    """Whole samples by group, of those that get any."""
    if added is None:
        return {}
    return {key: round(count) for key, count in zip(keys, added.tolist(), strict=True) if round(count)}
