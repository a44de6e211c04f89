"""The report and the tables of a project, as it is or as a page looks at it."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from app.api.exports.provenance import markdown_file
from app.api.exports.reports import report_page
from app.api.exports.tables import Ending, table_file, workbook_file
from app.services.exports.dossier import Dossier
from app.services.exports.tables import TABLES
from app.services.ledger.provenance import provenance_of
from app.services.planning import MAX_RUNS
from app.services.planning.policies import CHOICES
from app.services.planning.variations import varied_project
from app.services.vendors.counts import vendor_folds
from app.store.models.projects import Project
from app.web.plan_query import PlanQuery, objective_choices
from app.web.project_page import plan_query
from app.web.scenarios_page import Row, dossier_of, form_rows
from app.web.site.visit import Answer, Visit, pages, sees, tried

router = pages()

Asked = Annotated[PlanQuery, Depends(plan_query)]
Runs = Annotated[int | None, Query(ge=1, le=MAX_RUNS)]


def looked_at(visit: Visit, project: Project, query: PlanQuery, runs: int | None = None) -> Dossier:
    """The question of the plan page. Raises Invalid."""
    question = query.question()
    varied = varied_project(visit.session, project, query.changes(project))
    return Dossier(visit.session, visit.runtime.fits, varied, question, visit.now, runs=runs)


@router.get("/projects/{project_id}/exports")
def exports_page(project_id: str, visit: Annotated[Visit, sees("read")], query: Asked) -> Answer:
    project = visit.project(project_id)
    _, error = tried(query.question)
    asked = {"budget": query.plain_budget} if query.budget else {}
    return visit.render(
        "exports.html",
        project=project,
        query=query,
        tables=[(name, kind.title) for name, kind in TABLES.items()],
        asked=urlencode(asked | {"policy": query.policy, "objective": query.objective}),
        policies=CHOICES,
        objectives=objective_choices(project),
        error=error,
    )


@router.get("/projects/{project_id}/report")
def report(project_id: str, visit: Annotated[Visit, sees("read")], query: Asked, download: bool = False) -> Answer:
    return report_page(looked_at(visit, visit.project(project_id), query), download)


@router.get("/projects/{project_id}/provenance.md")
def provenance(project_id: str, visit: Annotated[Visit, sees("read")]) -> Answer:
    project = visit.project(project_id)
    card = provenance_of(visit.session, project, vendor_folds(visit.session, project.id))
    return markdown_file(card, project, visit.now)


@router.get("/projects/{project_id}/tables.xlsx")
def workbook(project_id: str, visit: Annotated[Visit, sees("read")], query: Asked, runs: Runs = None) -> Answer:
    return workbook_file(looked_at(visit, visit.project(project_id), query, runs))


@router.get("/projects/{project_id}/tables/{name}.{format}")
def table(
    project_id: str,
    name: str,
    format: Ending,
    visit: Annotated[Visit, sees("read")],
    query: Asked,
    runs: Runs = None,
) -> Answer:
    return table_file(looked_at(visit, visit.project(project_id), query, runs), name, format)


@router.get("/projects/{project_id}/scenarios/{table}.{format}")
def scenarios_table(
    project_id: str,
    table: Literal["scenarios", "scenario-groups"],
    format: Ending,
    visit: Annotated[Visit, sees("read")],
    rows: Annotated[list[Row], Depends(form_rows)],
) -> Answer:
    """Of the scenarios page, whose form it follows."""
    project = visit.project(project_id)
    return table_file(dossier_of(visit, project, rows), table, format)
