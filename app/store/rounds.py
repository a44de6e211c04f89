"""Rounds and their orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.store.models.projects import Project
from app.store.models.purchases import Order, Round
from app.store.reading import Listing

OPEN_ORDERS = ("open", "placed")
ACCEPTED = ("accepted", "collecting", "closed")


def listed_rounds(session: Session, project_id: UUID) -> Listing[Round]:
    return Listing(session, select(Round).where(Round.project_id == project_id), Round.number)


@dataclass(frozen=True)
class OpenProposal:
    """A proposal that can be accepted, without what is frozen in it."""

    project_id: UUID
    project: str
    currency: str
    approval_threshold: Decimal | None
    number: int
    cost: Decimal
    approvals: list[str]
    proposed_by: str
    note: str | None
    created_at: datetime
    expires_at: datetime | None


def open_proposals(session: Session, workspace_id: UUID, now: datetime) -> list[OpenProposal]:
    """Of all projects in use, oldest first."""
    of_project = (
        Project.id.label("project_id"),
        Project.name.label("project"),
        Project.currency,
        Project.approval_threshold,
    )
    of_round = (
        Round.number, Round.cost, Round.approvals, Round.proposed_by, Round.note, Round.created_at, Round.expires_at,
    )  # fmt: skip
    query = select(*of_project, *of_round).join(Round, Round.project_id == Project.id)
    query = query.where(
        Project.workspace_id == workspace_id, Project.archived_at.is_(None), Project.erased_at.is_(None)
    )
    query = query.where(Round.state == "proposed", or_(Round.expires_at.is_(None), Round.expires_at > now))
    return [OpenProposal(**row) for row in session.execute(query.order_by(Round.id)).mappings()]


def rounds_of_project(session: Session, project_id: UUID, states: Sequence[str]) -> Sequence[Round]:
    """All rounds in one of `states`, oldest first."""
    query = select(Round).where(Round.project_id == project_id, Round.state.in_(states))
    return session.scalars(query.order_by(Round.number)).all()


def count_accepted(session: Session, project_id: UUID) -> int:
    query = select(func.count()).select_from(Round)
    return session.scalar(query.where(Round.project_id == project_id, Round.state.in_(ACCEPTED))) or 0


def accepted_at(session: Session, project_id: UUID) -> list[datetime]:
    """When the project's rounds were accepted, in order."""
    query = select(Round.accepted_at).where(Round.project_id == project_id, Round.state.in_(ACCEPTED))
    return sorted(when for when in session.scalars(query) if when is not None)


def last_number(session: Session, project_id: UUID) -> int:
    return session.scalar(select(func.max(Round.number)).where(Round.project_id == project_id)) or 0


def newest_round(session: Session, project_id: UUID) -> Round | None:
    query = select(Round).where(Round.project_id == project_id, Round.state != "cancelled")
    return session.scalar(query.order_by(Round.number.desc()).limit(1))


def newest_closed(session: Session, project_id: UUID, most: int) -> tuple[Sequence[Round], int]:
    """The newest closed rounds, at most so many, oldest first; and how many older ones there are."""
    closed = (Round.project_id == project_id, Round.state == "closed")
    rows = session.scalars(select(Round).where(*closed).order_by(Round.number.desc()).limit(most)).all()
    count = session.scalar(select(func.count()).select_from(Round).where(*closed)) or 0
    return rows[::-1], count - len(rows)


def orders_of_rounds(session: Session, round_ids: Collection[int]) -> Sequence[Order]:
    return session.scalars(select(Order).where(Order.round_id.in_(round_ids)).order_by(Order.id)).all()


def open_orders(session: Session, project_id: UUID) -> Sequence[Order]:
    query = select(Order).where(Order.project_id == project_id, Order.state.in_(OPEN_ORDERS))
    return session.scalars(query.order_by(Order.id)).all()


def orders_of_project(session: Session, project_id: UUID, cancelled: bool = False) -> Sequence[Order]:
    """All orders, those cancelled only where asked for."""
    query = select(Order).where(Order.project_id == project_id)
    if not cancelled:
        query = query.where(Order.state != "cancelled")
    return session.scalars(query.order_by(Order.id)).all()


def rounds_of_orders(session: Session, orders: Sequence[Order]) -> Sequence[Round]:
    ids = {order.round_id for order in orders}
    return session.scalars(select(Round).where(Round.id.in_(ids)).order_by(Round.number)).all()
