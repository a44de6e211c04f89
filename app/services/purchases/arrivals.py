"""What a purchase brought, as its buyer says it: by source, or by group where that says the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import Fault, escape, invalid, refuse
from app.store.models.projects import Group, Project, Source
from app.store.projects import members

EXAMPLE = '{"groups": {"GROUP": {"accepted": 90, "rejected": 10}}}'
WHOLE = 1 - 1e-9


@dataclass(frozen=True)
class Arrived:
    """What came of an order. groups: group key → state → samples; unmapped: samples of no known group."""

    groups: Mapping[str, Mapping[str, int]]
    unmapped: int = 0

    @property
    def quantity(self) -> int:
        return self.unmapped + sum(count for by_state in self.groups.values() for count in by_state.values())

    @property
    def accepted(self) -> dict[str, int]:
        """Group key → samples that count for it; groups without any left out."""
        found = {key: by_state.get("accepted", 0) for key, by_state in self.groups.items()}
        return {key: count for key, count in found.items() if count}


def arrived_of(
    session: Session, project: Project, orders: Mapping[str, int | Arrived] | None, counts: Mapping[str, int] | None
) -> dict[str, Arrived]:
    """Source key → what came from it, sources of which nothing came left out. orders: by source; counts: by group,
    where there are no orders. Raises Invalid naming every fault."""
    groups = {group.key: group for group in members(session, Group, project.id, archived=None)}
    sources = members(session, Source, project.id, archived=None)
    faults: list[Fault] = []
    if orders is not None:
        found = by_sources(orders, groups, {source.key: source for source in sources}, faults)
    else:
        found = by_groups(counts or {}, groups, sources, faults)
    refuse(faults)
    came = {key: one for key, one in sorted(found.items()) if one.quantity}
    if not came:
        raise invalid(
            Fault("/groups" if orders is None else "/orders", "nothing was bought: name at least one count above 0")
        )
    return came


def by_sources(
    orders: Mapping[str, int | Arrived],
    groups: Mapping[str, Group],
    sources: Mapping[str, Source],
    faults: list[Fault],
) -> dict[str, Arrived]:
    keys = {group.id: key for key, group in groups.items()}
    found = {}
    for key, came in orders.items():
        at, source = f"/orders/{escape(key)}", sources.get(key)
        if source is None:
            faults.append(Fault(at, f"there is no source '{key}' in this project"))
        elif source.archived_at:
            faults.append(Fault(at, f"the source '{key}' is archived; restore it first"))
        elif isinstance(came, Arrived):
            faults += [
                Fault(f"{at}/groups/{escape(name)}", f"there is no group '{name}' in this project")
                for name in came.groups
                if name not in groups
            ]
            found[key] = came
        elif came and not says_all(source):
            detail = f"a number leaves open what came: {why_not(source, keys)}. Say it by group, such as {EXAMPLE}"
            faults.append(Fault(at, detail))
        else:
            found[key] = all_of(keys[source.yields[0].group_id], came) if came else Arrived({})
    return found


def by_groups(
    counts: Mapping[str, int], groups: Mapping[str, Group], sources: Sequence[Source], faults: list[Fault]
) -> dict[str, Arrived]:
    keys = {group.id: key for key, group in groups.items()}
    sold_by: dict[int, list[Source]] = {}
    for source in sources:
        for one in source.yields if source.archived_at is None else ():
            sold_by.setdefault(one.group_id, []).append(source)
    found = {}
    for key, count in counts.items():
        at, group = f"/groups/{escape(key)}", groups.get(key)
        if group is None or group.archived_at:
            archived, unknown = (
                f"the group '{key}' is archived; restore it first",
                f"there is no group '{key}' in this project",
            )
            faults.append(Fault(at, archived if group else unknown))
            continue
        offers = sold_by.get(group.id, [])
        if len(offers) == 1 and says_all(offers[0]):
            found[offers[0].key] = all_of(key, count)
        elif count:
            faults.append(Fault(at, in_doubt(key, offers, keys)))
    return found


def says_all(source: Source) -> bool:
    """Whether a number of its samples leaves nothing open: all are of one group, and none is rejected."""
    return len(source.yields) == 1 and source.yields[0].share >= WHOLE and source.acceptance_rate >= WHOLE


def all_of(group: str, count: int) -> Arrived:
    return Arrived({group: {"accepted": count}})


def why_not(source: Source, keys: Mapping[int, str]) -> str:
    """What a number of the source's samples leaves open."""
    if len(source.yields) > 1:
        return f"'{source.key}' delivers {', '.join(keys[one.group_id] for one in source.yields)}"
    if source.yields[0].share < WHOLE:
        return f"of what '{source.key}' delivers, a share of {source.yields[0].share:g} is of its group"
    return f"of what '{source.key}' delivers, a share of {source.acceptance_rate:g} is accepted"


def in_doubt(group: str, offers: Sequence[Source], keys: Mapping[int, str]) -> str:
    """Why a count of the group does not say what was ordered."""
    if not offers:
        return f"no open source delivers '{group}': add one, and name it in `orders`"
    if len(offers) == 1:
        return f"{why_not(offers[0], keys)}: name `orders` by source, and what came by group, such as {EXAMPLE}"
    names = ", ".join(f"'{source.key}'" for source in offers)
    return f"several sources deliver '{group}': name `orders` by source instead, of {names}"
