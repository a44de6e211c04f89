"""What to measure next: on which compositions of what is held to retrain, which costs compute and no samples."""

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

Runs = Annotated[
    int | None,
    Query(
        ge=1,
        le=MAX_RUNS,
        description="The most training runs to plan; left out, three more than groups for a joint model (eleven for"
        " more than eight groups), three for separate ones",
    ),
]

router = APIRouter(prefix="/v1/projects/{project_id}/measurement-plan", tags=["curves"], route_class=Route)


ORDER = "Train every run on the first samples of one fixed order of each group's; add new samples at its end."


class MeasurementRunOut(Answer):
    """A run on a whole composition of what is held: `counts` by group, the `reason` what it tells, and the variance
    that it is expected to leave."""

    counts: dict[str, int]
    reason: str
    variance_before: float | None
    variance_after: float | None


class MeasurementPlanOut(Answer):
    """Runs in the order in which they tell most, by the project's `model`: where it is joint whole compositions, nested
    ones and ones in which some groups are cut down and the rest is whole; where it is separate each group at its own
    best size. `order` says which samples to take, `held` how many whole ones of each group there are.

    While too little is measured to choose by, the usual runs of a joint model are listed and `recommended`, variances
    and `gain_over_halving` are null: all that is held, a half, a quarter, and each group at a quarter with the rest
    whole (of more than eight groups each in two of eight sets).

    Variances are the expected posterior variance of the marginal utility per currency unit at the `recommended` counts,
    summed over the groups. `variance_halving` is what as many runs on plainly halved sizes would leave (all that is
    held, a half, a quarter …, sizes trained on already left out), `gain_over_halving` the share by which the standard
    deviation ends below that; `advice` says whether halving is as good. `note` says why there is no run."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    variance_now: float | None
    variance_after: float | None
    variance_halving: float | None
    gain_over_halving: float | None
    advice: str | None
    recommended: dict[str, float] | None
    held: dict[str, int]
    order: str
    runs: list[MeasurementRunOut]
    note: str | None


def plan_shape(project: Project, plan: MeasurementPlan, draws: int, seed: int) -> MeasurementPlanOut:
    return MeasurementPlanOut.of(
        plan,
        project,
        seed=seed,
        draws=draws,
        recommended=None if plan.recommended is None else dict(zip(plan.keys, plan.recommended, strict=True)),
        held=dict(zip(plan.keys, plan.held, strict=True)),
        order=ORDER,
        runs=[MeasurementRunOut.of(run, counts=dict(zip(plan.keys, run.counts, strict=True))) for run in plan.runs],
    )


@router.get("", summary="Ask what to measure next", responses=declared(Conflict, Infeasible))
def read_measurement_plan(
    project_id: str,
    call: Annotated[Call, reads("read")],
    runs: Runs = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> MeasurementPlanOut:
    """On which compositions of what is held to retrain so that the next decision is most certain. It costs compute, not
    samples: ask it before you spend money."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "measurement-plan", runs, draws, seed))
    plan = measurement_plan_of(call.session, call.runtime.fits, project, runs, draws, seed)
    return plan_shape(project, plan, draws, seed)
