"""What is recorded by hand of an order: deliveries, and corrections of what was recorded before."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, KeyTaken, escape, invalid, refuse
from app.services.access.audit import write_audit
from app.services.access.keys import Caller
from app.services.enqueue import Enqueue
from app.services.ids import new_id
from app.services.jobs import plan_watch
from app.services.ledger import ledger
from app.services.ledger.ledger import Cause
from app.services.ledger.orders import about_order
from app.services.licences import same_licence
from app.services.projects.changes import touch
from app.services.webhooks.events import record
from app.store import ledger as store
from app.store.ledger import Cell, Totals
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Delivery, Order, Round
from app.store.projects import members, members_by_key
from app.store.reading import find
from app.store.rounds import orders_of_project

UNMAPPED = ""
"""The key under which samples of no known group are stored."""


@dataclass(frozen=True)
class Recording:
    """What is said of an order. groups: group key → state → samples, more or (in a correction) fewer. unmapped:
    samples of no known group. cost: stated in place of the order's terms. license: what the lot came with."""

    kind: str
    external_id: str | None
    groups: Mapping[str, Mapping[str, int]]
    unmapped: int
    cost: Decimal | None
    note: str | None
    license: str | None = None

    @property
    def stored(self) -> dict[str, dict[str, int]]:
        said = {key: {state: count for state, count in by.items() if count} for key, by in self.groups.items()}
        return {**said, **({UNMAPPED: {"unmapped": self.unmapped}} if self.unmapped else {})}

    def content(self, order: Order) -> str:
        """A hash of all that was said: equal for a repeat, other for another delivery."""
        said: list[Any] = [str(order.id), self.kind, self.stored]
        said += [None if self.cost is None else str(self.cost), self.note]
        said += [] if self.license is None else [self.license]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def all_unmapped(self) -> "Recording":
        """The same samples, none of them counted for a group."""
        count = sum(sum(by_state.values()) for by_state in self.groups.values())
        return replace(self, groups={}, unmapped=self.unmapped + count)


def record_delivery(
    session: Session,
    project: Project,
    purchase: Round,
    order: Order,
    said: Recording,
    caller: Caller,
    now: datetime,
    enqueue: Enqueue,
) -> tuple[Delivery, bool]:
    """Store what was said with the entries it makes; the second value is False for a repeat of an external id. A lot
    whose licence is not its source's counts for no group until a correction says that it does.

    Raises KeyTaken for an external id used for something else, Conflict for a cancelled order, Invalid for unknown
    groups and for totals below 0.
    """
    repeat = repeated(session, project, order, said)
    if repeat is not None:
        return repeat, False
    if order.state == "cancelled":
        raise Conflict("The order is cancelled, so nothing can be recorded for it. Record it at another order.")
    content, changes = said.content(order), changes_of(session, project, said)
    if licence_differs(session, order, said.license):
        said = said.all_unmapped
        changes = changes_of(session, project, said)
    row = Delivery(
        id=new_id(),
        project_id=project.id,
        order_id=order.id,
        kind=said.kind,
        external_id=said.external_id,
        content_hash=content,
        groups=said.stored,
        cost=said.cost,
        note=said.note,
        license=said.license,
        api_key_id=caller.key_id,
        created_at=now,
    )
    session.add(row)
    session.flush()
    cause = Cause(said.kind, f"delivery:{row.id}", caller.key_id, said.note)
    ledger.append(session, order, changes, cause, now, said.cost)
    after_delivery(session, project, purchase, order, now, enqueue)
    write_audit(session, project, caller, f"order.{said.kind}", f"order:{order.id}", {"delivery": str(row.id)}, now)
    return row, True


def licence_differs(session: Session, order: Order, licence: str | None) -> bool:
    """Whether a lot of the order that comes under `licence` comes under another than its source is known to have."""
    return licence is not None and not same_licence(licence, session.get_one(Source, order.source_id).license)


def after_delivery(
    session: Session, project: Project, purchase: Round, order: Order, now: datetime, enqueue: Enqueue
) -> None:
    """What follows from any change of an order's counts, by hand or by a vendor."""
    if purchase.state == "accepted":
        purchase.state = "collecting"
    purchase.updated_at = order.updated_at = now
    touch(project, now)
    plan_watch.request(session, project, enqueue, now)
    data = about_order(project, purchase, order)
    record(session, project.workspace_id, "delivery.recorded", project.id, data, now, enqueue)


def repeated(session: Session, project: Project, order: Order, said: Recording) -> Delivery | None:
    """The delivery recorded under this external_id. Raises KeyTaken where it said something else."""
    if said.external_id is None:
        return None
    row = find(session, Delivery, project_id=project.id, external_id=said.external_id)
    if row is not None and row.content_hash != said.content(order):
        raise KeyTaken(f"external_id '{said.external_id}' was used for another delivery; give this one its own.")
    return row


def changes_of(session: Session, project: Project, said: Recording) -> dict[Cell, int]:
    """Samples by group id and state. Raises Invalid naming unknown groups, and for a recording of nothing."""
    named = members_by_key(session, Group, project.id, said.groups)
    ids = {key: group.id for key, group in named.items()}
    faults = [
        Fault(f"/groups/{escape(key)}", f"there is no group '{key}' in this project")
        for key in said.groups
        if key not in ids
    ]
    refuse(faults)
    changes = fold([said.stored], ids)
    if not changes and said.cost is None:
        raise invalid(Fault("/groups", "nothing is said: name at least one count that is not 0, or a cost"))
    return changes


def fold(recordings: Sequence[Mapping[str, Mapping[str, int]]], ids: Mapping[str, int]) -> dict[Cell, int]:
    """What recordings add up to, by group id and state."""
    total: dict[Cell, int] = {}
    for groups in recordings:
        for key, by_state in groups.items():
            for state, count in by_state.items():
                cell = (ids.get(key), state)
                total[cell] = total.get(cell, 0) + count
    return ledger.without_zeros(total)


def group_ids(session: Session, project: Project) -> dict[str, int]:
    """Group key → id, archived ones too: what was ordered for a group still arrives."""
    return {group.key: group.id for group in members(session, Group, project.id, archived=None)}


def hand_folds(session: Session, project: Project, order_ids: Sequence[UUID]) -> dict[UUID, dict[Cell, int]]:
    """Order id → what its deliveries and corrections add up to."""
    ids = group_ids(session, project)
    by_order: dict[UUID, list[Mapping[str, Mapping[str, int]]]] = {}
    for row in store.deliveries_of_orders(session, order_ids):
        by_order.setdefault(row.order_id, []).append(row.groups)
    return {order_id: fold(recordings, ids) for order_id, recordings in by_order.items()}


def over_delivered(order: Order, totals: Totals) -> int:
    """Samples beyond those ordered."""
    return max(0, totals.delivered - order.quantity)


def check_ledger(
    session: Session, project: Project, vendor_folds: Mapping[UUID, Mapping[Cell, int]]
) -> list[ledger.Discrepancy]:
    """Whether the project's entries add up to what they record. vendor_folds: order id → the vendors' items."""
    orders = [order.id for order in orders_of_project(session, project.id, cancelled=True)]
    return ledger.check(session, project.id, hand_folds(session, project, orders), vendor_folds)
