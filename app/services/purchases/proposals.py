"""Proposals of rounds: made from an allocation that was looked at, once; with other orders put in."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.errors import AllocationChanged, Conflict, Fault, KeyTaken, escape, invalid
from app.money import amount
from app.services.access.audit import Changes, write_audit
from app.services.access.keys import Caller
from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.services.ledger.holdings import holdings_of, left_of
from app.services.ledger.terms import terms_of
from app.services.planning import GroupPlan
from app.services.planning.allocations import Allocation, AllocationQuestion, next_allocation
from app.services.planning.situations import refuse_unknown_sources
from app.services.purchases.steps import end_of_proposal, require, state_of, take_step, tell
from app.store import rounds as store
from app.store.models.projects import Project, Source
from app.store.models.purchases import Round
from app.store.projects import members, members_by_key
from app.store.reading import find


@dataclass(frozen=True)
class Proposal:
    """What is to be bought: the data version that was looked at, the question, and the query that asked it; in words of
    who proposes it, and under which number of a purchase order."""

    external_id: str | None
    data_version: int
    question: AllocationQuestion
    query: Mapping[str, Any]
    note: str | None = None
    reference: str | None = None

    @property
    def content(self) -> str:
        words = [self.note, self.reference]
        said = [self.data_version, dict(self.query), *(words if any(words) else ())]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Named(Protocol):
    """What a round is made by: its name in the caller's records, and a hash of all that was said."""

    @property
    def external_id(self) -> str | None: ...

    @property
    def content(self) -> str: ...


AsJson = Callable[[Project, AllocationQuestion, Allocation], dict[str, Any]]
"""An allocation as the JSON that whoever proposes it had looked at."""


def find_repeat(session: Session, project: Project, said: Named) -> Round | None:
    """The round an earlier call with this external id made. Raises KeyTaken where that call asked something else."""
    if said.external_id is None:
        return None
    row = find(session, Round, project_id=project.id, external_id=said.external_id)
    if row is not None and row.content_hash != said.content:
        detail = (
            f"external_id '{said.external_id}' was used for round {row.number}, another one; give this one its own."
        )
        raise KeyTaken(detail)
    return row


def refuse_moved(project: Project, data_version: int) -> None:
    """Raises AllocationChanged where the data moved since the allocation was looked at."""
    if project.data_version != data_version:
        detail = (
            f"The allocation was made from data version {data_version}; the project is at {project.data_version} now."
            " Ask for the next allocation again, look at it and propose that."
        )
        faults = (
            Fault("/data_version", f"given: {data_version}"),
            Fault("/data_version", f"current: {project.data_version}"),
        )
        raise AllocationChanged(detail, faults)


def propose(
    session: Session,
    fits: Fits,
    project: Project,
    proposal: Proposal,
    write: AsJson,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> Round:
    """Freeze the allocation that was looked at as a proposed round.

    Raises AllocationChanged where the data moved since, Conflict while another proposal waits, Invalid where nothing
    would be bought, and as `next_allocation`.
    """
    refuse_moved(project, proposal.data_version)
    frozen = {
        "note": proposal.note,
        "reference": proposal.reference,
        "expires_at": end_of_proposal(project, now),
        **frozen_of(session, fits, project, proposal, write),
    }
    row = add_round(session, project, proposal, frozen, caller, now)
    tell(session, project, row, "round.proposed", caller, proposal.note, now, enqueue)
    return row


def frozen_of(session: Session, fits: Fits, project: Project, proposal: Proposal, write: AsJson) -> dict[str, Any]:
    """What is signed, as columns of a round. Raises as `next_allocation`, Invalid where nothing would be bought."""
    allocation = next_allocation(session, fits, project, proposal.question)
    return {
        "data_version": proposal.data_version,
        "query": dict(proposal.query),
        "allocation": write(project, proposal.question, allocation),
        **purchase_of(session, project, allocation),
    }


def add_round(
    session: Session, project: Project, said: Named, frozen: Mapping[str, Any], caller: Caller, now: datetime
) -> Round:
    """A proposed round with the columns that are `frozen` in it. Raises Conflict while another proposal waits."""
    row = Round(
        project_id=project.id,
        number=next_number(session, project, now),
        state="proposed",
        external_id=said.external_id,
        content_hash=said.content,
        approvals=[],
        steps=[],
        proposed_by=caller.key_id,
        created_at=now,
        updated_at=now,
        **frozen,
    )
    take_step(row, "proposed", caller, now, row.note)
    session.add(row)
    session.flush()
    write_audit(session, project, caller, "round.proposed", f"round:{row.number}", {"cost": str(row.cost)}, now)
    return row


def waiting_proposal(session: Session, project: Project, now: datetime) -> Round | None:
    """The proposal that can still be accepted; one that expired meanwhile is kept as such."""
    row = find(session, Round, project_id=project.id, state="proposed")
    if row is not None:
        row.state = state_of(row, now)
    return row if row is not None and row.state == "proposed" else None


def next_number(session: Session, project: Project, now: datetime) -> int:
    """Raises Conflict while another proposal waits."""
    waiting = waiting_proposal(session, project, now)
    if waiting is not None:
        raise Conflict(f"Round {waiting.number} is proposed and waits: accept, edit, decline or cancel it first.")
    return store.last_number(session, project.id) + 1


def purchase_of(session: Session, project: Project, allocation: Allocation) -> dict[str, Any]:
    """What an allocation buys, as columns of a round. Raises Invalid where that is nothing."""
    plan = allocation.plan
    bought = [source for source in plan.sources if source.order]
    if not bought:
        reason = plan.unspent_reason or "The orders are all 0."
        raise invalid(Fault("", f"the round would buy nothing: {reason}"))
    terms = present_terms(session, project, [source.key for source in bought])
    return {
        "lines": {
            source.key: {"quantity": source.order, "cost": str(amount(source.cost)), "terms": terms[source.key]}
            for source in bought
        },
        "added": {group.key: group.add for group in plan.groups if group.add},
        "forecast": {group.key: forecast_of(group, allocation.known) for group in plan.groups},
        "cost": amount(plan.spend),
    }


def forecast_of(group: GroupPlan, known: bool) -> dict[str, Any]:
    """What the group's metric is and is forecast to become, to be read beside what is measured later."""
    return {
        "count": group.count,
        "count_after": group.count + group.add,
        "now": vars(group.metric_now) if known else None,
        "after": vars(group.metric_after) if known else None,
    }


def present_terms(session: Session, project: Project, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Source key → its price terms as they are now, as an order freezes them."""
    sources = members_by_key(session, Source, project.id, keys)
    holdings = holdings_of(session, project, list(sources.values()))
    return {
        key: terms_of(source, holdings.record(source).ordered, project.currency).stored()
        for key, source in sources.items()
    }


def edited_question(
    session: Session, project: Project, question: AllocationQuestion, orders: Mapping[str, int]
) -> AllocationQuestion:
    """What just these orders would do, sources left out getting none. Raises Invalid for unknown sources."""
    sources = members(session, Source, project.id)
    refuse_unknown_sources(sources, list(orders), lambda key: f"/orders/{escape(key)}")
    hold = {source.key: orders.get(source.key, 0) for source in sources}
    left = left_of(project, holdings_of(session, project, sources).money)
    return replace(question, budget=left, policy="optimal", exploration=0.0, hold=hold)


def edit(
    session: Session,
    fits: Fits,
    project: Project,
    row: Round,
    wanted: Proposal,
    write: AsJson,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """Put other orders into a proposal, frozen as the data are now; approvals given before are void. Raises Conflict
    once it is accepted, Infeasible where the orders break the budget, a bound or a limit."""
    require(row, "proposed", "edited", now)
    before, cost = row.lines, row.cost
    for name, value in frozen_of(session, fits, project, wanted, write).items():
        setattr(row, name, value)
    row.approvals = []
    take_step(row, "edited", caller, now)
    changes: Changes = {"lines": {"from": before, "to": row.lines}, "cost": {"from": cost, "to": row.cost}}
    write_audit(session, project, caller, "round.edited", f"round:{row.number}", {}, now, changes)
    tell(session, project, row, "round.approval_needed", caller, None, now, enqueue)
