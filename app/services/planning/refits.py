"""Looking at a project's next allocation anew, to tell what has changed."""

from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.money import amount
from app.planner.problem import Problem
from app.services.curves.fits import Fits
from app.services.jobs.plan_watch import Outlook, Purchase
from app.services.planning.allocations import AllocationQuestion, next_allocation
from app.store.projects import present_project

QUESTION = AllocationQuestion()
"""What GET …/allocations/next answers without a query."""


def look(session: Session, fits: Fits, project_id: UUID) -> Outlook | None:
    """The project's next allocation as it is now; None for an archived project. Raises as `next_allocation`."""
    project = present_project(session, project_id)
    if project is None:
        return None
    allocation = next_allocation(session, fits, project, QUESTION)
    return Outlook(
        data_version=project.data_version,
        available=allocation.budget.available,
        purchases={one.key: Purchase(one.order, amount(one.cost)) for one in allocation.plan.sources},
        targets=chances(allocation.problem),
    )


def chances(problem: Problem) -> dict[str, tuple[float, float]]:
    """Group → its target and the probability that its metric has reached it with the counts held."""
    draws = problem.metric.to_metric(problem.posterior.band(problem.held))
    sign = 1.0 if problem.metric.goal == "maximize" else -1.0
    return {
        problem.keys[at]: (float(target), float(np.mean(sign * draws[at] >= sign * target)))
        for at, target in enumerate(problem.targets)
        if np.isfinite(target)
    }
