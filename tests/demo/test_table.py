from collections.abc import Iterable
from decimal import Decimal

from tranche import Allocation, Budget, Estimate, GroupPlan

from app.demo.genomes import GROUPS, METRIC, measured_runs
from app.demo.table import splits_table


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


def test_splits_show_what_they_buy_and_gain_over_nothing() -> None:
    plan = allocation([group("a", 10, 5), group("b", 10, 0)])
    other = allocation([group("a", 10, 2), group("b", 10, 3)], policy="equal")
    _, _, nothing, best, equal = splits_table(plan, {"equal": other}).splitlines()
    assert nothing.split()[:6] == ["buy", "nothing", "0", "0", "0.00", "0.8000"]
    assert best.split() == ["optimal", "5", "0", "15.00", "0.8400", "0.8300", "to", "0.8500", "+0.0400"]
    assert equal.split() == ["equal", "2", "3", "15.00", "0.8300", "0.8200", "to", "0.8400", "+0.0300"]


def test_the_demos_points_are_whole_runs_of_its_groups_within_the_metrics_bounds() -> None:
    runs, keys = measured_runs(), {group["key"] for group in GROUPS}
    assert len(runs) == len({run.external_id for run in runs}) == 102
    assert {run.holdout for run in runs} == {f"genome-{i}" for i in (1, 2, 3)}
    for run in runs:
        assert run.counts.keys() == run.metrics.keys() == keys
        assert min(run.counts.values()) >= 25
        assert all(METRIC["lower"] < metric.value < METRIC["upper"] for metric in run.metrics.values())
