"""Charts for pages: what the API serves, for who is signed in."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query, Response

from app.api.exports.charts import ChartQuery, asked_of, chart_query, chart_response
from app.api.http.drawn import Format
from app.api.http.etags import NotModified, matches
from app.services.planning.variations import varied_project
from app.web.plan_query import OWN, PlanQuery
from app.web.site.visit import Answer, Visit, pages, sees

router = pages()


@router.get("/projects/{project_id}/charts/{name}.{format}")
def project_chart(
    project_id: str,
    name: str,
    format: Format,
    visit: Annotated[Visit, sees("read")],
    query: Annotated[ChartQuery, Depends(chart_query)],
    objective: Annotated[str, Query(max_length=50)] = OWN,
) -> Answer:
    """Of the project as it is, or as the page looks at it with another objective."""
    held = visit.request.headers.get("if-none-match", "")

    def unless_matched(tag: str) -> None:
        if held and matches(held, tag):
            raise NotModified(tag)

    plan = PlanQuery(objective=objective)
    plan.question()
    project = visit.project(project_id)
    changes = plan.changes(project)
    if changes:
        project, query = varied_project(visit.session, project, changes), replace(query, objective=objective)
    asked = asked_of(visit.session, visit.runtime.fits, project, query, visit.now)
    try:
        return chart_response(asked, query, name, format, unless_matched)
    except NotModified as same:
        return Response(status_code=304, headers={"ETag": same.etag})
