"""A project's licence rule: which sources it excludes from every order, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.services.licences.terms import effective_terms


class Licensed(Protocol):
    """What of a source the rule looks at."""

    @property
    def key(self) -> str: ...

    @property
    def license(self) -> str | None: ...

    @property
    def terms(self) -> Mapping[str, Any]: ...

    @property
    def method(self) -> str | None: ...


@dataclass(frozen=True)
class Because:
    """A term of the source, its value, and what the rule requires of it."""

    term: str
    value: str
    required: str

    def __str__(self) -> str:
        return f"{self.term} is {self.value}, not {self.required}"


@dataclass(frozen=True)
class Excluded:
    """A source from which the rule allows no order."""

    source: str
    because: tuple[Because, ...]


def judge(rule: Mapping[str, Any] | None, source: Licensed) -> tuple[tuple[Because, ...], tuple[Because, ...]]:
    """Why `rule` excludes the source, and what it only warns of; both empty where the source keeps it."""
    if rule is None:
        return (), ()
    missed = misses(rule, source)
    if rule["unspecified"] == "exclude":
        return missed, ()
    return (
        tuple(one for one in missed if one.value != "unspecified"),
        tuple(one for one in missed if one.value == "unspecified"),
    )


def misses(rule: Mapping[str, Any], source: Licensed) -> tuple[Because, ...]:
    """Every term of the source that is not what the rule requires."""
    terms = effective_terms(source.license, source.terms)
    found = [
        Because(term, getattr(terms, term), "allowed") for term in rule["require"] if getattr(terms, term) != "allowed"
    ]
    methods: Sequence[str] | None = rule["methods"]
    if methods is not None and source.method not in methods:
        found.append(Because("method", source.method or "unspecified", " or ".join(methods)))
    return tuple(found)
