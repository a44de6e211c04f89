"""What the charts of rounds show, as plain numbers."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.services.purchases.progress import progress_of
from app.services.purchases.rounds import get_round
from app.services.purchases.timeline import stages_of
from app.store.models.projects import Project
from app.store.models.purchases import Round
from app.store.rounds import ACCEPTED, rounds_of_project


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
    stages = stages_of(session, project, rounds_of_project(session, project.id, ACCEPTED))
    return [
        {"round": number, "spent": float(stage.spent), "committed": float(stage.committed)}
        for number, stage in stages.items()
    ]
