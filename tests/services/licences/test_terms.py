"""What licences permit: by their SPDX identifiers, as stated, else unspecified."""

import pytest

from app.services.licences.spdx import KNOWN, TABLE
from app.services.licences.terms import LicenceTerms, effective_terms, licence_note, same_licence


def test_each_licence_stands_in_the_table_once_with_its_text() -> None:
    assert len(KNOWN) == len(TABLE)
    assert all(one.url.startswith("https://") for one in TABLE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC0-1.0", ("allowed", "allowed", "allowed", False, False)),
        ("CC-BY-4.0", ("allowed", "allowed", "allowed", True, False)),
        ("CC-BY-SA-4.0", ("allowed", "allowed", "allowed", True, True)),
        ("CC-BY-NC-4.0", ("forbidden", "allowed", "allowed", True, False)),
        ("CC-BY-ND-3.0", ("allowed", "forbidden", "allowed", True, False)),
        ("CC-BY-NC-SA-4.0", ("forbidden", "allowed", "allowed", True, True)),
        ("CC-BY-NC-ND-4.0", ("forbidden", "forbidden", "allowed", True, False)),
        ("ODbL-1.0", ("allowed", "allowed", "allowed", True, True)),
        ("CDLA-Permissive-2.0", ("allowed", "allowed", "allowed", False, False)),
        ("GPL-3.0-or-later", ("allowed", "allowed", "allowed", True, True)),
    ],
)
def test_a_known_licence_says_its_terms(name: str, expected: tuple[object, ...]) -> None:
    terms = effective_terms(f" {name.lower()} ", {})
    assert (terms.commercial, terms.derivatives, terms.redistribution, terms.attribution, terms.share_alike) == expected
    assert terms.source is not None
    assert licence_note(name) is None


def test_stated_terms_stand_in_place_of_the_licences() -> None:
    terms = effective_terms("CC-BY-NC-4.0", {"commercial": "allowed", "share_alike": None})
    assert (terms.commercial, terms.attribution, terms.share_alike) == ("allowed", True, False)
    assert effective_terms("CC-BY-4.0", {"commercial": "unspecified"}).commercial == "unspecified"


def test_an_unknown_licence_says_nothing_and_its_note_what_to_do() -> None:
    assert effective_terms("CC-BY-5.0", {}) == effective_terms(None, {}) == LicenceTerms()
    assert licence_note(None) is None
    assert str(licence_note("CC-BY-4")).endswith("what `terms` does not say is unspecified. Did you mean CC-BY-4.0?")
    assert str(licence_note("in our contract of May")).endswith("is unspecified.")


def test_licences_are_the_same_whatever_their_case() -> None:
    assert same_licence("cc-by-4.0", "CC-BY-4.0 ")
    assert same_licence(None, "")
    assert not same_licence(None, "MIT")
