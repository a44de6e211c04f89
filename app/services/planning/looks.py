"""A plan to look at: the next allocation of a project as it might be, without changing it.

The page and its charts ask the same within seconds: what was computed is kept as long as the data stand.
"""

import json
from collections.abc import Hashable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.services.curves.fits import Fits
from app.services.forecasts.due import awaited
from app.services.planning.allocations import Allocation, AllocationQuestion, next_allocation
from app.services.planning.budgets import BudgetRows, budget_rows
from app.services.planning.scenarios import ScenarioResult, what_if
from app.services.planning.variations import Scenario, varied_project
from app.services.projects.changes import Fields
from app.store.models.projects import Project


def look_at(
    session: Session, fits: Fits, project: Project, changes: Fields, question: AllocationQuestion
) -> tuple[Project, Allocation]:
    """The project with `changes`, which are never stored, and what to buy for it, without advice on evaluation.

    Raises as `next_allocation`.
    """
    varied = varied_project(session, project, changes)
    return varied, kept_allocation(session, fits, varied, question)


def kept_allocation(session: Session, fits: Fits, project: Project, question: AllocationQuestion) -> Allocation:
    """The next allocation without advice on evaluation, computed once per data version. Raises as
    `next_allocation`."""

    def make() -> Allocation:
        return next_allocation(session, fits, project, question, evaluating=False)

    found: Allocation = fits.answers.get(answer_key("allocation", project, vars(question)), make)
    return found


def kept_budget_rows(session: Session, fits: Fits, project: Project, question: AllocationQuestion) -> BudgetRows:
    """As `budget_rows`, computed once per data version."""
    found: BudgetRows = fits.answers.get(
        answer_key("budgets", project, vars(question)), lambda: budget_rows(session, fits, project, question)
    )
    return found


def kept_what_if(
    session: Session, fits: Fits, project: Project, scenarios: Sequence[Scenario], draws: int, seed: int
) -> Sequence[ScenarioResult]:
    """As `what_if`, computed once per data version."""
    key = answer_key("what-if", project, [*map(vars, scenarios), draws, seed])
    found: Sequence[ScenarioResult] = fits.answers.get(
        key, lambda: what_if(session, fits, project, scenarios, draws, seed)
    )
    return found


def answer_key(kind: str, project: Project, question: Any) -> Hashable:
    """All that an answer depends on: the data version stands for the data, and for the forecasts made unless many are
    due; the objective may be another one that is only looked at. question: what JSON can say, or is told apart by its
    text."""
    asked = json.dumps([question, project.objective, project.stakeholders], sort_keys=True, default=str)
    return kind, project.id, project.data_version, awaited(project), asked
