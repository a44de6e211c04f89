"""The ledger: each cause appends the difference it makes; totals are sums, and what is charged follows from them.

Samples are accepted, rejected, pending (delivered, not reviewed) or unmapped (of no known group). An order's terms
charge what it brought, all of it or the accepted samples alone (`billed`); a stated cost takes their place. What an
open order was planned to cost and has not cost yet is committed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Fault, refuse
from app.services.ledger.terms import Terms
from app.store import ledger as store
from app.store.ledger import Cell, Totals
from app.store.models.purchases import LedgerEntry, Order
from app.store.rounds import OPEN_ORDERS

STATES = ("accepted", "rejected", "pending", "unmapped")
HAND_KINDS = ("delivery", "correction")
VENDOR_KINDS = ("vendor", "reconcile")
MAPPING = "vendor-mapping:"
"""Begins the reference of a cause that moved samples because a vendor's words were mapped anew."""
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Cause:
    """What an entry comes from: its kind, the row it names, the key that acted (None: the service itself), a note."""

    kind: str
    reference: str
    api_key_id: str | None = None
    note: str | None = None


def append(
    session: Session,
    order: Order,
    changes: Mapping[Cell, int],
    cause: Cause,
    now: datetime,
    cost: Decimal | None = None,
) -> Totals:
    """Append `changes`, samples more or fewer by group and state, and the money they make due; returns the new totals.

    cost: what these changes cost, more or less, in place of the order's terms. Raises Invalid where a total would fall
    below 0; then nothing is appended.
    """
    before = totals_of(session, order)
    after = counted(before, changes, priced=cost is None)
    refuse_negative(after, spent=before.spent + (cost or NOTHING))
    due = cost if cost is not None else due_by_terms(order, after) - before.spent_by_terms
    refuse_negative(after, spent=before.spent + due)
    entries = [
        entry(order, cause, now, group_id=group, state=state, count=count, priced=cost is None)
        for (group, state), count in changes.items()
        if count
    ]
    session.add_all(entries)
    after.spent = before.spent + due
    after.spent_by_terms = before.spent_by_terms + (due if cost is None else NOTHING)
    pay(session, order, after, due, cause, now, priced=cost is None)
    session.flush()
    return after


def settle(
    session: Session,
    order: Order,
    fold: Mapping[Cell, int],
    cause: Cause,
    now: datetime,
    cost: Decimal | None = None,
) -> Totals | None:
    """Bring what vendors reported of the order to `fold`, samples by group and state, by appending the difference.

    cost: the whole cost the vendor states for the order, where it does. None where nothing differs.
    """
    known = store.totals_of_orders(session, order.project_id, [order.id], VENDOR_KINDS)[order.id]
    cells = {**dict.fromkeys(known.counts, 0), **fold}
    changes = {cell: count - known.counts.get(cell, 0) for cell, count in cells.items()}
    changes = {cell: count for cell, count in changes.items() if count}
    stated = None if cost is None else cost - known.spent
    if not changes and not stated:
        return None
    return append(session, order, changes, cause, now, stated)


def commit_order(session: Session, order: Order, cause: Cause, now: datetime) -> None:
    """An accepted order's planned cost is committed."""
    pay(session, order, Totals(), NOTHING, cause, now, priced=True)


def release(session: Session, order: Order, cause: Cause, now: datetime) -> None:
    """An order that was closed or cancelled commits nothing more."""
    pay(session, order, totals_of(session, order), NOTHING, cause, now, priced=True)


def pay(
    session: Session, order: Order, totals: Totals, due: Decimal, cause: Cause, now: datetime, *, priced: bool
) -> None:
    """The money's entry: `due` more is spent, and what stays committed follows from the totals."""
    left = max(NOTHING, order.cost - totals.spent) if order.state in OPEN_ORDERS else NOTHING
    committed = left - totals.committed
    if due or committed:
        session.add(entry(order, cause, now, priced=priced, spent=due, committed=committed))
    totals.committed = left


def entry(
    order: Order,
    cause: Cause,
    now: datetime,
    *,
    priced: bool,
    group_id: int | None = None,
    state: str | None = None,
    count: int = 0,
    spent: Decimal = NOTHING,
    committed: Decimal = NOTHING,
) -> LedgerEntry:
    return LedgerEntry(
        project_id=order.project_id,
        order_id=order.id,
        kind=cause.kind,
        group_id=group_id,
        state=state,
        count=count,
        priced=priced,
        spent=spent,
        committed=committed,
        cause=cause.reference,
        note=cause.note,
        api_key_id=cause.api_key_id,
        created_at=now,
    )


def totals_of(session: Session, order: Order) -> Totals:
    return store.totals_of_orders(session, order.project_id, [order.id])[order.id]


def counted(totals: Totals, changes: Mapping[Cell, int], *, priced: bool) -> Totals:
    """The totals with the changes of counts; money as before."""
    counts, charged = dict(totals.counts), dict(totals.priced)
    for cell, count in changes.items():
        counts[cell] = counts.get(cell, 0) + count
        if priced:
            charged[cell] = charged.get(cell, 0) + count
    return Totals(counts, charged, totals.spent, totals.spent_by_terms, totals.committed)


def due_by_terms(order: Order, totals: Totals) -> Decimal:
    """What the order's terms charge for the samples that are priced by them."""
    terms = Terms.read(order.terms)
    states = ("accepted",) if terms.billed == "accepted" else STATES
    charged = sum(count for (_, state), count in totals.priced.items() if state in states)
    return terms.cost(max(0, charged))


def refuse_negative(totals: Totals, spent: Decimal) -> None:
    """Raises Invalid where the order's counts or spending would fall below 0."""
    faults = [
        Fault(state, f"the order would be left with {count:,} {state} samples; take away no more than there are")
        for (_, state), count in totals.counts.items()
        if count < 0
    ]
    if spent < 0:
        faults.append(Fault("cost", f"the order's spending would fall to {spent}; take away no more than was spent"))
    refuse(faults)


@dataclass(frozen=True)
class Discrepancy:
    """Where the ledger's entries do not add up to what they record."""

    order_id: UUID
    detail: str


def check(
    session: Session,
    project_id: UUID,
    hand_folds: Mapping[UUID, Mapping[Cell, int]],
    vendor_folds: Mapping[UUID, Mapping[Cell, int]],
) -> list[Discrepancy]:
    """Whether sum(entries) = fold(items) + hand entries, order by order and cell by cell.

    hand_folds, vendor_folds: order id → what the deliveries recorded by hand, and the vendors' items, add up to.
    """
    found = []
    for name, kinds, folds in (("hand", HAND_KINDS, hand_folds), ("vendor", VENDOR_KINDS, vendor_folds)):
        summed = store.totals_of_orders(session, project_id, kinds=kinds)
        for order_id in sorted(summed.keys() | folds.keys()):
            entries = without_zeros(summed[order_id].counts if order_id in summed else {})
            expected = without_zeros(folds.get(order_id, {}))
            if entries != expected:
                found.append(Discrepancy(order_id, f"{name} entries add up to {entries}, their records to {expected}"))
    return found


def without_zeros(counts: Mapping[Cell, int]) -> dict[Cell, int]:
    return {cell: count for cell, count in counts.items() if count}
