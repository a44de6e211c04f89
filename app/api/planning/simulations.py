"""Simulations: policies compared on the project's own posterior before any money is spent."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.http.drawn import HEADERS, MEDIA_TYPES, Format, Scale, contract_of, drawn
from app.api.http.etags import etag_of
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.shapes import Answer, MoneyIn, MoneyOut, Shape, Whole
from app.api.http.transactions import Call, Route, posts, reads
from app.api.planning.scenarios import SeedIn
from app.api.projects.objectives import Objective
from app.charts.simulations import CHARTS
from app.charts.theme import ThemeName, narrowed
from app.errors import Conflict, TooManyComputations
from app.services.jobs.jobs import State
from app.services.planning.policies import PLAYERS, POLICY_KEYS, PolicyName
from app.services.simulations.simulations import SimulationQuestion, get_simulation, start_simulation
from app.store.db import Session
from app.store.models.jobs import Job
from app.store.models.projects import Project
from app.store.models.simulations import Simulation
from app.store.simulations import listed_simulations

router = APIRouter(prefix="/v1/projects/{project_id}/simulations", tags=["simulations"], route_class=Route)
charts = APIRouter(prefix=router.prefix, tags=["simulations"], route_class=Route)

USUAL: tuple[PolicyName, ...] = tuple(key for key in POLICY_KEYS if key != "slice_tuner")
"""Played where nothing else is asked. Slice Tuner, which fits laws of its own, is played on demand."""
MAX_GAMES, MAX_ROUNDS = 2_000, 50


class SimulationIn(Shape):
    """`chosen` and `equal` are always played. `budget` is for all rounds (null: what the project has left), `rounds`
    null means those it has left. In every game one of `replicates` draws of the posterior is the truth; the policies
    fit curves of their own with `draws` draws. `objective` stands in for the project's."""

    policies: Annotated[tuple[PolicyName, ...], Field(min_length=1, max_length=len(POLICY_KEYS))] = USUAL
    chosen: PolicyName = "optimal"
    replicates: Annotated[int, Field(strict=True, ge=2, le=MAX_GAMES), Whole] = 200
    rounds: Annotated[int, Field(strict=True, ge=1, le=MAX_ROUNDS), Whole] | None = None
    budget: MoneyIn | None = None
    draws: Annotated[int, Field(strict=True, ge=20, le=300), Whole] = 64
    seed: SeedIn = 0
    objective: Objective | None = None

    def question(self) -> SimulationQuestion:
        played = dict.fromkeys((*self.policies, self.chosen, "equal"))
        objective = None if self.objective is None else self.objective.model_dump()
        return SimulationQuestion(**{**dict(self), "policies": list(played), "objective": objective})


class EstimateOut(Answer):
    """A mean over the games and its standard error."""

    mean: float | None
    se: float | None


class StandingOut(Answer):
    """How a policy fared. `utility` and `worst` (the worst group's benefit, 1 less its loss in units of the metric's
    span) are at the end, `path` is the utility at the start and after each round. `regret` is 0 for the oracle, which
    knows the true curves, and 1 for buying nothing. `difference` is its utility less the chosen policy's, paired over
    the games, and `p_better` the share of games in which it ends higher, ties half. `added`: mean samples by group."""

    policy: str
    utility: EstimateOut
    worst: EstimateOut
    regret: float | None
    money_per_benefit: float | None
    path: list[EstimateOut]
    added: dict[str, float]
    difference: EstimateOut
    p_better: float


class ResultOut(Answer):
    """The table. The policies' curves are coarser than those of GET …/curves: own counts alone, `draws` draws,
    retrained each round on the shares `subsets` of what is held. `transfer`: other groups' samples count in the true
    curves. `p_better_than_equal`: the share of games in which the chosen policy ends above an equal split, ties half.
    """

    games: int
    rounds: int
    budget: MoneyOut
    draws: int
    subsets: list[float]
    transfer: bool
    chosen: str
    p_better_than_equal: float
    policies: list[StandingOut]
    oracle: StandingOut


class SimulationQuestionOut(Answer):
    policies: list[str]
    chosen: str
    replicates: int
    rounds: int | None
    budget: MoneyOut | None
    draws: int
    seed: int
    objective: dict[str, Any] | None


class SimulationOut(Answer):
    """`state`, `progress` and `error` are those of the job, which is watched and cancelled under its own address.
    `data_version`: of the data the games are played on, null until the job has begun. `result`: of all games once it
    has succeeded, and before of those played so far, as its `games` say; null for fewer than ten."""

    id: UUID
    job_id: UUID
    state: State
    progress: float
    error: str | None
    data_version: int | None
    question: SimulationQuestionOut
    created_at: datetime
    result: ResultOut | None


def shape_of(row: Simulation, job: Job) -> SimulationOut:
    return SimulationOut.of(row, job)


@router.post(
    "",
    status_code=202,
    operation_id="simulations_start",
    summary="Simulate policies",
    responses=declared(Conflict, TooManyComputations),
)
def simulate_policies(project_id: str, body: SimulationIn, call: Annotated[Call, posts("write")]) -> SimulationOut:
    """Plays the collection game on draws of the project's posterior, in a job (its URL is the `Location`): what would
    each policy have reached, and how sure is that? Nothing is bought, and the project stays as it is."""
    project = call.project(project_id)
    most = call.runtime.settings.simulations_each
    row, job = start_simulation(call.session, project, body.question(), most, call.now, call.enqueue)
    call.headers["Location"] = f"/v1/jobs/{job.id}"
    return shape_of(row, job)


@router.get("", summary="List simulations, newest first")
def list_simulations(
    project_id: str, call: Annotated[Call, reads("read")], limit: Limit = 50, cursor: Cursor = None
) -> Page[SimulationOut]:
    project = call.project(project_id)
    rows = listed_simulations(call.session, project.id)
    return page(call, cursor, limit, rows, lambda both: shape_of(*both))


@router.get("/{simulation_id}", summary="Read a simulation")
def read_simulation(project_id: str, simulation_id: str, call: Annotated[Call, reads("read")]) -> SimulationOut:
    return shape_of(*get_simulation(call.session, call.project(project_id), simulation_id))


ChartName = Literal["utility", "differences"]
CHART_EXAMPLE = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "line"}


@charts.get(
    "/{simulation_id}/charts/{name}.{format}",
    summary="Draw a simulation",
    response_class=Response,
    responses={
        200: {"content": contract_of({"schema": {"type": "object"}, "example": CHART_EXAMPLE})},
        **declared(Conflict, TooManyComputations),
    },
)
def draw_simulation(
    project_id: str,
    simulation_id: str,
    name: ChartName,
    format: Format,
    call: Annotated[Call, reads("read")],
    theme: Annotated[ThemeName, Query(description="Colours for a light or a dark background")] = "light",
    scale: Scale = 1,
) -> Response:
    """`utility`: round by round; `differences`: every policy beside the chosen one. `json` is a Vega-Lite specification
    with its data."""
    return simulation_chart(call.session, call.project(project_id), simulation_id, name, format, theme, scale=scale)


def simulation_chart(
    session: Session,
    project: Project,
    simulation_id: str,
    name: ChartName,
    format: Format,
    theme: ThemeName,
    narrow: bool = False,
    scale: int = 1,
) -> Response:
    """Raises NotFound, and Conflict where there is nothing to draw yet."""
    row, job = get_simulation(session, project, simulation_id)
    if row.result is None:
        raise Conflict(f"The simulation is {job.state}; there is nothing to draw yet.")
    source = f"{project.name}, simulated at data version {row.data_version}; Tranche {SOFTWARE_VERSION}"
    made = CHARTS[name](row.result, PLAYERS, source, theme)
    spec = json.dumps(narrowed(made) if narrow else made, allow_nan=False).encode()
    body = drawn(session, spec, format, scale)
    return Response(body, media_type=MEDIA_TYPES[format], headers={"ETag": etag_of(body), **HEADERS})
