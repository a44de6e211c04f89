"""Rounds and their orders."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.models.purchases import Order, Round
from app.store.reading import Listing

OPEN_ORDERS = ("open", "placed")
ACCEPTED = ("accepted", "collecting", "closed")


def listed_rounds(session: Session, project_id: UUID) -> Listing[Round]:
    return Listing(session, select(Round).where(Round.project_id == project_id), Round.number)


def rounds_of_project(session: Session, project_id: UUID, states: Sequence[str]) -> Sequence[Round]:
    """All rounds in one of `states`, oldest first."""
    query = select(Round).where(Round.project_id == project_id, Round.state.in_(states))
    return session.scalars(query.order_by(Round.number)).all()


def count_accepted(session: Session, project_id: UUID) -> int:
    query = select(func.count()).select_from(Round)
    return session.scalar(query.where(Round.project_id == project_id, Round.state.in_(ACCEPTED))) or 0


def last_number(session: Session, project_id: UUID) -> int:
    return session.scalar(select(func.max(Round.number)).where(Round.project_id == project_id)) or 0


def newest_round(session: Session, project_id: UUID) -> Round | None:
    query = select(Round).where(Round.project_id == project_id, Round.state != "cancelled")
    return session.scalar(query.order_by(Round.number.desc()).limit(1))


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
