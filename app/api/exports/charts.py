"""Charts, as Vega-Lite specifications or drawn, to be embedded anywhere."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.api.http.answers import Draws, Seed
from app.api.http.drawn import HEADERS, MEDIA_TYPES, Format, Scale, contract_of, drawn
from app.api.http.etags import etag_of, question_tag
from app.api.http.problems import NOT_MODIFIED, declared
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.transactions import Call, Route, reads
from app.api.planning.allocations import Budget, read_budget
from app.api.planning.plans import Policy
from app.charts.theme import Spec, ThemeName, narrowed
from app.errors import Infeasible, TooManyComputations
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.exports.charts import Asked, chart_named
from app.services.exports.dossier import Dossier
from app.services.planning.allocations import AllocationQuestion
from app.services.projects.keys import normal_key
from app.store.db import Session
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/charts", tags=["charts"], route_class=Route)
EXAMPLE: Spec = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "title": {"text": ["Round 1: 90 of 460 planned samples accepted (20%)"]},
    "data": {"values": [{"group": "Black_Female", "state": "accepted", "samples": 90}]},
    "mark": "bar",
}


@dataclass(frozen=True)
class ChartQuery:
    """What a chart may be asked for; each chart reads what concerns it. groups: keys, none for all.

    objective: the name by which a page looks at another than the project's, None for its own.
    """

    theme: ThemeName = "light"
    groups: tuple[str, ...] = ()
    round: int | None = None
    question: AllocationQuestion = field(default_factory=AllocationQuestion)
    objective: str | None = None
    narrow: bool = False
    scale: int = 1


def chart_query(
    theme: Annotated[ThemeName, Query(description="Colours for a light or a dark background")] = "light",
    group: Annotated[list[str] | None, Query(max_length=100, description="Only these groups; repeat it")] = None,
    round: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Of this round (chart progress)")] = None,
    budget: Budget = None,
    policy: Policy = "optimal",
    exploration: Annotated[
        float | None, Query(ge=0, le=1, allow_inf_nan=False, description="As of the allocation")
    ] = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
    narrow: Annotated[bool, Query(description="For a place of less than 480 pixels")] = False,
    scale: Scale = 1,
) -> ChartQuery:
    question = AllocationQuestion(read_budget(budget), policy, draws, seed, exploration)
    return ChartQuery(theme, tuple(map(normal_key, group or ())), round, question, narrow=narrow, scale=scale)


def source_of(project: Project) -> str:
    """Where a chart's numbers come from, as it says itself."""
    return f"{project.name}, data version {project.data_version}; Tranche {SOFTWARE_VERSION}"


def asked_of(session: Session, fits: Fits, project: Project, query: ChartQuery, at: datetime) -> Asked:
    dossier = Dossier(session, fits, project, query.question, at)
    return Asked(dossier, source_of(project), query.theme, query.groups, query.round)


def chart_response(
    asked: Asked, query: ChartQuery, name: str, format: Format, unless_matched: Callable[[str], None]
) -> Response:
    """The chart `name`; `unless_matched` is told its ETag and raises NotModified where the client has it, before
    anything is computed where the chart follows the data version. Raises NotFound."""
    chart = chart_named(name)
    tag = question_tag(asked.dossier.project, name, format, query)
    if chart.follows_version:
        unless_matched(tag)
    made = chart.make(asked)
    spec = json.dumps(
        narrowed(made) if query.narrow else made, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()
    if not chart.follows_version:
        tag = etag_of(f"{format}{query.scale}".encode() + SOFTWARE_VERSION.encode() + spec)
        unless_matched(tag)
    body = drawn(asked.dossier.session, spec, format, query.scale)
    return Response(body, headers={**HEADERS, "ETag": tag}, media_type=MEDIA_TYPES[format])


@router.get(
    "/{name}.{format}",
    summary="Read or draw a chart",
    response_class=Response,
    responses={
        200: {"content": contract_of({"schema": {"type": "object", "additionalProperties": True}, "example": EXAMPLE})},
        304: NOT_MODIFIED,
        **declared(Infeasible, TooManyComputations),
    },
)
def read_chart(
    project_id: str,
    name: str,
    format: Format,
    call: Annotated[Call, reads("read")],
    query: Annotated[ChartQuery, Depends(chart_query)],
) -> Response:
    """`json` is a Vega-Lite specification with its data, `svg` and `png` are drawn from it. Names: `curve` (of
    the first `?group=`), `curves`, `marginal-utility`, `budget-utility`, `budget-targets`, `progress` (of the newest
    accepted round, or of `?round=`), `spending` and `standing` (of the plan, or of the one that `?round=` keeps).
    A page that embeds one needs no key of its own: fetch it on your server and pass it on."""
    asked = asked_of(call.session, call.runtime.fits, call.project(project_id), query, call.now)
    return chart_response(asked, query, name, format, call.unless_matched)
