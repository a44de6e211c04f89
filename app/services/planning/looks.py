"""A plan to look at: the next allocation of a project as it might be, without changing it.

The page and its charts ask the same within seconds: what was computed is kept as long as the data stand. The default
plan a job makes after the data changed, so that nobody who looks has to wait for it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.services.curves.fits import Fits
from app.services.curves.kept import kept
from app.services.curves.kept_fits import stamp
from app.services.jobs.plan_watch import REFIT
from app.services.planning.allocations import Allocation, AllocationQuestion, allocating
from app.services.planning.budgets import BudgetRows, planning_budgets
from app.services.planning.scenarios import ScenarioResult, comparing
from app.services.planning.situations import answer_key
from app.services.planning.variations import Scenario, varied_project
from app.services.projects.changes import Fields
from app.store import jobs as store
from app.store.models.projects import Project

AnswerOf = Callable[[Project, AllocationQuestion, Allocation], dict[str, Any]]
"""An allocation as the API answers it."""
LIVES = timedelta(seconds=20)
"""A worker that was heard of so lately lives."""


@dataclass(frozen=True)
class LastPlan:
    """renewed: it is of the project as it is; else it is of data from before, and a worker is about to renew it."""

    answer: Mapping[str, Any]
    renewed: bool


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


def key_now(project: Project) -> str:
    """All that the project's default plan follows from, the code that makes it too."""
    found = answer_key("default", project, vars(AllocationQuestion()))
    return hashlib.sha256(repr((found, stamp())).encode()).hexdigest()


def keep_plan(session: Session, project: Project, answer: dict[str, Any]) -> None:
    """In the place of an older one. The transaction holds the project's lock, and the answer is of its data."""
    store.keep_plan(session, project.id, key_now(project), answer)


def last_plan(session: Session, project: Project) -> LastPlan | None:
    """The plan to be shown without computing one; None where none is kept, or nobody is about to renew an old one: then
    whoever asks computes it."""
    kept = store.kept_plan(session, project.id)
    if kept is None:
        return None
    renewed = kept.key == key_now(project)
    return LastPlan(kept.answer, renewed) if renewed or is_renewed_soon(session, project) else None


def is_renewed_soon(session: Session, project: Project) -> bool:
    alive = store.any_worker_since(session, store.shared_now(session) - LIVES)
    return alive and store.is_under_way(session, project.id, REFIT)


def plan_mark(session: Session, project: Project) -> str:
    """Another one as soon as the plan to be shown is another."""
    kept = last_plan(session, project)
    return "none" if kept is None else f"{key_now(project)} {kept.renewed}"
