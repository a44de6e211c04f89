"""Rounds: proposed from an allocation that was looked at, accepted against the budget, collected, closed.

proposed → accepted → collecting → closed; declined from `proposed`; cancelled from `proposed`, and from `accepted` as
long as nothing has come. A proposal that nobody accepts in time is expired. Every transition is one transaction with
its event and an audit entry.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, LicenceRule, NotFound, escape, invalid
from app.money import told
from app.services.access.audit import Changes, write_audit
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.ledger import ledger
from app.services.ledger.holdings import holdings_of, left_of
from app.services.ledger.ledger import Cause
from app.services.ledger.orders import about_order, about_round
from app.services.ledger.terms import price_of, terms_of
from app.services.ledger.worths import worth_of
from app.services.licences import judge
from app.services.projects.changes import touch
from app.services.purchases.steps import approvals_needed, require, state_of, take_step, tell, verdict_on
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


def refer(session: Session, project: Project, row: Round, reference: str | None, caller: Caller, now: datetime) -> None:
    """Say the number of the purchase order, whatever the round's state; None takes it away."""
    changes: Changes = {"reference": {"from": row.reference, "to": reference}}
    row.reference, row.updated_at = reference, now
    write_audit(session, project, caller, "round.edited", f"round:{row.number}", {}, now, changes)


def get_round(session: Session, project: Project, number: int) -> Round:
    """The project's round. Raises NotFound."""
    row = find(session, Round, project_id=project.id, number=number)
    if row is None:
        raise NotFound(f"There is no round {number} in this project.")
    return row


def accept(
    session: Session,
    project: Project,
    row: Round,
    note: str | None,
    reference: str | None,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """Approve the purchase; with enough approvals its orders are made and their cost is committed.

    A round that costs more than the project's `approval_threshold` needs two different keys. Raises Conflict for a
    round that is not proposed, over the budget, or whose sources changed since, LicenceRule, Invalid where the verdict
    advises against it and no `note` says why.
    """
    require(row, "proposed", "accepted", now)
    if caller.key_id in row.approvals:
        raise Conflict("This key has approved the round already; the second approval must come from another key.")
    refuse_unreasoned(row, note)
    sources = sources_of(session, project, row)
    refuse_unlicensed(project, sources)
    refuse_overspending(session, project, row)
    row.reference = reference or row.reference
    if not approve(session, project, row, note, caller, now):
        tell(session, project, row, "round.approval_needed", caller, note, now, enqueue)
        return
    orders = commit(session, project, row, sources, caller, now, enqueue)
    place_orders(session, project, row, orders, now, enqueue)
    tell_exhausted(session, project, now, enqueue)


def refuse_unreasoned(row: Round, note: str | None) -> None:
    """Raises Invalid where the verdict advises against the purchase and nothing is said for it."""
    if needs_reason(row) and not (note or "").strip():
        detail = f"say why to buy all the same. The verdict on the plan: {verdict_on(row)['sentence']}"
        raise invalid(Fault("/note", detail))


def needs_reason(row: Round) -> bool:
    """Whether who approves the round goes against its verdict."""
    return verdict_on(row).get("kind") in ("keep", "measure")


def approve(session: Session, project: Project, row: Round, note: str | None, caller: Caller, now: datetime) -> bool:
    """Write down the caller's approval; whether there are enough of them now."""
    row.approvals = [*row.approvals, caller.key_id]
    take_step(row, "approved", caller, now, note)
    detail = {"cost": str(row.cost), "approvals": len(row.approvals)}
    write_audit(session, project, caller, "round.approved", f"round:{row.number}", detail, now)
    return len(row.approvals) >= approvals_needed(project, row)


def decline(
    session: Session, project: Project, row: Round, reason: str, caller: Caller, now: datetime, enqueue: Enqueue
) -> None:
    """Refuse a proposal; nothing was committed, so nothing is released. Raises Conflict."""
    require(row, "proposed", "declined", now)
    row.state, row.declined_at, row.reason = "declined", now, reason
    take_step(row, "declined", caller, now, reason)
    write_audit(session, project, caller, "round.declined", f"round:{row.number}", {}, now)
    tell(session, project, row, "round.declined", caller, reason, now, enqueue)


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
        if terms_of(source, ordered, line["terms"].get("currency")).stored() != line["terms"]:
            faults.append(Fault(f"/lines/{escape(key)}", f"the price of '{key}' changed since the round was proposed"))
        if source.max_total is not None and ordered + line["quantity"] > source.max_total:
            detail = f"{ordered} are ordered of '{key}'; {line['quantity']} more pass its max_total {source.max_total}"
            faults.append(Fault(f"/lines/{escape(key)}", detail))
    if faults:
        hint = "Edit the round, with the same orders if you take the new prices, or cancel it."
        raise Conflict(f"{faults[0].detail}. {hint}", tuple(faults))
    return found


def refuse_unlicensed(project: Project, sources: Mapping[str, Source]) -> None:
    """Raises LicenceRule where the project's rule, as it stands now, allows no order from one of the sources."""
    because = {key: judge(project.licence_rule, source)[0] for key, source in sorted(sources.items())}
    faults = [
        Fault(f"/lines/{escape(key)}", f"the licence rule excludes '{key}': {', '.join(map(str, found))}")
        for key, found in because.items()
        if found
    ]
    if faults:
        hint = "Settle the terms of the source, change the licence_rule of the project, or edit or cancel the round."
        raise LicenceRule(f"T{faults[0].detail[1:]}. {hint}", tuple(faults))


def refuse_overspending(session: Session, project: Project, row: Round) -> None:
    """Raises Conflict where the round costs more than is left."""
    money = money_of_project(session, project.id)
    left = left_of(project, money)
    if row.cost > left:
        amounts = (row.cost, left, project.budget_total, money.spent, money.committed)
        cost, there, budget, spent, committed = (told(one, project.currency) for one in amounts)
        raise Conflict(
            f"The round costs {cost}, and the project has {there} left ({budget} less {spent} spent and {committed}"
            " committed). Raise the budget, or edit the round."
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
            quality=worth_of(sources[key]).mean,
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
    sources = members(session, Source, project.id)
    prices = [price_of(source) for source in sources if not judge(project.licence_rule, source)[0]]
    exhausted = left <= 0 or (bool(prices) and left < min(prices))
    if exhausted and project.exhausted_at is None:
        data = {"url": f"/v1/projects/{project.id}", "left": str(left)}
        record(session, project.workspace_id, "budget.exhausted", project.id, data, now, enqueue)
    project.exhausted_at = (project.exhausted_at or now) if exhausted else None


def close(
    session: Session,
    project: Project,
    row: Round,
    note: str | None,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """End the collecting: orders close and commit no more; what still comes is counted and flagged. Raises Conflict."""
    if row.state not in ("accepted", "collecting"):
        found = state_of(row, now)
        raise Conflict(f"Round {row.number} is {found}; only an accepted or collecting round can be closed.")
    row.state, row.closed_at = "closed", now
    take_step(row, "closed", caller, now, note)
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
    found = state_of(row, now)
    if found not in ("proposed", "accepted"):
        hint = " Close it instead." if found == "collecting" else ""
        raise Conflict(f"Round {row.number} is {found}; only a proposed or accepted round can be cancelled.{hint}")
    caller.require("buy" if row.state == "accepted" else "write")
    if row.state == "accepted":
        end_orders(session, row, "cancelled", Cause("cancel", f"round:{row.number}", caller.key_id), now)
        touch(project, now)
    row.state, row.cancelled_at, row.reason = "cancelled", now, reason
    take_step(row, "cancelled", caller, now, reason)
    write_audit(session, project, caller, "round.cancelled", f"round:{row.number}", {"reason": reason}, now)


def end_orders(session: Session, row: Round, state: str, cause: Cause, now: datetime) -> None:
    for order in store.orders_of_rounds(session, [row.id]):
        if order.state in store.OPEN_ORDERS:
            order.state, order.closed_at, order.updated_at = state, now, now
            ledger.release(session, order, cause, now)
