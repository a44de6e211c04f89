"""Charts of the plan: their titles are computed from what they draw, and Vega-Lite draws every one of them."""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from app.charts import render
from app.charts.budget import targets_chart, utility_chart
from app.charts.curves import curve_chart, curves_chart, ticks
from app.charts.margins import MOST, margins_chart
from app.charts.money import RoundMoney, spending
from app.charts.scenarios import scenarios_chart
from app.charts.theme import DASHED, Spec, ThemeName

HOSTILE = "<script>alert('x')</script> {{7*7}} datum.count"
SVG = "{http://www.w3.org/2000/svg}"
SOURCE = "census, data version 2"


def panel(**changes: Any) -> dict[str, Any]:
    counts = (10, 40, 100, 650, 1300)
    band = [{"count": n, "mean": 0.9 - 1 / n, "p05": 0.88 - 1 / n, "p95": 0.92 - 1 / n} for n in counts]
    return {
        "group": "B",
        "name": "Black women",
        "metric": "accuracy",
        "now": {"count": 40, "mean": 0.875},
        "after": {"count": 650, "mean": 0.8985},
        "pending": 0,
        "add": 610,
        "target": 0.95,
        "measured_to": 100,
        "band": band,
        "points": [
            {"count": 10, "value": 0.81, "low": 0.79, "high": 0.83},
            {"count": 100, "value": 0.88, "low": None, "high": None},
        ],
        "others": [{"group": "A", "count": n, "mean": 0.7} for n in counts],
        "domain": [0.7, 1.0],
    } | changes


def margins(count: int = 2) -> list[dict[str, Any]]:
    rows = [
        {"group": f"g{at}", "name": f"group {at}", "now": 1e-4 / (at + 1), "after": 1e-5, "add": 5}
        for at in range(count)
    ]
    return [*rows, {"group": "none", "name": "no source", "now": None, "after": None, "add": 0}]


def budgets(*chances: float | None) -> list[dict[str, Any]]:
    return [
        {
            "budget": 100.0 * at,
            "gain": {"mean": 0.1 * at, "p05": 0.08 * at, "p95": 0.2 * at},
            "gain_equal": {"mean": 0.05 * at, "p05": 0.0, "p95": 0.1 * at},
            "chance": chance,
        }
        for at, chance in enumerate(chances)
    ]


def scenarios(**changes: Any) -> list[dict[str, Any]]:
    zero = {"mean": 0.0, "p05": 0.0, "p95": 0.0, "p_better": 0.5}
    better = {"mean": 0.1, "p05": -0.05, "p95": 0.2, "p_better": 0.8}
    return [
        {"name": "as planned", "spend": 100.0, "gain": zero},
        {"name": "twice the money", "spend": 200.0, "gain": better} | changes,
        {"name": "impossible", "spend": None, "gain": None},
    ]


def every_chart(theme: ThemeName, name: str = "Black women") -> Iterator[Spec]:
    yield curve_chart(panel(name=name), SOURCE, theme)
    yield curves_chart([panel(name=name), panel(group="C")], SOURCE, 2, theme)
    yield margins_chart([{**row, "name": f"{name} {at}"} for at, row in enumerate(margins())], "USD", SOURCE, theme)
    yield utility_chart(budgets(0.1, 0.4, 0.6), 100.0, "USD", name, theme)
    yield targets_chart(budgets(0.1, 0.4, 0.6), 100.0, "USD", name, theme)
    yield scenarios_chart(scenarios(name=name), "USD", SOURCE, theme)


def said(spec: Spec) -> str:
    return " ".join(spec["title"]["text"])


def words(spec: Spec) -> str:
    document = ElementTree.fromstring(render.svg(spec))  # noqa: S314  our own drawing
    return " ".join("".join(text.itertext()) for text in document.iter(f"{SVG}text"))


def marks(spec: Spec, kind: str) -> list[Spec]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == kind]


def test_small_multiples_say_once_what_they_share_and_whom_the_plan_moves_the_most() -> None:
    small = panel(name="A: few", after={"count": 100, "mean": 0.89}, add=60, group="A")
    spec = curves_chart([small, panel(), panel(name="C", after=None)], SOURCE)
    assert said(spec) == "The plan moves Black women the most: 0.875 now, 0.898 after 610 more"
    assert words(spec).count(SOURCE) == 1
    assert [view["title"]["subtitle"] for view in spec["concat"]] == [
        ["0.875 now, 0.890 after 60 more"],
        ["0.875 now, 0.898 after 610 more"],
        ["0.875 at 40 samples"],
    ]
    assert said(curves_chart([panel(after=None)], SOURCE)) == "The plan buys nothing for these groups"
    assert said(curves_chart([panel(), panel(after=None)], SOURCE)).startswith("The plan moves Black women: ")


def test_counts_are_labelled_in_round_steps() -> None:
    assert ticks(8, 1300) == [10, 20, 50, 100, 200, 500, 1000]
    assert ticks(8, 13_000) == [10, 100, 1000, 10_000]
    assert ticks(0.8, 16) == [1, 2, 5, 10]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_chart_is_drawn_without_a_legend_and_without_an_expression(theme: ThemeName) -> None:
    for spec in every_chart(theme):
        assert ElementTree.fromstring(render.svg(spec)).tag == f"{SVG}svg"  # noqa: S314  our own drawing
        text = json.dumps(spec)
        assert '"expr"' not in text
        assert '"calculate"' not in text
        assert '"filter"' not in text
        legends = [
            part for part in walk(spec) if "field" in part and {"scale", "legend"} <= part.keys() and part["legend"]
        ]
        assert not legends


def walk(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from walk(value)


def test_a_hostile_name_is_shown_as_it_is_and_is_never_a_field() -> None:
    for spec in every_chart("light", HOSTILE):
        drawn = render.svg(spec)
        assert "<script" not in drawn
        assert HOSTILE not in [part.get("field") for part in walk(spec)]
    assert "<script>alert('x')</script> {{7*7}}" in words(curve_chart(panel(name=HOSTILE), SOURCE))


def test_a_curve_is_solid_inside_what_was_measured_and_dashed_beyond() -> None:
    inside, beyond = [one for one in marks(curve_chart(panel(), SOURCE), "line") if "strokeDash" in one["mark"]]
    assert [row["count"] for row in inside["data"]["values"]] == [10, 40, 100]
    assert [row["count"] for row in beyond["data"]["values"]] == [100, 650, 1300]
    assert inside["mark"]["strokeDash"] == [1, 0]
    assert beyond["mark"]["strokeDash"] == DASHED


def test_a_group_that_was_never_measured_has_no_solid_part() -> None:
    lines = [
        one
        for one in marks(curve_chart(panel(measured_to=0, points=[]), SOURCE), "line")
        if "strokeDash" in one["mark"]
    ]
    assert [one["mark"]["strokeDash"] for one in lines] == [DASHED]


def test_the_counts_now_and_after_and_the_target_are_marked_by_words() -> None:
    shown = words(curve_chart(panel(), SOURCE))
    assert "now" in shown
    assert "after" in shown
    assert "target 0.950" in shown


def test_a_curve_says_what_the_plan_makes_of_it() -> None:
    assert said(curve_chart(panel(), SOURCE)) == "Black women: 0.875 now, 0.898 after 610 more"
    assert said(curve_chart(panel(after=None), SOURCE)) == "Black women: 0.875 at 40 samples"
    nothing = panel(now={"count": 0, "mean": 0.5}, after=None, measured_to=0, points=[], band=[])
    assert said(curve_chart(nothing, SOURCE)) == "Black women: nothing is held yet"
    first = panel(now={"count": 0, "mean": 0.5})
    assert said(curve_chart(first, SOURCE)) == "Black women: 0.500 now, 0.898 after 610 more"
    render.svg(curve_chart(nothing, SOURCE))


def test_what_is_awaited_and_what_counts_for_less_are_said() -> None:
    awaited = panel(now={"count": 40, "mean": 0.875}, pending=15)
    assert said(curve_chart(awaited, SOURCE)) == "Black women: 0.875 with 15 awaited, 0.898 after 610 more"
    assert "with awaited" in words(curve_chart(awaited, SOURCE))
    assert said(curve_chart(awaited | {"after": None}, SOURCE)).endswith("0.875 at 40 samples with 15 awaited")
    worse = panel(after={"count": 100, "mean": 0.89})
    assert said(curve_chart(worse, SOURCE)).endswith("0.890 after 610 more, counted as 60")


def test_counts_of_nothing_have_no_place_on_the_logarithmic_axis() -> None:
    first = {"count": 0, "mean": 0.5, "p05": 0.4, "p95": 0.6}
    spec = curve_chart(panel(now={"count": 0, "mean": 0.5}, band=[first, *panel()["band"]]), SOURCE)
    assert all(part["count"] >= 1 for part in walk(spec) if isinstance(part.get("count"), int))
    render.svg(spec)


def test_an_unknown_error_leaves_a_point_without_a_bar() -> None:
    bars = [one for one in marks(curve_chart(panel(), SOURCE), "rule") if "y2" in one["encoding"]]
    assert [row["count"] for row in bars[0]["data"]["values"]] == [10]


def test_margins_say_where_money_gains_the_most() -> None:
    assert said(margins_chart(margins(), "USD", SOURCE)).startswith("Bought until money gains the same everywhere")
    uneven = [row | {"after": row["now"]} for row in margins(3)[:3]]
    assert said(margins_chart(uneven, "USD", SOURCE)) == "Money gains the most on group 0, group 1 and group 2"
    unfed = [row | {"add": 0} for row in margins()]
    assert said(margins_chart(unfed, "USD", SOURCE)).endswith("and nothing is bought")
    assert said(margins_chart([], "USD", SOURCE)) == "Nothing is known yet of what a sample gains"


def test_margins_are_drawn_for_the_largest_alone_and_say_how_many_are_left_out() -> None:
    spec = margins_chart(margins(MOST + 7), "USD", SOURCE)
    assert len(spec["data"]["values"]) == 2 * MOST
    assert spec["data"]["values"][0]["name"] == "group 0"
    assert "8 more are not shown" in " ".join(spec["title"]["subtitle"])


def test_a_budget_says_what_it_gains_and_what_more_would_add() -> None:
    spec = utility_chart(budgets(None, None, None), 100.0, "USD", SOURCE)
    assert said(spec) == "100 USD raise utility by 0.1; 100 USD more would add 0.1"
    assert said(utility_chart(budgets(None, None), 100.0, "USD", SOURCE)) == "100 USD raise utility by 0.1"


@pytest.mark.parametrize(("currency", "form"), [("JPY", ",.0f"), ("USD", ",.2f"), ("KWD", ",.3f")])
def test_tooltips_have_the_decimals_of_the_currency(currency: str, form: str) -> None:
    rounds: list[RoundMoney] = [{"round": 1, "spent": 10.0, "committed": 5.0}]
    charts = (
        (utility_chart(budgets(None, None), 100.0, currency, SOURCE), f"budget, {currency}"),
        (scenarios_chart(scenarios(), currency, SOURCE), f"spend, {currency}"),
        (spending(rounds, 100.0, currency), currency),
    )
    for spec, title in charts:
        shown = [one for layer in spec["layer"] for one in layer.get("encoding", {}).get("tooltip", ())]
        assert [one["format"] for one in shown if one["title"] == title] == [form]


def test_chances_are_told_for_the_plan_and_for_all_the_money() -> None:
    spec = targets_chart(budgets(0.1, 0.4, 0.999), 100.0, "USD", SOURCE)
    assert said(spec) == "With 100 USD all targets are met with a chance of 40 %; with 200 USD, 99.9 %"
    assert said(targets_chart(budgets(None, None), 100.0, "USD", SOURCE)) == "No group has a target"


def test_the_best_scenario_is_named_with_its_chance() -> None:
    assert said(scenarios_chart(scenarios(), "USD", SOURCE)) == (
        "twice the money does better than as planned with a chance of 80 %"
    )
    worse = {"mean": -0.1, "p05": -0.2, "p95": 0.0, "p_better": 0.1}
    assert said(scenarios_chart(scenarios(gain=worse), "USD", SOURCE)) == (
        "No scenario is expected to do better than as planned"
    )


def test_a_scenario_without_a_plan_has_no_point() -> None:
    spec = scenarios_chart(scenarios(), "USD", SOURCE)
    assert [row["place"] for row in spec["data"]["values"]] == ["1. as planned", "2. twice the money"]
