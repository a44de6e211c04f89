"""The chart of where groups stand says what its rows say."""

import pytest

from app.charts import render
from app.charts.standing import Row, headline, shortfall, standing_chart


def row(name: str, now: float, after: float, target: float | None = None, add: int = 0) -> Row:
    return {
        "name": name,
        "now": now,
        "after": after,
        "p05": after - 0.02,
        "p95": after + 0.02,
        "add": add,
        "target": target,
    }


ROWS = [row("a", 0.8, 0.82, 0.9, 329), row("<b>", 0.7, 0.75, 0.76), row("c", 0.95, 0.96)]


def test_who_misses_the_target_most_comes_first() -> None:
    drawn = standing_chart(ROWS, "accuracy", "maximize", share=True)["data"]["values"]
    assert [one["name"] for one in drawn] == ["a", "<b>", "c"]
    assert [one["plus"] for one in drawn] == ["+329", "", ""]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS, "a ends at 82.0\N{NO-BREAK SPACE}%, its target is 90.0\N{NO-BREAK SPACE}%, 1 more below theirs"),
        ([row("a", 0.8, 0.92, 0.9)], "Every group with a target is expected to reach it"),
        (
            [row("a", 0.8, 0.82), row("b", 0.7, 0.75)],
            "b stays the worst: 70.0\N{NO-BREAK SPACE}% now, 75.0\N{NO-BREAK SPACE}% after",
        ),
        ([], "Nothing is known of the groups yet"),
    ],
)
def test_its_title_is_its_finding(rows: list[Row], said: str) -> None:
    assert " ".join(standing_chart(rows, "accuracy", "maximize", share=True)["title"]["text"]) == said


def test_of_a_metric_to_minimise_more_is_worse() -> None:
    low, high = row("low", 10.0, 9.0), row("high", 20.0, 18.0)
    assert shortfall(high, "minimize") > shortfall(low, "minimize")
    assert headline([high, low], "minimize", share=False) == "high stays the worst: 20 now, 18 after"


def test_of_many_groups_the_worst_are_drawn_and_all_are_counted() -> None:
    rows = [row(f"g{at}", 0.5, 0.6 + at / 1000) for at in range(300)]
    spec = standing_chart(rows, "accuracy", "maximize", share=True)
    drawn = spec["data"]["values"]
    assert [one["name"] for one in drawn] == [*(f"g{at}" for at in range(10)), "290 others"]
    # The mean of .610 to .899, and what all of them add.
    assert drawn[-1]["after"] == pytest.approx(0.7545)
    assert drawn[-1]["add"] == sum(one["add"] for one in rows[10:])
    assert "The 10 worst of 300 groups, then the means of the others." in " ".join(spec["title"]["subtitle"])


def test_those_that_are_not_drawn_are_put_together_by_what_they_have_in_common() -> None:
    rows = [row(f"g{at}", 0.5, 0.6 + at / 1000) | {"kind": "even" if at % 2 == 0 else "odd"} for at in range(21)]
    drawn = standing_chart(rows, "accuracy", "maximize", share=True)["data"]["values"]
    assert [one["name"] for one in drawn[10:]] == ["6 others, even", "5 others, odd"]
    assert drawn[10]["after"] == pytest.approx(0.615)


def test_it_can_be_drawn_in_both_themes_with_and_without_rows_and_targets() -> None:
    for rows in (ROWS, ROWS[2:], []):
        assert render.svg(standing_chart(rows, "accuracy", "maximize", share=True, theme="dark")).startswith("<svg")
    assert "&lt;b&gt;" in render.svg(standing_chart(ROWS, "accuracy", "maximize", share=True))
