"""What a vendor proved to be, week by week: how much of what came was accepted, how late it was, and what it cost."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from app.planner.problem import Rate
from app.store import ledger as store
from app.store.ledger import Day
from app.store.models.projects import Project

WEEKS = 26
"""So many are looked back."""
JEFFREYS = 0.5


@dataclass
class Week:
    """What one vendor's orders of one project brought in the week from `begins`, a Monday in UTC: samples more (or,
    where counts were taken back, fewer), and the money that was charged. timed: samples that came for orders with a
    lead time, late: the days that all of them together came after it."""

    begins: date
    project: Project
    accepted: int = 0
    rejected: int = 0
    spent: Decimal = Decimal(0)
    timed: int = 0
    late: int = 0

    @property
    def acceptance(self) -> Rate | None:
        """The share accepted of what was reviewed, under Jeffreys' prior Beta(1/2, 1/2); None where nothing was."""
        if min(self.accepted, self.rejected) < 0 or self.accepted + self.rejected == 0:
            return None
        return Rate(self.accepted + JEFFREYS, self.rejected + JEFFREYS)

    @property
    def days_late(self) -> float | None:
        """The mean of the samples that came; None where their orders have no lead time."""
        return self.late / self.timed if self.timed > 0 else None

    @property
    def unit_cost(self) -> Decimal | None:
        """Money charged for each accepted sample."""
        return self.spent / self.accepted if self.accepted > 0 else None

    def add(self, day: Day) -> None:
        if day.state == "accepted":
            self.accepted += day.count
        if day.state == "rejected":
            self.rejected += day.count
        self.spent += day.spent
        if day.due_on is not None:
            self.timed += day.count
            self.late += day.count * max(0, (day.day - day.due_on).days)


def weeks_of(session: Session, connection_id: UUID, now: datetime) -> list[Week]:
    """The weeks in which anything came of the connection's orders, newest first; of a week one for each project."""
    this = now.date() - timedelta(days=now.weekday())
    days = store.days_of_connection(session, connection_id, this - timedelta(weeks=WEEKS - 1))
    weeks: dict[tuple[date, UUID], Week] = {}
    for day in days:
        begins = day.day - timedelta(days=day.day.weekday())
        weeks.setdefault((begins, day.project.id), Week(begins, day.project)).add(day)
    came = [one for one in weeks.values() if one.accepted or one.rejected or one.timed or one.spent]
    return sorted(came, key=lambda one: (-one.begins.toordinal(), one.project.name))
