"""The screen on which a plan is signed: on the page of the plan, and of a round that is proposed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.services.signing import Screen, screen_of
from app.store.models.projects import Group, Project, Source
from app.store.projects import members
from app.store.vendors import connections_by_id
from app.web.site.visit import Visit


def screen_parts(visit: Visit, project: Project, answer: Mapping[str, Any], left: Decimal) -> Screen:
    """The screen of an answer of `GET …/allocations/next`; left: of the project's money before it."""
    groups, sources = members(visit.session, Group, project.id), members(visit.session, Source, project.id)
    linked = connections_by_id(visit.session, {one.connection_id for one in sources if one.connection_id is not None})
    return screen_of(
        project,
        answer,
        sources,
        names={group.key: group.name or group.key for group in groups},
        targets={group.key: group.target for group in groups if group.target is not None},
        vendors={key: connection.name for key, connection in linked.items()},
        left=left,
    )
