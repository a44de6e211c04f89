"""From items to the ledger: what an order's items add up to, and the difference that makes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Invalid
from app.services.enqueue import Enqueue
from app.services.ledger import ledger
from app.services.ledger.deliveries import after_delivery
from app.services.ledger.ledger import Cause
from app.services.ledger.terms import Terms
from app.services.projects.keys import normal_key
from app.store import rounds as round_store
from app.store import vendors as store
from app.store.ledger import Cell
from app.store.models.projects import Project
from app.store.models.purchases import Order
from app.store.models.vendors import VendorConnection, VendorItem
from app.vendors.label_studio import LabelStudioConfig

PENDING = {"submitted": "pending", "accepted": "accepted", "rejected": "rejected"}


def settle_orders(
    session: Session,
    connection: VendorConnection,
    order_ids: Iterable[UUID],
    cause: Cause,
    now: datetime,
    enqueue: Enqueue,
) -> list[str]:
    """Bring the ledger to what the orders' items add up to. Returns what hindered it, order by order."""
    problems = []
    orders = store.orders_of_connection(session, connection.id, sorted(order_ids))
    projects = store.locked_projects(session, orders.values())
    for order in orders.values():
        project = projects[order.project_id]
        if order.state == "cancelled":
            problems.append(f"order {order.id} is cancelled: what came is kept and not counted")
            continue
        fold, cost = fold_order(session, connection, order), stated_cost(session, project, order)
        try:
            with session.begin_nested():
                changed = ledger.settle(session, order, fold, cause, now, cost)
        except Invalid as refusal:
            problems.append(f"order {order.id}: {refusal.detail}")
            continue
        if changed is not None:
            [purchase] = round_store.rounds_of_orders(session, [order])
            after_delivery(session, project, purchase, order, now, enqueue)
    return problems


def fold_order(session: Session, connection: VendorConnection, order: Order) -> dict[Cell, int]:
    """Samples by group and state: from items, from the totals a vendor stated later than its newest item, and from the
    changes it stated since."""
    needed = 0
    if connection.kind == "label_studio":
        needed = LabelStudioConfig.model_validate(connection.config).annotations_per_task
    rows = store.fold_of_items(session, order.id, by_parent=bool(needed))
    newest: dict[int | None, int] = {}
    for group_id, _, _, _, version in rows:
        newest[group_id] = max(newest.get(group_id, 0), version)
    cells = whole_samples(rows, needed) if needed else item_cells(rows)
    totals = [one for one in stated_totals(session, connection, order) if one.holds(newest)]
    taken = with_totals(cells, totals, store.deltas_of_order(session, order.id))
    return {cell: count for cell, count in taken.items() if count}


def item_cells(rows: Iterable[tuple[int | None, str | None, str, int, int]]) -> dict[Cell, int]:
    cells: dict[Cell, int] = {}
    for group_id, _, state, count, _ in rows:
        cell = cell_of(group_id, PENDING[state])
        cells[cell] = cells.get(cell, 0) + count
    return cells


def cell_of(group_id: int | None, state: str) -> Cell:
    return (None, "unmapped") if group_id is None else (group_id, state)


def whole_samples(rows: Iterable[tuple[int | None, str | None, str, int, int]], needed: int) -> dict[Cell, int]:
    """Where several items make one sample, a parent is one: accepted with `needed` accepted items, rejected where all
    were rejected, pending else."""
    parents: dict[tuple[int | None, str | None], dict[str, int]] = {}
    for group_id, parent, state, count, _ in rows:
        by_state = parents.setdefault((group_id, parent), {})
        by_state[state] = by_state.get(state, 0) + count
    cells: dict[Cell, int] = {}
    for (group_id, _), counts in parents.items():
        cell = cell_of(group_id, sample_state(counts, needed))
        cells[cell] = cells.get(cell, 0) + 1
    return cells


def sample_state(counts: dict[str, int], needed: int) -> str:
    if counts.get("accepted", 0) >= needed:
        return "accepted"
    return "rejected" if set(counts) == {"rejected"} else "pending"


@dataclass(frozen=True)
class StatedTotal:
    """What a vendor said its order comes to: of a group by its word, or of the whole order (no word, no group)."""

    external_order_id: str
    word: str
    group_id: int | None
    accepted: int
    rejected: int
    version: int

    @property
    def is_whole(self) -> bool:
        return not self.word and self.group_id is None

    def holds(self, newest: Mapping[int | None, int]) -> bool:
        """Whether it is not older than the newest item that it is of."""
        return self.version >= (max(newest.values(), default=0) if self.is_whole else newest.get(self.group_id, 0))


def part_of(external_order_id: str | None, group_id: int | None, word: str | None) -> tuple[str | None, int | str]:
    """What of an order is spoken of: a group of it, or, where no group is known, what the vendor's word means."""
    return external_order_id, (word or "") if group_id is None else group_id


def stated_totals(session: Session, connection: VendorConnection, order: Order) -> list[StatedTotal]:
    """Without a word a total is of the one group that the vendor's order or ours holds, unless others have words."""
    keys = store.groups_of_projects(session, [order.project_id]).get(order.project_id, {})
    only = int(next(iter(order.yields))) if len(order.yields) == 1 else None
    found = []
    for stated in store.vendor_orders_of(session, [order.id]):
        alone = (stated.group_id or only) if stated.counts.keys() == {""} else None
        for word, (accepted, rejected, version) in sorted(stated.counts.items()):
            group_id = keys.get(connection.group_map.get(word, normal_key(word))) if word else alone
            found.append(StatedTotal(stated.external_order_id, word, group_id, accepted, rejected, version))
    return found


def with_totals(
    cells: Mapping[Cell, int], totals: Sequence[StatedTotal], deltas: Sequence[VendorItem]
) -> dict[Cell, int]:
    """Stated totals in the place of what items come to, changes stated since added to them, and all changes to the
    others. What a whole order's total has beyond its groups is of no known group."""
    taken, stated, since = dict(cells), Counter[Cell](), dict[tuple[str | None, int | str], int]()
    wholes = {one.external_order_id: one for one in totals if one.is_whole}
    for total in totals:
        if not total.is_whole:
            stated[cell_of(total.group_id, "accepted")] += total.accepted
            stated[cell_of(total.group_id, "rejected")] += total.rejected
            part = part_of(total.external_order_id, total.group_id, total.word)
            since[part] = max(since.get(part, total.version), total.version)
    taken |= stated
    whole = sum(one.accepted + one.rejected for one in wholes.values())
    for delta in deltas:
        known_at = since.get(part_of(delta.external_order_id, delta.group_id, delta.group_word))
        if known_at is None or delta.version > known_at:
            cell = cell_of(delta.group_id, delta.state)
            taken[cell] = taken.get(cell, 0) + delta.quantity
        if delta.external_order_id in wholes and delta.version > wholes[delta.external_order_id].version:
            whole += delta.quantity
    if wholes:
        known = sum(count for (group_id, state), count in taken.items() if group_id is not None and state != "pending")
        taken[(None, "unmapped")] = max(0, whole - known)
    return taken


def stated_cost(session: Session, project: Project, order: Order) -> Decimal | None:
    """The order's whole cost where the vendor states it in the project's currency: order by order, or item by item for
    all that is billed."""
    placed = store.vendor_orders_of(session, [order.id])
    if placed and all(one.cost is not None and one.currency == project.currency for one in placed):
        return sum((one.cost for one in placed if one.cost is not None), Decimal(0))
    states = ("accepted",) if Terms.read(order.terms).billed == "accepted" else store.COUNTED
    unpriced, cost = store.item_costs(session, order.id, states, project.currency)
    return cost if cost is not None and not unpriced else None


def vendor_folds(session: Session, project_id: UUID) -> dict[UUID, dict[Cell, int]]:
    """Order → what its items add up to now, for the ledger's check of a project."""
    orders = [order.id for order in round_store.orders_of_project(session, project_id)]
    connected = store.connected_orders(session, orders)
    return {order.id: fold_order(session, connection, order) for connection, order in connected}
