"""The provenance card: where every sample that is held comes from."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response

from app.api.exports.tables import table_file
from app.api.http.downloads import PRIVATE, disposition
from app.api.http.runtime import SOFTWARE_VERSION
from app.api.http.shapes import Answer
from app.api.http.transactions import Call, Route, reads
from app.api.projects.licences import EffectiveTermsOut, Method, terms_shape
from app.report.provenance import card_markdown
from app.report.words import instant
from app.services.exports.dossier import Dossier
from app.services.ledger.provenance import Card, Lot, provenance_of
from app.services.planning.allocations import AllocationQuestion
from app.services.vendors.counts import vendor_folds
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["exports"], route_class=Route)

MARKDOWN = "text/markdown; charset=utf-8"


class LotCountsOut(Answer):
    """Samples more, or in a correction fewer."""

    accepted: int = 0
    rejected: int = 0
    pending: int = 0


class LotOut(Answer):
    """Samples that came at once (`delivery`), a `correction` of such, what a `vendor` told of an order, or what was
    held at the start (`initial`), of which the project's word is all there is. What stands here of a source is what it
    says now; `license` is what the lot came with, where that was said."""

    kind: Literal["initial", "delivery", "correction", "vendor"]
    source: str | None
    license: str | None
    license_url: str | None
    terms: EffectiveTermsOut
    method: Method | None
    collected_from: str | None
    collected_to: str | None
    derived_from: list[str]
    consent: str | None
    provenance: str | None
    round: int | None
    order: UUID | None
    delivery: UUID | None
    groups: dict[str, LotCountsOut]
    unmapped: int
    note: str | None
    created_at: datetime | None


class GroupTotalOut(Answer):
    """What the lots brought the group beside what was held of it at the start; the ledger's sum beside it."""

    group: str
    initial: int
    collected: int
    ledger: int


class ProvenanceOut(Answer):
    """Every lot, and whether they add up, group by group, to the groups' `collected_count`, which the ledger says."""

    data_version: int
    adds_up: bool
    groups: list[GroupTotalOut]
    lots: list[LotOut]


def card_of(call: Call, project: Project) -> Card:
    return provenance_of(call.session, project, vendor_folds(call.session, project.id))


def lot_shape(lot: Lot) -> LotOut:
    source = lot.source
    return LotOut(
        kind=lot.kind,
        source=source and source.key,
        license=lot.license,
        license_url=source and source.license_url,
        terms=terms_shape(lot.license, lot.terms),
        method=source and source.method,
        collected_from=source and source.collected_from,
        collected_to=source and source.collected_to,
        derived_from=[] if source is None else source.derived_from,
        consent=source and source.consent,
        provenance=source and source.provenance,
        round=lot.round,
        order=lot.order,
        delivery=lot.delivery,
        groups={key: LotCountsOut(**by_state) for key, by_state in lot.groups.items()},
        unmapped=lot.unmapped,
        note=lot.note,
        created_at=lot.created_at,
    )


def markdown_file(card: Card, project: Project, now: datetime) -> Response:
    """To be saved."""
    text = card_markdown(card, project, f"Made {instant(now)} by Tranche {SOFTWARE_VERSION}")
    name = disposition("attachment", project.name, f"provenance-v{project.data_version}", "md")
    return Response(text, headers={**PRIVATE, "Content-Disposition": name}, media_type=MARKDOWN)


@router.get("/provenance.json", summary="Read the provenance card")
def read_provenance(project_id: str, call: Annotated[Call, reads("read")]) -> ProvenanceOut:
    """Where every sample that is held comes from: source, licence, terms, method, dates, round, order and delivery, lot
    by lot, with their sums."""
    project = call.project(project_id)
    card = card_of(call, project)
    return ProvenanceOut.of(project, card, groups=card.totals, lots=[lot_shape(lot) for lot in card.lots])


@router.get(
    "/provenance.csv",
    summary="Download the provenance card as a table",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": '"round","kind","source",…'}}}},
)
def read_provenance_table(project_id: str, call: Annotated[Call, reads("read")]) -> Response:
    """A row per lot and group: the table `provenance` of `GET …/tables`."""
    project = call.project(project_id)
    return table_file(
        Dossier(call.session, call.runtime.fits, project, AllocationQuestion(), call.now), "provenance", "csv"
    )


@router.get(
    "/provenance.md",
    summary="Download the provenance card as a text",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}, "example": "# Provenance of …"}}}},
)
def read_provenance_text(project_id: str, call: Annotated[Call, reads("read")]) -> Response:
    """Markdown, to be kept beside the data."""
    project = call.project(project_id)
    return markdown_file(card_of(call, project), project, call.now)
