"""Charts, as Vega-Lite specifications or drawn, to be embedded anywhere."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Response

from app.api.exports.drawn import HEADERS, MEDIA_TYPES, Format, drawn
from app.api.exports.plan_charts import PLAN_CHARTS, distinct_names
from app.api.http.answers import Draws, Seed
from app.api.http.etags import NotModified, etag_of, question_tag
from app.api.http.problems import declared
from app.api.http.query import KnownQuery
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.transactions import Call, reads, usual_errors
from app.api.planning.allocations import Budget, read_budget
from app.api.planning.plans import Policy
from app.charts.money import RoundMoney, spending
from app.charts.progress import GroupRow, progress
from app.charts.theme import Spec, ThemeName, narrowed
from app.errors import Infeasible, NotFound
from app.services.curves.fits import DRAWS, SEED, Fits
from app.services.exports.round_charts import progress_data, spending_data
from app.services.planning.allocations import AllocationQuestion
from app.store.db import Session
from app.store.models.projects import Group, Project
from app.store.projects import members

router = APIRouter(prefix="/v1/projects/{project_id}/charts", tags=["charts"], route_class=KnownQuery)
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


def chart_query(
    theme: Annotated[ThemeName, Query(description="Colours for a light or a dark background")] = "light",
    group: Annotated[list[str] | None, Query(max_length=100, description="Only these groups; repeat it")] = None,
    round: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Of this round (chart progress)")] = None,
    budget: Budget = None,
    policy: Policy = "optimal",
    exploration: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False, description="As of the allocation")] = 0.0,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
    narrow: Annotated[bool, Query(description="For a place of less than 480 pixels")] = False,
) -> ChartQuery:
    question = AllocationQuestion(read_budget(budget), policy, draws, seed, exploration)
    return ChartQuery(theme, tuple(group or ()), round, question, narrow=narrow)


@dataclass(frozen=True)
class Asked:
    """What a chart is made from."""

    session: Session
    fits: Fits
    project: Project
    query: ChartQuery

    @property
    def source(self) -> str:
        """Where the numbers come from, as charts say it."""
        return f"{self.project.name}, data version {self.project.data_version}; Tranche {SOFTWARE_VERSION}"


@dataclass(frozen=True)
class Chart:
    """follows_version: nothing but the data version, the query and the software changes it, so that a client's copy is
    known to be current before anything is computed."""

    make: Callable[[Asked], Spec]
    follows_version: bool = True


def make_progress(asked: Asked) -> Spec:
    found = progress_data(asked.session, asked.project, asked.query.round)
    only = asked.query.groups
    names = distinct_names(members(asked.session, Group, asked.project.id, archived=None))
    rows = [
        cast(GroupRow, {**row, "group": names[row["group"]]}) for row in found.rows if not only or row["group"] in only
    ]
    return progress(found.number, rows, asked.source, asked.query.theme)


def make_spending(asked: Asked) -> Spec:
    rows = [cast(RoundMoney, row) for row in spending_data(asked.session, asked.project)]
    project = asked.project
    return spending(rows, float(project.budget_total), project.currency, asked.source, asked.query.theme)


CHARTS: Mapping[str, Chart] = MappingProxyType(
    {
        "progress": Chart(make_progress, follows_version=False),
        "spending": Chart(make_spending, follows_version=False),
        **{name: Chart(make) for name, make in PLAN_CHARTS.items()},
    }
)


def chart_response(asked: Asked, name: str, format: Format, unless_matched: Callable[[str], None]) -> Response:
    """The chart `name`; `unless_matched` is told its ETag and raises NotModified where the client has it. Raises
    NotFound."""
    chart = CHARTS.get(name)
    if chart is None:
        raise NotFound(f"There is no chart '{name[:100]}'. There are: {', '.join(sorted(CHARTS))}.")
    tag = question_tag(asked.project, name, format, asked.query)
    if chart.follows_version:
        unless_matched(tag)
    made = chart.make(asked)
    spec = json.dumps(
        narrowed(made) if asked.query.narrow else made, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()
    if not chart.follows_version:
        tag = etag_of(format.encode() + SOFTWARE_VERSION.encode() + spec)
        unless_matched(tag)
    return Response(drawn(spec, format), headers={**HEADERS, "ETag": tag}, media_type=MEDIA_TYPES[format])


def content(format: Format) -> dict[str, Any]:
    if format == "json":
        return {"schema": {"type": "object", "additionalProperties": True}, "example": EXAMPLE}
    if format == "svg":
        return {"schema": {"type": "string"}, "example": "<svg …/>"}
    return {"schema": {"type": "string", "format": "binary"}, "example": "…"}


@router.get(
    "/{name}.{format}",
    summary="Read or draw a chart",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPES[format]: content(format) for format in ("json", "svg", "png")}},
        **declared(Infeasible, *usual_errors("/{project_id}/{name}", "GET", writes=False)),
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
    accepted round, or of `?round=`) and `spending`. A page that embeds one needs no key of its own: fetch it
    on your server and pass it on."""
    with call.runtime.database.reading() as session:
        call.open_session = session
        asked = Asked(session, call.runtime.fits, call.project(project_id), query)
        try:
            return chart_response(asked, name, format, call.unless_matched)
        except NotModified as same:
            return Response(status_code=304, headers={"ETag": same.etag})
