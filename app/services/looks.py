"""A plan to look at: the next allocation of a project as it might be, without changing it."""

from sqlalchemy.orm import Session

from app.services.allocations import Allocation, Question, next_allocation
from app.services.changes import Fields
from app.services.fits import Fits
from app.services.variations import varied_project
from app.store.models import Project


def look_at(
    session: Session, fits: Fits, project: Project, changes: Fields, question: Question
) -> tuple[Project, Allocation]:
    """The project with `changes`, which are never stored, and what to buy for it, without advice on evaluation.

    Raises as `next_allocation`.
    """
    varied = varied_project(session, project, changes)
    return varied, next_allocation(session, fits, varied, question, evaluating=False)
