"""The report of a project: one page that needs nothing else."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.exports.tables import Asked
from app.api.http.downloads import PRIVATE, disposition
from app.api.http.problems import declared
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.transactions import Call, Route, reads
from app.errors import Conflict, Infeasible, TooManyComputations
from app.report.page import report_of
from app.services.exports.dossier import Dossier

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["exports"], route_class=Route)

HTML = "text/html; charset=utf-8"
Download = Annotated[bool, Query(description="To be saved as a file rather than shown")]


def report_page(dossier: Dossier, download: bool) -> Response:
    """Raises as the dossier's allocation."""
    made, project = report_of(dossier, SOFTWARE_VERSION), dossier.project
    kind = "attachment" if download else "inline"
    headers = {
        **PRIVATE,
        "Content-Disposition": disposition(kind, project.name, f"report-v{project.data_version}", "html"),
        # A page that shows what users wrote gets an origin of its own, even at our address.
        "Content-Security-Policy": f"{made.policy}; frame-ancestors 'none'; sandbox",
        "Referrer-Policy": "no-referrer",
    }
    return Response(made.html, headers=headers, media_type=HTML)


@router.get(
    "/report",
    summary="Read the report",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}}},
        **declared(Conflict, Infeasible, TooManyComputations),
    },
)
def read_report(
    project_id: str, call: Annotated[Call, reads("read")], question: Asked, download: Download = False
) -> Response:
    """One self-contained HTML page, to be read, printed and sent on: what to buy next and why, how sure that is, where
    the groups stand, what was spent, what to check, other budgets and plans, rounds, method. It loads nothing and runs
    nothing. All of it follows from one plan of one data version, which it names with the seed and the software."""
    project = call.project(project_id)
    return report_page(Dossier(call.session, call.runtime.fits, project, question, call.now), download)
