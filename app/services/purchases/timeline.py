"""A project's rounds one after the other: what each brought and cost, and what it left of the budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ledger.holdings import money_of
from app.services.vendors.words import stated_waiting
from app.store.ledger import Totals, totals_of_orders
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.store.models.vendors import VendorConnection
from app.store.rounds import orders_of_project
from app.store.vendors import connected_orders, unmapped_of_orders, vendor_orders_of


@dataclass(frozen=True)
class Stage:
    """What one round came to. before: spent and committed by all earlier rounds; left: of the project's budget after
    this one; accepted, rejected, pending, unmapped: samples."""

    before: Decimal
    spent: Decimal
    committed: Decimal
    left: Decimal
    accepted: int
    rejected: int
    pending: int
    unmapped: int


def stages_of(session: Session, project: Project, rounds: Sequence[Round]) -> dict[int, Stage]:
    """Round number → its stage. `rounds`: those shown; earlier ones count before them whether shown or not."""
    by_round: dict[int, list[Totals]] = {}
    totals = totals_of_orders(session, project.id)
    for order in orders_of_project(session, project.id, cancelled=True):
        if order.id in totals:
            by_round.setdefault(order.round_id, []).append(totals[order.id])
    first = min((row.id for row in rounds), default=0)
    earlier = money_of(one for round_id, some in by_round.items() if round_id < first for one in some)
    before = earlier.spent + earlier.committed
    found: dict[int, Stage] = {}
    for row in sorted(rounds, key=lambda one: one.number):
        stage = found[row.number] = stage_of(by_round.get(row.id, []), before, project.budget_total)
        before += stage.spent + stage.committed
    return found


def stage_of(some: Sequence[Totals], before: Decimal, budget: Decimal) -> Stage:
    counts = {
        state: sum(one.in_state(state) for one in some) for state in ("accepted", "rejected", "pending", "unmapped")
    }
    money = money_of(some)
    left = budget - before - money.spent - money.committed
    return Stage(before, money.spent, money.committed, left, **counts)


@dataclass(frozen=True)
class Waiting:
    """Samples of a round that count for no group yet. word: the vendor's for the group, None where it said none."""

    connection: VendorConnection
    word: str | None
    order_id: UUID
    samples: int

    @property
    def mappable(self) -> bool:
        """Whether naming a group for the word is what is missing: none was named, or one of another project."""
        return self.word is not None


def waiting_of(session: Session, order_ids: Sequence[UUID]) -> list[Waiting]:
    """What waits to be mapped of these orders, by connection and word."""
    connections = {one.id: one for one, _ in connected_orders(session, order_ids)}
    found = [
        Waiting(connections[connection_id], word, order_id, samples)
        for connection_id, word, order_id, samples in unmapped_of_orders(session, order_ids)
        if connection_id in connections
    ]
    stated = vendor_orders_of(session, order_ids)
    for connection in connections.values():
        mine = [one for one in stated if one.connection_id == connection.id]
        for word, _, order_id, samples in stated_waiting(session, connection, mine):
            if order_id is not None:
                found.append(Waiting(connection, word, order_id, samples))
    return sorted(found, key=lambda one: (one.connection.name, str(one.connection.id), one.word or ""))
