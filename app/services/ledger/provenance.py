"""Where every sample that is held comes from: lot by lot, with what its source says of itself."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ledger.holdings import NONE_COLLECTED
from app.services.licences import LicenceTerms, effective_terms
from app.store.ledger import Cell, collected_counts, deliveries_of_orders
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Delivery, Order
from app.store.projects import members
from app.store.rounds import orders_of_project, rounds_of_orders

LotKind = Literal["initial", "delivery", "correction", "vendor"]
INITIAL_NOTE = "Stated by the project: what was held at the start."
VENDOR_NOTE = "By what the vendor told of the order's items."


@dataclass(frozen=True)
class Lot:
    """Samples that came at once, or a correction of such, by group key and state; unmapped ones have no group.

    source, round, order: None for what was held at the start. license: what the lot came with, else its source's.
    delivery: of what was recorded by hand.
    """

    kind: LotKind
    groups: Mapping[str, Mapping[str, int]]
    unmapped: int = 0
    source: Source | None = None
    round: int | None = None
    order: UUID | None = None
    delivery: UUID | None = None
    license: str | None = None
    note: str | None = None
    created_at: datetime | None = None

    @property
    def terms(self) -> LicenceTerms:
        """What the lot's licence permits: by the terms of its source where it is the source's own."""
        own = self.source is not None and self.license == self.source.license
        return effective_terms(self.license, self.source.terms if self.source is not None and own else {})


@dataclass(frozen=True)
class GroupTotal:
    """A group's samples: those of the start, those that lots brought, and what the ledger says was collected."""

    group: str
    initial: int
    collected: int
    ledger: int


@dataclass(frozen=True)
class Card:
    """Every lot, the initial one first, then by round and time; and the sum of each group, checked."""

    lots: tuple[Lot, ...]
    totals: tuple[GroupTotal, ...] = field(default=())

    @property
    def adds_up(self) -> bool:
        """Whether the lots bring every group what its ledger says."""
        return all(one.collected == one.ledger for one in self.totals)


def provenance_of(session: Session, project: Project, vendor_folds: Mapping[UUID, Mapping[Cell, int]]) -> Card:
    """The project's card. vendor_folds: order id → what the vendors' items add up to."""
    groups = members(session, Group, project.id, archived=None)
    lots = (initial_lot(groups), *bought_lots(session, project, groups, vendor_folds))
    collected = collected_counts(session, project.id)
    brought = accepted_of(lots[1:])
    totals = tuple(
        GroupTotal(
            group.key, group.initial_count, brought.get(group.key, 0), collected.get(group.id, NONE_COLLECTED).count
        )
        for group in groups
    )
    return Card(lots, totals)


def initial_lot(groups: Iterable[Group]) -> Lot:
    held = {group.key: {"accepted": group.initial_count} for group in groups if group.initial_count}
    return Lot("initial", held, note=INITIAL_NOTE)


def accepted_of(lots: Iterable[Lot]) -> dict[str, int]:
    """Group key → accepted samples."""
    found: dict[str, int] = {}
    for lot in lots:
        for key, by_state in lot.groups.items():
            found[key] = found.get(key, 0) + by_state.get("accepted", 0)
    return found


def bought_lots(
    session: Session, project: Project, groups: Iterable[Group], vendor_folds: Mapping[UUID, Mapping[Cell, int]]
) -> Iterator[Lot]:
    """What orders brought, by their records and not by the ledger, so that one can be held against the other."""
    keys = {group.id: group.key for group in groups}
    orders = orders_of_project(session, project.id, cancelled=True)
    numbers = {one.id: one.number for one in rounds_of_orders(session, orders)}
    sources = {one.id: one for one in members(session, Source, project.id, archived=None)}
    by_hand: dict[UUID, list[Delivery]] = {}
    for row in deliveries_of_orders(session, [order.id for order in orders]):
        by_hand.setdefault(row.order_id, []).append(row)
    for order in sorted(orders, key=lambda one: (numbers[one.round_id], one.id)):
        source, number = sources[order.source_id], numbers[order.round_id]
        for row in by_hand.get(order.id, ()):
            yield hand_lot(row, order, source, number)
        cells = {cell: count for cell, count in vendor_folds.get(order.id, {}).items() if count}
        if cells:
            yield vendor_lot(cells, keys, order, source, number)


def hand_lot(row: Delivery, order: Order, source: Source, number: int) -> Lot:
    return Lot(
        kind="correction" if row.kind == "correction" else "delivery",
        groups={key: by_state for key, by_state in row.groups.items() if key},
        unmapped=sum(row.groups.get("", {}).values()),
        source=source,
        round=number,
        order=order.id,
        delivery=row.id,
        license=row.license or source.license,
        note=row.note,
        created_at=row.created_at,
    )


def vendor_lot(cells: Mapping[Cell, int], keys: Mapping[int, str], order: Order, source: Source, number: int) -> Lot:
    groups: dict[str, dict[str, int]] = {}
    for (group_id, state), count in cells.items():
        if group_id is not None:
            groups.setdefault(keys[group_id], {})[state] = count
    return Lot(
        kind="vendor",
        groups=groups,
        unmapped=sum(count for (group_id, _), count in cells.items() if group_id is None),
        source=source,
        round=number,
        order=order.id,
        license=source.license,
        note=VENDOR_NOTE,
        created_at=order.placed_at or order.created_at,
    )
