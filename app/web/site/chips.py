"""Sources by the names that people read, and chips beside: their licence, and whether the rule allows it."""

from collections.abc import Collection
from typing import NamedTuple

from app.services.licences import effective_terms, judge
from app.store.db import Session
from app.store.models.projects import Project, Source
from app.store.projects import members_by_key


class Chip(NamedTuple):
    """Its text, the kind of badge it is (good, warn, bad or empty), and what is to be known beside it."""

    text: str
    kind: str
    detail: str


def source_names(session: Session, project: Project, keys: Collection[str]) -> dict[str, str]:
    """By key, also of what is archived."""
    return {key: source.name or key for key, source in members_by_key(session, Source, project.id, keys).items()}


def licence_chips(session: Session, project: Project, keys: Collection[str]) -> dict[str, Chip]:
    """By key, of those sources of which a licence is known or asked."""
    sources = members_by_key(session, Source, project.id, keys)
    found = {key: licence_chip(project, source) for key, source in sources.items()}
    return {key: chip for key, chip in found.items() if chip is not None}


def licence_chip(project: Project, source: Source) -> Chip | None:
    """None where neither the source nor the project says anything of licences."""
    if project.licence_rule is None and source.license is None:
        return None
    excluded, doubted = judge(project.licence_rule, source)
    name = source.license or "no licence stated"
    if excluded:
        return Chip(name, "bad", ", ".join(map(str, excluded)))
    unspecified = effective_terms(source.license, source.terms).commercial == "unspecified"
    return Chip(name, "warn" if doubted or unspecified else "", ", ".join(map(str, doubted)))
