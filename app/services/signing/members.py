"""What a plan's keys stand for: groups and sources by name, and what is told of them beside the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.store.ledger import totals_of_orders
from app.store.models.projects import Group, Project, Source
from app.store.projects import members
from app.store.vendors import connections_by_id

Answer = Mapping[str, Any]
"""The API's on a plan (`GET …/allocations/next`), as a round keeps it."""


@dataclass(frozen=True)
class Members:
    """By key: the groups' `names`, `targets` where they have one, `weights` and `attributes`; the `sources`, and the
    groups that each `feeds`. `vendors`: names of connections by id. `unmapped`: delivered samples that count for no
    group yet."""

    names: Mapping[str, str]
    sources: Mapping[str, Source]
    targets: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    feeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vendors: Mapping[Any, str] = field(default_factory=dict)
    unmapped: int = 0

    @classmethod
    def of(cls, session: Session, project: Project) -> "Members":
        groups, sources = members(session, Group, project.id), members(session, Source, project.id)
        linked = connections_by_id(session, {one.connection_id for one in sources if one.connection_id is not None})
        keys = {group.id: group.key for group in groups}
        return cls(
            names={group.key: group.name or group.key for group in groups},
            sources={source.key: source for source in sources},
            targets={group.key: group.target for group in groups if group.target is not None},
            weights={group.key: group.weight for group in groups},
            attributes={group.key: group.attributes for group in groups if group.attributes},
            feeds={
                one.key: [keys[part.group_id] for part in one.yields if part.share and part.group_id in keys]
                for one in sources
            },
            vendors={key: connection.name for key, connection in linked.items()},
            unmapped=sum(one.in_state("unmapped") for one in totals_of_orders(session, project.id).values()),
        )

    def group(self, key: str) -> str:
        return self.names.get(key, key)

    def source(self, key: str) -> str:
        found = self.sources.get(key)
        return key if found is None else found.name or key
