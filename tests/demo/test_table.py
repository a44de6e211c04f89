from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from tranche import Allocation, Budget, BudgetRatio, Estimate, Gain, GroupPlan, Remark, SimpleRule

from app.demo.census import GROUPS, METRIC, measured_runs
from app.demo.table import WIDTH, plan_table, remark_lines, splits_table, verdict


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


def test_splits_show_what_they_buy_and_gain_over_nothing() -> None:
    plan = allocation([group("a", 10, 5), group("b", 10, 0)])
    other = allocation([group("a", 10, 2), group("b", 10, 3)], policy="equal")
    _, _, nothing, best, equal = splits_table(plan, {"equal": other}).splitlines()
    assert nothing.split()[:6] == ["buy", "nothing", "0", "0", "0.00", "0.8000"]
    assert best.split() == ["optimal", "5", "0", "15.00", "0.8400", "0.8300", "to", "0.8500", "+0.0400"]
    assert equal.split() == ["equal", "2", "3", "15.00", "0.8300", "0.8200", "to", "0.8400", "+0.0300"]


def test_the_verdict_is_the_services_own_sentence_within_the_page() -> None:
    said = "To reach the same, the best simple rule (equal money) would need 1.3 times the money (0.9 to 2.1). " * 2
    ratio = BudgetRatio(1.3, 0.9, 2.1)
    rule = SimpleRule("equal_spend", estimate(0.82), Gain(0.02, -0.01, 0.04, 0.9), ratio, said.strip())
    lines = verdict(replace(allocation([]), best_simple_rule=rule)).splitlines()
    assert " ".join(line.strip() for line in lines) == said.strip()
    assert max(map(len, lines)) <= WIDTH
    assert verdict(allocation([])) == ""


def test_a_warning_about_several_groups_is_said_once() -> None:
    remarks = [
        Remark("few_points", "measure more", "a"),
        Remark("few_points", "measure more", "b"),
        Remark("x", "y"),
    ]
    assert remark_lines(remarks).splitlines() == ["  few_points (a, b): measure more", "  x: y"]


def test_the_demos_points_are_whole_runs_of_its_groups_within_the_metrics_bounds() -> None:
    runs, keys = measured_runs(), {group["key"] for group in GROUPS}
    assert len(runs) == len({run.external_id for run in runs}) == 156
    assert {run.holdout for run in runs} == {f"split-{i}" for i in range(6)}
    for run in runs:
        assert run.counts.keys() == run.metrics.keys() == keys
        assert min(run.counts.values()) >= 25
        assert all(METRIC["lower"] < metric.value < METRIC["upper"] for metric in run.metrics.values())
