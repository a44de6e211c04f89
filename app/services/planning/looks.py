"""A plan to look at: the next allocation of a project as it might be, without changing it.

The page and its charts ask the same within seconds: what was computed is kept as long as the data stand.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.services.curves.fits import Fits
from app.services.curves.kept import kept
from app.services.planning.allocations import Allocation, AllocationQuestion, allocating
from app.services.planning.budgets import BudgetRows, planning_budgets
from app.services.planning.scenarios import ScenarioResult, comparing
from app.services.planning.situations import answer_key
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
    found: Allocation = kept(
        session,
        fits.answers,
        answer_key("allocation", project, vars(question)),
        lambda: allocating(session, fits, project, question, evaluating=False),
    )
    return found


def kept_budget_rows(session: Session, fits: Fits, project: Project, question: AllocationQuestion) -> BudgetRows:
    """What each budget leads to, computed once per data version. Raises as `planning_budgets`."""
    key = answer_key("budgets", project, vars(question))
    found: BudgetRows = kept(session, fits.answers, key, lambda: planning_budgets(session, fits, project, question))
    return found


def kept_what_if(
    session: Session, fits: Fits, project: Project, scenarios: Sequence[Scenario], draws: int, seed: int
) -> Sequence[ScenarioResult]:
    """As `what_if`, computed once per data version."""
    key = answer_key("what-if", project, [*map(vars, scenarios), draws, seed])
    found: Sequence[ScenarioResult] = kept(
        session, fits.answers, key, lambda: comparing(session, fits, project, scenarios, draws, seed)
    )
    return found
