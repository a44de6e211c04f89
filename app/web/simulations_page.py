"""Simulations: policies compared on the project's own curves before money is spent, started and read."""

from datetime import datetime
from math import inf
from typing import Annotated, Any

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.http.drawn import Format
from app.api.http.shapes import count_of
from app.api.planning.simulations import (
    MAX_GAMES,
    MAX_ROUNDS,
    USUAL,
    ChartName,
    SimulationIn,
    SimulationOut,
    StandingOut,
    shape_of,
    simulation_chart,
)
from app.charts.theme import ThemeName
from app.errors import TrancheError
from app.services.jobs.jobs import ENDED, cancel_job, get_job
from app.services.planning.policies import CHOICES, PLAYERS, POLICY_KEYS
from app.services.simulations.simulations import get_simulation, start_simulation
from app.store.models.jobs import Job
from app.store.models.projects import Project
from app.store.simulations import listed_simulations
from app.web.site.visit import Answer, Place, Visit, acts, pages, place_in, sees

router = pages()

PER_PAGE = 20
SOME = 0.01
"""Before so much is done, nothing is said of the rest."""
SIMULATION: TypeAdapter[SimulationIn] = TypeAdapter(SimulationIn)
START = {"chosen": "optimal", "replicates": "100", "rounds": "", "budget": ""}
Looks = Annotated[Visit, sees("read")]
Acts = Annotated[Visit, acts("write")]


@router.get("/projects/{project_id}/simulations")
def simulation_list(project_id: str, visit: Looks, after: Place = None) -> Answer:
    return listed(visit, visit.project(project_id), START, USUAL, after)


def listed(
    visit: Visit,
    project: Project,
    values: dict[str, str],
    policies: tuple[str, ...],
    after: str | None = None,
    error: TrancheError | None = None,
) -> Answer:
    simulations = listed_simulations(visit.session, project.id)
    rows, last = simulations.part(place_in(simulations, after, "after"), PER_PAGE)
    shown = [shape_of(row, job) for row, job in rows]
    more = f"/projects/{project.id}/simulations?after={last}" if last else None
    return visit.render(
        "simulations.html",
        project=project,
        simulations=shown,
        more=more,
        values=values,
        policies=policies,
        choices=CHOICES,
        most={"replicates": MAX_GAMES, "rounds": MAX_ROUNDS},
        names=PLAYERS,
        error=error,
    )


@router.post("/projects/{project_id}/simulations")
def start(project_id: str, visit: Acts) -> Answer:
    project = visit.project(project_id)
    values = {name: visit.said(name) for name in START}
    policies = tuple(name for name in visit.form.get("policy", ()) if name in POLICY_KEYS)
    try:
        with visit.trying():
            question = validated(SIMULATION, document(values, policies)).question()
            most = visit.runtime.settings.simulations_each
            row, _ = start_simulation(visit.session, project, question, most, visit.now, visit.enqueue)
    except TrancheError as error:
        return listed(visit, project, values, policies, error=error)
    return visit.redirect(f"/projects/{project.id}/simulations/{row.id}", "The simulation is on its way.")


def document(values: dict[str, str], policies: tuple[str, ...]) -> dict[str, Any]:
    """What the API would be sent; what is no number stays text, which its shape refuses."""
    said: dict[str, Any] = {name: text for name, text in values.items() if text}
    for name in ("replicates", "rounds"):
        count = count_of(said.get(name, ""))
        if count is not None:
            said[name] = count
    return {**said, "policies": list(policies)}


@router.get("/projects/{project_id}/simulations/{simulation_id}")
def simulation_page(project_id: str, simulation_id: str, visit: Looks, fragment: bool = False) -> Answer:
    project = visit.project(project_id)
    row, job = get_simulation(visit.session, project, simulation_id)
    shown = shape_of(row, job)
    return visit.render(
        "_simulation.html" if fragment else "simulation.html",
        project=project,
        simulation=shown,
        tag=tag_of(job),
        ended=shown.state in ENDED,
        names=PLAYERS,
        left=left_words(job, visit.now),
        finding=finding(shown),
        ranked=ranked(shown),
    )


def ranked(shown: SimulationOut) -> list[StandingOut]:
    """The policies, best first."""
    policies = shown.result.policies if shown.result else []
    return sorted(policies, key=lambda one: -inf if one.utility.mean is None else one.utility.mean, reverse=True)


def left_words(job: Job, now: datetime) -> str:
    """How long the games that are left will take, as those that were played did."""
    if job.state != "running" or job.started_at is None or job.progress < SOME:
        return ""
    minutes = (now - job.started_at).total_seconds() * (1 - job.progress) / job.progress / 60
    return "less than a minute left" if minutes < 1 else f"about {minutes:.0f} min left"


def finding(shown: SimulationOut) -> str:
    """How surely the chosen policy beats an equal split, in a sentence."""
    result = shown.result
    if result is None:
        return ""
    name = PLAYERS[result.chosen]
    if result.chosen == "equal":
        return f"{name} is the policy that the others are compared with, over {result.games:,} games."
    chance = 100 * result.p_better_than_equal
    return f"{name} ends above an equal split in {chance:.0f} % of {result.games:,} simulated games."


def tag_of(job: Job) -> str:
    """What the page shows while a simulation runs."""
    return f"{job.state} {job.progress:.3f}"


@router.get("/projects/{project_id}/simulations/{simulation_id}/progress")
def simulation_mark(project_id: str, simulation_id: str, visit: Looks) -> Answer:
    """The state and how much is done."""
    _, job = get_simulation(visit.session, visit.project(project_id), simulation_id)
    return visit.mark(tag_of(job))


@router.post("/projects/{project_id}/simulations/{simulation_id}/cancel")
def cancel(project_id: str, simulation_id: str, visit: Acts) -> Answer:
    project = visit.project(project_id)
    row, _ = get_simulation(visit.session, project, simulation_id)
    cancel_job(get_job(visit.session, visit.caller, str(row.job_id), lock=True), visit.now)
    return visit.redirect(f"/projects/{project.id}/simulations/{row.id}", "The simulation ends at its next report.")


@router.get("/projects/{project_id}/simulations/{simulation_id}/charts/{name}.{format}")
def chart(
    project_id: str,
    simulation_id: str,
    name: ChartName,
    format: Format,
    visit: Looks,
    theme: ThemeName = "light",
    narrow: bool = False,
) -> Answer:
    return simulation_chart(visit.session, visit.project(project_id), simulation_id, name, format, theme, narrow)
