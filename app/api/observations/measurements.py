"""What to measure next: at which subset sizes to retrain, which costs compute and no samples."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.http.answers import Draws, Seed
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, reads
from app.errors import Conflict, Infeasible
from app.services.curves.fits import DRAWS, SEED
from app.services.planning import MAX_RUNS, MeasurementPlan
from app.services.planning.measurements import measurement_plan_of
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/measurement-plan", tags=["curves"], route_class=Route)


class MeasurementRunOut(Answer):
    """A run on nested subsets of what is held, and the variance it is expected to leave."""

    counts: dict[str, int]
    variance_before: float
    variance_after: float
    reason: str


class MeasurementPlanOut(Answer):
    """Runs in the order in which they tell most. Variances are the expected posterior variance of the marginal utility
    per currency unit at the `recommended` counts, summed over the groups. `variance_halving` is what as many runs on
    plainly halved sizes would leave (all that is held, a half, a quarter …, sizes trained on already left out),
    `gain_over_halving` the share by which the standard deviation ends below that; `advice` says whether halving is as
    good. `note` says why there is no run."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    variance_now: float
    variance_after: float
    variance_halving: float
    gain_over_halving: float
    advice: str | None
    recommended: dict[str, float]
    runs: list[MeasurementRunOut]
    note: str | None


def plan_shape(project: Project, plan: MeasurementPlan, draws: int, seed: int) -> MeasurementPlanOut:
    return MeasurementPlanOut.of(
        plan,
        project,
        seed=seed,
        draws=draws,
        recommended=dict(zip(plan.keys, plan.recommended, strict=True)),
        runs=[MeasurementRunOut.of(run, counts=dict(zip(plan.keys, run.counts, strict=True))) for run in plan.runs],
    )


@router.get("", summary="Ask what to measure next", responses=declared(Conflict, Infeasible))
def read_measurement_plan(
    project_id: str,
    call: Annotated[Call, reads("read")],
    runs: Annotated[int, Query(ge=1, le=MAX_RUNS, description="How many training runs to plan")] = 3,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> MeasurementPlanOut:
    """At which subset sizes to retrain so that the next decision is most certain. It costs compute, not samples: ask
    it before you spend money."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "measurement-plan", runs, draws, seed))
    plan = measurement_plan_of(call.session, call.runtime.fits, project, runs, draws, seed)
    return plan_shape(project, plan, draws, seed)
