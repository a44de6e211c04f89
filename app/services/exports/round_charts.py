"""What the charts of rounds show, as plain numbers."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.services.purchases.progress import progress_of
from app.services.purchases.rounds import get_round
from app.store.ledger import totals_of_orders
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.store.rounds import ACCEPTED, orders_of_rounds, rounds_of_project


@dataclass(frozen=True)
class ProgressData:
    """rows: group → planned, accepted, pending, rejected samples. number: None before any round was accepted."""

    number: int | None
    rows: list[dict[str, Any]]


def progress_data(session: Session, project: Project, number: int | None) -> ProgressData:
    """Of the round `number`, or of the newest accepted one. Raises NotFound for a number that is no round's."""
    row: Round | None
    if number is None:
        row = next(iter(rounds_of_project(session, project.id, ACCEPTED)[::-1]), None)
    else:
        row = get_round(session, project, number)
    if row is None:
        return ProgressData(None, [])
    groups = progress_of(session, project, row).groups
    return ProgressData(row.number, [{"group": one.group, "planned": one.planned, **one.counts} for one in groups])


def spending_data(session: Session, project: Project) -> list[dict[str, Any]]:
    """Per accepted round its number, and what its orders have cost and may still cost, in currency units."""
    rows = rounds_of_project(session, project.id, ACCEPTED)
    round_of = {order.id: order.round_id for order in orders_of_rounds(session, [row.id for row in rows])}
    sums = {row.id: {"round": row.number, "spent": 0.0, "committed": 0.0} for row in rows}
    for order_id, totals in totals_of_orders(session, project.id).items():
        if order_id in round_of:
            sums[round_of[order_id]]["spent"] += float(totals.spent)
            sums[round_of[order_id]]["committed"] += float(totals.committed)
    return list(sums.values())
