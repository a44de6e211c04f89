"""Licences of sources, and a project's rule about them (docs/provenance.md)."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from app.api.http.shapes import Answer, Shape, Text
from app.services.licences import licence_note
from app.services.licences.terms import LicenceTerms

MAX_ORIGINS = 100

PermissionName = Literal["allowed", "forbidden", "unspecified"]
Method = Literal["human", "recorded", "scraped", "model"]
Required = Literal["commercial", "derivatives", "redistribution"]


def iso_date(text: str) -> str:
    """A date as ISO 8601 writes it. Raises ValueError."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("give a date as 2026-11-30") from None


DateText = Annotated[
    str,
    StringConstraints(max_length=10),
    AfterValidator(iso_date),
    WithJsonSchema({"type": "string", "format": "date"}),
]
WebAddress = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s\x00]+$")]
Origins = Annotated[tuple[Text, ...], Field(max_length=MAX_ORIGINS)]


class TermsIn(Shape):
    """What a licence permits, and what it asks for; null: what the licence itself says, where it is a known one."""

    commercial: PermissionName | None = None
    derivatives: PermissionName | None = None
    redistribution: PermissionName | None = None
    attribution: bool | None = None
    share_alike: bool | None = None


class EffectiveTermsOut(Answer):
    """The terms that count: the stated ones, else those of a licence that is known by its SPDX identifier, which stand
    at `source`, else unspecified. `note`: what to do about a licence that is not known."""

    commercial: PermissionName
    derivatives: PermissionName
    redistribution: PermissionName
    attribution: bool | None
    share_alike: bool | None
    source: str | None
    note: str | None


class LicenceRule(Shape):
    """From which sources a project may order: those whose terms allow all that is in `require`, and whose method is
    one of `methods` (null: any). What is unspecified counts as not allowed (`exclude`), or is only warned of
    (`warn`)."""

    require: Annotated[tuple[Required, ...], Field(max_length=3)] = ()
    methods: Annotated[tuple[Method, ...], Field(min_length=1, max_length=4)] | None = None
    unspecified: Literal["exclude", "warn"] = "exclude"


class BecauseOut(Answer):
    """A term of the source, its value, and what the licence rule requires."""

    term: str
    value: str
    required: str


class ExcludedOut(Answer):
    """A source from which the licence rule allows no order, and why."""

    source: str
    because: list[BecauseOut]


def stored_rule(rule: LicenceRule | None) -> dict[str, Any] | None:
    return None if rule is None else rule.model_dump(mode="json")


def terms_shape(licence: str | None, terms: LicenceTerms) -> EffectiveTermsOut:
    return EffectiveTermsOut.of(terms, note=licence_note(licence))
