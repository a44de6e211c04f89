"""A manifest judged: counts by group, earlier lots, bounds on rows and on memory."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.services.intake import judging
from app.services.intake.judging import Judged, judge

REQUIRED: dict[str, Any] = {"kind": "required", "columns": ["zip"], "severity": "row"}


def judged(rows: Sequence[Sequence[str]], rules: Sequence[dict[str, Any]] = (), earlier: Sequence[Any] = ()) -> Judged:
    body = "item,group,zip\n" + "".join(f"{','.join(row)}\n" for row in rows)
    return judge("text/csv", body.encode(), rules, ["A", "B"], b"project", earlier)


cells = st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["A", "B", "?"]), st.sampled_from(["", "1"]))


@given(st.lists(cells, min_size=1, max_size=12), st.lists(cells, min_size=1, max_size=12))
def test_counts_are_those_of_a_plain_walk_through_the_rows(first: Any, second: Any) -> None:
    """Two lots, one after the other: what counts of the second is new, whole, of a known group, and there once."""
    before = judged(first, [REQUIRED])
    after = judged(second, [REQUIRED], [before.hashes])
    # An item is kept where a row of it counted; within a lot, only its first row may.
    seen = {
        item
        for at, (item, key, code) in enumerate(first)
        if key != "?" and code and item not in [r[0] for r in first[:at]]
    }
    passed = {"A": 0, "B": 0}
    for at, (item, key, code) in enumerate(second):
        fine = bool(code) and item not in seen and item not in [row[0] for row in second[:at]]
        if key != "?" and fine:
            passed[key] += 1
    assert {key: after.groups.get(key, (0, 0))[0] for key in "AB"} == passed
    assert after.unmapped == sum(key == "?" for _, key, _ in second)
    assert after.passed + after.rejected + after.unmapped == after.rows == len(second)


def test_more_rows_than_the_rules_allow_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MOST_NUMBERS", 6)
    rule = {"kind": "determines", "columns": ["item"], "column": "zip", "severity": "note"}
    assert judged([["a", "A", "1"]] * 2, [rule]).rows == 2
    with pytest.raises(Invalid, match="more than 2 rows are too many for these rules; send the manifest in parts"):
        judged([["a", "A", "1"]] * 3, [rule])


def test_reading_takes_bytes_a_row_whatever_the_rows_hold() -> None:
    """12 MB of contents in 20,000 rows: beside the body at most 200 bytes a row, a third of it, are ever held."""
    body = b"item,group,zip,text\n" + b"".join(b"i%d,A,%d,%s\n" % (at, at % 90, b"x" * 580) for at in range(20_000))
    rules = [{"kind": "determines", "columns": ["zip"], "column": "text", "severity": "row"}, REQUIRED]
    tracemalloc.start()
    found = judge("text/csv", body, rules, ["A"], b"project", [])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.passed == 20_000
    assert most < 200 * found.rows


def test_the_hashes_of_one_project_say_nothing_of_anothers() -> None:
    rows = b"item,group\na,A\n"
    mine, other = (judge("text/csv", rows, [], ["A"], project, []).hashes for project in (b"1", b"2"))
    assert mine.dtype == np.uint64
    assert mine.tolist() != other.tolist()
