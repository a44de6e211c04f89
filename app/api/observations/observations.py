"""Observations of a project."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import AliasChoices, ConfigDict, Field, StringConstraints
from tranche.sheets import ReadAs

from app.api.http.answers import WarningOut
from app.api.http.bulk import CSV, JSON, NDJSON, content_type
from app.api.http.etags import list_tag
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, changes, posts, reads
from app.api.observations.intake import read_observations
from app.api.observations.run_tables import DecimalMark, Extra, ReadAsOut, runs_of_table
from app.errors import HoldoutRetired, KeyTaken
from app.services.jobs import plan_watch
from app.services.observations import observations, observe
from app.services.observations.drafts import Draft
from app.store.models.observations import Observation
from app.store.observations import listed_observations

router = APIRouter(prefix="/v1/projects/{project_id}/observations", tags=["observations"], route_class=Route)

CSV_EXAMPLE = """external_id,group,source,n,value,stderr,eval_size,holdout,observed_at
run-17,White_Male,,150,0.781,,2000,2026-10,2026-11-20T10:00:00Z
run-17,White_Male,Web_Scrape,60,,,,,
run-17,Black_Female,,40,0.842,0.011,,2026-10,2026-11-20T10:00:00Z
"""
CONTRACT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/Observations"}},
            NDJSON: {"schema": {"$ref": "#/components/schemas/ObservationIn"}},
            CSV: {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
        },
    }
}


class AcceptedOut(Answer):
    accepted: int
    duplicates: int
    data_version: int
    warnings: list[WarningOut]
    read_as: ReadAsOut | None = None


class ReadingOut(Answer):
    value: float
    stderr: float | None = None
    eval_size: int | None = None


class ObservationOut(Answer):
    model_config = ConfigDict(serialize_by_alias=True)

    id: UUID
    external_id: str | None
    counts: dict[str, int]
    metrics: dict[str, ReadingOut]
    origin: Annotated[
        dict[str, dict[str, int]] | None,
        Field(validation_alias=AliasChoices("origin", "from"), serialization_alias="from"),
    ]
    holdout: str
    recipe: str
    chosen_from: int
    observed_at: datetime
    created_at: datetime
    voided_at: datetime | None
    void_reason: str | None


SMALL = 16_000
"""Bytes of a body that is read at once: that takes less than a millisecond, and a thread's turn may take longer."""


async def drafts(
    request: Request, extra: Extra = None, decimal: DecimalMark = None
) -> tuple[list[Draft], ReadAs | None]:
    kind, body = content_type(request, JSON, NDJSON, CSV), await request.body()
    if kind != CSV and len(body) <= SMALL:
        return read_observations(kind, body), None
    if kind == CSV:
        return await run_in_threadpool(runs_of_table, body, extra == "ignore", decimal)
    return await run_in_threadpool(read_observations, kind, body), None


Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


@router.post(
    "",
    status_code=201,
    summary="Post what was measured",
    responses=declared(KeyTaken, HoldoutRetired),
    openapi_extra=CONTRACT,
)
def post_observations(
    project_id: str,
    call: Annotated[Call, posts("observe")],
    sent: Annotated[tuple[list[Draft], ReadAs | None], Depends(drafts)],
    missing: Annotated[
        str | None, Query(pattern="^zero$", description="'zero' takes the counts a run does not name as 0")
    ] = None,
) -> AcceptedOut:
    """Evaluated training runs, as JSON, one JSON object per line, or CSV with a line per run and group, and per source
    that its samples came from. All or nothing: one bad item refuses the request, naming every bad one. A repeat of an
    `external_id` is counted, not stored again. CSV may be as spreadsheets write it (docs/import.md); `read_as` says how
    it was understood."""
    project = call.project(project_id)
    runs, read_as = sent
    done = observe.post(call.session, project, runs, missing == "zero", call.now, call.enqueue)
    return AcceptedOut.of(done, project, accepted=len(done.stored), read_as=read_as)


@router.get("", summary="List observations")
def list_observations(
    project_id: str,
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    voided: Annotated[bool, Query(description="Read the voided ones instead")] = False,
) -> Page[ObservationOut]:
    project = call.project(project_id)
    call.unless_matched(list_tag(project))
    rows = listed_observations(call.session, project.id, voided)
    return page(call, cursor, limit, rows, ObservationOut.model_validate)


@router.get("/{observation_id}", summary="Read an observation")
def read_observation(project_id: str, observation_id: str, call: Annotated[Call, reads("read")]) -> ObservationOut:
    row = observations.get_observation(call.session, call.project(project_id), observation_id)
    return ObservationOut.model_validate(row)


@router.delete("/{observation_id}", summary="Void an observation")
def void_observation(
    project_id: str,
    observation_id: str,
    call: Annotated[Call, changes("observe")],
    reason: Annotated[Reason, Query(description="Why; kept with the observation")],
) -> ObservationOut:
    """Takes it out of every fit. It stays readable with its reason; nothing is erased."""
    project = call.project(project_id)
    row: Observation = observations.get_observation(call.session, project, observation_id)
    call.match(ObservationOut.model_validate(row))
    observations.void(project, row, reason, call.now)
    plan_watch.request(call.session, project, call.enqueue, call.now)
    return ObservationOut.model_validate(row)
