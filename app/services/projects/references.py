"""What a project's limits, objective and stakeholders name: groups and sources, by key.

Keys are checked when these are set, follow a rename, and hold what they name in place: nothing that is named can be
archived.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.errors import Fault, InUse, escape, refuse
from app.planner.utility import KINDS as KINDS_OF_UTILITY
from app.services.projects.attributes import where_faults
from app.services.projects.changes import MAX_FAULTS
from app.store import projects as store
from app.store.models.projects import Group, Project, Source

Json = dict[str, Any]
KINDS: dict[str, type[Group] | type[Source]] = {"groups": Group, "sources": Source}


ONLY_OF_SOURCES = {
    "cost": "money paid to sources",
    "cost_share": "money paid to sources",
    "orders": "how many sources get an order",
}
"""Measures of limits that groups do not have, and what they are."""


@dataclass(frozen=True)
class Mention:
    """A key that limits, objective or stakeholders name: where it stands in the project, of which kind, by what."""

    pointer: str
    kind: type[Group] | type[Source]
    key: str
    by: str


def mentions(project: Project) -> Iterator[Mention]:
    for index, limit in enumerate(project.set_limits):
        over = over_of(limit)
        for field in (over, "share_of"):
            for at, key in enumerate(limit.get(field) or ()):
                pointer = f"/set_limits/{index}/{field}/{at}"
                yield Mention(pointer, KINDS[over], key, f"the limit '{limit['name']}'")
    for place, weights, by in weighings(project):
        for key in weights:
            yield Mention(f"{place}/{escape(key)}", Group, key, by)


def weighings(project: Project) -> Iterator[tuple[str, dict[str, float], str]]:
    """Every map from group to weight: where it stands, it, and what it is."""
    for index, weights in enumerate(project.objective.get("weight_vectors", ())):
        yield f"/objective/weight_vectors/{index}", weights, f"weight vector {index} of the objective"
    for at, one in enumerate(project.stakeholders):
        by = f"the stakeholder '{one['name']}'"
        if one["weights"] is not None:
            yield f"/stakeholders/{at}/weights", one["weights"], by
        for index, weights in enumerate(one["objective"].get("weight_vectors", ())):
            yield f"/stakeholders/{at}/objective/weight_vectors/{index}", weights, by


def over_of(limit: Mapping[str, Any]) -> Literal["groups", "sources"]:
    """'groups' or 'sources': what the limit is over."""
    return "sources" if limit.get("groups") is None and limit.get("where") is None else "groups"


def check_named(session: Session, project: Project) -> None:
    """Raises Invalid naming every fault of the project's limits, objective and stakeholders."""
    faults = named_faults(session, project)
    refuse(faults[:MAX_FAULTS])


def named_faults(session: Session, project: Project) -> list[Fault]:
    limits, weights = limit_faults(project.set_limits), weight_faults(project)
    unnamed = [*unknown_faults(session, project), *where_faults(session, project)]
    return [*limits, *weights, *stakeholder_faults(project), *unnamed]


def unknown_faults(session: Session, project: Project) -> list[Fault]:
    found = list(mentions(project))
    active: dict[type[Group] | type[Source], set[str]] = {
        Group: active_keys(session, project, Group, {one.key for one in found if one.kind is Group}),
        Source: active_keys(session, project, Source, {one.key for one in found if one.kind is Source}),
    }
    return [
        Fault(one.pointer, f"there is no {one.kind.__name__.lower()} '{one.key}' in this project")
        for one in found
        if one.key not in active[one.kind]
    ]


def active_keys(
    session: Session, project: Project, kind: type[Group] | type[Source], keys: Collection[str]
) -> set[str]:
    found = store.states_by_key(session, kind, project.id, keys)
    return {key for key, state in found.items() if state.archived_at is None}


def weight_faults(project: Project) -> list[Fault]:
    return [
        Fault(place, "every weight is 0; give at least one group a weight above 0")
        for place, weights, _ in weighings(project)
        if not any(weight > 0 for weight in weights.values())
    ]


def stakeholder_faults(project: Project) -> list[Fault]:
    """Names that occur twice, and a compromise between nobody."""
    names = [one["name"] for one in project.stakeholders]
    faults = [
        Fault(f"/stakeholders/{at}/name", f"'{name}' is named twice; give each stakeholder its own name")
        for at, name in enumerate(names)
        if name in names[:at]
    ]
    if KINDS_OF_UTILITY[project.objective["kind"]].needs_stakeholders and not names:
        detail = "a compromise needs stakeholders; name them in 'stakeholders', or choose another objective"
        faults.append(Fault("/objective/kind", detail))
    return faults


def limit_faults(limits: Sequence[Json]) -> list[Fault]:
    """What is wrong with limits in themselves, whatever the project has."""
    first: dict[str, int] = {}
    faults = []
    for index, limit in enumerate(limits):
        at = f"/set_limits/{index}"
        if first.setdefault(limit["name"], index) != index:
            faults.append(Fault(f"{at}/name", f"'{limit['name']}' is named twice; give each limit its own name"))
        faults += member_faults(limit, at) + bound_faults(limit, at)
    return faults


def member_faults(limit: Json, at: str) -> list[Fault]:
    named = [field for field in (*KINDS, "where") if limit.get(field) is not None]
    if len(named) != 1:
        return [Fault(f"{at}/sources", "name the members of the limit: either 'sources', or 'groups', or 'where'")]
    over = over_of(limit)
    faults = []
    measured = ONLY_OF_SOURCES.get(limit["measure"])
    if over == "groups" and measured is not None:
        detail = f"'{limit['measure']}' is {measured}; name 'sources', or measure 'count'"
        faults.append(Fault(f"{at}/{named[0]}", detail))
    for field in (over, "share_of"):
        twice = [key for key, times in Counter(limit.get(field) or ()).items() if times > 1]
        faults += [Fault(f"{at}/{field}", f"'{key}' is named twice") for key in twice]
    return faults


def bound_faults(limit: Json, at: str) -> list[Fault]:
    low, high = limit.get("min"), limit.get("max")
    if low is None and high is None:
        return [Fault(f"{at}/min", "a limit needs 'min', 'max' or both")]
    if low is not None and high is not None and Decimal(str(low)) > Decimal(str(high)):
        return [Fault(f"{at}/min", f"must not be above 'max': got {low} and {high}")]
    named = limit.get("sources") or ()
    if limit["measure"] == "orders" and low is not None and named and low > len(named):
        return [Fault(f"{at}/min", f"must not be above the number of 'sources', {len(named)}: got {low}")]
    return []


def rename(project: Project, kind: type[Group] | type[Source], old: str, new: str) -> None:
    """Follow a new key wherever limits, objective and stakeholders name the old one."""

    def renamed(keys: Sequence[str]) -> list[str]:
        return [new if key == old else key for key in keys]

    def limit_renamed(limit: Json) -> Json:
        if KINDS[over_of(limit)] is not kind:
            return limit
        return limit | {field: renamed(limit[field]) for field in (over_of(limit), "share_of") if limit.get(field)}

    def weights_renamed(weights: Mapping[str, float]) -> dict[str, float]:
        return {new if key == old else key: weight for key, weight in weights.items()}

    def objective_renamed(objective: Json) -> Json:
        if "weight_vectors" not in objective:
            return objective
        return objective | {"weight_vectors": [weights_renamed(weights) for weights in objective["weight_vectors"]]}

    project.set_limits = [limit_renamed(limit) for limit in project.set_limits]
    if kind is Group:
        project.objective = objective_renamed(project.objective)
        project.stakeholders = [
            one
            | {
                "objective": objective_renamed(one["objective"]),
                "weights": None if one["weights"] is None else weights_renamed(one["weights"]),
            }
            for one in project.stakeholders
        ]


def refuse_named(project: Project, kind: type[Group] | type[Source], keys: Collection[str]) -> None:
    """Raises InUse where limits, objective or stakeholders name any of `keys`, which are about to be archived."""
    faults = [
        Fault(one.pointer, f"{one.by} names the {kind.__name__.lower()} '{one.key}'")
        for one in mentions(project)
        if one.kind is kind and one.key in keys
    ]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        first = faults[0].detail
        raise InUse(f"{first[0].upper()}{first[1:]}{more}. Take it out of there first.", tuple(faults[:MAX_FAULTS]))
