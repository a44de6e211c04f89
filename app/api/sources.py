"""Sources of a project."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from app.api.bulk import list_body, list_contract
from app.api.common import BulkRoute, Call, Route, changes, list_tag, posts, reads
from app.api.groups import Replaced
from app.api.inputs import MAX_COUNT, Answer, Count, Key, LongText, MoneyOut, PriceIn, Shape, Text, unset
from app.api.pages import Archived, Cursor, Limit, Page, page, position
from app.api.problems import declared
from app.errors import Archived as ArchivedError
from app.errors import Conflict, KeyTaken, MissingKeys
from app.services import sources
from app.services.changes import archive, get_member
from app.store.models import Group, Source
from app.store.projects import members, members_by_id

router = APIRouter(prefix="/v1/projects/{project_id}/sources", tags=["sources"], route_class=Route)
bulk = APIRouter(prefix=router.prefix, tags=["sources"], route_class=BulkRoute)

MAX_SOURCES = 20_000
Kind = Literal["vendor", "site", "synthetic", "archive", "other"]
LotSize = Annotated[int, Field(strict=True, ge=1, le=MAX_COUNT)]

SOURCE_EXAMPLE: dict[str, Any] = {
    "key": "clinic-7",
    "name": "Clinic 7",
    "kind": "site",
    "group": "Black_Female",
    "unit_cost": "2.40",
    "min_order": 100,
    "max_order": 5000,
    "lot_size": 10,
    "license": "CC-BY-4.0",
    "provenance": "recruited at the clinic, consent form 3",
}


class SourceIn(Shape):
    """Anything samples of a group can be bought from. An order is 0, or a multiple of `lot_size` from
    `min_order` to `max_order`."""

    model_config = ConfigDict(json_schema_extra={"examples": [SOURCE_EXAMPLE]})

    key: Key
    name: Text | None = None
    kind: Kind = "vendor"
    group: Key
    unit_cost: PriceIn
    min_order: Count = 0
    max_order: Count | None = None
    lot_size: LotSize = 1
    license: Text | None = None
    provenance: LongText | None = None


class SourcePatch(Shape):
    """Fields left out stay as they are; null takes an optional one away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"unit_cost": "2.10"}]})

    key: Key = unset()
    name: Text | None = unset()
    kind: Kind = unset()
    group: Key = unset()
    unit_cost: PriceIn = unset()
    min_order: Count = unset()
    max_order: Count | None = unset()
    lot_size: LotSize = unset()
    license: Text | None = unset()
    provenance: LongText | None = unset()


class SourceOut(Answer):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **SOURCE_EXAMPLE,
                    "created_at": "2026-11-20T10:00:00Z",
                    "updated_at": "2026-11-20T10:00:00Z",
                    "archived_at": None,
                }
            ]
        }
    )

    key: str
    name: str | None
    kind: Kind
    group: str
    unit_cost: MoneyOut
    min_order: int
    max_order: int | None
    lot_size: int
    license: str | None
    provenance: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def source_shape(row: Source, group: Group) -> SourceOut:
    columns = {name: getattr(row, name) for name in SourceOut.model_fields if name != "group"}
    return SourceOut(group=group.key, **columns)


def shape_of(call: Call, row: Source) -> SourceOut:
    return source_shape(row, members_by_id(call.session, Group, [row.group_id])[row.group_id])


@router.get("", summary="List sources")
def list_sources(
    project_id: str,
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    archived: Archived = False,
) -> Page[SourceOut]:
    project = call.project(project_id)
    call.unless_matched(list_tag(project))

    def fetch(after: str | None, count: int) -> list[tuple[Source, Group]]:
        rows = members(call.session, Source, project.id, archived, position(after), count)
        groups = members_by_id(call.session, Group, [row.group_id for row in rows])
        return [(row, groups[row.group_id]) for row in rows]

    return page(call, cursor, limit, fetch, lambda pair: source_shape(*pair), lambda pair: pair[0].id)


@router.post("", status_code=201, summary="Add a source", responses=declared(KeyTaken))
def add_source(project_id: str, body: SourceIn, call: Annotated[Call, posts("write")]) -> SourceOut:
    project = call.project(project_id)
    [row] = sources.add_sources(call.session, project, [body.model_dump()], call.now, at="")
    call.headers["Location"] = f"{call.path}/{row.key}"
    return shape_of(call, row)


@bulk.put(
    "",
    summary="Replace the list of sources",
    responses=declared(MissingKeys, ArchivedError),
    openapi_extra=list_contract(SourceIn),
)
def replace_sources(
    project_id: str,
    call: Annotated[Call, changes("write")],
    body: Annotated[list[SourceIn], list_body(SourceIn, MAX_SOURCES)],
    archive_missing: Annotated[bool, Query(description="Archive the sources that the list leaves out")] = False,
) -> Replaced:
    """Up to 20,000, as a JSON list or one object per line. Changes those there, adds the new; what the list leaves
    out is archived only with `archive_missing`."""
    project = call.project(project_id)
    call.match_tag(list_tag(project))
    items = [source.model_dump() for source in body]
    sources.replace_sources(call.session, project, items, archive_missing, call.now)
    call.headers["ETag"] = list_tag(project)
    return Replaced(count=len(items), data_version=project.data_version)


@router.get("/{key}", summary="Read a source")
def read_source(
    project_id: str, key: str, call: Annotated[Call, reads("read")], archived: Archived = False
) -> SourceOut:
    project = call.project(project_id)
    return shape_of(call, get_member(call.session, project, Source, key, archived=archived))


@router.patch("/{key}", summary="Change a source", responses=declared(KeyTaken))
def update_source(project_id: str, key: str, body: SourcePatch, call: Annotated[Call, changes("write")]) -> SourceOut:
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key)
    call.match(shape_of(call, row))
    sources.update_source(call.session, project, row, body.model_dump(exclude_unset=True), call.now)
    return shape_of(call, row)


@router.delete("/{key}", status_code=204, summary="Archive a source")
def archive_source(project_id: str, key: str, call: Annotated[Call, changes("write")]) -> None:
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key)
    call.match(shape_of(call, row))
    archive(project, row, call.now)


@router.post("/{key}/restore", summary="Bring an archived source back", responses=declared(Conflict))
def restore_source(project_id: str, key: str, call: Annotated[Call, posts("write")]) -> SourceOut:
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key, archived=True)
    sources.restore_source(call.session, project, row, call.now)
    return shape_of(call, row)
