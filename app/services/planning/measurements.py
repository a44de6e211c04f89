"""On which compositions of what is held to retrain next: the planner's measurement plan for a project."""

from sqlalchemy.orm import Session

from app.planner.information import MeasurementPlan, measurement_plan, too_little_is_known, usual_plan
from app.services.curves.fits import Fits
from app.services.planning.situations import feasibly, refuse_unknown, round_budget, situation_of
from app.store.models.projects import Project


def measurement_plan_of(
    session: Session, fits: Fits, project: Project, runs: int | None, draws: int, seed: int
) -> MeasurementPlan:
    """Up to `runs` next training runs, by default as many as are usual, judged at what the next round would buy. Raises
    Invalid and, where it is not by the usual runs, Infeasible, and Conflict while nothing is known of the metric."""
    situation = situation_of(session, fits, project, draws, seed)
    observations = situation.fitted.observations
    if too_little_is_known(observations):
        return usual_plan(observations, runs)
    refuse_unknown(situation)
    problem = situation.problem(round_budget(project, situation.holdings, None))
    return feasibly(project, lambda: measurement_plan(problem, observations, runs, seed))
