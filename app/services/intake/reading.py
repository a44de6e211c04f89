"""The rows of a manifest, one at a time: cells as texts, of the columns that are asked for alone."""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from tranche.sheets import SheetError, best_separator, without_sep_line

from app.errors import Fault, Malformed, invalid
from app.strict_json import Number, parse_json

Kind = Literal["text/csv", "application/x-ndjson"]
Cells = tuple[str, ...]

HEAD = 100_000
"""Bytes in which the header of a table stands."""
LONGEST = 10_000
"""Signs of a cell; beyond it a quote was left open, or contents are sent that belong elsewhere."""
MOST_COLUMNS = 1_000
UNWRITABLE = re.compile("[\0\ud800-\udfff]")
"""No text of a database or of an answer."""
NAMED_COLUMNS = 50
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_rows(kind: Kind, body: bytes, wanted: Mapping[str, str]) -> Iterator[Cells]:
    """Each row's cells of the columns `wanted`, in their order; blanks around a cell are left out, and what a row does
    not say is empty. wanted: column → what needs it.

    Raises Malformed where the body cannot be read, Invalid for columns that are lacking, as soon as that is known.
    """
    return csv_rows(body, wanted) if kind == "text/csv" else json_rows(body, wanted)


def csv_rows(body: bytes, wanted: Mapping[str, str]) -> Iterator[Cells]:
    """Of a table with a header. Raises Malformed, Invalid."""
    codec = "utf-16" if body.startswith(UTF_16) else "utf-8-sig"
    try:
        head = body[:HEAD].decode(codec, "ignore")
        head, stated, skipped = without_sep_line(head)
        separator = stated or best_separator(head, lambda name: name in wanted)
    except SheetError as error:
        raise Malformed(str(error)) from None
    text = io.TextIOWrapper(io.BytesIO(body), codec, newline="")
    for _ in range(skipped):
        text.readline()
    reader = csv.reader(text, delimiter=separator, strict=True, skipinitialspace=True)
    rows = (row for row in lines_of(reader, body, codec, skipped) if any(cell.strip() for cell in row))
    header = [name.strip() for name in next(rows, [])]
    refuse_header(header, wanted)
    places = [header.index(name) for name in wanted]
    pick = itemgetter(*places, places[0])
    for row in rows:
        if len(row) != len(header):
            line = reader.line_num + skipped
            raise Malformed(f"Line {line} has {len(row)} cells; the header has {len(header)}.")
        *cells, _ = pick(row)
        yield tuple(cell.strip() for cell in cells)


def lines_of(reader: Any, body: bytes, codec: str, skipped: int) -> Iterator[list[str]]:
    """What the reader of CSV gives. Raises Malformed, saying in which line it fails."""
    while True:
        line = reader.line_num + 1 + skipped
        try:
            row: list[str] = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError:
            raise Malformed(undecodable(body, codec)) from None
        except csv.Error as error:
            raise Malformed(f"Line {line} is not CSV: {error}. Is a quote left open?") from None
        if any(len(cell) > LONGEST or "\0" in cell for cell in row):
            raise Malformed(f"Line {line} has a cell of more than {LONGEST:,} characters, or one with U+0000.")
        yield row


def undecodable(body: bytes, codec: str) -> str:
    """In which line the bytes are not of their encoding."""
    name = "UTF-16" if codec == "utf-16" else "UTF-8"
    try:
        body.decode(codec)
    except UnicodeDecodeError as error:
        line = body[: error.start].decode(codec, "ignore").count("\n") + 1
        return f"The text is not {name} in line {line}; save the file as CSV UTF-8."
    return f"The text is not {name}; save the file as CSV UTF-8."


def refuse_header(header: Sequence[str], wanted: Mapping[str, str]) -> None:
    """Raises Malformed for a header that cannot be told apart, Invalid where it lacks a column."""
    if len(header) > MOST_COLUMNS:
        raise Malformed(f"The header names {len(header):,} columns; at most {MOST_COLUMNS:,} are read.")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise Malformed(f"The header names '{twice[0][:100]}' twice; columns are told apart by their names.")
    refuse_lacking([name for name in wanted if name not in header], [name for name in header if name], wanted)


def refuse_lacking(lacking: Sequence[str], there: Sequence[str], wanted: Mapping[str, str]) -> None:
    """Raises Invalid naming each column that lacks, what needs it, and the columns that are there."""
    names = ", ".join(UNWRITABLE.sub("?", name[:100]) for name in there[:NAMED_COLUMNS]) or "none"
    faults = [
        Fault(name, f"{wanted[name]} needs the column '{name}', which the manifest lacks; there are: {names}")
        for name in lacking
    ]
    if faults:
        raise invalid(*faults)


def json_rows(body: bytes, wanted: Mapping[str, str]) -> Iterator[Cells]:
    """Of one JSON object per line. Raises Malformed, and Invalid once all are read."""
    seen: dict[str, None] = {}
    for number, line in enumerate(io.BytesIO(body), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, exact_number)
        except Malformed as error:
            raise Malformed(f"Line {number}: {error.detail}") from None
        if not isinstance(row, dict):
            raise Malformed(f"Line {number} is no JSON object; send one object per line.")
        if len(seen) <= MOST_COLUMNS:
            seen.update(dict.fromkeys(itertools.islice(row, MOST_COLUMNS)))
        yield tuple(text_of(row.get(name), name, number) for name in wanted)
    refuse_lacking([name for name in wanted if name not in seen], list(seen), wanted)


exact_number = Number
"""A number with a fraction keeps the digits that it was written with."""


def text_of(value: Any, name: str, line: int) -> str:
    """A cell as CSV would have it. Raises Malformed for a list or an object."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, bool):
        text = json.dumps(value)
    elif isinstance(value, Number):
        text = value.text
    elif isinstance(value, int):
        text = str(value)
    else:
        raise Malformed(
            f"Line {line}: '{name[:100]}' is a list or an object; a cell is a text, a number or a truth value."
        )
    if len(text) > LONGEST or UNWRITABLE.search(text):
        raise Malformed(
            f"Line {line} has a cell of more than {LONGEST:,} characters, or one with U+0000 or half of a character."
        )
    return text
