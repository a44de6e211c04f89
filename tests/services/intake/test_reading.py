"""Rows of manifests: encodings, separators, lines, and what is refused by line."""

import json
import re
from typing import Literal

import pytest

from app.errors import Malformed, TrancheError
from app.services.intake.reading import read_rows

WANTED = {"item": "every manifest", "group": "every manifest"}
Kind = Literal["text/csv", "application/x-ndjson"]
CSV: Kind = "text/csv"


def rows(body: bytes, kind: Kind = CSV) -> list[tuple[str, ...]]:
    return list(read_rows(kind, body, WANTED))


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_are_read_as_spreadsheets_save_them(codec: str, end: str, separator: str) -> None:
    lines = (["group", "city", "item"], ["Zürich", "x", " a "], ["", "", ""], ["B", f'"{separator} ""y"""', "b"])
    text = end.join(separator.join(line) for line in lines)
    assert rows(text.encode(codec)) == [("a", "Zürich"), ("b", "B")]
    if codec != "utf-16":
        assert rows(f"sep={separator}{end}{text}".encode(codec)) == [("a", "Zürich"), ("b", "B")]


def test_json_lines_are_read_as_the_same_cells() -> None:
    lines = [{"item": 7, "group": " A "}, {"group": None, "item": True}, {"item": "x", "more": [1]}]
    body = "\n\n".join(map(json.dumps, lines)) + '\n{"item": 7.50, "group": 1e2}'
    assert rows(body.encode(), "application/x-ndjson") == [("7", "A"), ("true", ""), ("x", ""), ("7.50", "1e2")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("item,group\nZürich,A\n".encode("cp1252"), "The text is not UTF-8 in line 2"),
        (b"sep=;\nitem;group\na;A\n\xff;A\n", "The text is not UTF-8 in line 4"),
        (b"\xff\xfei\x00t", "The text is not UTF-16 in line 1"),
        (b"sep=|\nitem|group\n", "Line 1 says that cells are separated by"),
        (b"item,group\n" + b"a" * 10_001 + b",A\n", "Line 2 has a cell of more than 10,000 characters"),
        (b"item,group\n" + b"," * 1_000_001, "Line 2 is longer than 1,000,000 characters"),
        (b"item,group\n\"a\"b,A\n", "Line 2 is not CSV"),
        (b"item,group,item\n", "The header names 'item' twice"),
        (b",".join(b"c%d" % at for at in range(1001)), "at most 1,000 are read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_by_line(body: bytes, words: str) -> None:
    with pytest.raises(TrancheError, match=re.escape(words)):
        rows(body)


def test_a_line_of_json_that_never_ends_is_refused() -> None:
    with pytest.raises(Malformed, match="Line 1 is longer than 1,000,000 characters; send a row per line"):
        rows(b'{"item": "' + b"a" * 1_000_001, "application/x-ndjson")
