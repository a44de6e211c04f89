"""What JSON is refused, and where it says that the fault stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Malformed, escape
from app.strict_json import parse_json

MARK = "the number that is none"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NAMES, st.just(MARK)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=20,
)


def marks(document: Any, at: str = "") -> list[str]:
    if document == MARK:
        return [at]
    if isinstance(document, dict):
        return [place for name, inner in document.items() for place in marks(inner, f"{at}/{escape(name)}")]
    if isinstance(document, list):
        return [place for index, inner in enumerate(document) for place in marks(inner, f"{at}/{index}")]
    return []


@given(DOCUMENTS, st.sampled_from(["NaN", "Infinity", "-Infinity", "1e-400", "-0.5e-999"]))
def test_each_number_that_cannot_be_taken_is_named(document: Any, number: str) -> None:
    text = json.dumps(document).replace(json.dumps(MARK), number)
    places = marks(document)
    if not places:
        assert parse_json(text.encode()) == document
        return
    with pytest.raises(Malformed) as refused:
        parse_json(text.encode())
    assert [fault.pointer for fault in refused.value.faults] == places
    assert places[0] in refused.value.detail


def test_a_name_that_stands_twice_is_refused_also_where_its_number_is() -> None:
    with pytest.raises(Malformed, match="stands twice"):
        parse_json(b'{"a": NaN, "a": 1}')


def test_depth_does_not_hide_a_number() -> None:
    with pytest.raises(Malformed, match="NaN is not a JSON number"):
        parse_json(b"[" * 500 + b"NaN" + b"]" * 500)
