"""A round side by side: what was planned, ordered and delivered, and what it did to the metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.curves.readings import Reading
from app.store.ledger import Totals, totals_of_orders
from app.store.models.projects import Group, Project, Source
from app.store.models.purchases import Order, Round
from app.store.observations import fitted_observations
from app.store.projects import members, members_by_id
from app.store.rounds import orders_of_rounds


@dataclass(frozen=True)
class OrderProgress:
    order: Order
    source: str
    totals: Totals
    groups: dict[str, dict[str, int]]
    """Group key → state → samples."""


@dataclass(frozen=True)
class Measured:
    """The newest run after the round was accepted in which the group was measured."""

    observation: UUID
    count: int
    value: float


@dataclass(frozen=True)
class GroupProgress:
    """planned: samples the round expected to bring. forecast: the frozen metric now and after."""

    group: str
    planned: int
    counts: dict[str, int]
    forecast: dict[str, Any]
    measured: Measured | None


@dataclass(frozen=True)
class RoundProgress:
    round: Round
    orders: list[OrderProgress]
    groups: list[GroupProgress]


STATES = ("accepted", "rejected", "pending")


def progress_of(session: Session, project: Project, row: Round) -> RoundProgress:
    """The round with its orders, and every group it plans for or that got something."""
    orders = orders_of_rounds(session, [row.id])
    groups = members(session, Group, project.id, archived=None)
    shown = order_progress(session, project, orders, groups)
    got: dict[str, dict[str, int]] = {}
    for one in shown:
        for key, counts in one.groups.items():
            sums = got.setdefault(key, dict.fromkeys(STATES, 0))
            for state, count in counts.items():
                sums[state] += count
    measured = measured_since(session, project, row)
    concerned = [group.key for group in groups if group.key in row.added or group.key in got]
    return RoundProgress(
        round=row,
        orders=shown,
        groups=[
            GroupProgress(
                group=key,
                planned=row.added.get(key, 0),
                counts=got.get(key, dict.fromkeys(STATES, 0)),
                forecast=row.forecast.get(key, {}),
                measured=measured.get(key),
            )
            for key in concerned
        ],
    )


def order_progress(
    session: Session, project: Project, orders: Sequence[Order], groups: Sequence[Group]
) -> list[OrderProgress]:
    keys = {group.id: group.key for group in groups}
    sources = members_by_id(session, Source, [order.source_id for order in orders])
    totals = totals_of_orders(session, project.id, [order.id for order in orders])
    return [
        OrderProgress(order, sources[order.source_id].key, totals[order.id], by_group(totals[order.id], keys))
        for order in orders
    ]


def by_group(totals: Totals, keys: dict[int, str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (group_id, state), count in totals.counts.items():
        if group_id is not None and count:
            found.setdefault(keys[group_id], dict.fromkeys(STATES, 0))[state] += count
    return dict(sorted(found.items()))


def measured_since(session: Session, project: Project, row: Round) -> dict[str, Measured]:
    """Group key → its newest measurement since the round was accepted; empty before."""
    if row.accepted_at is None:
        return {}
    runs = fitted_observations(session, project.id, project.recipe, after=row.accepted_at)
    return {
        key: Measured(run.id, run.counts.get(key, 0), Reading(**said).value)
        for run in runs
        for key, said in run.metrics.items()
    }
