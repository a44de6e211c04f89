"""On which compositions of what is held to retrain next: runs that cost compute and no samples."""

from typing import Annotated

from fastapi import Query

from app.api.observations.measurements import MeasurementPlanOut, plan_shape, read_pilot
from app.services.curves.fits import DRAWS, SEED
from app.services.planning import MAX_RUNS
from app.services.planning.measurements import measurement_plan_of, pilot_of
from app.store.models.projects import Group, Project
from app.store.projects import members
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

PER_PAGE = 50


@router.get("/projects/{project_id}/measurement-plan")
def measurement_page(
    project_id: str,
    visit: Annotated[Visit, sees("read")],
    runs: Annotated[int | None, Query(ge=1, le=MAX_RUNS)] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    pilot: Annotated[str, Query(max_length=500)] = "",
) -> Answer:
    project = visit.project(project_id)
    plan, error = tried(lambda: asked(visit, project, runs, pilot))
    groups = members(visit.session, Group, project.id)
    begin = (page - 1) * PER_PAGE
    return visit.render(
        "measurement_plan.html",
        project=project,
        runs=runs,
        asked=f"runs={runs}" if runs else "",
        most=MAX_RUNS,
        plan=plan,
        groups=groups[begin : begin + PER_PAGE],
        page=page,
        last=-(-len(groups) // PER_PAGE),
        pilot=pilot,
        error=error,
    )


def asked(visit: Visit, project: Project, runs: int | None, pilot: str) -> MeasurementPlanOut:
    """With a pilot of a source where one is asked for. Raises Invalid, Conflict."""
    fits, tried_source = visit.runtime.fits, read_pilot(pilot) if pilot else None
    of_source = tried_source and pilot_of(visit.session, fits, project, *tried_source, runs, DRAWS, SEED)
    found = measurement_plan_of(visit.session, fits, project, runs, DRAWS, SEED)
    return plan_shape(project, found, DRAWS, SEED, of_source)
