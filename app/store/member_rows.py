"""Groups and sources as plain rows: what thousands of them cost is a fifth of what the session's objects do.

For who reads all of a project's groups or sources: the planner's problem, the fit of curves, the check of posted runs,
exports; and for lists of them that are stored in one statement. A row belongs to no session: setting its attributes
changes nothing that is stored, and what is stored by rows is not seen by objects that the session holds.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.store.models.projects import Group, Source, SourceYield
from app.store.reading import KEYS_PER_QUERY


@dataclass(slots=True)
class GroupRow:
    """The columns of a Group but for its project and the times of its changes. `id` is 0 before it is stored."""

    id: int
    key: str
    name: str | None
    weight: float
    target: float | None
    initial_count: int
    first_run_count: int | None
    min_count: int | None
    max_count: int | None
    reference_loss: float | None
    assumed_curve: dict[str, Any] | None
    attributes: dict[str, Any] | None
    parent: str | None
    archived_at: datetime | None


@dataclass(slots=True)
class YieldRow:
    """What a source delivers of a group."""

    group_id: int
    share: float


@dataclass(slots=True)
class SourceRow:
    """The columns of a Source but for its project and the times of its changes, with its yields by group. `id` is 0
    before it is stored."""

    id: int
    key: str
    name: str | None
    kind: str
    unit_cost: Decimal
    labels_per_item: int
    billed: str
    price_tiers: list[dict[str, Any]]
    tier_scope: str
    fixed_cost: Decimal
    min_order: int
    max_order: int | None
    lot_size: int
    max_total: int | None
    acceptance_rate: float
    quality: float | None
    quality_p05: float | None
    quality_p95: float | None
    lead_time_days: int | None
    license: str | None
    provenance: str | None
    terms: dict[str, Any]
    license_url: str | None
    method: str | None
    collected_from: str | None
    collected_to: str | None
    derived_from: list[str]
    consent: str | None
    connection_id: UUID | None
    archived_at: datetime | None
    yields: list[YieldRow]


AnyGroup: TypeAlias = Group | GroupRow
"""A group as the session's object or as a row: what only reads one takes both."""
AnySource: TypeAlias = Source | SourceRow


GROUP_COLUMNS = tuple(one.name for one in fields(GroupRow))
SOURCE_COLUMNS = tuple(one.name for one in fields(SourceRow) if one.name != "yields")


def group_rows(session: Session, project_id: UUID, archived: bool | None = False) -> list[GroupRow]:
    """The project's groups in order of creation; `archived` None is both."""
    query = columns_of(GroupRow, Group, project_id, archived)
    return [GroupRow(*row) for row in session.execute(query.order_by(Group.id))]


def source_rows(
    session: Session, project_id: UUID, archived: bool | None = False, keys: Collection[str] | None = None
) -> list[SourceRow]:
    """The project's sources in order of creation, of `keys` alone where given; `archived` None is both."""
    if keys is not None and not keys:
        return []
    query = columns_of(SourceRow, Source, project_id, archived)
    shares = select(SourceYield.source_id, SourceYield.group_id, SourceYield.share)
    shares = shares.join(Source, Source.id == SourceYield.source_id).where(Source.project_id == project_id)
    if keys is not None and len(keys) <= KEYS_PER_QUERY:
        query, shares = query.where(Source.key.in_(keys)), shares.where(Source.key.in_(keys))
    delivered: dict[int, list[YieldRow]] = {}
    for source_id, group_id, share in session.execute(shares.order_by(SourceYield.source_id, SourceYield.group_id)):
        delivered.setdefault(source_id, []).append(YieldRow(group_id, share))
    found = session.execute(query.order_by(Source.id))
    rows = [SourceRow(*(*row, delivered.get(row[0], []))) for row in found]
    wanted = None if keys is None else set(keys)
    return rows if wanted is None else [row for row in rows if row.key in wanted]


def columns_of(
    row: type[GroupRow] | type[SourceRow], kind: type[Group] | type[Source], project_id: UUID, archived: bool | None
) -> Select[tuple[Any, ...]]:
    """The columns of `kind` that are fields of `row`, in their order."""
    query = select(*(getattr(kind, one.name) for one in fields(row) if one.name != "yields"))
    query = query.where(kind.project_id == project_id)
    if archived is None:
        return query
    return query.where(kind.archived_at.is_not(None) if archived else kind.archived_at.is_(None))
