"""What JSON is refused, and where it says that the fault stands."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.http.bulk import json_lines
from app.errors import Malformed, escape
from app.strict_json import MAX_VALUES, Number, as_float, parse_json

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


@given(
    DOCUMENTS,
    st.sampled_from(["NaN", "Infinity", "-Infinity", "1e-400", "-0.5e-999", f"0.{'0' * 400}1"]),
    st.sampled_from([Number, as_float]),
)
def test_each_number_that_cannot_be_taken_is_named(document: Any, number: str, reader: type[Number]) -> None:
    text = json.dumps(document).replace(json.dumps(MARK), number)
    places = marks(document)
    if not places:
        assert parse_json(text.encode(), reader) == document
        return
    with pytest.raises(Malformed) as refused:
        parse_json(text.encode(), reader)
    assert [fault.pointer for fault in refused.value.faults] == places
    assert places[0] in refused.value.detail


def test_a_name_that_stands_twice_is_refused_also_where_its_number_is() -> None:
    with pytest.raises(Malformed, match="stands twice"):
        parse_json(b'{"a": NaN, "a": 1}')


def test_depth_does_not_hide_a_number() -> None:
    with pytest.raises(Malformed, match="NaN is not a JSON number"):
        parse_json(b"[" * 500 + b"NaN" + b"]" * 500)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?([eE][-+]?[0-9]{1,3})?", fullmatch=True))
def test_a_number_is_lost_where_it_is_not_0_and_its_float_is(text: str) -> None:
    exact, read = Decimal(text), float(text)
    for reader in (Number, as_float):
        if exact and not read:
            with pytest.raises(ValueError, match="too near to 0"):
                reader(text)
        else:
            assert reader(text) == read
    if not (exact and not read):
        assert Number(text).text == text


@pytest.mark.parametrize(("start", "many"), [(b"[0", b",0"), (b"[", b"["), (b"", b"{},"), (b"[", b"[[")])
def test_more_values_than_memory_should_hold_are_refused_unread(start: bytes, many: bytes) -> None:
    with pytest.raises(Malformed, match="over 2,000,000 values"):
        parse_json(start + many * (MAX_VALUES + 1))


def test_lines_count_as_values_however_short() -> None:
    with pytest.raises(Malformed, match="over 2,000,000 values"):
        json_lines(b"\n" * (MAX_VALUES + 1))
    assert json_lines(b"\n" * MAX_VALUES) == []
