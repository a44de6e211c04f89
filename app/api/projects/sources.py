"""Sources of a project."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, PlainSerializer, model_validator

from app.api.http.answers import IntervalOut
from app.api.http.bulk import list_body, list_contract
from app.api.http.etags import list_tag
from app.api.http.pages import Archived, Cursor, Limit, Page, page
from app.api.http.problems import declared
from app.api.http.shapes import (
    MAX_COUNT,
    Answer,
    Count,
    LongText,
    MoneyIn,
    MoneyOut,
    Patch,
    PriceIn,
    Shape,
    Text,
    Whole,
    said,
    unset,
)
from app.api.http.transactions import BulkRoute, Call, Route, changes, posts, reads
from app.api.keys.keys import Key, Keyed
from app.api.keys.paths import KeyInPath, part_of
from app.api.projects.groups import Replaced
from app.api.projects.licences import DateText, EffectiveTermsOut, Method, Origins, TermsIn, WebAddress, terms_shape
from app.errors import Archived as ArchivedError
from app.errors import Conflict, Frozen, InUse, KeyTaken, MissingKeys
from app.money import plain
from app.services.curves.fit import learnt_of
from app.services.ledger.holdings import SourceRecord, holdings_of
from app.services.licences import effective_terms
from app.services.projects import sources
from app.services.projects.auditing import By, list_audited, source_audited
from app.services.projects.changes import get_member, touch
from app.store.member_rows import SourceRow
from app.store.models.projects import Group, Project, Source
from app.store.projects import listed_members, members, members_by_id

router = APIRouter(prefix="/v1/projects/{project_id}/sources", tags=["sources"], route_class=Route)
bulk = APIRouter(prefix=router.prefix, tags=["sources"], route_class=BulkRoute)

MAX_SOURCES = 20_000
Kind = Literal["vendor", "site", "synthetic", "archive", "other"]
MAX_LABELS = 1000
Labels = Annotated[int, Field(strict=True, ge=1, le=MAX_LABELS), Whole]
LotSize = Annotated[int, Field(strict=True, ge=1, le=MAX_COUNT), Whole]
Billed = Literal["delivered", "accepted"]
TierScope = Literal["order", "project"]
LEAST_SHARE = 1e-6
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=LEAST_SHARE, le=1)]
Yields = Annotated[dict[Key, Share], Field(max_length=MAX_SOURCES), Keyed]
Days = Annotated[int, Field(strict=True, ge=0, le=3650), Whole]


class PriceTier(Shape):
    """Of one order (or, with `tier_scope` "project", of all orders together) a sample beyond `from` costs this. A first
    tier from 0 is the `unit_cost`, and may be left out."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT, alias="from"), Whole]
    unit_cost: Annotated[PriceIn, PlainSerializer(plain, return_type=str)]


Worth = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-0.3, le=1.5)]


class QualityIn(Shape):
    """A quality that is not known for sure: its 90 % interval. Below 0, samples harm their own group."""

    p05: Worth
    p95: Worth

    @model_validator(mode="after")
    def ordered(self) -> Self:
        """Raises ValueError where the ends are the wrong way round."""
        if self.p05 > self.p95:
            raise ValueError("p05 is above p95; swap them")
        return self


Quality = Share | QualityIn | None
"""Exact, or with doubt, or null: learned from the runs that say what they were trained on."""


PriceTiers = Annotated[tuple[PriceTier, ...], Field(max_length=50)]


class SourceIn(Shape):
    """Anything samples can be bought from: of one `group`, or of several, `yields` being the shares of the delivered
    samples. Of these `acceptance_rate` pass review; one accepted sample is worth `quality` clean ones: a
    number, an interval, or null where runs are to tell (`from`). An order is 0,
    or a multiple of `lot_size` from `min_order` to `max_order`, and costs `fixed_cost` plus its samples' prices, paid
    for what is `billed`; all orders together are at most `max_total`. Where an item carries several labels, each a
    sample, `labels_per_item` says how many: `unit_cost` and `price_tiers` are then prices of an item, a sample costs
    its share of them (rounded up to a millionth), and orders, still in samples, are whole items. `license` is best an
    SPDX identifier: what a known one permits need not be said in `terms`."""

    key: Key
    name: Text | None = None
    kind: Kind = "vendor"
    group: Key | None = None
    yields: Yields | None = None
    unit_cost: MoneyIn
    labels_per_item: Labels = 1
    billed: Billed = "delivered"
    price_tiers: PriceTiers = ()
    tier_scope: TierScope = "order"
    fixed_cost: MoneyIn = Decimal(0)
    min_order: Count = 0
    max_order: Count | None = None
    lot_size: LotSize = 1
    max_total: Count | None = None
    acceptance_rate: Share = 1.0
    quality: Quality = 1.0
    license: Text | None = None
    provenance: LongText | None = None
    connection: UUID | None = None
    lead_time_days: Days | None = None

    terms: TermsIn | None = None
    license_url: WebAddress | None = None
    method: Method | None = None
    collected_from: DateText | None = None
    collected_to: DateText | None = None
    derived_from: Origins = ()
    consent: LongText | None = None


class SourceTerms(Patch):
    """Price and amounts of a source. Fields left out stay as they are; null takes an optional one away, or restores
    the default; a `quality` of null is learned."""

    made_from = SourceIn

    unit_cost: MoneyIn = unset()
    labels_per_item: Labels = unset()
    billed: Billed = unset()
    price_tiers: PriceTiers = unset()
    tier_scope: TierScope = unset()
    fixed_cost: MoneyIn = unset()
    min_order: Count = unset()
    max_order: Count | None = unset()
    lot_size: LotSize = unset()
    max_total: Count | None = unset()
    acceptance_rate: Share = unset()
    quality: Quality = unset()


class SourcePatch(SourceTerms):
    """Fields left out stay as they are; null takes an optional one away, or restores the default."""

    key: Key = unset()
    name: Text | None = unset()
    kind: Kind = unset()
    group: Key = unset()
    yields: Yields = unset()
    license: Text | None = unset()
    provenance: LongText | None = unset()
    connection: UUID | None = unset()
    lead_time_days: Days | None = unset()

    terms: TermsIn | None = unset()
    license_url: WebAddress | None = unset()
    method: Method | None = unset()
    collected_from: DateText | None = unset()
    collected_to: DateText | None = unset()
    derived_from: Origins = unset()
    consent: LongText | None = unset()


class RateOut(IntervalOut):
    """A share as deliveries show it, the stated value being the prior: mean and 90 % interval."""


class QualityOut(IntervalOut):
    """What an accepted sample is worth in clean ones: mean and 90 % interval, and how many measurements of groups, on
    mixtures of known origin, it was learned from."""

    runs: int


class SourceRecordOut(Answer):
    """What the source proved to be: samples ordered, accepted and rejected so far, and the rates that plans use."""

    ordered: int
    accepted: int
    rejected: int
    acceptance_rate: RateOut
    yields: dict[str, RateOut]
    quality: QualityOut


class SourceOut(Answer):
    """`group` is null for a source of several; `yields` names them all. `record`: what deliveries showed, beside what
    is stated. `effective_terms`: what the licence permits, by `terms` and else by what is known of it."""

    key: str
    name: str | None
    kind: Kind
    group: str | None
    yields: dict[str, float]
    unit_cost: MoneyOut
    labels_per_item: int
    billed: Billed
    price_tiers: PriceTiers
    tier_scope: TierScope
    fixed_cost: MoneyOut
    min_order: int
    max_order: int | None
    lot_size: int
    max_total: int | None
    acceptance_rate: float
    quality: float | QualityIn | None
    license: str | None
    provenance: str | None
    connection: UUID | None
    lead_time_days: int | None
    terms: TermsIn
    effective_terms: EffectiveTermsOut
    license_url: str | None
    method: Method | None
    collected_from: str | None
    collected_to: str | None
    derived_from: list[str]
    consent: str | None
    record: SourceRecordOut
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def source_fields(body: SourceIn | SourceTerms) -> dict[str, Any]:
    """The fields that the body sets, its tiers as they are stored."""
    fields = said(body) if isinstance(body, SourceTerms) else body.model_dump()
    if "price_tiers" in fields:
        fields["price_tiers"] = [tier.model_dump(mode="json") for tier in body.price_tiers]
    if "quality" in fields:
        fields |= quality_fields(body.quality)
    if "terms" in fields:
        fields["terms"] = {name: value for name, value in (fields["terms"] or {}).items() if value is not None}
    if "derived_from" in fields:
        fields["derived_from"] = list(fields["derived_from"])
    return fields


def quality_fields(said: float | QualityIn | None) -> dict[str, Any]:
    """A quality as it is stored."""
    between = said if isinstance(said, QualityIn) else None
    return {
        "quality": None if isinstance(said, QualityIn) else said,
        "quality_p05": between and between.p05,
        "quality_p95": between and between.p95,
    }


def stated_quality(row: Source) -> float | QualityIn | None:
    """A quality as it was said."""
    if row.quality is not None or row.quality_p05 is None or row.quality_p95 is None:
        return row.quality
    return QualityIn(p05=row.quality_p05, p95=row.quality_p95)


def source_shape(row: Source, groups: Mapping[int, Group], record: SourceRecord) -> SourceOut:
    yields = {groups[one.group_id].key: one.share for one in row.yields}
    rates = {groups[group_id].key: rate for group_id, rate in record.yields.items()}
    return SourceOut.of(
        row,
        group=next(iter(yields)) if len(yields) == 1 else None,
        yields=yields,
        quality=stated_quality(row),
        record=SourceRecordOut.of(record, acceptance_rate=record.acceptance, yields=rates),
        connection=row.connection_id,
        effective_terms=terms_shape(row.license, effective_terms(row.license, row.terms)),
    )


def shapes_of(call: Call, project: Project, rows: Sequence[Source]) -> list[SourceOut]:
    groups = members_by_id(call.session, Group, [one.group_id for row in rows for one in row.yields])
    learnt = learnt_of(call.session, call.runtime.fits, project, rows)
    holdings = holdings_of(call.session, project, rows, learnt)
    return [source_shape(row, groups, holdings.record(row)) for row in rows]


def shape_of(call: Call, project: Project, row: Source) -> SourceOut:
    return shapes_of(call, project, [row])[0]


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
    rows = page(call, cursor, limit, listed_members(call.session, Source, project.id, archived), lambda row: row)
    return Page(items=shapes_of(call, project, rows.items), next_cursor=rows.next_cursor)


def refuse_connections(by: By, project: Project, items: Iterable[Mapping[str, Any]]) -> None:
    """Vendor connections are the workspace's: who may use one could have what it brings for other projects. Raises
    Forbidden where a key that is limited to projects gives a source one that it has not already."""
    if by.caller.project_ids is None:
        return
    named = [item for item in items if item.get("connection") is not None]
    held = {row.key: row.connection_id for row in members(by.session, Source, project.id)} if named else {}
    if any(held.get(item["key"]) != item["connection"] for item in named):
        by.caller.require_whole_workspace()


def made_source(by: By, project: Project, body: SourceIn) -> Source:
    """Raises KeyTaken, Invalid, Forbidden."""
    refuse_connections(by, project, [source_fields(body)])
    with source_audited(by, project, body.key):
        sources.add_sources(by.session, project, [source_fields(body)], by.now, at="")
    touch(project, by.now)
    return get_member(by.session, project, Source, body.key)


def changed_source(by: By, project: Project, row: Source, body: SourcePatch) -> None:
    """Raises Frozen, KeyTaken, Invalid, Forbidden."""
    fields = source_fields(body)
    refuse_connections(by, project, [{"key": row.key, **fields}])
    with source_audited(by, project, row.key, becomes=fields.get("key")):
        sources.update_source(by.session, project, row, fields, by.now)


@router.post("", status_code=201, summary="Add a source", responses=declared(KeyTaken))
def add_source(project_id: str, body: SourceIn, call: Annotated[Call, posts("write")]) -> SourceOut:
    project = call.project(project_id)
    row = made_source(call, project, body)
    call.headers["Location"] = f"{call.path}/{part_of(row.key)}"
    return shape_of(call, project, row)


@bulk.put(
    "",
    summary="Replace the list of sources",
    responses=declared(MissingKeys, ArchivedError, InUse),
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
    items = [source_fields(source) for source in body]
    refuse_connections(call, project, items)
    with list_audited(call, project, SourceRow):
        sources.replace_sources(call.session, project, items, archive_missing, call.now)
    call.headers["ETag"] = list_tag(project)
    return Replaced(count=len(items), data_version=project.data_version)


@router.get("/{key}", summary="Read a source")
def read_source(
    project_id: str, key: KeyInPath, call: Annotated[Call, reads("read")], archived: Archived = False
) -> SourceOut:
    project = call.project(project_id)
    return shape_of(call, project, get_member(call.session, project, Source, key, archived=archived))


@router.patch("/{key}", summary="Change a source", responses=declared(KeyTaken, Frozen))
def update_source(
    project_id: str, key: KeyInPath, body: SourcePatch, call: Annotated[Call, changes("write")]
) -> SourceOut:
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key)
    call.match(shape_of(call, project, row))
    changed_source(call, project, row, body)
    return shape_of(call, project, row)


@router.delete("/{key}", status_code=204, summary="Archive a source", responses=declared(InUse, Conflict))
def archive_source(project_id: str, key: KeyInPath, call: Annotated[Call, changes("write")]) -> None:
    """What a limit names, or has open orders, cannot be archived."""
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key)
    call.match(shape_of(call, project, row))
    sources.archive_source(call.session, project, row, call.now)


@router.post("/{key}/restore", summary="Bring an archived source back", responses=declared(Conflict))
def restore_source(project_id: str, key: KeyInPath, call: Annotated[Call, posts("write")]) -> SourceOut:
    project = call.project(project_id)
    row = get_member(call.session, project, Source, key, archived=True)
    sources.restore_source(call.session, project, row, call.now)
    return shape_of(call, project, row)
