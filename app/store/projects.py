"""Projects, their groups and their sources."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session, object_mapper

from app.store.member_rows import GroupRow, SourceRow
from app.store.models.base import Base
from app.store.models.projects import Group, Project, Source, SourceYield
from app.store.reading import KEYS_PER_QUERY, Listing, in_parts

PRESENT = Project.erased_at.is_(None)
"""Of a project that is being erased nothing is told, and nothing more is made."""
OF_WORKSPACE = select(Project).where(
    Project.workspace_id == bindparam("workspace"), Project.id == bindparam("project"), PRESENT
)
TO_BE_CHANGED = OF_WORKSPACE.with_for_update()
Member = TypeVar("Member", Group, Source)
Row = TypeVar("Row", bound=Base | GroupRow | SourceRow)


def projects_of_workspace(
    session: Session,
    workspace_id: UUID,
    only: Collection[str] | None,
    archived: bool,
    without: Collection[UUID] = (),
    **named: str | None,
) -> Listing[Project]:
    """The workspace's projects in order of creation; `only` are the ids a key is limited to, `without` those to be left
    out. named: columns that must hold just this, where it is not None."""
    query = select(Project).where(Project.workspace_id == workspace_id, PRESENT)
    query = query.filter_by(**{column: text for column, text in named.items() if text is not None})
    query = query.where(Project.archived_at.is_not(None) if archived else Project.archived_at.is_(None))
    if only is not None:
        query = query.where(Project.id.in_([UUID(project) for project in only]))
    if without:
        query = query.where(Project.id.not_in(without))
    return Listing(session, query, Project.id)


def project_by_id(session: Session, workspace_id: UUID, project_id: UUID, lock: bool) -> Project | None:
    """`lock` keeps other writers of the project waiting until this transaction ends (PostgreSQL; SQLite's
    writers wait for each other anyway)."""
    place = {"workspace": workspace_id, "project": project_id}
    return session.scalar(TO_BE_CHANGED if lock else OF_WORKSPACE, place)


def present_project(session: Session, project_id: UUID, lock: bool = False) -> Project | None:
    """The project of whatever workspace, unless it is archived."""
    query = select(Project).where(Project.id == project_id, Project.archived_at.is_(None), PRESENT)
    return session.scalar(query.with_for_update() if lock else query)


def any_project(session: Session, project_id: UUID, lock: bool = False) -> Project | None:
    """The project of whatever workspace, archived or not."""
    query = select(Project).where(Project.id == project_id, PRESENT)
    return session.scalar(query.with_for_update() if lock else query)


def hold_project(session: Session, project_id: UUID) -> None:
    """Wait for who is changing the project, as naming it in a new row would."""
    session.execute(select(Project.id).where(Project.id == project_id).with_for_update(read=True, key_share=True))


def discounted_sources(session: Session, project_id: UUID) -> list[Any]:
    """Key and quality of the project's sources, archived ones too, whose samples are not said to be clean."""
    query = select(Source.key, Source.quality, Source.quality_p05, Source.quality_p95)
    query = query.where(Source.project_id == project_id, (Source.quality.is_(None)) | (Source.quality != 1.0))
    return list(session.execute(query))


def listed_members(session: Session, kind: type[Member], project_id: UUID, archived: bool | None) -> Listing[Member]:
    """Groups or sources of a project in order of creation; `archived` None is both."""
    query: Select[Member] = select(kind).where(kind.project_id == project_id)
    if archived is not None:
        query = query.where(kind.archived_at.is_not(None) if archived else kind.archived_at.is_(None))
    return Listing(session, query, kind.id)


def members(
    session: Session,
    kind: type[Member],
    project_id: UUID,
    archived: bool | None = False,
    limit: int | None = None,
) -> Sequence[Member]:
    return listed_members(session, kind, project_id, archived).after(None, limit)


def members_by_key(session: Session, kind: type[Member], project_id: UUID, keys: Iterable[str]) -> dict[str, Member]:
    """Those of `keys` that exist, archived ones too."""
    query: Select[Member] = select(kind).where(kind.project_id == project_id)
    return {row.key: row for row in in_parts(session, query, kind.key, keys)}


class State(NamedTuple):
    """Of a group or source: its id, and since when it is archived."""

    id: int
    archived_at: datetime | None


def states_by_key(
    session: Session, kind: type[Group] | type[Source], project_id: UUID, keys: Collection[str]
) -> dict[str, State]:
    """Those of `keys` that exist, archived ones too: what is needed to know a member by its key, and no more."""
    if not keys:
        return {}
    query = select(kind.key, kind.id, kind.archived_at).where(kind.project_id == project_id)
    few = len(keys) <= KEYS_PER_QUERY
    found = session.execute(query.where(kind.key.in_(keys)) if few else query)
    wanted = set(keys)
    return {key: State(number, archived_at) for key, number, archived_at in found if key in wanted}


def weights_of(session: Session, project_id: UUID) -> tuple[int, float]:
    """How many active groups the project has, and the largest weight among them (0 without any)."""
    query = select(func.count(), func.max(Group.weight))
    number, largest = session.execute(query.where(Group.project_id == project_id, Group.archived_at.is_(None))).one()
    return number, largest or 0.0


def children(session: Session, project_id: UUID, parent: str) -> Sequence[Group]:
    """The groups that name this one their parent, archived ones too."""
    return session.scalars(select(Group).where(Group.project_id == project_id, Group.parent == parent)).all()


def sources_of_groups(session: Session, project_id: UUID, group_ids: Collection[int]) -> Sequence[Source]:
    """The active sources that deliver any of these groups, among others maybe."""
    active = select(Source).where(Source.project_id == project_id, Source.archived_at.is_(None))
    active = active.join(SourceYield, SourceYield.source_id == Source.id)
    found = {row.id: row for row in in_parts(session, active, SourceYield.group_id, sorted(group_ids))}
    return [found[key] for key in sorted(found)]


def unstored(row: Row, changes: Mapping[str, Any]) -> Row:
    """A row like this one, but for `changes`, that belongs to no session and is never stored."""
    if isinstance(row, GroupRow | SourceRow):
        return replace(row, **changes)
    mapper = object_mapper(row)
    values = {column.key: getattr(row, column.key) for column in mapper.column_attrs}
    for part in mapper.relationships:
        values[part.key] = [unstored(one, {}) for one in getattr(row, part.key)]
    return type(row)(**{**values, **changes})


def members_by_id(session: Session, kind: type[Member], ids: Iterable[int]) -> dict[int, Member]:
    query: Select[Member] = select(kind)
    return {row.id: row for row in in_parts(session, query, kind.id, sorted(set(ids)))}
