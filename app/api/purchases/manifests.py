"""Manifests: what came of an order, row by row, held against the project's intake rules."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.api.http.answers import WarningOut
from app.api.http.bulk import CSV, NDJSON, content_type
from app.api.http.pages import Cursor, Limit, Page, page
from app.api.http.problems import declared, repeated
from app.api.http.shapes import Answer, Text
from app.api.http.transactions import BulkRoute, Call, Route, posts, reads
from app.api.purchases.deliveries import delivery_warnings, licence_warning
from app.api.purchases.orders import OrderOut, get_order, order_shape, progress_one
from app.errors import Conflict
from app.services.intake.judging import Judged
from app.services.intake.manifests import (
    ReadManifest,
    counts_of,
    manifest_licence_differs,
    read_manifest,
    record_manifest,
)
from app.services.intake.reading import Kind
from app.store.ledger import listed_manifests
from app.store.models.purchases import Manifest

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["rounds"], route_class=Route)
bulk = APIRouter(prefix=router.prefix, tags=["rounds"], route_class=BulkRoute)

EXAMPLE = """item,group,zip,city
clip-1,Bernese,3011,Bern
clip-2,Valais,1950,Sion
"""
CONTRACT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            CSV: {"schema": {"type": "string"}, "example": EXAMPLE},
            NDJSON: {"schema": {"type": "object"}, "example": {"item": "clip-1", "group": "Bernese", "zip": 3011}},
        },
    }
}


class RowOut(Answer):
    """A row, counted from 1 below the header (of JSON lines: from the first), and its `item`, which is not kept."""

    row: int
    item: str | None


class RuleOut(Answer):
    """What became of a rule. `says` tells it in numbers, `example` by the first row that breaks it. `share` is the part
    of the rows that break it; of a `mix` it is the distance from the shares given, and `violations` how many rows
    would have to be others. `new`: no item came in an earlier lot. Items and examples are answered once and not
    kept: null later."""

    kind: Literal["unique", "required", "new", "values", "range", "determines", "mix"]
    columns: list[str]
    severity: Literal["row", "lot", "note"]
    holds: bool
    violations: int
    share: float
    says: str
    example: str | None
    rows: list[RowOut]


class IntakeCountsOut(Answer):
    accepted: int
    rejected: int
    held: int


class KeptManifestOut(Answer):
    """What became of a manifest. `accepted` and `rejected` rows, and `unmapped` ones of no known group, are recorded as
    the `delivery`; where a rule of severity `lot` is broken, all others are `held` back: nothing is recorded
    (`delivery` is null), and the manifest can be sent again once it is mended."""

    id: UUID
    delivery: UUID | None
    rows: int
    accepted: int
    rejected: int
    held: int
    unmapped: int
    groups: dict[str, IntakeCountsOut]
    rules: list[RuleOut]
    created_at: datetime


class ManifestOut(KeptManifestOut):
    """With the order after it."""

    order: OrderOut
    data_version: int
    warnings: list[WarningOut]


Sender = Annotated[Call, posts("deliver")]


def draft_of(project_id: str, order_id: str, call: Sender) -> ReadManifest:
    """The body read and judged, in a thread and outside of the transaction that records it."""
    kind = cast(Kind, content_type(call.request, CSV, NDJSON))
    return read_manifest(call.runtime.database, call.caller, project_id, order_id, kind, call.body)


@bulk.post(
    "/orders/{order_id}/manifests",
    status_code=201,
    summary="Send the manifest of a delivery",
    responses=declared(Conflict, beside=repeated(ManifestOut)),
    openapi_extra=CONTRACT,
)
def post_manifest(
    project_id: str,
    order_id: str,
    call: Sender,
    draft: Annotated[ReadManifest, Depends(draft_of)],
    license: Annotated[Text | None, Query(description="What the lot came with")] = None,
) -> ManifestOut:
    """A row per item, as CSV or JSON lines of up to 50 MB, with the columns `item` and `group` and those that the
    project's `intake_rules` look at. Items that repeat or came in an earlier lot are rejected, the other rules say of
    each row why. What is left becomes a delivery. Hashes of the items are kept, the contents are not. The same
    manifest sent again has no second effect."""
    project = call.project(project_id)
    order = get_order(call, project, order_id)
    row, first = record_manifest(call.session, project, order, draft, license, call.caller, call.now, call.enqueue)
    shape = order_shape(progress_one(call, project, order))
    differs = row.delivery_id is not None and manifest_licence_differs(call.session, row)
    warnings = [*(licence_warning(license, shape) if differs else []), *delivery_warnings(order, shape)]
    more = {"order": shape, "data_version": project.data_version, "warnings": warnings}
    stored = ManifestOut(**kept_shape(row).model_dump(), **more)
    call.remembered = stored.model_dump_json().encode()
    if not first:
        call.status = 200
        return stored
    return ManifestOut.of(
        row, delivery=row.delivery_id, **counts_of(draft.judged), rules=rules_of(draft.judged), **more
    )


def rules_of(judged: Judged) -> list[RuleOut]:
    """With the contents that are told once."""
    return [RuleOut.model_validate(one) for one in judged.results]


def kept_shape(row: Manifest) -> KeptManifestOut:
    return KeptManifestOut(id=row.id, delivery=row.delivery_id, created_at=row.created_at, **row.answer)


@router.get("/orders/{order_id}/manifests", summary="List an order's manifests")
def list_manifests(
    project_id: str, order_id: str, call: Annotated[Call, reads("read")], limit: Limit = 50, cursor: Cursor = None
) -> Page[KeptManifestOut]:
    """What became of each, without items and contents."""
    project = call.project(project_id)
    rows = listed_manifests(call.session, get_order(call, project, order_id).id)
    return page(call, cursor, limit, rows, kept_shape)
