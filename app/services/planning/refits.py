"""Looking at a project's next allocation anew, to tell what has changed, and keeping what that took."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.money import amount
from app.planner.problem import Problem
from app.services.computing import give_back
from app.services.curves.fit import fitted
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.curves.kept_fits import freeze, keep_fit, worth_freezing
from app.services.forecasts.record import to_be_kept
from app.services.jobs.plan_watch import Outlook, Purchase
from app.services.planning.allocations import Allocation, AllocationQuestion, next_allocation
from app.services.planning.looks import AnswerOf, keep_plan
from app.store import forecasts as store
from app.store.member_rows import group_rows
from app.store.models.observations import KeptRecord
from app.store.models.projects import Project
from app.store.projects import present_project

QUESTION = AllocationQuestion()
"""What GET …/allocations/next answers without a query."""


@dataclass(frozen=True)
class Look:
    """The next allocation as it is now, the curves behind it as bytes, None where they are too many to be kept, and
    the record of forecasts."""

    allocation: Allocation
    outlook: Outlook
    curves: bytes | None
    record: KeptRecord


def look(session: Session, fits: Fits, project_id: UUID) -> Look | None:
    """The project's next allocation as it is now; None for an archived project. Raises as `next_allocation`."""
    project = present_project(session, project_id)
    if project is None:
        return None
    allocation = next_allocation(session, fits, project, QUESTION)
    curves = fitted(session, fits, project, group_rows(session, project.id), DRAWS, SEED)
    record = to_be_kept(session, fits, project)
    give_back(session)
    outlook = Outlook(
        data_version=project.data_version,
        available=allocation.budget.available,
        purchases={one.key: Purchase(one.order, amount(one.cost)) for one in allocation.plan.sources},
        targets=chances(allocation.problem),
    )
    return Look(allocation, outlook, freeze(curves) if worth_freezing(curves) else None, record)


def keep(session: Session, project: Project, look: Look, answer_of: AnswerOf) -> None:
    """Store the curves, the plan and the record for those who ask next, unless the project has moved on meanwhile. The
    transaction holds the project's lock."""
    if look.outlook.data_version == project.data_version:
        keep_fit(session, project.id, project.data_version, look.curves)
        keep_plan(session, project, answer_of(project, QUESTION, look.allocation))
    store.keep_record(session, look.record)


def chances(problem: Problem) -> dict[str, tuple[float, float]]:
    """Group → its target and the probability that its metric has reached it with the counts held."""
    draws = problem.metric.to_metric(problem.posterior.band(problem.held))
    sign = 1.0 if problem.metric.goal == "maximize" else -1.0
    return {
        problem.keys[at]: (float(target), float(np.mean(sign * draws[at] >= sign * hurdle)))
        for at, (target, hurdle) in enumerate(zip(problem.targets, problem.hurdles, strict=True))
        if np.isfinite(target)
    }
