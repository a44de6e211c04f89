"""A plan for people says what to do on top, and nothing in it becomes markup."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tranche import Allocation, Budget, Estimate, GroupPlan, Remark, Stop, Verdict

from app.local.texts import MOST_ROWS, MOST_WARNINGS, as_markdown, as_table, collected, says_no

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def group(key: str, add: int, price: int = 3) -> GroupPlan:
    now, after = (Estimate(mean, mean - 0.1, mean + 0.1) for mean in (0.5, 0.75))
    return GroupPlan(key, 100, add, Decimal(price * add), now, after, "it gains most")


def allocation(*groups: GroupPlan, warnings: tuple[Remark, ...] = (), stop: Stop | None = None) -> Allocation:
    spend = sum((one.cost for one in groups), Decimal(0))
    return Allocation(
        round=1,
        policy="optimal",
        data_version=2,
        seed=0,
        budget=Budget(spend + 1, spend, Decimal(1), Decimal(0)),
        utility={},
        groups={one.group: one for one in groups},
        warnings=warnings,
        unspent_reason="nothing is for sale" if not spend else None,
        stop=stop,
    )


STOP = Stop(stop=True, worth_spending=Decimal(0), gain=0.001, worth=Decimal(1), reason="It gains less than it costs.")


def test_the_sentence_names_the_groups_of_most_money_first() -> None:
    plan = allocation(group("a", 10), group("b", 5, price=30), group("c", 0))
    said = "Collect 5 samples from b, 10 from a. That costs 180.00 of 181.00 EUR."
    assert collected(plan, "EUR") == said
    assert as_table(plan, "accuracy", "EUR").splitlines()[0] == said
    assert as_markdown(plan, "accuracy", "EUR").splitlines()[0] == f"**{said}**"
    assert not says_no(plan)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (allocation(group("a", 0)), ": nothing is for sale."),
        (allocation(group("a", 9), stop=STOP), ": It gains less than it costs."),
        (replace(allocation(group("a", 0)), unspent_reason=None), "."),
    ],
)
def test_a_plan_not_to_buy_says_why(plan: Allocation, why: str) -> None:
    assert says_no(plan)
    assert collected(plan, "EUR") == "Collect nothing in this round" + why


def test_the_services_verdict_stands_above_what_is_collected() -> None:
    plan = replace(allocation(group("a", 10)), verdict=Verdict("buy", "Buy round 1: 30 EUR."))
    said = ["Buy round 1: 30 EUR.", "Collect 10 samples from a. That costs 30.00 of 31.00 EUR."]
    assert as_table(plan, "accuracy", "EUR").splitlines()[:2] == said
    assert as_markdown(plan, "accuracy", "EUR").split("\n\n")[:2] == [f"**{said[0]}**", said[1]]
    kept = replace(plan, verdict=Verdict("keep", "Do not buy round 1."), stop=STOP)
    assert as_table(kept, "accuracy", "EUR").splitlines()[:2] == ["Do not buy round 1.", ""]


def test_stop_advice_that_does_not_stop_changes_nothing() -> None:
    assert not says_no(allocation(group("a", 9), stop=replace(STOP, stop=False)))


def rows(text: str) -> list[list[str]]:
    """The cells of the table, as GitHub parts them: at bars that no backslash stands before."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]


def test_markdown_has_a_row_for_each_group_and_the_total() -> None:
    found = rows(as_markdown(allocation(group("a", 1_000), group("b", 5)), "accuracy", "EUR"))
    assert found[0] == ["group", "held", "add", "cost", "accuracy now", "accuracy after"]
    assert found[2] == ["a", "100", "1,000", "3,000.00", "0.5000 (0.4000 to 0.6000)", "0.7500 (0.6500 to 0.8500)"]
    assert found[-1] == ["total", "200", "1,005", "3,015.00", "", ""]


def test_a_long_table_names_those_of_most_money_and_counts_the_others() -> None:
    groups = [group(f"g{n}", n) for n in range(MOST_ROWS + 70)]
    found = rows(as_markdown(allocation(*groups), "accuracy", "EUR"))
    assert len(found) == MOST_ROWS + 4
    assert found[2][0] == f"g{MOST_ROWS + 69}"
    assert found[-2] == ["70 others", "7,000", f"{sum(range(70)):,}", f"{3 * sum(range(70)):,}.00", "", ""]


def test_warnings_are_a_list_and_what_is_said_twice_is_said_once() -> None:
    same = [Remark("no_observations", "Post a run.", group=f"g{n}") for n in range(8)]
    others = [Remark("odd", f"Look at {n}.") for n in range(MOST_WARNINGS + 4)]
    text = as_markdown(allocation(group("a", 1), warnings=(*same, *others)), "accuracy", "EUR")
    _, _, listed = text.partition("Warnings:\n\n")
    first, *rest = listed.splitlines()
    assert first == "- `no\N{LOW LINE}observations` (g0, g1, g2, g3, g4 and 3 more): Post a run."
    assert rest[-1] == "- and 5 more"
    assert len(rest) == MOST_WARNINGS


@given(TEXT, TEXT, TEXT)
def test_no_text_becomes_markup(key: str, metric: str, detail: str) -> None:
    text = as_markdown(allocation(group(key, 5), warnings=(Remark("odd", detail, group=key),)), metric, "EUR")
    plain = re.sub(r"\\.", "", text.replace("`odd`", "odd"))
    lines = plain.splitlines()
    assert [len(row) for row in rows(text)] == [6] * 4
    assert not re.search(r"[\[\]<>`~&$_]|@\w|://\w|#\d", plain)
    assert sum(line.count("*") for line in lines) == 4
    assert len(text.splitlines()) == 10
