"""Intake rules against their definitions, row by row and by brute force."""

from collections import Counter
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.intake.rules import (
    Determines,
    InRange,
    IntakeRule,
    Mix,
    OneOf,
    Required,
    Unique,
    distance_of,
    number_of,
)

Rows = list[tuple[str, ...]]
letters = st.sampled_from(["", "a", "b", "c"])
pairs = st.lists(st.tuples(letters, letters), min_size=1, max_size=9)


def broken_by(rule: IntakeRule, rows: Rows) -> list[int]:
    for cells in rows:
        rule.see(cells)
    return [int(row) for row in rule.judge(np.ones(len(rows), dtype=np.bool_)).rows]


@given(pairs)
def test_unique_names_every_row_that_an_earlier_one_says(rows: Rows) -> None:
    expected = [at for at, row in enumerate(rows) if any(row) and row in rows[:at]]
    assert broken_by(Unique("unique", ("x", "y"), "row"), rows) == expected


@given(pairs)
def test_required_and_values_look_at_each_row_alone(rows: Rows) -> None:
    assert broken_by(Required("required", ("x", "y"), "row"), rows) == [at for at, row in enumerate(rows) if "" in row]
    one = [row[:1] for row in rows]
    expected = [at for at, (cell,) in enumerate(one) if cell not in ("", "a")]
    assert broken_by(OneOf("values", ("x",), "row", values=frozenset("a")), one) == expected


def follows(rows: Rows) -> bool:
    """Whether the first cell says what the second is."""
    return len({row[0] for row in rows}) == len(set(rows))


@given(pairs)
def test_determines_names_as_few_rows_as_can_be_taken_out(rows: Rows) -> None:
    """Against every set of rows: without those named the rule holds, and no smaller set does it."""
    wrong = broken_by(Determines("determines", ("x", "y"), "row"), rows)
    full = [at for at, row in enumerate(rows) if all(row)]
    assert follows([rows[at] for at in full if at not in wrong])
    sets = chain.from_iterable(combinations(full, size) for size in range(len(full) + 1))
    fewest = next(len(out) for out in sets if follows([rows[at] for at in full if at not in out]))
    assert len(wrong) == fewest


def test_of_values_as_common_the_earliest_stands() -> None:
    rule = Determines("determines", ("zip", "city"), "row")
    rows: Rows = [("1", "x"), ("1", "y"), ("2", "z"), ("1", "y"), ("1", "x")]
    assert broken_by(rule, rows) == [1, 3]
    assert rule.example(1, rows[1], 0, rows[0]) == "'1' is 'x' in 2 rows and 'y' in row 2"


@pytest.mark.parametrize(
    ("cell", "breaks"),
    [("", False), ("0", False), ("120", False), ("1.2e2", False), ("-1", True), ("121", True), ("old", True),
     ("nan", True)],
)  # fmt: skip
def test_a_range_takes_numbers_within_it(cell: str, breaks: bool) -> None:
    rule = InRange("range", ("age",), "row", least=0.0, most=120.0)
    assert bool(broken_by(rule, [(cell,)])) == breaks
    assert number_of("1e999") is None


def test_a_range_says_which_end_was_passed() -> None:
    rule = InRange("range", ("age",), "row", least=0.0, most=120.0)
    said = [rule.example(3, (cell,), 3, (cell,)) for cell in ("-1", "190", "old")]
    assert said == [
        "row 4 has '-1', below 0",
        "row 4 has '190', above 120",
        "row 4 has 'old', which is no number",
    ]


@given(st.lists(st.sampled_from(["", "F", "M", "X"]), min_size=1, max_size=40), st.floats(0.0, 1.0))
def test_a_mix_is_judged_by_its_distance_beyond_chance(cells: list[str], allowed: float) -> None:
    rule = Mix("mix", ("sex",), "lot", shares={"F": 0.6, "M": 0.4}, tv_at_most=allowed)
    for cell in cells:
        rule.see((cell,))
    counted = np.arange(len(cells)) % 3 != 1
    one = rule.judge(counted)
    left = Counter(cell for cell, counts in zip(cells, counted, strict=True) if cell and counts)
    size = sum(left.values())
    distance = 0.5 * sum(abs(left[key] / max(size, 1) - share) for key, share in {"F": 0.6, "M": 0.4, "X": 0.0}.items())
    assert one.share == pytest.approx(distance if size else 0.0)
    chance = np.sqrt(2 * 0.6 * 0.4 / (np.pi * size)) if size else 0.0
    assert (one.violations == 0) == (not size or distance <= allowed + chance)


def test_chance_allows_what_honest_lots_lie_apart() -> None:
    """The formula beside the mean distance of 4,000 drawn lots."""
    wanted, rng = np.array([0.5, 0.3, 0.15, 0.05]), np.random.default_rng(1)
    lots = rng.multinomial(400, wanted, size=4000)
    apart = np.mean([distance_of(lot, wanted)[0] for lot in lots])
    assert distance_of(lots[0], wanted)[1] == pytest.approx(apart, rel=0.03)
