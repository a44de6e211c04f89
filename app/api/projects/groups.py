"""Groups of a project."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field, StringConstraints

from app.api.http.bulk import list_body, list_contract
from app.api.http.etags import list_tag
from app.api.http.pages import Archived, Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import (
    Answer,
    Count,
    NonNegative,
    Patch,
    Positive,
    PriceIn,
    Real,
    Shape,
    ShortText,
    Text,
    plain_text,
    said,
    unset,
)
from app.api.http.transactions import BulkRoute, Call, Route, changes, posts, reads
from app.api.keys.keys import Key
from app.api.keys.paths import KeyInPath, part_of
from app.errors import Archived as ArchivedError
from app.errors import Conflict, Frozen, InUse, KeyTaken, MissingKeys
from app.services.access.audit import write_audit
from app.services.ledger.holdings import NONE_COLLECTED
from app.services.projects import groups
from app.services.projects.auditing import By, list_audited, source_audited
from app.services.projects.changes import get_member, restore, touch
from app.store.ledger import Collected, collected_counts
from app.store.member_rows import GroupRow
from app.store.models.projects import Group, Project
from app.store.projects import listed_members

router = APIRouter(prefix="/v1/projects/{project_id}/groups", tags=["groups"], route_class=Route)
bulk = APIRouter(prefix=router.prefix, tags=["groups"], route_class=BulkRoute)


class AssumedCurve(Shape):
    """loss = asymptote + scale · (n + offset)^−exponent, taken as exact instead of a fit."""

    asymptote: NonNegative
    scale: NonNegative
    exponent: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=20)]
    offset: NonNegative = 0.0


Level = Annotated[str, StringConstraints(min_length=1, max_length=650), AfterValidator(plain_text)]
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Attributes = Annotated[dict[ShortText, ShortText], Field(max_length=50)]


class PopulationShares(Shape):
    """Of those whom the model is to serve, the share of each level of an attribute, or of several together: then the
    levels stand in the attributes' order with a comma between, as in 'F,65 and over'. Levels that are left out have
    none."""

    attributes: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=6)]
    shares: Annotated[dict[Level, Share], Field(min_length=1, max_length=2_000)]


Population = Annotated[tuple[PopulationShares, ...], Field(max_length=20)]


class GroupIn(Shape):
    """A group. Groups that share more `attributes` may help each other more; `parent` is the key of a broader group to
    lean on while there are few points. `min_count` and `max_count` bound what is held after buying. `unit_cost` makes
    a source of the same key that delivers only this group."""

    key: Key
    name: Text | None = None
    weight: NonNegative = 1.0
    target: Real | None = None
    initial_count: Count = 0
    min_count: Count | None = None
    max_count: Count | None = None
    reference_loss: Positive | None = None
    assumed_curve: AssumedCurve | None = None
    attributes: Attributes | None = None
    parent: Key | None = None
    unit_cost: PriceIn | None = None


class GroupPatch(Patch):
    """Fields left out stay as they are; null takes an optional one away, or restores the default."""

    made_from = GroupIn

    key: Key = unset()
    name: Text | None = unset()
    weight: NonNegative = unset()
    target: Real | None = unset()
    initial_count: Count = unset()
    min_count: Count | None = unset()
    max_count: Count | None = unset()
    reference_loss: Positive | None = unset()
    assumed_curve: AssumedCurve | None = unset()
    attributes: Attributes | None = unset()
    parent: Key | None = unset()
    unit_cost: PriceIn = unset()


class GroupOut(Answer):
    """`collected_count`: samples that orders brought and that were accepted; `effective_count`: their worth in clean
    ones. Held is `initial_count` and what was collected."""

    key: str
    name: str | None
    weight: float
    target: float | None
    initial_count: int
    collected_count: int
    effective_count: float
    min_count: int | None
    max_count: int | None
    reference_loss: float | None
    assumed_curve: AssumedCurve | None
    attributes: dict[str, str] | None
    parent: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def group_shape(row: Group, collected: Collected) -> GroupOut:
    return GroupOut.of(row, collected_count=collected.count, effective_count=collected.effective)


def shape_of(call: Call, project: Project, row: Group) -> GroupOut:
    return group_shape(row, collected_counts(call.session, project.id).get(row.id, NONE_COLLECTED))


class Replaced(Answer):
    """What a whole list left behind."""

    count: int
    data_version: int


def group_page(call: Call, project: Project, cursor: str | None, limit: int, archived: bool) -> Page[GroupOut]:
    collected = collected_counts(call.session, project.id)

    def shape(row: Group) -> GroupOut:
        return group_shape(row, collected.get(row.id, NONE_COLLECTED))

    return page(call, cursor, limit, listed_members(call.session, Group, project.id, archived), shape)


@router.get("", summary="List groups")
def list_groups(
    project_id: str,
    call: Annotated[Call, reads("read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    archived: Archived = False,
) -> Page[GroupOut]:
    project = call.project(project_id)
    call.unless_matched(list_tag(project))
    return group_page(call, project, cursor, limit, archived)


def made_group(by: By, project: Project, body: GroupIn) -> Group:
    """Raises KeyTaken, Invalid."""
    with source_audited(by, project, body.key):
        groups.add_groups(by.session, project, [body.model_dump()], by.now, at="")
    row = get_member(by.session, project, Group, body.key)
    made = {"key": {"from": None, "to": row.key}}
    write_audit(by.session, project, by.caller, "group.made", f"group:{row.key}", {}, by.now, made)
    touch(project, by.now)
    return row


def changed_group(by: By, project: Project, row: Group, body: GroupPatch) -> None:
    """Raises Frozen, KeyTaken, Invalid."""
    with source_audited(by, project, row.key):
        groups.update_group(by.session, project, row, said(body), by.now)


@router.post("", status_code=201, summary="Add a group", responses=declared(KeyTaken))
def add_group(project_id: str, body: GroupIn, call: Annotated[Call, posts("write")]) -> GroupOut:
    project = call.project(project_id)
    row = made_group(call, project, body)
    call.headers["Location"] = f"{call.path}/{part_of(row.key)}"
    return shape_of(call, project, row)


@bulk.put(
    "",
    summary="Replace the list of groups",
    responses=declared(MissingKeys, ArchivedError, KeyTaken, InUse),
    openapi_extra=list_contract(GroupIn),
)
def replace_groups(
    project_id: str,
    call: Annotated[Call, changes("write")],
    body: Annotated[list[GroupIn], list_body(GroupIn, groups.MAX_GROUPS)],
    archive_missing: Annotated[bool, Query(description="Archive the groups that the list leaves out")] = False,
) -> Replaced:
    """Up to 20,000, as a JSON list or one object per line. Changes those there, adds the new; what the list leaves
    out is archived only with `archive_missing`."""
    project = call.project(project_id)
    call.match_tag(list_tag(project))
    items = [group.model_dump() for group in body]
    with list_audited(call, project, GroupRow):
        groups.replace_groups(call.session, project, items, archive_missing, call.now)
    call.headers["ETag"] = list_tag(project)
    return Replaced(count=len(items), data_version=project.data_version)


@router.get("/{key}", summary="Read a group")
def read_group(
    project_id: str, key: KeyInPath, call: Annotated[Call, reads("read")], archived: Archived = False
) -> GroupOut:
    project = call.project(project_id)
    return shape_of(call, project, get_member(call.session, project, Group, key, archived=archived))


@router.patch("/{key}", summary="Change a group", responses=declared(Frozen, KeyTaken))
def update_group(
    project_id: str, key: KeyInPath, body: GroupPatch, call: Annotated[Call, changes("write")]
) -> GroupOut:
    """Set `initial_count` for what comes by other ways than orders; deliveries are counted by themselves."""
    project = call.project(project_id)
    row = get_member(call.session, project, Group, key)
    call.match(shape_of(call, project, row))
    changed_group(call, project, row, body)
    return shape_of(call, project, row)


@router.delete(
    "/{key}", status_code=204, summary="Archive a group and its sources", responses=declared(InUse, Conflict)
)
def archive_group(project_id: str, key: KeyInPath, call: Annotated[Call, changes("write")]) -> None:
    """Sources that deliver other groups too go on. What a limit or the objective names cannot be archived."""
    project = call.project(project_id)
    row = get_member(call.session, project, Group, key)
    call.match(shape_of(call, project, row))
    groups.archive_group(call.session, project, row, call.now)


@router.post("/{key}/restore", summary="Bring an archived group back")
def restore_group(project_id: str, key: KeyInPath, call: Annotated[Call, posts("write")]) -> GroupOut:
    """Its sources stay archived until they are restored themselves."""
    project = call.project(project_id)
    row = get_member(call.session, project, Group, key, archived=True)
    restore(project, row, call.now)
    return shape_of(call, project, row)
