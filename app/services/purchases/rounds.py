"""Rounds: proposed from an allocation that was looked at, accepted against the budget, collected, closed.

proposed → accepted → collecting → closed; cancelled from `proposed`, and from `accepted` while nothing has come.
Every transition is one transaction with its event and an audit entry.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.errors import AllocationChanged, Conflict, Fault, KeyTaken, NotFound, escape, invalid
from app.money import amount
from app.services.access.audit import write_audit
from app.services.access.keys import Caller
from app.services.curves.fits import Fits
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.ledger import ledger
from app.services.ledger.holdings import holdings_of, left_of
from app.services.ledger.ledger import Cause
from app.services.ledger.orders import about_order, about_round
from app.services.ledger.terms import terms_of
from app.services.planning import GroupPlan
from app.services.planning.allocations import Allocation, AllocationQuestion, next_allocation
from app.services.planning.situations import refuse_unknown_sources
from app.services.projects.changes import touch
from app.services.vendors.placing import ask_to_place, places_orders
from app.services.vendors.schedule import ask_to_reconcile
from app.services.webhooks.events import record
from app.store import rounds as store
from app.store.ledger import money_of_project
from app.store.models.projects import Project, Source
from app.store.models.purchases import Order, Round
from app.store.projects import members, members_by_key
from app.store.reading import find
from app.store.vendors import connected_orders


@dataclass(frozen=True)
class Proposal:
    """What is to be bought: the data version that was looked at, the question, and the query that asked it."""

    external_id: str | None
    data_version: int
    question: AllocationQuestion
    query: Mapping[str, Any]

    @property
    def content(self) -> str:
        said = [self.data_version, dict(self.query)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Named(Protocol):
    """What a round is made by: its name in the caller's records, and a hash of all that was said."""

    @property
    def external_id(self) -> str | None: ...

    @property
    def content(self) -> str: ...


AsJson = Callable[[Project, AllocationQuestion, Allocation], dict[str, Any]]
"""An allocation as the JSON that whoever proposes it had looked at."""


def get_round(session: Session, project: Project, number: int) -> Round:
    """The project's round. Raises NotFound."""
    row = find(session, Round, project_id=project.id, number=number)
    if row is None:
        raise NotFound(f"There is no round {number} in this project.")
    return row


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
    session: Session, fits: Fits, project: Project, proposal: Proposal, write: AsJson, caller: Caller, now: datetime
) -> Round:
    """Freeze the allocation that was looked at as a proposed round.

    Raises AllocationChanged where the data moved since, Conflict while another proposal waits, Invalid where nothing
    would be bought, and as `next_allocation`.
    """
    refuse_moved(project, proposal.data_version)
    allocation = next_allocation(session, fits, project, proposal.question)
    frozen = {
        "data_version": proposal.data_version,
        "query": dict(proposal.query),
        "allocation": write(project, proposal.question, allocation),
        **purchase_of(session, project, allocation),
    }
    return add_round(session, project, proposal, frozen, caller, now)


def add_round(
    session: Session, project: Project, said: Named, frozen: Mapping[str, Any], caller: Caller, now: datetime
) -> Round:
    """A proposed round with the columns that are `frozen` in it. Raises Conflict while another proposal waits."""
    row = Round(
        project_id=project.id,
        number=next_number(session, project),
        state="proposed",
        external_id=said.external_id,
        content_hash=said.content,
        approvals=[],
        proposed_by=caller.key_id,
        created_at=now,
        updated_at=now,
        **frozen,
    )
    session.add(row)
    session.flush()
    write_audit(session, project, caller, "round.proposed", f"round:{row.number}", {"cost": str(row.cost)}, now)
    return row


def waiting_proposal(session: Session, project: Project) -> Round | None:
    return find(session, Round, project_id=project.id, state="proposed")


def next_number(session: Session, project: Project) -> int:
    """Raises Conflict while another proposal waits."""
    waiting = waiting_proposal(session, project)
    if waiting is not None:
        raise Conflict(f"Round {waiting.number} is proposed and waits: accept it, edit it or cancel it first.")
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
    return {key: terms_of(source, holdings.record(source).ordered).stored() for key, source in sources.items()}


def edited_allocation(
    session: Session, fits: Fits, project: Project, question: AllocationQuestion, orders: Mapping[str, int]
) -> Allocation:
    """What just these orders would do, sources left out getting none. Raises Invalid for unknown sources, Infeasible
    where they break the budget, a bound or a limit."""
    sources = members(session, Source, project.id)
    refuse_unknown_sources(sources, list(orders), lambda key: f"/orders/{escape(key)}")
    hold = {source.key: orders.get(source.key, 0) for source in sources}
    left = left_of(project, holdings_of(session, project, sources).money)
    asked = replace(question, budget=left, policy="optimal", exploration=0.0, hold=hold)
    return next_allocation(session, fits, project, asked)


def edit(session: Session, project: Project, row: Round, allocation: Allocation, caller: Caller, now: datetime) -> None:
    """Put other orders into a proposal; approvals given before are void. Raises Conflict once it is accepted."""
    require(row, "proposed", "edited")
    before = row.lines
    for name, value in purchase_of(session, project, allocation).items():
        setattr(row, name, value)
    row.approvals = []
    row.updated_at = now
    detail = {"before": before, "after": row.lines, "cost": str(row.cost)}
    write_audit(session, project, caller, "round.edited", f"round:{row.number}", detail, now)


def require(row: Round, state: str, what: str) -> None:
    """Raises Conflict unless the round is in `state`."""
    if row.state != state:
        raise Conflict(f"Round {row.number} is {row.state}; only a round that is {state} can be {what}.")


def accept(session: Session, project: Project, row: Round, caller: Caller, now: datetime, enqueue: Enqueue) -> None:
    """Approve the purchase; with enough approvals its orders are made and their cost is committed.

    A round that costs more than the project's `approval_threshold` needs two different keys. Raises Conflict for a
    round that is not proposed, over the budget, or whose sources changed since.
    """
    require(row, "proposed", "accepted")
    if caller.key_id in row.approvals:
        raise Conflict("This key has approved the round already; the second approval must come from another key.")
    sources = sources_of(session, project, row)
    refuse_overspending(session, project, row)
    if not approve(session, project, row, caller, now):
        return
    orders = commit(session, project, row, sources, caller, now, enqueue)
    place_orders(session, project, row, orders, now, enqueue)
    tell_exhausted(session, project, now, enqueue)


def approve(session: Session, project: Project, row: Round, caller: Caller, now: datetime) -> bool:
    """Write down the caller's approval; whether there are enough of them now."""
    row.approvals = [*row.approvals, caller.key_id]
    row.updated_at = now
    detail = {"cost": str(row.cost), "approvals": len(row.approvals)}
    write_audit(session, project, caller, "round.approved", f"round:{row.number}", detail, now)
    return len(row.approvals) >= approvals_needed(project, row)


def commit(
    session: Session,
    project: Project,
    row: Round,
    sources: Mapping[str, Source],
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> list[Order]:
    """The approved round's orders, their cost committed; none is placed yet."""
    row.state, row.accepted_at = "accepted", now
    orders = make_orders(session, project, row, sources, now)
    for order in orders:
        ledger.commit_order(session, order, Cause("order", f"round:{row.number}", caller.key_id), now)
    touch(project, now)
    session.flush()
    record(session, project.workspace_id, "round.accepted", project.id, about_round(project, row), now, enqueue)
    return orders


def approvals_needed(project: Project, row: Round) -> int:
    threshold = project.approval_threshold
    return 2 if threshold is not None and row.cost > threshold else 1


def sources_of(session: Session, project: Project, row: Round) -> dict[str, Source]:
    """The sources of the round's lines. Raises Conflict where one was archived, changed its price, or sells no more."""
    found = members_by_key(session, Source, project.id, row.lines)
    gone = sorted(key for key in row.lines if key not in found or found[key].archived_at)
    if gone:
        raise Conflict(f"These sources are archived: {', '.join(gone)}. Restore them, or edit or cancel the round.")
    holdings = holdings_of(session, project, list(found.values()))
    faults = []
    for key, line in sorted(row.lines.items()):
        source, ordered = found[key], holdings.record(found[key]).ordered
        if terms_of(source, ordered).stored() != line["terms"]:
            faults.append(Fault(f"/lines/{escape(key)}", f"the price of '{key}' changed since the round was proposed"))
        if source.max_total is not None and ordered + line["quantity"] > source.max_total:
            detail = f"{ordered} are ordered of '{key}'; {line['quantity']} more pass its max_total {source.max_total}"
            faults.append(Fault(f"/lines/{escape(key)}", detail))
    if faults:
        hint = "Edit the round, with the same orders if you take the new prices, or cancel it."
        raise Conflict(f"{faults[0].detail}. {hint}", tuple(faults))
    return found


def refuse_overspending(session: Session, project: Project, row: Round) -> None:
    """Raises Conflict where the round costs more than is left."""
    money = money_of_project(session, project.id)
    left = left_of(project, money)
    if row.cost > left:
        raise Conflict(
            f"The round costs {row.cost}, and the project has {left} left"
            f" ({project.budget_total} less {money.spent} spent and {money.committed} committed)."
            " Raise the budget, or edit the round."
        )


def make_orders(
    session: Session, project: Project, row: Round, sources: Mapping[str, Source], now: datetime
) -> list[Order]:
    """One order per source, with the source's terms as they are now."""
    orders = [
        Order(
            id=new_id(),
            project_id=project.id,
            round_id=row.id,
            source_id=sources[key].id,
            state="open",
            quantity=line["quantity"],
            terms=line["terms"],
            acceptance_rate=sources[key].acceptance_rate,
            quality=sources[key].quality,
            yields={str(one.group_id): one.share for one in sources[key].yields},
            cost=Decimal(line["cost"]),
            created_at=now,
            updated_at=now,
        )
        for key, line in sorted(row.lines.items())
    ]
    session.add_all(orders)
    session.flush()
    return orders


def place_orders(
    session: Session, project: Project, row: Round, orders: list[Order], now: datetime, enqueue: Enqueue
) -> None:
    """Jobs place what goes through a connection that takes orders; who accepted the round places the rest by hand."""
    connected = {order.id: connection for connection, order in connected_orders(session, [one.id for one in orders])}
    for order in orders:
        connection = connected.get(order.id)
        if connection is not None and places_orders(connection):
            ask_to_place(session, order, connection, now, enqueue)
        else:
            mark_placed(session, project, row, order, None, now, enqueue)


def mark_placed(
    session: Session,
    project: Project,
    row: Round,
    order: Order,
    external_id: str | None,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """The order is with its vendor, under `external_id` where it has one."""
    if order.state != "open":
        return
    order.state, order.placed_at, order.updated_at = "placed", now, now
    order.external_id = external_id
    record(session, project.workspace_id, "order.placed", project.id, about_order(project, row, order), now, enqueue)


def tell_exhausted(session: Session, project: Project, now: datetime, enqueue: Enqueue) -> None:
    """One event when what is left pays for no sample of any source; a raised budget arms it again."""
    left = left_of(project, money_of_project(session, project.id))
    prices = [source.unit_cost for source in members(session, Source, project.id)]
    exhausted = left <= 0 or (bool(prices) and left < min(prices))
    if exhausted and project.exhausted_at is None:
        data = {"url": f"/v1/projects/{project.id}", "left": str(left)}
        record(session, project.workspace_id, "budget.exhausted", project.id, data, now, enqueue)
    project.exhausted_at = (project.exhausted_at or now) if exhausted else None


def close(session: Session, project: Project, row: Round, caller: Caller, now: datetime, enqueue: Enqueue) -> None:
    """End the collecting: orders close and commit no more; what still comes is counted and flagged. Raises Conflict."""
    if row.state not in ("accepted", "collecting"):
        raise Conflict(f"Round {row.number} is {row.state}; only an accepted or collecting round can be closed.")
    row.state, row.closed_at, row.updated_at = "closed", now, now
    end_orders(session, row, "closed", Cause("close", f"round:{row.number}", caller.key_id), now)
    read_back(session, row, now, enqueue)
    touch(project, now)
    write_audit(session, project, caller, "round.closed", f"round:{row.number}", {}, now)
    record(session, project.workspace_id, "round.closed", project.id, about_round(project, row), now, enqueue)


def read_back(session: Session, row: Round, now: datetime, enqueue: Enqueue) -> None:
    """Vendors that can be asked say once more what became of the round's orders."""
    orders = store.orders_of_rounds(session, [row.id])
    connections = {one.id: one for one, _ in connected_orders(session, [order.id for order in orders])}
    for connection in connections.values():
        ask_to_reconcile(session, connection, "close", now, enqueue)


def cancel(session: Session, project: Project, row: Round, reason: str | None, caller: Caller, now: datetime) -> None:
    """Withdraw a proposal (scope `write`), or an accepted round of which nothing has come (scope `buy`). Raises
    Conflict, Forbidden."""
    if row.state not in ("proposed", "accepted"):
        hint = " Close it instead." if row.state == "collecting" else ""
        raise Conflict(f"Round {row.number} is {row.state}; only a proposed or accepted round can be cancelled.{hint}")
    caller.require("buy" if row.state == "accepted" else "write")
    if row.state == "accepted":
        end_orders(session, row, "cancelled", Cause("cancel", f"round:{row.number}", caller.key_id), now)
        touch(project, now)
    row.state, row.cancelled_at, row.updated_at, row.reason = "cancelled", now, now, reason
    write_audit(session, project, caller, "round.cancelled", f"round:{row.number}", {"reason": reason}, now)


def end_orders(session: Session, row: Round, state: str, cause: Cause, now: datetime) -> None:
    for order in store.orders_of_rounds(session, [row.id]):
        if order.state in store.OPEN_ORDERS:
            order.state, order.closed_at, order.updated_at = state, now, now
            ledger.release(session, order, cause, now)
