"""What a source's licence permits and asks for: as stated, else as a known licence says, else unspecified."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Literal

from app.services.licences.spdx import KNOWN

Permission = Literal["allowed", "forbidden", "unspecified"]
PERMISSIONS = ("commercial", "derivatives", "redistribution")
"""Terms that a licence rule may require."""
METHODS = ("human", "recorded", "scraped", "model")
"""How samples come to be: made by people, recorded, scraped from elsewhere, or made by a model."""


@dataclass(frozen=True)
class LicenceTerms:
    """What may be done, and what must be done for it; None: unspecified. source: where a known licence says so."""

    commercial: Permission = "unspecified"
    derivatives: Permission = "unspecified"
    redistribution: Permission = "unspecified"
    attribution: bool | None = None
    share_alike: bool | None = None
    source: str | None = None


STATED = tuple(one.name for one in fields(LicenceTerms) if one.name != "source")
UNSPECIFIED = LicenceTerms()


def effective_terms(licence: str | None, stated: Mapping[str, Any]) -> LicenceTerms:
    """The terms of a licence by its SPDX identifier, those that are `stated` in their place."""
    said = {name: stated[name] for name in STATED if stated.get(name) is not None}
    return replace(terms_of_licence(licence), **said)


def terms_of_licence(licence: str | None) -> LicenceTerms:
    known = KNOWN.get(identifier(licence))
    if known is None:
        return UNSPECIFIED
    return LicenceTerms(
        commercial="allowed" if known.commercial else "forbidden",
        derivatives="allowed" if known.derivatives else "forbidden",
        redistribution="allowed",
        attribution=known.attribution,
        share_alike=known.share_alike,
        source=known.url,
    )


def identifier(licence: str | None) -> str:
    return (licence or "").strip().casefold()


def same_licence(one: str | None, other: str | None) -> bool:
    """Whether both name the same licence, or neither names any."""
    return identifier(one) == identifier(other)


def licence_note(licence: str | None) -> str | None:
    """What to do about a licence whose terms are not known here; None where they are, or none is named."""
    name = identifier(licence)
    if not name or name in KNOWN:
        return None
    near = get_close_matches(name, KNOWN, 1)
    hint = f" Did you mean {KNOWN[near[0]].spdx}?" if near else ""
    return f"'{licence}' is no licence that is known here: what `terms` does not say is unspecified.{hint}"
