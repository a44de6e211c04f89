"""YAML is read as JSON would say it, or refused by line and column."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Malformed
from app.local.yaml_file import MAX_DEPTH, read_yaml
from app.strict_json import Number

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"]), max_size=20)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), TEXT)
DOCUMENTS = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def read(text: str) -> Any:
    return read_yaml(text.encode()).value


@given(DOCUMENTS)
def test_json_is_read_as_json(document: Any) -> None:
    assert read(json.dumps(document, ensure_ascii=False)) == document


@given(DOCUMENTS, st.booleans())
def test_what_a_writer_of_yaml_writes_is_read_back(document: Any, flow: bool) -> None:
    assert read(yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow)) == document


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value(number: float) -> None:
    assert read(repr(number)) == number


def test_money_keeps_its_digits() -> None:
    [value] = read("[6000.10]")
    assert isinstance(value, Number)
    assert value.text == "6000.10"


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "010", "0x1F", "1_000", "1:30", "2026-11-20", ".inf", ".nan", "+1"]
)
def test_what_yaml_1_1_would_make_something_else_of_stays_text(text: str) -> None:
    assert read(f"[{text}]") == [text]


@pytest.mark.parametrize("text", ["1", "null", "true", "~", ""])
def test_quoted_is_text(text: str) -> None:
    assert read(f"['{text}', \"{text}\"]") == [text, text]


def test_an_anchor_is_repeated_by_its_alias() -> None:
    assert read("a: &terms {cost: 1}\nb: *terms") == {"a": {"cost": 1}, "b": {"cost": 1}}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1\nb: 2", "line 2, column 2: this is not YAML"),
        ("a: 1\n\tb: 2", "line 2"),
        ("a: \x07", "line 1: this is not YAML"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: this names 'a' a second time"),
        ("a: {b: 1, 'b': 2}", "line 1, column 11: this names 'b' a second time"),
        ("a: !!python/object/apply:os.system ['true']", "line 1, column 4: this has the tag"),
        ("a: !!int 3", "line 1, column 4: this has the tag"),
        ("? [a, b]\n: 1", "line 1, column 3: this is no name"),
        ("a: 1\n---\nb: 2", "line 2, column 1: this begins a second document"),
        ("a: *b", "line 1, column 4: this is the alias *b"),
        ("a: &a [1, *a]", "line 1, column 11: this is the alias *a"),
        (BOMB, "line 6, column 45: this makes the document unfold to more than 1,000,000 values"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"line 1, column {MAX_DEPTH + 1}: this is nested"),
        ("[" * 100_000, "this is nested"),
        ("a: 1e-400", "line 1, column 4: this 1e-400 is too near to 0"),
        ("a: " + "9" * 5_000, "line 1, column 4: this has too many digits"),
    ],
)
def test_what_cannot_be_read_is_told_by_line_and_column(text: str, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(text)
    assert says in refused.value.detail


def test_other_encodings_are_refused_by_line() -> None:
    with pytest.raises(Malformed, match="line 2: this is not UTF-8"):
        read_yaml("a: 1\nname: Zürich".encode("cp1252"))
    assert read_yaml(b"\xef\xbb\xbfa: 1").value == {"a": 1}


def test_a_place_is_that_of_the_value_or_of_what_should_hold_it() -> None:
    document = read_yaml(b"metric:\n  name: accuracy\ngroups:\n  - key: a/b\n    a/b: 1\n")
    assert document.place("/metric/name") == (2, 9)
    assert document.place("/metric/upper") == (2, 3)
    assert document.place("/groups/0/a~1b") == (5, 10)
    assert document.place("/budget") == (1, 1)
