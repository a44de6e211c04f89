from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche import Allocation, Budget, BudgetRatio, Estimate, Gain, GroupPlan, Remark, SimpleRule
from tranche.display import WIDTH, finding, plan_table, remark_lines


def estimate(mean: float) -> Estimate:
    return Estimate(mean, mean - 0.01, mean + 0.01)


def utilities(**means: float) -> dict[str, Estimate]:
    return {name: estimate(mean) for name, mean in means.items()}


def group(key: str, count: int, add: int, after: Estimate | None = None, reason: str = "it gains") -> GroupPlan:
    return GroupPlan(key, count, add, Decimal(3 * add), None, after, reason)


def allocation(groups: Iterable[GroupPlan], policy: str = "optimal", unspent: str = "0.00") -> Allocation:
    plans = {plan.group: plan for plan in groups}
    spend = sum((plan.cost for plan in plans.values()), Decimal(0))
    return Allocation(
        round=1,
        policy=policy,
        data_version=2,
        seed=0,
        budget=Budget(spend + Decimal(unspent), spend, Decimal(unspent), Decimal(0)),
        utility=utilities(now=0.80, after=0.84, equal=0.83, equal_spend=0.82, proportional=0.81),
        groups=plans,
        warnings=(),
        unspent_reason="less than the cheapest sample",
    )


def test_each_group_shows_its_numbers_and_its_reason_below() -> None:
    plan = allocation([group("women", 1025, 2610, estimate(0.85), "gains most per dollar"), group("men", 310, 0)])
    header, rule, women, reason, men, _, _, total = plan_table(plan, "accuracy").splitlines()
    assert header.split()[:4] == ["group", "now", "add", "cost"]
    assert set(rule) == {"-"}
    assert women.split() == [
        "women",
        "1,025",
        "2,610",
        "7,830.00",
        "unknown",
        "0.8500",
        "0.8400",
        "to",
        "0.8600",
    ]
    assert reason == "    gains most per dollar"
    assert men.split() == ["men", "310", "0", "0.00", "unknown", "unknown"]
    assert total.split() == ["total", "1,335", "2,610", "7,830.00"]


def test_the_numbers_of_a_column_end_below_each_other() -> None:
    plan = allocation([group("women", 1025, 2610), group("a", 5, 1)])
    header, _, women, _, short, *_ = plan_table(plan, "accuracy").splitlines()
    end = header.index("add") + len("add")
    assert women[:end].endswith(" 2,610")
    assert short[:end].endswith(" 1")


def test_long_reasons_are_wrapped() -> None:
    table = plan_table(allocation([group("women", 1, 1, reason="because " * 60)]), "accuracy")
    assert max(map(len, table.splitlines())) <= WIDTH


@pytest.mark.parametrize(("unspent", "shown"), [("0.00", False), ("0.50", True)])
def test_unspent_money_is_shown_with_its_reason(unspent: str, shown: bool) -> None:
    table = plan_table(allocation([group("women", 1, 1)], unspent=unspent), "accuracy")
    assert ("unspent: 0.50 (less than the cheapest sample)" in table) == shown


def test_the_finding_is_the_services_own_sentence_within_the_page() -> None:
    said = "To reach the same, the best simple rule (equal money) would need 1.3 times the money (0.9 to 2.1). " * 2
    ratio = BudgetRatio(1.3, 0.9, 2.1)
    rule = SimpleRule("equal_spend", estimate(0.82), Gain(0.02, -0.01, 0.04, 0.9), ratio, said.strip())
    lines = finding(replace(allocation([]), best_simple_rule=rule)).splitlines()
    assert " ".join(line.strip() for line in lines) == said.strip()
    assert max(map(len, lines)) <= WIDTH
    assert finding(allocation([])) == ""


def test_a_warning_about_several_groups_is_said_once() -> None:
    remarks = [
        Remark("few_points", "measure more", "a"),
        Remark("few_points", "measure more", "b"),
        Remark("x", "y"),
    ]
    assert remark_lines(remarks).splitlines() == ["  few_points (a, b): measure more", "  x: y"]


def test_a_plan_prints_as_its_table_with_its_verdict_and_its_warnings() -> None:
    rule = SimpleRule("equal_spend", estimate(0.82), Gain(0.02, -0.01, 0.04, 0.9), None, "It is worth it.")
    plan = replace(
        allocation([group("women", 1025, 2610, estimate(0.85))]),
        best_simple_rule=rule,
        warnings=(Remark("few_points", "measure more", "women"),),
    )
    said = str(plan)
    assert said == repr(plan) == f"{plan}"
    assert said.startswith(plan_table(plan))
    assert said.endswith("\nIt is worth it.\n\nWARNINGS\n  few_points (women): measure more")


def test_of_very_many_groups_the_dearest_are_shown_and_all_are_counted() -> None:
    plan = allocation([group(f"g{i}", 1, i) for i in range(1000)])
    lines = plan_table(plan).splitlines()
    assert "and 940 groups more" in lines
    assert [line.split()[0] for line in lines[2:-3:2]] == [f"g{i}" for i in range(940, 1000)]
    assert lines[-1].split() == ["total", "1,000", "499,500", "1,498,500.00"]
    assert plan._repr_html_().count("<tr>") == 61
    assert len(repr(replace(plan, warnings=tuple(Remark("x", "y", f"g{i}") for i in range(1000)))).splitlines()) < 150


class Reader(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert attrs == []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text(min_size=1), st.text(), st.text(min_size=1))
def test_whatever_stands_in_a_plan_is_text_in_a_notebook(key: str, reason: str, detail: str) -> None:
    plan = replace(allocation([group(key, 1, 2, reason=reason)]), warnings=(Remark("few_points", detail, key),))
    reader = Reader()
    reader.feed(plan._repr_html_())
    reader.close()
    assert set(reader.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}
    for text in (key, reason, f"few_points ({key}): {detail}"):
        assert text in "".join(reader.texts)


def test_a_notebook_shows_the_standing_of_the_groups() -> None:
    rule = SimpleRule("equal_spend", estimate(0.82), Gain(0.02, -0.01, 0.04, 0.9), None, "Worth <it> & more.")
    plan = replace(
        allocation([group("female/<25", 1025, 2610, estimate(0.85))], unspent="0.50"),
        best_simple_rule=rule,
        warnings=(Remark("few_points", "at n < 5 & more", "female/<25"),),
    )
    page = plan._repr_html_()
    for text in (
        "<td>female/&lt;25</td><td>1,025</td><td>2,610</td><td>7,830.00</td><td>unknown</td><td></td><td>0.8500</td>",
        "<td>0.8400 to 0.8600</td><td>it gains</td>",
        "<p>spend: 7,830.00 of 7,830.50</p>",
        "<p>unspent: 0.50 (less than the cheapest sample)</p>",
        "<p>Worth &lt;it&gt; &amp; more.</p>",
        "<li>few_points (female/&lt;25): at n &lt; 5 &amp; more</li>",
    ):
        assert text in page
