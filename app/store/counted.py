"""Groups as runs are checked against them: of thousands, read without the rest of their rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.store.models.projects import Group

GROUPS = Group.__table__
COLUMNS = tuple(GROUPS.c[name] for name in ("id", "key", "initial_count", "first_run_count", "weight", "archived_at"))
OF_PROJECT = select(*COLUMNS).where(GROUPS.c.project_id == bindparam("project")).order_by(GROUPS.c.id)
SETTLE = update(GROUPS).where(GROUPS.c.id == bindparam("group"))  # type: ignore[arg-type]
SETTLE_REST = update(GROUPS).where(  # type: ignore[arg-type]
    GROUPS.c.project_id == bindparam("project"), GROUPS.c.archived_at.is_(None), GROUPS.c.first_run_count.is_(None)
)


class CountedGroup(NamedTuple):
    """See the columns of `Group`."""

    id: int
    key: str
    initial_count: int
    first_run_count: int | None
    weight: float
    archived_at: datetime | None


def counted_groups(session: Session, project_id: UUID) -> list[CountedGroup]:
    """All groups of the project, archived ones too, in order of creation."""
    return [CountedGroup(*row) for row in session.execute(OF_PROJECT, {"project": project_id})]


def settle_first_counts(session: Session, project_id: UUID, above: Mapping[int, int]) -> None:
    """Write down what is held at their first run of the active groups for which nothing is: by group id what is
    `above`, of the others their initial count."""
    if above:
        settled = [{"group": group, "first_run_count": count} for group, count in above.items()]
        session.execute(SETTLE, settled)
    session.execute(SETTLE_REST.values(first_run_count=GROUPS.c.initial_count), {"project": project_id})
    for row in session.identity_map.values():
        if isinstance(row, Group) and row.first_run_count is None and row.archived_at is None:
            set_committed_value(row, "first_run_count", above.get(row.id, row.initial_count))
