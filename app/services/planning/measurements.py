"""At which subset sizes to retrain next: the planner's measurement plan for a project."""

from sqlalchemy.orm import Session

from app.planner.information import MeasurementPlan, measurement_plan
from app.services.curves.fits import Fits
from app.services.planning.situations import feasibly, known_situation, round_budget
from app.store.models.projects import Project


def measurement_plan_of(
    session: Session, fits: Fits, project: Project, runs: int, draws: int, seed: int
) -> MeasurementPlan:
    """The next `runs` training runs, judged at what the next round would buy. Raises Invalid, Infeasible, and Conflict
    while nothing is known of the metric."""
    situation = known_situation(session, fits, project, draws, seed)
    problem = situation.problem(round_budget(project, situation.holdings, None))
    return feasibly(project, lambda: measurement_plan(problem, situation.fitted.observations, runs, seed))
