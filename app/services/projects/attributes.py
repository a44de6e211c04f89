"""What a project says by attributes of groups: limits over all groups of a level, and the population's shares."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.errors import Fault, escape, refuse
from app.services.projects.changes import MAX_FAULTS
from app.store.member_rows import AnyGroup, group_rows
from app.store.models.projects import Project

SLACK = 1e-6
"""Shares that are written down rounded sum to 1 within this."""
JOINS = ","
"""Between the levels of several attributes, in the attributes' order: 'F,W'."""

Levels = Mapping[str, frozenset[str]]


def is_of(group: AnyGroup, where: Mapping[str, str]) -> bool:
    """Whether the group has all these attributes."""
    told = group.attributes or {}
    return all(told.get(name) == level for name, level in where.items())


def level_of(group: AnyGroup, attributes: Sequence[str]) -> str | None:
    """The group's level of these attributes together, None where it does not say one of them."""
    told = group.attributes or {}
    if any(name not in told for name in attributes):
        return None
    return JOINS.join(told[name] for name in attributes)


def levels_of(groups: Sequence[AnyGroup]) -> Levels:
    """By attribute the levels that any group has."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for name, level in (group.attributes or {}).items():
            found.setdefault(name, set()).add(level)
    return {name: frozenset(levels) for name, levels in found.items()}


def check_population(session: Session, project: Project) -> None:
    """Raises Invalid naming every fault of the project's population."""
    if project.population:
        refuse(population_faults(project.population, levels_of(group_rows(session, project.id)))[:MAX_FAULTS])


def where_faults(session: Session, project: Project) -> list[Fault]:
    """Attributes and levels in limits that no group has."""
    wheres = [(index, limit["where"]) for index, limit in enumerate(project.set_limits) if limit.get("where")]
    if not wheres:
        return []
    levels = levels_of(group_rows(session, project.id))
    faults = []
    for index, where in wheres:
        for name, level in where.items():
            faults += unknown(f"/set_limits/{index}/where/{escape(name)}", name, level, levels)
    return faults


def unknown(pointer: str, attribute: str, level: str, levels: Levels) -> list[Fault]:
    if attribute not in levels:
        return [Fault(pointer, f"no group has the attribute '{attribute}'")]
    if level not in levels[attribute]:
        return [Fault(pointer, f"no group has '{level}' as its '{attribute}'")]
    return []


def population_faults(population: Sequence[Mapping[str, Any]], levels: Levels) -> list[Fault]:
    faults: list[Fault] = []
    sets = [frozenset(one["attributes"]) for one in population]
    for at, (one, names) in enumerate(zip(population, sets, strict=True)):
        here = f"/population/{at}"
        if len(names) < len(one["attributes"]) or names in sets[:at]:
            faults.append(Fault(f"{here}/attributes", "named twice; say each attribute, and each set of them, once"))
        missing = [
            Fault(f"{here}/attributes/{place}", f"no group has the attribute '{name}'")
            for place, name in enumerate(one["attributes"])
            if name not in levels
        ]
        total = sum(one["shares"].values())
        if abs(total - 1.0) > SLACK:
            missing.append(Fault(f"{here}/shares", f"the shares sum to {total:.6g}; they must sum to 1"))
        faults += missing
        if missing:
            continue
        for text in one["shares"]:
            faults += share_faults(f"{here}/shares/{escape(text)}", one["attributes"], text, levels)
    return faults


def share_faults(pointer: str, attributes: Sequence[str], text: str, levels: Levels) -> list[Fault]:
    parts = text.split(JOINS) if len(attributes) > 1 else [text]
    if len(parts) != len(attributes):
        return [Fault(pointer, f"name a level of each of {', '.join(attributes)}, with '{JOINS}' between them")]
    pairs = zip(attributes, parts, strict=True)
    return [fault for name, level in pairs for fault in unknown(pointer, name, level, levels)]
