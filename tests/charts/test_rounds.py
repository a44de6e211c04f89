"""The charts of rounds and money say what the numbers say."""

from app.charts import render
from app.charts.money import RoundMoney, running, spending
from app.charts.progress import GroupRow, progress
from app.charts.theme import LIGHT

ROWS: list[GroupRow] = [
    {"group": "A", "planned": 100, "accepted": 90, "pending": 0, "rejected": 5},
    {"group": "<script>", "planned": 300, "accepted": 10, "pending": 20, "rejected": 0},
]
MONEY: list[RoundMoney] = [
    {"round": 2, "spent": 10.0, "committed": 90.0},
    {"round": 1, "spent": 300.5, "committed": 0.0},
]


def test_the_title_of_progress_is_its_finding() -> None:
    assert progress(3, ROWS)["title"]["text"] == ["Round 3: 100 of 400 planned samples accepted (25%)"]
    assert progress(None, [])["title"]["text"] == ["No round has been accepted yet"]


def test_groups_that_lack_most_come_first_and_are_kept_where_not_all_are_shown() -> None:
    spec = progress(3, ROWS, most=1)
    assert [row["group"] for row in spec["layer"][1]["data"]["values"]] == ["<script>"]
    assert "the 1 of 2 groups that lack most" in spec["title"]["subtitle"][0]


def test_the_words_behind_the_longest_bar_have_a_place() -> None:
    bars = progress(3, ROWS)["layer"][0]["encoding"]["x"]
    assert bars["scale"]["domain"] == [0, 450]


def test_rejected_samples_are_an_outline_that_greyscale_tells_from_accepted_ones() -> None:
    bars = progress(3, ROWS)["layer"][0]["encoding"]
    fill, edge = (dict(zip(bars[name]["scale"]["domain"], bars[name]["scale"]["range"], strict=True))
                  for name in ("color", "stroke"))  # fmt: skip
    assert fill["rejected"] == LIGHT.background
    assert edge["rejected"] != LIGHT.background
    assert fill["accepted"] != LIGHT.background


def test_every_sample_is_in_one_bar() -> None:
    values = progress(3, ROWS)["layer"][0]["data"]["values"]
    assert sum(value["samples"] for value in values) == 125


def test_money_adds_up_over_rounds_in_their_order() -> None:
    sums = {(row["round"], row["state"]): row["amount"] for row in running(MONEY)}
    assert sums == {(1, "spent"): 300.5, (1, "committed"): 0.0, (2, "spent"): 310.5, (2, "committed"): 90.0}


def test_the_title_of_spending_says_what_is_left_or_overspent() -> None:
    words = " ".join(spending(MONEY, 1000.0, "USD")["title"]["text"])
    assert words == "USD 310.50 of 1,000.00 spent, 90.00 committed, USD 599.50 left"
    assert "JPY 100 over the budget" in " ".join(spending(MONEY, 300.0, "JPY")["title"]["text"])
    assert "KWD 100.500 over the budget" in " ".join(spending(MONEY, 300.0, "KWD")["title"]["text"])
    assert "USD 100.50 over the budget" in " ".join(spending(MONEY, 300.0, "USD")["title"]["text"])


def test_they_can_be_drawn_in_both_themes_with_and_without_rows() -> None:
    for theme in ("light", "dark"):
        for spec in (progress(1, ROWS, "s", theme), progress(None, [], "s", theme)):
            assert render.svg(spec).startswith("<svg")
        for money in (spending(MONEY, 1000.0, "USD", "s", theme), spending([], 0.0, "USD", "s", theme)):
            assert render.svg(money).startswith("<svg")
    assert "&lt;script&gt;" in render.svg(progress(1, ROWS))
