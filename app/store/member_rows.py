"""Groups and sources as plain rows: what a reader of thousands needs, at a fifth of what the session's objects cost.

For who reads all of a project's groups or sources and changes none: the planner's problem, the fit of curves, the
check of posted runs, exports. A row belongs to no session: setting its attributes changes nothing that is stored. Who
changes what is stored takes the objects (`projects.members`).
"""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.store.models.projects import Group, Source, SourceYield


@dataclass(slots=True)
class GroupRow:
    """The columns of a Group but for its project and the times of its changes."""

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
    """The columns of a Source but for its project and the times of its changes, with its yields by group."""

    id: int
    key: str
    name: str | None
    kind: str
    unit_cost: Decimal
    billed: str
    price_tiers: list[dict[str, Any]]
    tier_scope: str
    fixed_cost: Decimal
    min_order: int
    max_order: int | None
    lot_size: int
    max_total: int | None
    acceptance_rate: float
    quality: float
    lead_time_days: int | None
    license: str | None
    provenance: str | None
    connection_id: UUID | None
    archived_at: datetime | None
    yields: list[YieldRow]


AnyGroup: TypeAlias = Group | GroupRow
"""A group as the session's object or as a row: what only reads one takes both."""
AnySource: TypeAlias = Source | SourceRow


def group_rows(session: Session, project_id: UUID, archived: bool | None = False) -> list[GroupRow]:
    """The project's groups in order of creation; `archived` None is both."""
    return [GroupRow(*row) for row in session.execute(columns_of(GroupRow, Group, project_id, archived))]


def source_rows(session: Session, project_id: UUID, archived: bool | None = False) -> list[SourceRow]:
    """The project's sources in order of creation; `archived` None is both."""
    delivered = yields_of(session, project_id)
    query = columns_of(SourceRow, Source, project_id, archived)
    return [SourceRow(*(*row, delivered.get(row[0], []))) for row in session.execute(query)]


def columns_of(
    row: type[GroupRow] | type[SourceRow], kind: type[Group] | type[Source], project_id: UUID, archived: bool | None
) -> Select[tuple[Any, ...]]:
    """The columns of `kind` that are fields of `row`, in their order."""
    query = select(*(getattr(kind, one.name) for one in fields(row) if one.name != "yields"))
    query = query.where(kind.project_id == project_id).order_by(kind.id)
    if archived is None:
        return query
    return query.where(kind.archived_at.is_not(None) if archived else kind.archived_at.is_(None))


def yields_of(session: Session, project_id: UUID) -> dict[int, list[YieldRow]]:
    """Source id → what it delivers, by group, of all the project's sources."""
    columns = SourceYield.source_id, SourceYield.group_id, SourceYield.share
    query = select(*columns).join(Source, Source.id == SourceYield.source_id).where(Source.project_id == project_id)
    found: dict[int, list[YieldRow]] = {}
    for source_id, group_id, share in session.execute(query.order_by(SourceYield.source_id, SourceYield.group_id)):
        found.setdefault(source_id, []).append(YieldRow(group_id, share))
    return found
