"""What to measure next: on which compositions of what is held to retrain, which costs compute and no samples."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AliasChoices, ConfigDict, Field

from app.api.http.answers import Draws, Seed
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.shapes import Answer, count_of
from app.api.http.transactions import Call, Route, reads
from app.errors import Conflict, Fault, Infeasible, TooManyComputations, invalid
from app.services.curves.fits import DRAWS, SEED
from app.services.planning import MAX_RUNS, MeasurementPlan
from app.services.planning.measurements import PilotPlan, measurement_plan_of, pilot_of
from app.services.projects.keys import normal_key
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

PilotAsked = Annotated[
    str | None,
    Query(max_length=500, description="SOURCE:COUNT, such as noisy:250: runs that tell what its samples are worth"),
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


class PilotRunOut(Answer):
    """A run with the pilot: `counts` by group, of which `from` the source. `sd`: of the quality, expected after it."""

    model_config = ConfigDict(serialize_by_alias=True)

    counts: dict[str, int]
    origin: Annotated[
        dict[str, dict[str, int]], Field(validation_alias=AliasChoices("origin", "from"), serialization_alias="from")
    ]
    sd: float


class PilotOut(Answer):
    """Runs that tell the quality of a source by a pilot of `count` of its samples, swapped onto subsets of the clean
    ones of the `group` that it delivers most of, in the order in which they tell most. `break_even`: the quality at
    which it is worth its price, null without another source to its groups. `chance_decided`: that the 90 % interval is
    clear of it then. `verdict`: "undecided" where even these runs likely leave it open. `advice` says it in a
    sentence."""

    source: str
    group: str
    count: int
    runs: list[PilotRunOut]
    sd_now: float
    sd_after: float
    break_even: float | None
    chance_decided: float | None
    verdict: Literal["decides", "undecided"]
    advice: str


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
    pilot: PilotOut | None


def pilot_shape(asked: PilotPlan) -> PilotOut:
    plan = asked.plan
    runs = [
        PilotRunOut(
            counts={**asked.clean, asked.group: run.clean + run.pilot},
            origin={asked.source: {asked.group: run.pilot}},
            sd=run.sd,
        )
        for run in plan.runs
    ]
    return PilotOut.of(
        asked,
        plan,
        runs=runs,
        chance_decided=plan.chance,
        verdict="decides" if plan.decides else "undecided",
        advice=pilot_advice(asked),
    )


def pilot_advice(asked: PilotPlan) -> str:
    """What the pilot is good for."""
    plan = asked.plan
    if not plan.runs:
        return f"The quality of '{asked.source}' is stated as exact: there is nothing to find out."
    told = f"After {'this run' if len(plan.runs) == 1 else 'these runs'} the quality of '{asked.source}' is known to"
    told += f" ±{1.645 * plan.sd_after:.2f}, now ±{1.645 * plan.sd_now:.2f} (90 %)."
    if plan.chance is None:
        return f"{told} No other source delivers '{asked.group}', so there is no price to compare it with."
    if plan.decides:
        return f"{told} That decides with a chance of {plan.chance:.0%} whether it is worth its price."
    return f"{told} That leaves it likely undecided whether it is worth its price: take a larger pilot, or none."


def plan_shape(
    project: Project, plan: MeasurementPlan, draws: int, seed: int, pilot: PilotPlan | None = None
) -> MeasurementPlanOut:
    return MeasurementPlanOut.of(
        plan,
        project,
        seed=seed,
        draws=draws,
        recommended=None if plan.recommended is None else dict(zip(plan.keys, plan.recommended, strict=True)),
        held=dict(zip(plan.keys, plan.held, strict=True)),
        order=ORDER,
        pilot=None if pilot is None else pilot_shape(pilot),
        runs=[MeasurementRunOut.of(run, counts=dict(zip(plan.keys, run.counts, strict=True))) for run in plan.runs],
    )


@router.get("", summary="Ask what to measure next", responses=declared(Conflict, Infeasible, TooManyComputations))
def read_measurement_plan(
    project_id: str,
    call: Annotated[Call, reads("read")],
    runs: Runs = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
    pilot: PilotAsked = None,
) -> MeasurementPlanOut:
    """On which compositions of what is held to retrain so that the next decision is most certain. It costs compute, not
    samples: ask it before you spend money. With `pilot`, also with which runs a few samples of a source would tell what
    they are worth."""
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "measurement-plan", runs, draws, seed, pilot))
    asked = None if pilot is None else read_pilot(pilot)
    fits = call.runtime.fits
    tried = None if asked is None else pilot_of(call.session, fits, project, *asked, runs, draws, seed)
    plan = measurement_plan_of(call.session, fits, project, runs, draws, seed)
    return plan_shape(project, plan, draws, seed, tried)


def read_pilot(text: str) -> tuple[str, int]:
    """A source and a count from a text such as 'noisy:250'. Raises Invalid."""
    key, _, last = text.rpartition(":")
    count = count_of(last.strip())
    if not normal_key(key) or not count:
        raise invalid(Fault("?pilot", "give SOURCE:COUNT with a count of at least 1, such as noisy:250"))
    return normal_key(key), count
