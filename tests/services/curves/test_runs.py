"""Runs as columns say what the rows say, however they came together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.services.curves.readings import Reading, standard_error, standard_errors
from app.services.curves.repeats import repeats_of
from app.services.curves.runs import CELLS, Runs, joined, reading_of, runs_of_rows
from app.store.models.observations import Observation
from app.store.models.projects import Project

KEYS = ("a", "b", "c")
START = datetime(2026, 11, 20, tzinfo=UTC)


@st.composite
def readings(draw: st.DrawFn) -> dict[str, float]:
    found: dict[str, float] = {"value": draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))}
    if draw(st.booleans()):
        found["stderr"] = draw(st.sampled_from([0.0, 0.1]))
    if draw(st.booleans()):
        found["eval_size"] = draw(st.sampled_from([10, 11]))
    return found


@st.composite
def stored_rows(draw: st.DrawFn) -> list[Any]:
    """Rows as the store gives them; of few different numbers, so that some repeat others."""
    return [
        SimpleNamespace(
            id=UUID(int=number),
            external_id=draw(st.sampled_from([None, f"r{number}"])),
            content_hash=f"{number:064}",
            counts=draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from([0, 1, 2]))),
            metrics=draw(st.dictionaries(st.sampled_from(KEYS), readings(), min_size=1)),
            origin=draw(st.sampled_from([None, {"s": {"a": 1}}, {"s": {"a": 1, "b": 1}, "t": {"a": 1}}])),
            holdout=draw(st.sampled_from(["h", "i"])),
            observed_at=START + timedelta(microseconds=draw(st.integers(0, 3))),
            data_version=number,
            voided_version=draw(st.sampled_from([None, 40, 50])),
        )
        for number in range(1, draw(st.integers(0, 12)) + 1)
    ]


def same(one: Runs, other: Runs) -> None:
    for name in ("ids", "external_ids", "hashes"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("observed", "brought", "voided"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [one.holdouts[code] for code in one.holdout] == [other.holdouts[code] for code in other.holdout]
    for at in {**one.pair, **other.pair}:
        np.testing.assert_array_equal(one.came_from(*at), other.came_from(*at))
    for key in KEYS:
        for name in CELLS:
            np.testing.assert_array_equal(one.column(name, key), other.column(name, key))


@given(stored_rows())
def test_columns_say_what_the_rows_say(rows: Sequence[Any]) -> None:
    runs = runs_of_rows(rows)
    for key in KEYS:
        measured = [number for number, row in enumerate(rows) if key in row.metrics]
        assert runs.measured(key).tolist() == measured
        assert [reading_of(runs, row, key) for row in measured] == [
            Reading(**rows[row].metrics[key]) for row in measured
        ]
    for source, key in runs.pair:
        came = [(row.origin or {}).get(source, {}).get(key, 0) for row in rows]
        assert runs.came_from(source, key).tolist() == came
    told = [[row.counts.get(key, 0) for key in KEYS] for row in rows]
    np.testing.assert_array_equal(runs.compositions(KEYS), np.array(told, dtype=float).reshape(-1, len(KEYS)))
    order = sorted(range(len(rows)), key=lambda row: (rows[row].observed_at, row))
    assert runs.in_time.tolist() == [order.index(row) for row in range(len(rows))]


@given(stored_rows())
def test_repeats_are_those_of_the_rows(rows: Sequence[Any]) -> None:
    runs = runs_of_rows(rows)
    expected = repeats_of([Observation(**vars(row)) for row in rows])
    assert {runs.ids[row]: runs.ids[first] for row, first in runs.repeats.items()} == {
        key: first.id for key, first in expected.items()
    }
    assert runs.distinct.tolist() == [row.id not in expected for row in rows]


@given(stored_rows(), st.integers(0, 12))
def test_what_grew_is_what_is_read_at_once(rows: Sequence[Any], cut: int) -> None:
    """In parts, with runs voided in between, one part out of order: folded, it is the whole."""
    before = [SimpleNamespace(**{**vars(row), "voided_version": None}) for row in rows[:cut]]
    voided = {row.id: row.voided_version for row in rows[:cut] if row.voided_version is not None}
    same(runs_of_rows(before).grown(rows[cut:], voided), runs_of_rows(rows))
    same(joined([runs_of_rows(rows[cut:]), runs_of_rows(rows[:cut])]), runs_of_rows(rows))


@given(stored_rows(), st.integers(0, 60))
def test_a_fit_of_a_version_uses_what_was_there_and_not_voided(rows: Sequence[Any], version: int) -> None:
    expected = [
        row.id
        for row in rows
        if row.data_version <= version and not (row.voided_version and row.voided_version <= version)
    ]
    runs = runs_of_rows(rows)
    assert list(runs.as_of(version).ids) == expected
    assert list(runs.taken(np.flatnonzero(runs.brought == 3)).ids) == [row.id for row in rows if row.data_version == 3]


@given(st.lists(readings()), st.sampled_from(["proportion", "other"]))
def test_standard_errors_of_many_are_those_of_each(said: Sequence[dict[str, Any]], kind: str) -> None:
    expected = [standard_error(Project(metric_kind=kind), Reading(**one)) for one in said]
    columns = [
        np.array([one.get(name, np.nan) for one in said], dtype=float) for name in ("value", "stderr", "eval_size")
    ]
    found = standard_errors(kind, *columns)
    np.testing.assert_array_equal(found, np.array([np.nan if one is None else one for one in expected], dtype=float))
