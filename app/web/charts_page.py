"""Charts for pages: what the API serves, for who is signed in, and the script that draws them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.api.charts import Asked, ChartQuery, Format, chart_query, chart_response
from app.api.common import NotModified, matches
from app.charts.render import bundle, bundle_name
from app.errors import NotFound
from app.web.assets import FOR_EVER
from app.web.visit import Answer, Visit, pages, sees

router = pages()
scripts = APIRouter(include_in_schema=False)


@router.get("/projects/{project_id}/charts/{name}.{format}")
def project_chart(
    project_id: str,
    name: str,
    format: Format,
    visit: Annotated[Visit, sees()],
    query: Annotated[ChartQuery, Depends(chart_query)],
) -> Answer:
    held = visit.request.headers.get("if-none-match", "")

    def unless_matched(tag: str) -> None:
        if held and matches(held, tag):
            raise NotModified(tag)

    asked = Asked(visit.session, visit.runtime.fits, visit.project(project_id), query)
    try:
        return chart_response(asked, name, format, unless_matched)
    except NotModified as same:
        return Response(status_code=304, headers={"ETag": same.etag})


@scripts.get("/static/{name}")
def script(name: str) -> Response:
    """Vega and Vega-Lite as one module."""
    if name != bundle_name():
        raise NotFound("There is no such file.")
    return Response(
        bundle(),
        headers={"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"},
        media_type="text/javascript; charset=utf-8",
    )
