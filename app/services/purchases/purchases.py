"""Purchases that were made and have arrived: a round from proposal to close, recorded in one transaction.

What is recorded is a fact, so what only a plan must keep to (smallest and largest orders, lots, bounds, limits) refuses
nothing. What is left of the budget, the approvals that a project asks for and what cannot be true do.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault
from app.money import amount, millionths, payable, plain, told
from app.planner.problem import Problem
from app.planner.problem import Source as PlannerSource
from app.services.access.keys import Caller
from app.services.computing import Work, computed
from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.services.ledger.deliveries import Recording, record_delivery
from app.services.ledger.holdings import left_of
from app.services.ledger.terms import Terms
from app.services.planning.allocations import Allocation, AllocationQuestion, planned
from app.services.planning.problem import Budget
from app.services.planning.situations import answer_key, situation_of
from app.services.purchases import proposals, rounds
from app.services.purchases.arrivals import Arrived, arrived_of
from app.services.purchases.proposals import AsJson
from app.store.ledger import money_of_project
from app.store.models.projects import Project, Source
from app.store.models.purchases import Order, Round
from app.store.projects import members_by_key

MAX_PRICE = Decimal(10**12)
"""The planner counts no more money."""


@dataclass(frozen=True)
class Bought:
    """What the caller says was bought and has arrived: samples by source, or by group. A number stands for as many
    accepted samples of the one group that the source delivers. spent: in place of what the prices say."""

    external_id: str | None
    orders: Mapping[str, int | Arrived] | None
    groups: Mapping[str, int] | None
    spent: Decimal | None
    note: str | None

    @property
    def content(self) -> str:
        """A hash of all that was said: equal for a repeat, other for another purchase."""
        orders = {key: came if isinstance(came, int) else asdict(came) for key, came in (self.orders or {}).items()}
        spent = None if self.spent is None else plain(self.spent)
        said = ["purchase", orders, dict(self.groups or {}), spent, self.note]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def pointer(self) -> str:
        """Where the counts stand in the request."""
        return "/groups" if self.orders is None else "/orders"


def record_purchase(
    session: Session,
    fits: Fits,
    project: Project,
    said: Bought,
    write: AsJson,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> tuple[Round, bool]:
    """The round of the purchase, closed; the second value is False for a repeat of an external id.

    Raises KeyTaken for an external id used for something else, Invalid for what cannot be so, Conflict while a proposal
    waits, above what is left of the budget, and where two keys must approve.
    """
    repeat = proposals.find_repeat(session, project, said)
    if repeat is not None:
        return repeat, False
    refuse_waiting(session, project, now)
    came = arrived_of(session, project, said.orders, said.groups)
    lines = lines_of(session, project, came, said.spent)
    cost = sum((Decimal(line["cost"]) for line in lines.values()), Decimal(0))
    refuse_too_dear(session, project, said, cost)
    question = AllocationQuestion(exploration=0.0, hold={key: one.quantity for key, one in came.items()})
    allocation = allocation_of(session, fits, project, question, came)
    frozen = {
        "data_version": project.data_version,
        "query": vars(question),
        "allocation": write(project, question, allocation),
        "lines": lines,
        "added": added(came.values()),
        "forecast": {group.key: proposals.forecast_of(group, allocation.known) for group in allocation.plan.groups},
        "cost": cost,
        "note": said.note,
    }
    row = proposals.add_round(session, project, said, frozen, caller, now)
    rounds.approve(session, project, row, None, caller, now)
    sources = members_by_key(session, Source, project.id, came)
    orders = rounds.commit(session, project, row, sources, caller, now, enqueue)
    by_id = {source.id: key for key, source in sources.items()}
    for order in orders:
        rounds.mark_placed(session, project, row, order, None, now, enqueue)
        said_of_it = recording(came[by_id[order.source_id]], order, said)
        record_delivery(session, project, row, order, said_of_it, caller, now, enqueue)
    rounds.close(session, project, row, None, caller, now, enqueue)
    rounds.tell_exhausted(session, project, now, enqueue)
    return row, True


def recording(came: Arrived, order: Order, said: Bought) -> Recording:
    cost = None if said.spent is None else order.cost
    return Recording("delivery", None, came.groups, came.unmapped, cost, said.note)


def refuse_waiting(session: Session, project: Project, now: datetime) -> None:
    """Raises Conflict while a proposal waits: it may be this very purchase, and would then be bought twice."""
    waiting = proposals.waiting_proposal(session, project, now)
    if waiting is not None:
        raise Conflict(
            f"Round {waiting.number} is proposed and waits. If this purchase is that round, accept it and record what"
            " arrived at its orders; if not, accept or cancel it first, then record the purchase."
        )


def refuse_too_dear(session: Session, project: Project, said: Bought, cost: Decimal) -> None:
    """Raises Conflict where less is left than the purchase cost, or where one key may not spend as much."""
    left = left_of(project, money_of_project(session, project.id))
    price, there = told(cost, project.currency), told(left, project.currency)
    at = said.pointer if said.spent is None else "/spent"
    if cost > left:
        by = "by its sources' prices " if said.spent is None else ""
        hint = " Say `spent` if it cost less, or raise the budget." if said.spent is None else " Raise the budget."
        detail = (
            f"The purchase cost {by}{price}, and the project has {there} left of"
            f" {told(project.budget_total, project.currency)}.{hint}"
        )
        raise Conflict(detail, (Fault(at, f"at most {there} is left of the budget"),))
    threshold = project.approval_threshold
    if threshold is not None and cost > threshold:
        most = told(threshold, project.currency)
        detail = (
            f"The purchase cost {price}, above the approval_threshold of {most}, so two keys must"
            " accept it: propose a round, accept it with both, then record its deliveries and close it."
        )
        raise Conflict(detail, (Fault(at, f"one key may spend at most {most}"),))


def lines_of(
    session: Session, project: Project, came: Mapping[str, Arrived], spent: Decimal | None
) -> dict[str, dict[str, Any]]:
    """Source key → quantity, cost and price terms. `spent` is shared in proportion to what the terms charge."""
    terms = proposals.present_terms(session, project, list(came))
    costs = {key: charged(Terms.read(terms[key]), one) for key, one in came.items()}
    if spent is not None:
        costs = shared(spent, costs, project.currency)
    return {key: {"quantity": one.quantity, "cost": str(costs[key]), "terms": terms[key]} for key, one in came.items()}


def charged(terms: Terms, came: Arrived) -> Decimal:
    return terms.cost(sum(came.accepted.values()) if terms.billed == "accepted" else came.quantity)


def shared(spent: Decimal, costs: Mapping[str, Decimal], currency: str) -> dict[str, Decimal]:
    """`spent` in proportion to `costs`, alike where all are 0; payable amounts that add up to it."""
    weights = {key: millionths(cost) for key, cost in costs.items()}
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    parts, before, whole = {}, Decimal(0), sum(weights.values())
    for key, end in zip(weights, accumulate(weights.values()), strict=True):
        # Whatever of `spent` cannot be paid is the last one's.
        reach = spent if end == whole else payable(spent * end / whole, currency, down=True)
        parts[key], before = reach - before, reach
    return parts


def added(came: Iterable[Arrived]) -> dict[str, int]:
    """Group key → samples that count for it from now on."""
    total: dict[str, int] = {}
    for one in came:
        for key, count in one.accepted.items():
            total[key] = total.get(key, 0) + count
    return total


def allocation_of(
    session: Session, fits: Fits, project: Project, question: AllocationQuestion, came: Mapping[str, Arrived]
) -> Allocation:
    """What the data of before say of what came: the forecasts that the next run is held against. Raises as
    `next_allocation`."""
    situation = situation_of(session, fits, project, question.draws, question.seed)
    left = left_of(project, situation.holdings.money)

    def plan() -> Allocation:
        problem = as_it_came(situation.problem(Budget(left, left)), came)
        money = amount(problem.budget)
        return planned(project, situation, problem, Budget(money, money), question, evaluating=False)

    key = answer_key("purchase", project, [vars(question), {source: asdict(one) for source, one in came.items()}])
    return computed(session, key, Work(situation.cells, plan))


def as_it_came(problem: Problem, came: Mapping[str, Arrived]) -> Problem:
    """The problem with its orders held at what came, whatever its bounds and limits, at list prices. Raises Conflict
    where these are beyond what can be computed."""
    places = {key: at for at, key in enumerate(problem.keys)}
    sources = tuple(as_delivered(source, places, came.get(source.key)) for source in problem.sources)
    cost = sum(source.cost(source.fixed_order or 0) for source in sources)
    if cost > millionths(MAX_PRICE):
        raise Conflict(
            f"By its sources' prices the purchase cost {amount(cost):,.0f}, more than can be planned with."
            " Correct the prices of the sources first, whatever was spent."
        )
    # What is to be paid for each order may be a little more than its price.
    budget = max(problem.budget, min(cost + len(sources) * problem.payable, millionths(MAX_PRICE)))
    return replace(problem, sources=sources, budget=budget, limits=(), min_count=None, max_count=None)


def as_delivered(source: PlannerSource, places: Mapping[str, int], came: Arrived | None) -> PlannerSource:
    """The offer with its order fixed, at the shares that came instead of those that were to be expected."""
    free = replace(source, min_order=0, max_order=None, max_total=None, lot_size=1, fixed_order=0, excluded=False)
    counts = {} if came is None else {places[key]: n for key, n in came.accepted.items() if key in places}
    if came is None or not counts:
        return free
    yields = tuple(sorted((at, count / came.quantity) for at, count in counts.items()))
    return replace(free, fixed_order=came.quantity, yields=yields, acceptance_rate=1.0)
