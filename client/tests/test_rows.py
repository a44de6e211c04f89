import sys
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tranche import Curve, Estimate, Group, GroupPlan, Listing, Parameter, Source


def test_a_list_of_answers_is_a_list_and_gives_plain_rows() -> None:
    sources = Listing([Source("s", "a", Decimal("0.10"), yields={"a": 1.0})])
    assert isinstance(sources, list)
    (row,) = sources.to_dicts()
    assert (row["key"], row["unit_cost"], row["fixed_cost"]) == ("s", Decimal("0.10"), Decimal(0))
    assert "yields" not in row


def test_an_estimate_is_three_columns_also_where_it_is_unknown() -> None:
    plan = GroupPlan("a", 10, 5, Decimal("7.50"), None, Estimate(0.8, 0.7, 0.9, p50=0.81), "it gains")
    assert plan.row() == {
        "group": "a", "count": 10, "pending": 0, "count_after": None, "add": 5, "cost": Decimal("7.50"),
        "metric_now": None, "metric_now_p05": None, "metric_now_p95": None,
        "metric_after": 0.8, "metric_after_p05": 0.7, "metric_after_p95": 0.9, "reason": "it gains",
    }  # fmt: skip


def test_a_curve_is_one_row_with_its_bands_at_the_counts_asked_for() -> None:
    now, band = Estimate(0.8, 0.7, 0.9), Estimate(0.85, 0.75, 0.95)
    curve = Curve("a", 10, 0, now, {"exponent": Parameter(0.5, 0.1, 0.4, 0.9)}, {300: band}, (), ())
    (row,) = Listing([curve]).to_dicts()
    assert (row["group"], row["now"], row["exponent_p95"], row["at_300"], row["at_300_p05"]) == (
        "a", 0.8, 0.9, 0.85, 0.75,
    )  # fmt: skip


def test_a_data_frame_has_money_as_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[[Any], Any] = lambda rows: rows  # noqa: E731 (what stands in for the class)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=made))
    (row,) = Listing([Source("s", "a", Decimal("0.10"))]).to_pandas()
    assert isinstance(row["unit_cost"], float)
    assert row["unit_cost"] == 0.1


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas.*to_dicts gives the same rows"):
        Listing([Group("a", None, 1.0, 3)]).to_pandas()
